"""Every error is one line with reason and remedy, and survives the way between processes."""

import pickle

import pytest

from emorec.errors import (
    CorpusMissingError,
    DataError,
    MediaError,
    MissingPartError,
    ModelError,
    OutputError,
    SourceError,
    require,
)
from emorec.files import StaleCacheError

ERRORS = [
    MediaError("a.mp4", "the file is empty", "record it again"),
    ModelError("model.onnx", "there is no such file"),
    OutputError("out.csv", "it cannot be written", "choose another name"),
    SourceError("camera 0", "it cannot be opened", "plug it in"),
    DataError("a.zip", "it is damaged", "fetch it again"),
    CorpusMissingError("SAVEE", "/data/SAVEE"),
    MissingPartError("Keras", "train"),
    StaleCacheError("cache.npz", "it is of another version"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_one_line_and_survives_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert str(error).count("Remedy: ") == 1 and "\n" not in str(error)


def test_names_with_line_ends_stay_on_one_line_wherever_they_stand():
    error = OutputError("a\nb.csv", "there is no folder x\ny", "make it")
    assert "\n" not in str(error)


def test_a_missing_corpus_is_a_missing_file_without_a_number():
    error = CorpusMissingError("SAVEE", "/data/SAVEE")
    assert isinstance(error, FileNotFoundError)
    assert error.errno is None


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(MissingPartError, match=r"no_such_a, no_such_b: not installed\. Remedy"):
        require("train", "json", "no_such_a", "no_such_b")
