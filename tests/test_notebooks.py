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


def cells_of(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def shown_by(cell: dict) -> str:
    """What a code cell prints and shows, tables as HTML."""
    text = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text += output.get("text", []) + (data.get("text/html") or data.get("text/plain") or [])
    return "".join(text)


LEADS = re.compile(r"^\*\*([A-Z][^*]*?)\.?\*\*", flags=re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_as_all_do_and_leads_to_the_next(path: Path):
    head, last = source(cells_of(path)[0]), source(cells_of(path)[-1])
    leads = LEADS.findall(head)
    assert leads[:3] == ["Question", "Data", "Protocol"]
    assert leads[-3:] == ["Needs", "Minutes", "Next"]
    in_order = sorted(FOLDER.glob("*.ipynb"))
    after = [p for p in in_order if p.stem > path.stem] if path in in_order else in_order
    goal = after[0].name if after else "README.md"
    assert f"{goal})" in head.rpartition("**Next.**")[2]
    assert f"{goal})" in last or path not in in_order
    if path in in_order:
        (notebook,) = [n for n in read_notebooks(FOLDER) if n.path == path]
        assert notebook.minutes.lower() in head.lower()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_cell_of_settings_can_be_set_from_outside(path: Path):
    code = [cell for cell in cells_of(path) if cell["cell_type"] == "code"]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == code[:1]
    assert [cell for cell in code if "EMOREC_QUICK" in source(cell)] == tagged
    # What is set behind this cell has to count: nothing may be drawn from it within.
    names: dict = {}
    exec(source(tagged[0]), names)
    assert set(names) - {"__builtins__", "os"} == {"QUICK"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_shown_is_made_for_readers(path: Path):
    for cell in cells_of(path):
        if cell["cell_type"] != "code":
            continue
        text = shown_by(cell)
        assert not re.search(r"\b(NaN|nan|dtype)\b|<td>None</td>", text), source(cell)
        # Dictionaries, lists of texts, tuples; counts that pretend to be measured; cut tables.
        assert not re.search(r"\{['\"(\d]|\[['\"(]|\(['\"]", text), source(cell)
        assert not re.search(r"(?<![\d.])(?!100\.0)\d{3,}\.0(?!\d)", text), source(cell)
        assert "<td>...</td>" not in text, source(cell)
        heads = "".join(re.findall(r"<thead>.*?</thead>", text, flags=re.S))
        assert "_" not in "".join(re.findall(r"<th[^>]*>([^<]*)</th>", heads)), source(cell)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_conclusion_has_words_a_number_and_an_interval_or_says_why_not(path: Path):
    cells = cells_of(path)
    (first,) = [i for i, c in enumerate(cells) if source(c).startswith("## Conclusion")]
    told = [source(c) for c in cells[first:] if c["cell_type"] == "markdown"]
    words = re.sub(r"^(## Conclusion|Next: .*|Back to .*)$", "", "\n".join(told), flags=re.M)
    assert len(words.split()) > 25
    text = words + "".join(shown_by(cell) for cell in cells[first:])
    interval = r"\d(\.\d+)?\s*%?,?\s+to\s+[-+]?\d"
    assert re.search(interval, text) or re.search(r"no interval", text, flags=re.I)


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
