"""For all tests of commands."""

import pytest
from helpers import made_voice, write_clip

from emorec.cli import common, progress


@pytest.fixture(autouse=True)
def no_line_of_progress(monkeypatch):
    """However slow the machine, no line of progress mixes with what a command says."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", float("inf"))


@pytest.fixture
def ready(recognizer, monkeypatch):
    """The command loads the small networks."""
    monkeypatch.setattr(common, "load_recognizer", lambda _: recognizer)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A made-up voice of three and a half seconds."""
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    return write_clip(path, None, made_voice(3.5), audio_codec="pcm_s16le")
