import numpy as np
import pytest

from emorec import calibration, geometry
from emorec.corpora import REPOSITORY
from emorec.recognizer import Recognizer

EXAMPLES = sorted((REPOSITORY / "DEMO" / "Examples").glob("*.mp4"))


def test_many_clips_are_trusted_more_than_one():
    rng = np.random.default_rng(0)
    person = rng.normal(size=(68, 2))
    nobody = np.zeros((68, 2))
    by_count = [calibration.speaker_offset([person] * n, nobody) for n in (1, 8, 1000)]
    np.testing.assert_allclose(by_count[0], person / 2, atol=1e-6)
    np.testing.assert_allclose(by_count[1], person * 8 / 9, atol=1e-6)
    np.testing.assert_allclose(by_count[2], person, atol=1e-2)


def test_only_points_are_moved_and_the_windows_given_stay():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(2, 45, geometry.FEATURES)).astype(np.float32)
    before = features.copy()
    offset = rng.normal(size=(68, 2)).astype(np.float32)
    changed = geometry.remove_offset(features, offset)
    np.testing.assert_array_equal(features, before)
    np.testing.assert_allclose(
        features - changed, np.pad(offset.reshape(-1), (0, 4)) + 0 * before, atol=1e-6
    )


def test_calibrating_changes_the_geometry_stream_alone():
    recognizer = Recognizer.load(REPOSITORY / "Models")
    calibrated = recognizer.calibrate(EXAMPLES[:2])
    plain, personal = recognizer.classify(EXAMPLES[2]), calibrated.classify(EXAMPLES[2])
    for stream in ("voice", "face"):
        np.testing.assert_array_equal(plain.posteriors[stream], personal.posteriors[stream])
    assert np.abs(plain.posteriors["geometry"] - personal.posteriors["geometry"]).max() > 1e-3


def test_jobs_know_the_speaker_too():
    calibrated = Recognizer.load(REPOSITORY / "Models").calibrate(EXAMPLES[:1])
    alone = calibrated.classify(EXAMPLES[2]).posteriors["geometry"]
    (beside,) = calibrated.classify_many([EXAMPLES[2]], n_jobs=2)
    np.testing.assert_allclose(beside.posteriors["geometry"], alone, atol=1e-6)


def test_clips_without_a_face_are_refused(tmp_path):
    from emorec.avatar import all_takes, write_sound

    sound = write_sound(tmp_path / "only_sound.wav", 1, all_takes()[0])
    with pytest.raises(ValueError, match=r"shows a face.*Remedy"):
        Recognizer.load(REPOSITORY / "Models").calibrate([sound])
