"""Makes the README's pictures of the web page: `python tests/app/browser/screenshots.py`.

The page reads a clip of an avatar; no person is to be seen.
"""

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parents[2])]

from app_server import (  # noqa: E402
    CLIPS,
    REPOSITORY,
    TIMEOUT_MS,
    Server,
    browser_path,
    until,
    why_not,
)

WINDOWS = {"wide": (1180, 900, "light"), "narrow": (390, 844, "dark")}


def main() -> None:
    """Write `Plots/app_wide.png` and `Plots/app_narrow.png`."""
    if why_not():
        sys.exit(why_not())
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), "--port", "0")
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, (width, height, scheme) in WINDOWS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            context.set_default_timeout(TIMEOUT_MS)
            page = context.new_page()
            page.goto(server.url)
            page.set_input_files("emorec-intake input[type=file]", CLIPS[6])
            page.wait_for_selector(".downloads .draw")
            player = "document.querySelector('video.player')"
            until(page, f"{player}.readyState >= 2 && !{player}.seeking")
            # No controls over the face.
            page.evaluate(f"{player}.controls = false")
            page.evaluate("document.activeElement.blur()")
            page.evaluate("document.querySelector('.found').scrollIntoView()")
            page.screenshot(path=REPOSITORY / "Plots" / f"app_{name}.png", full_page=name == "wide")
            context.close()
        browser.close()
        server.interrupt()


if __name__ == "__main__":
    main()
