"""What a copy says of its pixels is what players and the reader go by."""

from fractions import Fraction

import av
import pytest
from helpers import made_frames, made_voice, write_clip

from emorec.corpora import javased
from emorec.media.grey import FrameBatch
from emorec.media.pixel_shape import write_with_pixel_aspect
from emorec.media.reader import ClipReader


def packets(path):
    with av.open(str(path)) as clip:
        return [bytes(packet) for packet in clip.demux(clip.streams.audio[0]) if packet.size]


def test_the_copy_is_wider_and_all_else_is_as_it_was(tmp_path):
    sound = made_voice(0.4)
    source = write_clip(tmp_path / "clip.mp4", made_frames(10, 96, 128), sound)
    target = tmp_path / "copy.mp4"
    write_with_pixel_aspect(source, target, Fraction(4, 3))
    with av.open(str(target)) as copy:
        assert copy.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert len(list(copy.decode(video=0))) == 10
    assert packets(target) == packets(source)


def test_javased_is_shown_as_filmed(emorec_data, tmp_path):
    table = javased.as_filmed(javased.load_video_table().head(1), tmp_path / "filmed")
    (path,) = table["path"]
    pieces = ClipReader(path, sample_rate_hz=16_000, frames_per_batch=8)
    batch = next(piece for piece in pieces if isinstance(piece, FrameBatch))
    height, width = batch.frames[0].shape
    assert width / height == pytest.approx(16 / 9, abs=0.01)
