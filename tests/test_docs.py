"""The README and the pages in docs/ are short, and what they tell to type can be typed."""

import re
import shlex

import pytest

from emorec import cli
from emorec.paths import REPOSITORY

README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
LONGEST_README = 150


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def commands():
    for page in PAGES:
        for line in "".join(blocks(page, "sh")).splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].rpartition("/")[2] == "emorec":
                yield pytest.param(words[1:], id=f"{page.stem}: {' '.join(words[1:])}")


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST_README


def test_every_page_is_in_the_index():
    index = (REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[\w+\]\((\w+\.md)\)", index, flags=re.M)) == {
        page.name for page in PAGES if page.stem != "README"
    }


@pytest.mark.parametrize("arguments", commands())
def test_commands_can_be_typed(arguments):
    options = cli._parser().parse_args(arguments)
    assert options.command == arguments[0]


def test_links_within_pages_lead_to_headings():
    for page in PAGES:
        for path, anchor in re.findall(
            r"\]\(([\w./]*)#([\w-]+)\)", page.read_text(encoding="utf-8")
        ):
            target = page.parent / path if path else page
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.M)
            slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page.name}: {path}#{anchor}"


def test_the_python_of_the_readme_runs(monkeypatch, capsys):
    (code,) = blocks(README, "python")
    monkeypatch.chdir(REPOSITORY)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["result"].emotion
    assert "fused" in capsys.readouterr().out
