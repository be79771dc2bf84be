"""RAVDESS: what a file's name tells."""

import pytest

from emorec import emotions
from emorec.corpora import ravdess


@pytest.mark.parametrize("code, emotion", ravdess.EMOTION_CODES.items())
def test_ravdess_names_tell_the_emotion(code, emotion):
    facts = ravdess.parse_name(f"some/folder/01-01-{code}-02-02-01-05.mp4")
    assert facts["emotion"] == emotion
    assert emotion in emotions.RAVDESS8


def test_ravdess_names_tell_the_take():
    facts = ravdess.parse_name("03-02-06-01-02-01-12.wav")
    assert facts["clip_id"] == "02-06-01-02-01-12"
    assert facts["speaker"] == "ravdess-12"
    assert facts["gender"] == "female"
    assert facts["channel"] == "song"
    assert (facts["intensity"], facts["statement"], facts["repetition"]) == ("normal", 2, 1)
    video = ravdess.parse_name("01-02-06-01-02-01-12.mp4")
    assert video == facts, "the sound and the video of a take have one id"


@pytest.mark.parametrize(
    "name",
    [
        "holiday.mp4",
        "03-01-06-01-02-01.wav",
        "03-01-09-01-02-01-12.wav",
        "03-01-6-01-02-01-12.wav",
        "03-01-xx-01-02-01-12.wav",
        "",
    ],
)
def test_other_names_are_not_ravdess(name):
    assert ravdess.parse_name(name) is None
