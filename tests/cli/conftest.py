"""For all tests of commands."""

import pytest

from emorec.cli import progress


@pytest.fixture(autouse=True)
def no_line_of_progress(monkeypatch):
    """However slow the machine, no line of progress mixes with what a command says."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", float("inf"))
