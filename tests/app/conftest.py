"""A place for what is sent, on which one page is open."""

import pytest
from page import PAGE

from emorec.app.clip_tab import ClipDesk
from emorec.app.queue import ReadingQueue
from emorec.app.store import Store


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Store(keep_s=0) as made:
        made.connect(PAGE)
        yield made


@pytest.fixture
def desk_of(store):
    """A function that has a reader's clips read for the pages of the store."""
    with ReadingQueue() as queue:
        yield lambda reader: ClipDesk(reader, store, queue)
