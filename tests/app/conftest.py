"""A place for what is sent, on which one page is open."""

import pytest
from page import PAGE

from emorec.app.store import Store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Store(keep_s=0) as made:
        made.connect(PAGE)
        yield made
