"""Every error is one line with reason and remedy, and survives the way between processes."""

import pickle

import pytest

from emorec.errors import (
    CorpusMissingError,
    DataError,
    EmorecError,
    MediaError,
    MissingPartError,
    ModelError,
    OutputError,
    SourceError,
    require,
    run_main,
)
from emorec.files import StaleCacheError
from emorec.networks.speech_encoder import EncoderUnavailableError
from emorec.paths import REPOSITORY

ERRORS = [
    MediaError("a.mp4", "the file is empty", "record it again"),
    ModelError("model.onnx", "there is no such file"),
    OutputError("out.csv", "it cannot be written", "choose another name"),
    SourceError("camera 0", "it cannot be opened", "plug it in"),
    DataError("a.zip", "it is damaged", "fetch it again"),
    CorpusMissingError("SAVEE", "/data/SAVEE"),
    MissingPartError("Keras", "train"),
    StaleCacheError("cache.npz", "it is of another version"),
    EncoderUnavailableError("an encoder", "it is not here", "fetch it"),
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


def test_a_main_that_its_owner_can_mend_ends_in_one_line():
    def main():
        raise CorpusMissingError("SAVEE", "/data/SAVEE")

    with pytest.raises(SystemExit, match=r"^emorec: SAVEE: it is not at /data/SAVEE\. Remedy: "):
        run_main(main)


@pytest.mark.parametrize("room", ["training", "experiments", "analysis"])
def test_what_is_started_by_hand_ends_so(room):
    texts = [file.read_text("utf-8") for file in (REPOSITORY / "emorec" / room).glob("*.py")]
    started = [text.split('if __name__ == "__main__":')[1] for text in texts if "__main__" in text]
    assert started and all("run_main(main)" in block for block in started)
    assert not any(" main()" in block for block in started)


def test_what_the_page_does_not_take_is_such_an_error_too():
    from emorec.app.store import StoreError

    error = StoreError("It is too long (12.5 minutes). Cut it. Or do not.")
    assert isinstance(error, EmorecError)
    assert (error.reason, error.remedy) == ("it is too long (12.5 minutes)", "cut it. Or do not")
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert str(one) == "It is too long (12.5 minutes). Cut it. Or do not."
