"""The page that says which folders of `Models/` ship, can be chosen, or only compare."""

import re

import pytest

from emorec.evaluation.evidence import load_evidence
from emorec.paths import ALTERNATIVES, COMPARISONS, MODELS, REPOSITORY
from emorec.publish.model_folders import folders_page
from emorec.publish.notebook_table import read_notebooks


@pytest.fixture(scope="module")
def evidence():
    return load_evidence(MODELS)


@pytest.fixture(scope="module")
def parts(evidence):
    page = folders_page(evidence, MODELS, read_notebooks(REPOSITORY / "notebooks"))
    return page.split("### ")[1:]


def test_every_folder_stands_in_the_part_where_it_lies(evidence, parts):
    ships, alternatives, comparisons = parts
    assert set(re.findall(r"^\| \[`(\w+)`", ships, flags=re.M)) == {
        e.folder.name for e in evidence if e.is_shipped
    }
    assert set(re.findall(r"^\| \[`(\w+)`", alternatives, flags=re.M)) == {
        folder.name for folder in ALTERNATIVES.iterdir() if folder.is_dir()
    }
    assert set(re.findall(r"^\| \[`comparisons/(\w+)`", comparisons, flags=re.M)) == {
        folder.name for folder in COMPARISONS.iterdir() if folder.is_dir()
    }
    for one in evidence:
        if one.place.startswith("comparisons/"):
            assert f"]({one.place}/)" in comparisons


def test_a_row_says_what_is_compared_how_it_is_made_and_where_it_is_explained(parts):
    _, alternatives, comparisons = parts
    voice = next(row for row in alternatives.split("\n") if "`voice_2d_cnn`" in row)
    assert "| voice |" in voice and "`make train-voice`" in voice
    assert "(../notebooks/05_voice_2d_cnn.ipynb)" in voice
    search = next(row for row in comparisons.split("\n") if "comparisons/voice_search`" in row)
    assert "A search for the voice network's settings" in search, "folders without predictions too"
    assert "`make experiment-voice_search`" in search
    assert all("| – | – |" not in row for row in comparisons.split("\n")[4:])


def test_without_comparisons_and_with_another_command_there_is_one_table(evidence, tmp_path):
    (one,) = [e for e in evidence if e.name == "geometry"]
    one.metrics["command"], kept = "python -m this", one.metrics["command"]
    page = folders_page([one], tmp_path, [])
    one.metrics["command"] = kept
    assert page.count("### ") == 1
    assert page.split("\n")[-1].endswith("| `python -m this` | – |")
