"""The house is as its pages describe it: wings, links, commands, layers."""

import re
import tomllib
from pathlib import Path

import pytest

from emorec.paths import REPOSITORY

PACKAGE = REPOSITORY / "emorec"
WINGS = sorted(file.parent.name for file in PACKAGE.glob("*/__init__.py"))
HOUSE = (REPOSITORY / "docs" / "house.md").read_text(encoding="utf-8")
PAGES = sorted(
    page
    for folder in (".", "docs", "notebooks", "Models", "Datasets", "Plots", "Other", "DEMO")
    for page in (REPOSITORY / folder).glob("*.md")
)
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_the_house_has_a_line_for_every_wing_and_for_no_other():
    assert sorted(re.findall(r"^\| `emorec/(\w+)/` \|", HOUSE, flags=re.M)) == WINGS


def test_the_drawings_of_the_house_show_wings_and_files_that_exist():
    drawings = "".join(HOUSE.split("```")[1::2])
    folders = set(re.findall(r"\b([a-z]\w+)/", drawings))
    files = set(re.findall(r"\b((?:[a-z]\w+/)?[a-z]\w+\.py)\b", drawings))
    assert folders <= {*WINGS, "comparisons"}, "a wing is drawn that is not there"
    assert len(folders) > 15 and len(files) > 3
    assert [name for name in files if not (PACKAGE / name).exists()] == []
    named = set(re.findall(r"`(\w+\.py)`", HOUSE)) | {Path(name).name for name in files}
    assert {file.name for file in PACKAGE.glob("[a-z]*.py")} <= named, "a file has no mention"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)}
    local = [link for link in links if link and "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_of_the_pages_exist(page):
    text = page.read_text(encoding="utf-8")
    for module in re.findall(r"python -m (emorec[\w.]*)", text):
        file = REPOSITORY / module.rstrip(".").replace(".", "/")
        assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), module
    trained = re.findall(
        r"\w+", " ".join(re.findall(r"^(?:TRAIN|CHOSEN) := (.*)$", MAKEFILE, flags=re.M))
    )
    for name in re.findall(r"\bmake train-(\w+)", text):
        assert name in trained, f"make train-{name}"
    for name in re.findall(r"\bmake experiment-([a-z][\w.]*\w)", text):
        assert (PACKAGE / "experiments" / f"{name.replace('.', '/')}.py").exists(), name
    for name in re.findall(r"(?:^|`)make ([a-z][a-z-]*[a-z])(?=[`\s])", text, flags=re.M):
        if not name.startswith(("train-", "experiment-")):
            assert re.search(rf"^{name}:", MAKEFILE, flags=re.M), f"make {name}"


def test_what_make_trains_is_what_ships():
    shipped = {file.parent.name for file in (REPOSITORY / "Models").glob("*/MODEL_CARD.md")}
    commands = {
        re.search(r"emorec\.training\.(\w+)", (REPOSITORY / "Models" / name / "metrics.json")
                  .read_text(encoding="utf-8"))[1]
        for name in shipped
    }  # fmt: skip
    assert commands == set(re.search(r"^TRAIN := (.*)$", MAKEFILE, flags=re.M)[1].split())


def test_every_wing_has_a_floor():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    floors = {name.strip() for layer in layers for name in layer.split("|")}
    assert set(WINGS) <= floors
