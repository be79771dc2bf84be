"""A phone that is turned on the way: classified, annotated, played live."""

from pathlib import Path

import numpy as np
import pytest
from helpers import PATIENCE_S, made_voice, write_clip
from test_bad_input import face_frames, resized

from emorec.live.engine import LiveEngine
from emorec.live.sources import FileSource
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, read_frames
from emorec.report.overlay_layout import layout_for
from emorec.report.video import annotate

FRAMES = 30


@pytest.fixture(scope="module")
def turned(tmp_path_factory) -> Path:
    """A face in 640 x 360 and then in 360 x 540 pixels, and a voice."""
    folder = tmp_path_factory.mktemp("turned")
    wide = face_frames(FRAMES)
    tall = resized(wide[:, :, 200:440], 360, 540)
    path = folder / "turned.ts"
    codecs = {"video_codec": "mpeg2video", "audio_codec": "mp2"}
    parts = [
        write_clip(folder / f"{number}.ts", frames, made_voice(FRAMES / 25), **codecs)
        for number, frames in enumerate((wide, tall))
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.fixture(scope="module")
def annotated(recognizer, turned):
    """The result and the annotated video."""
    out = turned.with_name("out.mp4")
    return annotate(turned, out, recognizer), out


def test_the_face_is_found_in_both_shapes(annotated):
    track = annotated[0].face_track
    is_seen = np.isfinite(track.boxes).all(1)
    is_tall = track.times_s > FRAMES / 25 + 0.1
    assert is_seen[~is_tall].mean() > 0.9
    assert is_seen[is_tall].mean() > 0.9
    # As shares of the picture: the face is square in pixels of either shape.
    width, height = track.boxes[is_seen & is_tall][:, 2:].mean(0)
    assert width * 360 == pytest.approx(height * 540, rel=0.02)
    assert annotated[0].windows["face"].times_s[-1] > 1.6
    assert track.begins_s == pytest.approx([FRAMES / 25], abs=0.2)


def test_the_annotated_video_shows_the_second_shape_between_bars(annotated):
    area = layout_for("bars", 640, 360).picture
    frames = [f for batch in read_frames(annotated[1], max_side_px=9999) for f in batch.frames]
    wide, tall = (frames[i][area.y0 : area.y1, area.x0 : area.x1] for i in (FRAMES // 2, -8))
    assert wide[:, :200].min() > 20
    assert tall[:, :196].max() < 12
    assert tall[:, 444:].max() < 12
    assert tall[:, 210:430].mean() > 60


def test_both_shapes_are_played_live(recognizer, turned):
    shapes, boxes = set(), []
    with LiveEngine(recognizer) as engine, FileSource(engine, turned) as source:
        while not source.has_ended:
            frame, verdict = engine.newest_frame, engine.verdict()
            if frame is not None and verdict is not None:
                shapes.add(frame.shape)
                boxes.append((frame.shape, verdict.face_box))
        assert engine.drain(PATIENCE_S)
    assert shapes == {(360, 640), (540, 360)}
    assert any(box is not None for shape, box in boxes[-20:] if shape == (540, 360))


def test_live_and_classify_agree_where_the_shape_changes(recognizer, annotated, turned):
    with LiveEngine(recognizer) as engine:
        for piece in ClipReader(turned, sample_rate_hz=engine.sample_rate_hz):
            if not isinstance(piece, FrameBatch):
                continue
            for time_s, frame in zip(piece.times_s.tolist(), piece.frames, strict=True):
                engine.push_frame(frame, time_s)
                assert engine.drain(PATIENCE_S)
        pooled = engine.summary().probabilities
    for stream in ("face", "geometry"):
        np.testing.assert_allclose(pooled[stream], annotated[0].posteriors[stream], atol=0.02)
