"""Faces and windows of sound on the way to a verdict, as tables."""

import numpy as np
import pytest
from helpers import made_voice, write_clip

from emorec.emotions import COMMON7
from emorec.faces.record import FaceRecorder
from emorec.faces.upright import Sighting
from emorec.result.clip import ClipResult
from emorec.streams.details import FACE_COLUMNS, VOICE_COLUMNS


@pytest.fixture(scope="module")
def result(recognizer, example):
    return recognizer.classify(example)


def test_each_face_has_box_points_and_pose(result):
    faces = result.faces
    assert list(faces.columns) == list(FACE_COLUMNS)
    there = np.isfinite(result.face_track.boxes).all(1)
    np.testing.assert_allclose(faces["time_s"], result.face_track.times_s[there])
    assert faces["person"].isna().all()
    middles = faces[[f"x{i}" for i in range(68)]].mean(axis=1)
    assert middles.between(faces["x"], faces["x"] + faces["width"]).all()
    assert faces[["yaw_deg", "pitch_deg", "roll_deg"]].abs().max().max() < 25
    track = result.face_track.boxes[there]
    np.testing.assert_allclose(faces["x"] / faces["width"], track[:, 0] / track[:, 2], rtol=1e-3)


def test_the_face_network_looked_four_times_a_second(result):
    said = result.faces[list(COMMON7)].dropna()
    assert 3 <= len(said) / result.duration_s <= 5
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-4)


def test_windows_of_the_voice_are_those_of_the_timeline(result):
    voice = result.voice
    assert list(voice.columns) == list(VOICE_COLUMNS)
    middles = (voice["start_s"] + voice["end_s"]) / 2
    np.testing.assert_allclose(middles, result.windows["voice"].times_s)
    np.testing.assert_allclose(voice[list(COMMON7)], result.windows["voice"].posteriors)
    assert voice["speech_share"].between(0.1, 1).all()
    assert voice["loudness_db"].between(-50, 0).all()


def test_the_pitch_is_read_when_it_is_asked_for(recognizer, tmp_path):
    sound = write_clip(tmp_path / "a.wav", None, made_voice(4.0), audio_codec="pcm_s16le")
    result = recognizer.classify(sound)
    assert "pitch_hz" not in result.voice
    assert result.voice_with_pitch()["pitch_hz"].between(60, 500).all()


def test_a_clip_without_face_or_voice_has_empty_tables_of_the_same_columns():
    failed = ClipResult.failed("b.mp4", "reason", "remedy")
    assert list(failed.faces.columns) == list(FACE_COLUMNS) and not len(failed.faces)
    assert list(failed.voice.columns) == list(VOICE_COLUMNS) and not len(failed.voice)
    assert "pitch_hz" in failed.voice_with_pitch()


def test_a_reduced_frame_is_told_in_pixels_of_the_picture():
    recorder = FaceRecorder({(72, 128): 10.0})
    recorder.add(0.5, (72, 128), np.array([10, 20, 30, 30]))
    recorder.add(0.6, (30, 40), np.array([1, 2, 3, 3]))
    recorder.add_points(0.5, np.full((68, 2), 25.25, np.float32))
    record = recorder.finish()
    assert record.boxes.tolist() == [[100, 200, 300, 300], [1, 2, 3, 3]]
    assert record.points[0, 0].tolist() == [252.5, 252.5]
    assert np.isnan(record.points[1]).all()
    assert record.sizes.tolist() == [[1280, 720], [40, 30]]


def test_levelled_points_find_back_into_the_picture():
    sighting = Sighting(np.zeros(4), 40.0, np.zeros((9, 9)), np.zeros(4), None, 35.0)
    points = np.array([[10, 20], [300, 4]], np.float32)
    np.testing.assert_allclose(sighting.unlevelled(sighting.levelled(points)), points, atol=1e-3)
