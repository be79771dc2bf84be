"""`make demo`: run the demo notebook on the clips in DEMO/Examples and show the table.

python -m emorec.publish.demo_notebook
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from emorec.files import write_atomically
from emorec.paths import REPOSITORY

NOTEBOOK = REPOSITORY / "DEMO" / "ER_FullClip_DEMO.ipynb"
COLUMNS = ["file", "truth", "emotion", "confidence", "voice", "face", "geometry", "reason"]

_PLAYER_LINK = re.compile(r'(<(?:video|audio)\b[^>]* src=")\./')


def run_notebook(notebook: Path, results_folder: Path) -> None:
    """Execute a notebook where it stands; leave it, run, and as HTML in `results_folder`.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    content = nbformat.read(notebook, as_version=4)
    work = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(content, timeout=None, kernel_name="python3", resources=work)
    # TensorFlow's start-up messages would bury the table; errors are raised all the same.
    client.execute(stderr=subprocess.DEVNULL)
    move_links(content)
    page, _ = HTMLExporter().from_notebook_node(content)
    write_atomically(results_folder / notebook.name, lambda name: nbformat.write(content, name))
    write_atomically(
        results_folder / f"{notebook.stem}.html",
        lambda name: Path(name).write_text(page, encoding="utf-8"),
    )


def move_links(content: nbformat.NotebookNode) -> None:
    """Let the players of an executed notebook find their clips from the folder below."""
    for cell in content.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html")
            if html is not None:
                output.data["text/html"] = _PLAYER_LINK.sub(r"\1../", html)


def main() -> None:
    """Run the demo and print what it found."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    results = NOTEBOOK.parent / "Results"
    results.mkdir(exist_ok=True)
    print(f"Reading the clips in {NOTEBOOK.parent.name}/Examples ...", file=sys.stderr)
    run_notebook(NOTEBOOK, results)
    table = pd.read_csv(results / "results.csv", keep_default_na=False)
    table["file"] = [Path(name).name for name in table["file"]]
    shown = [name for name in COLUMNS if name in table.columns and (table[name] != "").any()]
    print(table[shown].to_string(index=False) if len(table) else "no clips")
    print(f"\nPage with plots: {(results / NOTEBOOK.stem).relative_to(REPOSITORY)}.html")


if __name__ == "__main__":
    main()
