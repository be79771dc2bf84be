"""The notebooks' form: short cells, small files, outputs of a run from top to bottom."""

import json
import re
from pathlib import Path

import pytest

from emorec.paths import REPOSITORY

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
