"""The notebooks' form: short cells, small files, outputs of a run from top to bottom, one title."""

import json
import re
from pathlib import Path

import pytest

from emorec.evaluation.evidence import ResultsError
from emorec.paths import MODELS, REPOSITORY
from emorec.publish.notebook_table import count_in_words, notebook_table, read_notebooks

FOLDER = REPOSITORY / "notebooks"
NOTEBOOKS = sorted([*REPOSITORY.glob("notebooks/*.ipynb"), *REPOSITORY.glob("DEMO/*.ipynb")])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_shows_one_whole_run(path: Path):
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(text) < 1_000_000
    assert len(cells) <= 15
    assert max(len(cell["source"]) for cell in cells) <= 15
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert all(output["output_type"] != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)
    # A path of the machine that ran it tells the reader nothing.
    assert not re.search(r'[" ](/home|/root|/tmp|/Users|C:\\\\)', json.dumps(outputs))


def first_lines(path: Path) -> list[str]:
    return "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).split("\n")


def test_notebooks_are_numbered_in_order_and_have_the_titles_of_their_metadata():
    notebooks = read_notebooks(FOLDER)
    assert [int(n.number) for n in notebooks] == list(range(1, len(notebooks) + 1))
    for notebook in notebooks:
        lines = first_lines(notebook.path)
        assert lines[0] == notebook.heading
        assert any(line.startswith("**Question.**") for line in lines)
        facts = (notebook.question, notebook.needs, notebook.shows, notebook.minutes)
        assert all(facts) and not any("|" in fact or "\n" in fact for fact in facts)
        assert all((MODELS / place).is_dir() for place in notebook.models), notebook.path


def test_every_folder_of_models_is_explained_by_a_notebook():
    comparisons = [f"comparisons/{path.name}" for path in (MODELS / "comparisons").iterdir()]
    alternatives = [f"alternatives/{path.name}" for path in (MODELS / "alternatives").iterdir()]
    shipped = [path.parent.name for path in MODELS.glob("*/metrics.json")]
    explained = {place for notebook in read_notebooks(FOLDER) for place in notebook.models}
    assert {*comparisons, *alternatives, *shipped} <= explained


def test_table_and_counts_are_those_of_the_notebooks_at_hand():
    notebooks = read_notebooks(FOLDER)
    assert notebook_table(notebooks) in (FOLDER / "README.md").read_text(encoding="utf-8")
    count = f"<!-- notebooks:begin -->{count_in_words(len(notebooks))}<!-- notebooks:end -->"
    assert count in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_a_notebook_that_does_not_describe_itself_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "01_new.ipynb").write_text('{"cells": [], "metadata": {"emorec": {"title": "A"}}}')
    with pytest.raises(ResultsError, match=r"01_new.*question.*Remedy"):
        read_notebooks(tmp_path)
