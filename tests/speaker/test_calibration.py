"""Calibration on a speaker: the bias, its shrinkage, and what the recogniser makes of it."""

import numpy as np
import pytest

from emorec.analysis import speaker_calibration
from emorec.emotions import RAVDESS8
from emorec.evaluation.scores import prediction_table
from emorec.paths import MODELS, REPOSITORY
from emorec.recognizer import Recognizer
from emorec.speaker import calibration

EXAMPLES = sorted((REPOSITORY / "DEMO" / "Examples").glob("*.mp4"))


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def made_up_speakers(bias_size, seed=0):
    """Predictions on 24 speakers, 60 clips each, with a bias of their own."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    speakers, truth = np.repeat(np.arange(24), 60), np.tile(np.arange(60) % 8, 24)
    scores = 2 * np.eye(8)[truth] + rng.normal(size=(1440, 8))
    scores += (bias_size * rng.normal(size=(24, 8)))[speakers]
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip-{i}" for i in range(1440)],
            "speaker": [f"speaker-{s:02d}" for s in speakers],
            "emotion": [RAVDESS8[code] for code in truth],
        }
    )
    return prediction_table(clips, softmax(scores), RAVDESS8, speakers // 4 + 1)


def test_many_clips_are_trusted_more_than_one():
    clip, usual = np.array([0.7, 0.2, 0.1]), np.log([0.4, 0.3, 0.3])
    bias = np.log(clip) - usual
    for count in (1, 4, 1000):
        found = calibration.personal_bias(np.stack([clip] * count), usual)
        np.testing.assert_allclose(found, bias * count / (count + 4), atol=1e-12)


def test_taking_out_what_was_added_gives_the_posterior_back():
    rng = np.random.default_rng(1)
    posteriors, bias = softmax(rng.normal(size=(5, 3, 7))).astype(np.float32), rng.normal(size=7)
    biased = softmax(np.log(posteriors) + bias).astype(np.float32)
    found = calibration.without_bias(biased, bias)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, posteriors, atol=1e-5)


def test_zeros_and_missing_windows_pass_through():
    posteriors = np.array([[1.0, 0.0], [np.nan, np.nan]], np.float32)
    found = calibration.without_bias(posteriors, np.array([5.0, -5.0]))
    np.testing.assert_allclose(found[0], [1, 0], atol=1e-6)
    assert np.isnan(found[1]).all()


def test_a_stream_that_no_clip_has_gets_no_bias():
    clips = [{"voice": np.array([0.5, 0.5])}, {}]
    usual = {"voice": np.log([0.4, 0.6]), "face": np.log([0.5, 0.5])}
    assert list(calibration.personal_biases(clips, usual)) == ["voice"]


def test_spread_is_none_for_one_verdict_and_grows_with_how_clips_differ():
    rng = np.random.default_rng(2)
    one = softmax(3 * np.eye(7)[np.zeros(8, int)] + 0.3 * rng.normal(size=(8, 7)))
    mixed = softmax(3 * np.eye(7)[np.arange(8) % 7] + 0.3 * rng.normal(size=(8, 7)))
    assert 0 <= calibration.spread(one) < calibration.ALIKE_NATS < calibration.spread(mixed)
    assert calibration.spread(np.stack([one[0]] * 3)) == pytest.approx(0, abs=1e-12)
    assert calibration.spread(np.eye(7)[:2]) == pytest.approx(2 * np.log(2))


def test_spread_of_few_clips_is_little_less_than_that_of_many():
    rng = np.random.default_rng(3)
    many = softmax(2 * rng.normal(size=(4000, 7)))
    by_count = [
        np.mean([calibration.spread(part) for part in many.reshape(-1, n, 7)]) for n in (2, 8, 40)
    ]
    assert by_count == sorted(by_count)
    assert by_count[0] > 0.75 * by_count[2]


def test_clips_that_look_alike_and_a_single_one_are_warned_of():
    usual = {"voice": np.log(np.full(2, 0.5))}
    alike, other = np.array([0.8, 0.2]), np.array([0.1, 0.9])

    def known(*posteriors):
        return calibration.get_to_know([{"voice": p, "fused": p} for p in posteriors], usual)

    assert "3 clips that look alike" in known(alike, alike, alike).notes[0]
    assert "one clip" in known(alike).notes[0]
    assert known(alike, other, alike, other).notes == ()
    nobody = calibration.get_to_know([{}], usual)
    assert (nobody.biases, nobody.notes) == ({}, ())


def test_the_study_finds_a_gain_where_speakers_differ_and_none_where_they_do_not():
    tables = {"biased": made_up_speakers(1.0), "alike": made_up_speakers(0.0)}
    found = speaker_calibration.study_shipped(tables, counts=(0, 8), draws=5, resamples=200)
    assert found.loc[("biased", "any", 8), "gain_low"] > 0.05
    assert abs(found.loc[("alike", "any", 8), "gain"]) < 0.02
    assert ("alike", "neutral", 8) not in found.index


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load(MODELS)


def test_calibrating_changes_every_stream_and_leaves_the_recogniser(recognizer):
    before = recognizer.classify(EXAMPLES[2])
    personal = recognizer.calibrate(EXAMPLES[:2]).classify(EXAMPLES[2])
    after = recognizer.classify(EXAMPLES[2])
    for stream in ("voice", "face", "geometry", "fused"):
        assert np.abs(before.posteriors[stream] - personal.posteriors[stream]).max() > 1e-3
        np.testing.assert_array_equal(before.posteriors[stream], after.posteriors[stream])
        assert personal.posteriors[stream].sum() == pytest.approx(1, abs=1e-5)


def test_a_second_calibration_forgets_the_first(recognizer):
    various = EXAMPLES[1:4]
    alike, mixed = recognizer.calibrate(EXAMPLES[:1] * 2), recognizer.calibrate(various)
    again = alike.calibrate(various)
    assert "look alike" in alike.speaker.notes[0]
    assert again.speaker.notes == mixed.speaker.notes == recognizer.speaker.notes == ()
    for stream, bias in mixed.speaker.biases.items():
        np.testing.assert_allclose(again.speaker.biases[stream], bias)


def test_jobs_know_the_speaker_too(recognizer):
    calibrated = recognizer.calibrate(EXAMPLES[:1])
    alone = calibrated.classify(EXAMPLES[2]).posteriors["fused"]
    (beside,) = calibrated.classify_many([EXAMPLES[2]], n_jobs=2)
    np.testing.assert_allclose(beside.posteriors["fused"], alone, atol=1e-6)
    assert calibrated.speaker.notes[0] in beside.notes


def test_clips_with_neither_voice_nor_face_are_refused(recognizer, tmp_path):
    import soundfile

    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(48_000, np.float32), 48_000)
    with pytest.raises(ValueError, match=r"neither a voice nor a face.*Remedy"):
        recognizer.calibrate([silence])
