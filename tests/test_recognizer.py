"""The recogniser: what a result holds, streams over time, workers, engines that agree."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import PATIENCE_S, made_voice, write_clip
from made_models import FACE_SHAPE, GEOMETRY_SHAPE, untrained_models

import emorec
from emorec import MediaError, ModelError, Recognizer
from emorec.emotions import COMMON7, RAVDESS8
from emorec.engines import load_network
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.upright import Sighting
from emorec.features import geometry as geometry_features
from emorec.features.voice import VOICE
from emorec.media.pacing import read_ahead
from emorec.media.reader import SYNTHETIC_COMMENT, read_frames
from emorec.media.sound import SoundBlock
from emorec.models import MODEL_FOLDERS
from emorec.paths import default_models_folder
from emorec.streams.geometry import GeometryStream
from emorec.streams.voice import VoiceStream

RATE_HZ = VOICE.sample_rate_hz


@pytest.fixture(scope="module")
def result(recognizer, example):
    return recognizer.classify(example)


def test_a_talking_face_is_judged_by_all_streams(result):
    table = result.probabilities
    assert result.status == "ok"
    assert list(table.index) == ["voice", "face", "geometry", "fused"]
    assert list(table.columns) == list(COMMON7)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-4)
    assert result.emotion == table.loc["fused"].idxmax()
    assert result.confidence == pytest.approx(table.loc["fused"].max())
    assert result.verdict("voice") == table.loc["voice"].idxmax()


def test_the_timeline_runs_through_the_clip(result):
    timeline = result.timeline
    assert list(timeline.columns) == ["time_s", "stream", *COMMON7]
    assert set(timeline["stream"]) == {"voice", "face", "geometry", "fused"}
    np.testing.assert_allclose(timeline[list(COMMON7)].sum(axis=1), 1, atol=1e-4)
    for _, windows in timeline.groupby("stream"):
        assert windows["time_s"].is_monotonic_increasing
        assert windows["time_s"].between(0, result.duration_s + 0.25).all()
    assert (timeline["stream"] == "fused").sum() == np.ceil(result.duration_s / 0.5)


def test_the_faces_used_are_a_handful_in_order(result):
    times_s = [face.time_s for face in result.faces_used]
    assert 4 <= len(times_s) <= 8
    assert times_s == sorted(times_s)
    assert all(face.picture.dtype == np.uint8 for face in result.faces_used)
    assert all(face.emotion in COMMON7 for face in result.faces_used)


def test_a_made_up_clip_says_so_and_no_other_does(recognizer, result, tmp_path):
    tone = write_clip(tmp_path / "tone.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    assert result.notes == [SYNTHETIC_COMMENT]
    assert SYNTHETIC_COMMENT not in recognizer.classify(tone).notes


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("01-01-02-01-01-01-05.mp4", "neutral"),
        ("03-01-06-02-01-01-12.wav", "fear"),
        ("me.mp4", None),
    ],
)
def test_the_truth_comes_from_a_ravdess_name_alone(name, truth):
    assert emorec.ClipResult(Path(name), "ok").truth == truth


def test_an_unreadable_clip_raises(recognizer, tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        recognizer.classify(tmp_path / "missing.mp4")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_many_clips_come_in_order_and_go_on_after_a_failure(
    recognizer, result, example, tmp_path, n_jobs
):
    tone = write_clip(tmp_path / "tone.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    paths = [tone, tmp_path / "missing.mp4", example]
    results = list(recognizer.classify_many(paths, n_jobs=n_jobs))
    assert [r.path for r in results] == paths
    assert [r.status for r in results] == ["ok", "failed", "ok"]
    for stream, posterior in result.posteriors.items():
        np.testing.assert_allclose(results[2].posteriors[stream], posterior, atol=1e-5)


def test_many_clips_are_read_one_at_a_time(recognizer, example):
    drawn = []

    def paths():
        for index in range(5):
            drawn.append(index)
            yield example

    next(recognizer.classify_many(paths()))
    assert drawn == [0]


class Meeting:
    """A network that predicts only while another thread is predicting too."""

    def __init__(self, network):
        self.spec, self.input_shape = network.spec, network.input_shape
        self._network, self._both = network, threading.Barrier(2, timeout=PATIENCE_S)

    def read(self, batch):
        self._both.wait()
        return self._network.read(batch)


def test_clips_that_are_read_at_once_do_not_wait_for_each_others_faces(recognizer, result, example):
    faces = Meeting(recognizer.networks["face"])
    parts = {**recognizer.networks, "face": faces}, recognizer.judge.fusion, recognizer.landmarks
    shared = Recognizer(*parts, ())
    with ThreadPoolExecutor(2) as readers:
        found = list(readers.map(shared.classify, [example, example]))
    for one in found:
        np.testing.assert_allclose(one.posteriors["face"], result.posteriors["face"], atol=1e-6)


def test_no_recogniser_leaves_a_thread_behind(recognizer, example):
    def give_up(read_s: float) -> None:
        if read_s > 1:
            raise InterruptedError

    before = threading.active_count()
    for _ in range(3):
        another = Recognizer(recognizer.networks, recognizer.judge.fusion, recognizer.landmarks, ())
        another.classify(example)
        with pytest.raises(InterruptedError):
            another.classify(example, watch=give_up)
    assert threading.active_count() == before


def test_an_unknown_engine_is_refused(tmp_path_factory):
    with pytest.raises(ValueError, match="choose from onnx, keras"):
        Recognizer.load(untrained_models(tmp_path_factory), engine="abacus")


def test_silent_stretches_get_no_voice_windows(recognizer):
    voice = VoiceStream(recognizer.networks["voice"])
    sound = np.concatenate([made_voice(4.0, RATE_HZ), np.zeros(20 * RATE_HZ, np.float32)])
    for start in range(0, sound.size, 8_000):
        voice.add(SoundBlock(1.0 + start / RATE_HZ, sound[start : start + 8_000]))
    times_s = voice.finish().times_s
    assert times_s[0] == pytest.approx(1.0 + 1.5)
    assert 5.4 <= times_s[-1] <= 6.1  # a window with less than 0.6 s of speech is none
    assert voice.notes == ["no speech in 18.0 of 24.0 s of the sound: left out"]
    assert voice.end_s == pytest.approx(25.0)


def test_a_quiet_voice_is_a_voice_and_hiss_below_60_db_is_none(recognizer):
    for level, is_voice in ((0.01, True), (0.0005, False)):
        voice = VoiceStream(recognizer.networks["voice"])
        voice.add(SoundBlock(0.0, level * made_voice(1.0, RATE_HZ)))
        assert (voice.finish() is not None) == is_voice


def test_a_long_track_of_landmarks_is_judged_piece_by_piece(recognizer, example):
    # There and back again, so that the face moves all the time.
    seen = np.concatenate([batch.frames for batch in read_frames(example)])[::2]
    frames = itertools.cycle([*seen, *seen[::-1]])
    box = np.array([440, 160, 400, 400])
    stream = GeometryStream(recognizer.networks["geometry"], LandmarkPredictor())
    for time_s in np.arange(0, 70, 1 / geometry_features.FRAME_RATE_HZ):
        stream.add(float(time_s), Sighting(box, 0.0, next(frames), box))
    times_s = stream.finish().times_s
    assert times_s[0] == pytest.approx(1.5, abs=0.1)
    assert times_s[-1] == pytest.approx(68.5, abs=0.2)
    assert np.diff(times_s).max() < 0.6
    # The hop of 0.5 s is 7.5 frames at 15 Hz, so that windows start every 8 frames.
    hop_s = (
        round(geometry_features.HOP_S * geometry_features.FRAME_RATE_HZ)
        / geometry_features.FRAME_RATE_HZ
    )
    assert len(times_s) == pytest.approx(1 + 67 / hop_s, abs=3)


def test_reading_ahead_keeps_order_and_hands_errors_over():
    def pieces():
        yield from range(20)
        raise MediaError("a.mp4", "reason", "remedy")

    drawn = []
    with pytest.raises(MediaError, match="reason"):
        drawn.extend(read_ahead(pieces(), 3))
    ahead = read_ahead(iter(range(20)), 3)
    assert [next(ahead) for _ in range(5)] == list(range(5))
    ahead.close()
    assert list(read_ahead(iter(range(20)), 3)) == list(range(20))


def test_public_names_come_from_the_package():
    assert {"Recognizer", "ClipResult", "MediaError", "ModelError"} <= set(emorec.__all__)
    with pytest.raises(AttributeError):
        emorec.nothing  # noqa: B018


def test_saved_networks_agree_in_both_engines(tmp_path):
    import keras

    from emorec.engines import write_model_spec
    from emorec.training.fit import save_network

    inputs = keras.layers.Input((8, 6, 1))
    hidden = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
    outputs = {
        "other": keras.layers.Dense(3, activation="softmax", name="other")(hidden),
        "voice": keras.layers.Dense(8, activation="softmax", name="voice")(hidden),
    }
    save_network(tmp_path, keras.Model(inputs, outputs))
    write_model_spec(tmp_path, stream="voice", classes=RAVDESS8, inputs={}, output="voice")
    batch = np.random.default_rng(0).normal(size=(5, 8, 6, 1)).astype(np.float32)
    onnx, keras_network = (load_network(tmp_path, engine) for engine in ("onnx", "keras"))
    assert onnx.input_shape == keras_network.input_shape == (8, 6, 1)
    assert onnx.predict(batch).shape == (5, 8)
    np.testing.assert_allclose(onnx.predict(batch), keras_network.predict(batch), atol=1e-4)
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ModelError, match=r"model\.keras"):
        load_network(tmp_path, "keras")


@pytest.mark.parametrize(
    ("stream", "shape"),
    [("face", FACE_SHAPE), ("geometry", GEOMETRY_SHAPE)],
)
def test_trained_networks_agree_in_both_engines(stream, shape):
    folder = default_models_folder() / MODEL_FOLDERS[stream]
    if not (folder / "model.onnx").is_file():
        pytest.skip(f"the {stream} network is not trained yet")
    onnx, keras_network = (load_network(folder, engine) for engine in ("onnx", "keras"))
    assert onnx.input_shape == keras_network.input_shape == shape
    batch = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    np.testing.assert_allclose(onnx.predict(batch), keras_network.predict(batch), atol=1e-4)


def test_trained_recognisers_agree_in_both_engines(example):
    if not (default_models_folder() / "fusion" / "fusion.json").is_file():
        pytest.skip("the fusion is not fitted yet")
    results = [
        Recognizer.load(default_models_folder(), engine).classify(example)
        for engine in ("onnx", "keras")
    ]
    for stream in ("voice", "face", "geometry", "fused"):
        # The voice's ONNX form is in 8 bits; see tests/test_shipped_voices.py.
        atol = 0.03 if stream in ("voice", "fused") else 1e-4
        np.testing.assert_allclose(*(r.posteriors[stream] for r in results), atol=atol)
        windows = (r.windows[stream].posteriors for r in results)
        np.testing.assert_allclose(*windows, atol=atol)


def test_it_says_what_it_is(recognizer):
    import emorec

    assert repr(recognizer) == "<Recognizer: voice, face, geometry>"
    assert {"Recognizer", "evaluate"} <= set(dir(emorec))


def test_all_that_a_result_holds_has_a_short_repr(recognizer, result):
    held = [recognizer, result, *result.windows.values(), *result.faces_used]
    held += [result.face_track, result.seen, result.heard, emorec.to_table([result]).shape]
    assert all(len(repr(one)) < 150 and "\n" not in repr(one) for one in held)
    assert repr(result.windows["fused"]).endswith("windows of 0.5 s>")
