"""The live engine: it never blocks or grows, outlives its sources, and agrees with `classify`."""

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import EXAMPLES, PATIENCE_S, made_frames, made_tone, made_voice, wait_for

from emorec import Recognizer
from emorec.emotions import COMMON7
from emorec.live.engine import LiveEngine, LiveVerdict
from emorec.live.recorder import Recorder
from emorec.live.sources import FileSource
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, read_frames, read_sound
from emorec.media.sound import Resampler
from emorec.models import MODEL_FOLDERS
from emorec.paths import default_models_folder
from emorec.streams.picture import LivePicture
from emorec.streams.voice import NO_SPEECH, SILENT, LiveVoice


@pytest.fixture(scope="module")
def trained() -> Recognizer:
    folder = default_models_folder()
    names = (*MODEL_FOLDERS.values(), "fusion/fusion.json")
    if not all((folder / name).exists() for name in names):
        pytest.skip("the networks are not trained yet")
    return Recognizer.load(folder)


def push_all(engine: LiveEngine, path: Path) -> None:
    """Hand over a clip as fast as it is judged, so that nothing is dropped."""
    for piece in ClipReader(path, sample_rate_hz=engine.sample_rate_hz):
        if isinstance(piece, FrameBatch):
            for time_s, frame in zip(piece.times_s.tolist(), piece.frames, strict=True):
                engine.push_frame(frame, time_s)
                assert engine.drain(PATIENCE_S)
        else:
            engine.push_sound(piece.samples, engine.sample_rate_hz, piece.start_s)
            assert engine.drain(PATIENCE_S)


def first_frames(path: Path) -> np.ndarray:
    return next(read_frames(path)).frames


def check_agreement(recognizer: Recognizer, path: Path) -> None:
    """What the engine's parts pool is what `classify` says, stream by stream."""
    result = recognizer.classify(path)
    picture = LivePicture(recognizer.networks, recognizer.landmarks)
    voice = LiveVoice(recognizer.networks["voice"])
    for piece in ClipReader(path, sample_rate_hz=16_000):
        if isinstance(piece, FrameBatch):
            for time_s, frame in zip(piece.times_s.tolist(), piece.frames, strict=True):
                picture.take(time_s, frame)
        else:
            voice.push(piece.samples, 16_000, piece.start_s)
            voice.predict()
    found = recognizer.combine({"voice": voice.pooled(), **picture.pooled()})
    assert set(found) == set(result.posteriors)
    for stream, posterior in result.posteriors.items():
        np.testing.assert_allclose(found[stream], posterior, atol=1e-4)
    assert COMMON7[int(found["fused"].argmax())] == result.emotion


def test_live_and_classify_agree_on_every_avatar(trained):
    for path in EXAMPLES:
        check_agreement(trained, path)


@pytest.mark.parametrize("pattern", ["RAVDESS/Actor_05/*.mp4", "JavaSED/0[1-3]-02-0[13]_01.mp4"])
def test_live_and_classify_agree_on_real_clips(trained, emorec_data, pattern):
    clips = sorted(emorec_data.glob(pattern))
    if not clips:
        pytest.skip(f"EMOREC_DATA holds no {pattern}")
    for path in clips[:3]:
        check_agreement(trained, path)


def test_a_file_at_its_own_speed_takes_its_time_and_agrees_with_classify(trained, example):
    result = trained.classify(example)
    for _ in range(3):
        start_s = time.monotonic()
        with LiveEngine(trained) as engine, FileSource(engine, example) as source:
            wait_for(lambda source=source: source.has_ended)
            assert time.monotonic() - start_s > result.duration_s - 0.1
            assert engine.drain(PATIENCE_S)
            summary, counts = engine.summary(), engine.counts
        assert counts.sound_taken_s == pytest.approx(result.duration_s, abs=0.1)
        if not counts.dropped:
            assert COMMON7[int(summary.probabilities["fused"].argmax())] == result.emotion
            np.testing.assert_allclose(
                summary.probabilities["fused"], result.posteriors["fused"], atol=1e-4
            )
            return
    pytest.skip(f"this machine is too busy to take every frame: {counts}")


def test_verdicts_hold_all_streams_and_where_the_face_is(recognizer, example):
    with LiveEngine(recognizer) as engine:
        assert engine.verdict() is None
        push_all(engine, example)
        verdict, counts = engine.verdict(), engine.counts
    assert set(verdict.probabilities) == {"voice", "face", "geometry", "fused"}
    for probabilities in verdict.probabilities.values():
        assert probabilities.shape == (7,)
        assert probabilities.dtype == np.float32
        assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    x, y, side = verdict.face_box
    assert 300 < x < 600
    assert 50 < y < 300
    assert 250 < side < 500
    assert verdict.notes == []
    assert verdict.latency_s > 0
    assert counts.taken == 88
    assert counts.verdicts >= counts.taken
    assert 0 < counts.latency_median_s <= counts.latency_p95_s


def test_a_large_frame_is_reduced_and_the_face_is_told_in_its_own_pixels(recognizer, example):
    frame = first_frames(example)[0]
    boxes = []
    for factor in (1, 2):
        large = cv2.resize(frame, None, fx=factor, fy=factor)
        with LiveEngine(recognizer) as engine:
            engine.push_frame(large, 0.0)
            assert engine.drain(PATIENCE_S)
            boxes.append(engine.verdict().face_box)
    np.testing.assert_allclose(boxes[1], 2 * np.array(boxes[0]), atol=8)


def test_pushing_never_waits_and_what_waits_is_bounded(recognizer, engine):
    release = threading.Event()

    class Slow:
        spec = recognizer.networks["voice"].spec

        def predict(self, batch):
            release.wait(PATIENCE_S)
            return np.full((len(batch), len(self.spec.classes)), 1 / len(self.spec.classes))

    frames, voice = made_frames(40), made_voice(40.0, 16_000)
    with engine._picture_lock:  # as if a frame took without end
        engine._voice._network = Slow()
        for i in range(400):
            engine.push_frame(frames[i % 40], i / 30)
            engine.push_sound(voice[1600 * i : 1600 * (i + 1)], 16_000, i / 10)
        assert sum(size for _, size in engine._frames._items) <= 8
        assert sum(size for _, size in engine._sound._items) <= 6.01
        counts = engine.counts
        assert counts.taken == 0
        assert counts.dropped >= 400 - 8 - 1
        assert counts.sound_dropped_s > 20
    release.set()
    assert engine.drain(PATIENCE_S)
    counts = engine.counts
    assert counts.taken + counts.dropped == 400
    assert counts.sound_taken_s + counts.sound_dropped_s == pytest.approx(40)
    assert engine.verdict().time_s == pytest.approx(40, abs=0.1)


def test_when_frames_wait_too_long_the_newest_is_taken(engine):
    with engine._picture_lock:
        for i, frame in enumerate(made_frames(6)):
            engine.push_frame(frame, i / 25)
        time.sleep(0.25)
    assert engine.drain(PATIENCE_S)
    assert engine._picture.end_s == pytest.approx(5 / 25)
    assert engine.counts.dropped >= 4


def test_memory_of_a_long_run_does_not_grow(recognizer, example):
    """Three minutes of time pass in the streams, on few frames."""
    sound = read_sound(example, 16_000)
    with LiveEngine(recognizer) as engine:
        frames = first_frames(example)
        for second in range(180):
            engine.push_frame(frames[second % len(frames)], float(second))
            engine.push_sound(sound[:1600], 16_000, float(second))
            if second % 6 == 0:
                assert engine.drain(PATIENCE_S)
        assert engine.drain(PATIENCE_S)
        picture, voice = engine._picture, engine._voice
        assert len(picture._geometry._points) < 80
        assert len(picture._geometry._recent) < 30
        assert len(picture._face._recent) < 30
        assert not voice._waiting
        assert len(voice._cutter._kept) < 4 * 16_000


def test_sound_alone_is_judged_and_the_missing_picture_is_said(engine):
    sound = made_voice(4.0, 44_100)
    for start in range(0, sound.size, 4410):
        engine.push_sound(sound[start : start + 4410], 44_100, start / 44_100)
    assert engine.drain(PATIENCE_S)
    assert set(engine.verdict().probabilities) == {"voice", "fused"}
    wait_for(lambda: "no picture" in engine.verdict().notes)
    assert set(engine.summary().probabilities) == {"voice", "fused"}
    assert "no picture" in engine.summary().notes


def test_noise_is_no_voice_and_live_says_so(engine):
    noise = np.random.default_rng(0).normal(0, 0.003, 4 * 16_000).astype(np.float32)
    for start in range(0, noise.size, 1600):
        engine.push_sound(noise[start : start + 1600], 16_000, start / 16_000)
    assert engine.drain(PATIENCE_S)
    assert engine._voice.posterior is None
    assert engine._voice.lack == NO_SPEECH
    assert engine.summary() is None
    engine.push_sound(made_voice(1.0, 16_000), 16_000, 4.0)
    assert engine.drain(PATIENCE_S)
    assert engine._voice.lack is None
    assert "voice" in engine.summary().probabilities


def test_picture_alone_is_judged_and_the_missing_sound_is_said(engine, example):
    for piece in ClipReader(example):
        if isinstance(piece, FrameBatch):
            engine.push_frame(piece.frames[0], float(piece.times_s[0]))
            assert engine.drain(PATIENCE_S)
    assert {"face", "fused"} <= set(engine.verdict().probabilities)
    wait_for(lambda: "no sound" in engine.verdict().notes)
    assert "no sound" in engine.summary().notes


def test_a_stream_that_stops_leaves_the_verdict_and_comes_back(engine, example):
    frame = first_frames(example)[0]
    moment, voice = iter(range(1_000_000)), made_voice(10.0, 16_000)

    def push(*, with_picture: bool) -> bool:
        count = next(moment)
        time_s, start = count / 10, 1600 * (count % 100)
        engine.push_sound(voice[start : start + 1600], 16_000, time_s)
        if with_picture:
            engine.push_frame(frame, time_s)
        time.sleep(0.02)
        return bool(engine.verdict()) and "face" in engine.verdict().probabilities

    wait_for(lambda: push(with_picture=True))
    wait_for(lambda: not push(with_picture=False))
    assert "no picture" in engine.verdict().notes
    assert "voice" in engine.verdict().probabilities
    wait_for(lambda: push(with_picture=True))
    assert "no picture" not in engine.verdict().notes


def test_no_face_and_silence_are_said(engine):
    for i, frame in enumerate(made_frames(10)):
        engine.push_frame(frame, i / 25)
    engine.push_sound(np.zeros(16_000, np.float32), 16_000, 0.0)
    assert engine.drain(PATIENCE_S)
    wait_for(lambda: engine.verdict().notes == ["no face", "the sound is silent"])
    assert engine.verdict().probabilities == {}
    assert engine.summary() is None


def test_a_note_stands_until_it_is_taken_back(engine):
    engine.tell("camera", "it stopped")
    engine.push_sound(made_voice(0.5, 16_000), 16_000, 0.0)
    assert engine.drain(PATIENCE_S)
    wait_for(lambda: "it stopped" in engine.verdict().notes)
    engine.tell("camera", None)
    wait_for(lambda: "it stopped" not in engine.verdict().notes)


def test_what_is_no_frame_or_sound_is_refused(engine):
    with pytest.raises(ValueError, match="uint8"):
        engine.push_frame(np.zeros((4, 4, 3), np.uint8), 0.0)
    with pytest.raises(ValueError, match="sound is"):
        engine.push_sound(np.zeros((4, 2), np.float32), 16_000, 0.0)
    engine.push_sound(np.zeros(0, np.float32), 16_000, 0.0)
    engine.push_sound(np.full(8000, np.nan, np.float32), 16_000, 0.0)
    assert engine.drain(PATIENCE_S)
    assert engine._voice.lack == SILENT


def test_the_frame_size_may_change_and_time_may_begin_anew(engine):
    for i, height in enumerate((120, 60, 200)):
        for k, frame in enumerate(made_frames(3, height, 2 * height)):
            engine.push_frame(frame, 100.0 - 40 * i + k / 25)
            assert engine.drain(PATIENCE_S)
    assert engine.counts.taken == 9
    assert engine.counts.dropped == 0


def test_closing_ends_the_threads_and_later_pushes_are_ignored(recognizer):
    before = threading.active_count()
    engine = LiveEngine(recognizer)
    assert threading.active_count() == before + 2
    engine.close()
    engine.close()
    engine.push_frame(made_frames(1)[0], 0.0)
    assert threading.active_count() == before


def test_holes_in_the_sound_are_filled_or_begin_anew(recognizer):
    voice = LiveVoice(recognizer.networks["voice"])
    second = made_voice(1.0, 16_000)
    for start_s, end_s in ((0.0, 1.0), (1.1, 2.0), (4.0, 5.0), (20.0, 21.0)):
        voice.push(second, 16_000, start_s)
        voice.predict()
        assert voice.end_s == pytest.approx(end_s, abs=0.01)
    assert voice.posterior is not None
    assert voice.pooled() is not None


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_sound_of_any_rate_keeps_its_length_and_pitch(rate_hz):
    resampler = Resampler(16_000)
    sound = made_tone(2.0, rate_hz, 440.0)
    pieces = [resampler.push(sound[i : i + 1000], rate_hz) for i in range(0, sound.size, 1000)]
    heard = np.concatenate(pieces)
    assert heard.size == pytest.approx(32_000, abs=200)
    loudest = np.abs(np.fft.rfft(heard)).argmax() * 16_000 / heard.size
    assert loudest == pytest.approx(440, abs=2)


@pytest.mark.parametrize("jump_s", [90.0, 1e9, 1e300])
def test_a_jump_ahead_begins_a_new_track_and_hangs_nothing(recognizer, example, jump_s):
    frames, started_s = first_frames(example), time.monotonic()
    engine = LiveEngine(recognizer)
    voice = made_voice(0.5, 16_000)
    for round_s in (0.0, jump_s, 0.0, jump_s, -jump_s):
        for i, frame in enumerate(frames):
            engine.push_frame(frame, round_s + i / 15)
            assert engine.drain(PATIENCE_S)
        engine.push_sound(voice, 16_000, round_s)
        assert engine.drain(PATIENCE_S)
        assert {"face", "fused"} <= set(engine.verdict().probabilities)
    assert engine.counts.taken == 5 * len(frames)
    engine.close()
    assert time.monotonic() - started_s < PATIENCE_S


def test_a_file_with_an_odd_fault_ends_with_a_note_and_no_traceback(
    recognizer, example, monkeypatch
):
    def odd(*_):
        raise IndexError("odd")
        yield

    monkeypatch.setattr("emorec.live.sources.RETRY_S", 0.1)
    with LiveEngine(recognizer) as engine, FileSource(engine, example) as source:
        monkeypatch.setattr(ClipReader, "__iter__", odd)
        wait_for(lambda: source.has_ended)
        assert "unforeseen error, IndexError" in source.problem


def test_what_follows_a_jump_in_time_is_recorded_too(tmp_path):
    path = tmp_path / "live.csv"
    with Recorder(path) as recorder:
        for time_s in (1.0, 1e9, 1e9, 2.0):
            recorder.add(LiveVerdict(time_s, {"fused": np.full(7, 1 / 7, np.float32)}))
    rows = path.read_text().splitlines()[1:]
    assert [float(row.split(",")[0]) for row in rows] == [1.0, 1e9, 2.0]


def test_a_verdict_says_the_emotion_and_shows_itself_shortly():
    said = np.full(7, 0.1, np.float32)
    said[COMMON7.index("sad")] = 0.4
    verdict = LiveVerdict(1.25, {"fused": said})
    assert (verdict.emotion, repr(verdict)) == ("sad", "<LiveVerdict at 1.2 s: sad 40%>")
    assert (LiveVerdict(0.0, {}).emotion, repr(LiveVerdict(0.0, {}))[-12:]) == (
        None,
        " no verdict>",
    )
