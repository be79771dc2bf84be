"""Pictures that change shape, rotation or pixel aspect on the way, on made clips."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from helpers import made_frames, write_clip

from emorec.media.colour import ColourPicture, Planes
from emorec.media.reader import ClipReader, CopyReader, read_frames
from emorec.media.view import View

COUNT = 25


def part(path: Path, height: int, width: int, codec: str = "libx264", **options) -> Path:
    return write_clip(path, made_frames(COUNT, height, width), video_codec=codec, **options)


def joined(folder: Path, *parts: Path) -> Path:
    """Recordings in one transport stream, each with its own shape of picture."""
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def rotated(path: Path, turn_deg: int) -> Path:
    """A copy of a clip whose pictures themselves say by how much they are to be turned."""
    out = path.with_name(f"turned{turn_deg}.ts")
    with av.open(str(path)) as old, av.open(str(out), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        marker = BitStreamFilterContext(
            f"h264_metadata=display_orientation=insert:rotate={turn_deg}", old.streams.video[0]
        )
        for packet in old.demux(video=0):
            for marked in marker.filter(packet if packet.dts is not None else None):
                marked.stream = stream
                new.mux(marked)
    return out


def shapes_of(path: Path) -> list[tuple[int, int]]:
    """Height and width of every frame."""
    return [frame.shape for batch in read_frames(path) for frame in batch.frames]


def is_upright(frame: np.ndarray) -> bool:
    """Tell whether the bright quarter fills the top left of the picture, and no more."""
    height, width = frame.shape
    rows, columns = np.nonzero(frame > 80)
    return abs(rows.max() + 1 - height / 2) <= 2 and abs(columns.max() + 1 - width / 2) <= 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((48, 64), (64, 48)),
        ((96, 160), (160, 96)),
        ((48, 64), (96, 128)),
        ((90, 160), (120, 160)),
        ((48, 64), (48, 66)),
    ],
)
@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_each_frame_keeps_its_proportions(tmp_path, first, second, codec):
    path = joined(
        tmp_path,
        part(tmp_path / "a.ts", *first, codec),
        part(tmp_path / "b.ts", *second, codec),
    )
    shapes = shapes_of(path)
    assert shapes.count(first) >= COUNT - 2
    assert shapes.count(second) >= COUNT - 2
    assert shapes == sorted(shapes, key=[first, second].index)
    reader = ClipReader(path)
    frames = [frame for piece in reader for frame in piece.frames]
    assert sum(map(is_upright, frames)) >= 2 * COUNT - 4
    assert (reader.info.height, reader.info.width) == first


def test_times_go_on_where_the_shape_changes(tmp_path):
    path = joined(tmp_path, part(tmp_path / "a.ts", 48, 64), part(tmp_path / "b.ts", 64, 48))
    times_s = np.concatenate([batch.times_s for batch in read_frames(path)])
    assert (np.diff(times_s) > 0).all()
    assert times_s[-1] == pytest.approx(2 * COUNT / 25, abs=0.2)


@pytest.mark.parametrize(("aspects", "widths"), [(("1", "2"), (64, 128)), (("2", "1"), (128, 64))])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_pixels_that_change_their_shape(tmp_path, aspects, widths, codec):
    parts = [
        part(tmp_path / f"{aspect}.ts", 48, 64, codec, pixel_aspect=Fraction(aspect))
        for aspect in aspects
    ]
    shapes = shapes_of(joined(tmp_path, *parts))
    for width in widths:
        assert shapes.count((48, width)) >= COUNT - 2
    copied = list(CopyReader(joined(tmp_path, *parts)))
    assert {piece.view.pixel_aspect for piece in copied} == {float(aspect) for aspect in aspects}


@pytest.mark.parametrize(("turn_deg", "shape"), [(90, (64, 48)), (180, (48, 64)), (270, (64, 48))])
def test_pictures_that_say_themselves_that_they_are_turned(tmp_path, turn_deg, shape):
    plain = part(tmp_path / "plain.ts", 48, 64)
    path = joined(tmp_path, plain, rotated(plain, turn_deg))
    shapes = shapes_of(path)
    assert len(shapes) >= 2 * COUNT - 2
    assert shapes[0] == (48, 64)
    assert set(shapes[COUNT + 2 :]) == {shape}


def test_many_changes_cost_little(tmp_path):
    sizes = [(48, 64), (64, 48)] * 10
    parts = [
        write_clip(tmp_path / f"{i}.ts", made_frames(3, *size), video_codec="mpeg2video")
        for i, size in enumerate(sizes)
    ]
    assert len(shapes_of(joined(tmp_path, *parts))) >= 40


# Letterboxing.


def frame_of(height: int, width: int, level: int = 200) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), "rgb24")


@pytest.mark.parametrize(
    ("size", "aspect", "place"),
    [
        ((48, 64), 1.0, (0, 0, 64, 48)),
        ((96, 128), 1.0, (0, 0, 64, 48)),
        ((24, 32), 1.0, (0, 0, 64, 48)),
        ((64, 48), 1.0, (14, 0, 36, 48)),
        ((24, 64), 1.0, (0, 12, 64, 24)),
        ((48, 64), 2.0, (0, 12, 64, 24)),
        ((47, 64), 1.0, (0, 0, 64, 48)),
        ((1000, 1), 1.0, (30, 0, 1, 48)),
        ((1, 1000), 1.0, (0, 22, 64, 1)),
    ],
)
def test_another_shape_stands_between_black_bars(size, aspect, place):
    picture, view = ColourPicture(frame_of(48, 64), View()), View(aspect)
    frame = frame_of(*size)
    assert picture.place(frame, view) == place
    planes = picture.planes(frame, view)
    assert planes.luma.shape == (48, 64)
    assert planes.blue.shape == planes.red.shape == (24, 32)
    x, y, width, height = place
    inside = planes.luma[y : y + height, x : x + width]
    assert inside.min() > 150
    outside = planes.luma.copy()
    outside[y : y + height, x : x + width] = 16
    assert (outside == 16).all()


def test_a_frame_of_the_same_shape_is_taken_as_it_is():
    frame = frame_of(48, 64).reformat(format="yuv420p")
    picture = ColourPicture(frame, View())
    assert np.shares_memory(picture.planes(frame, View()).luma, Planes.of(frame).luma)
