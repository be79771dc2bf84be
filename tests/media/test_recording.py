"""Recordings in memory: read as files are, and refused in words where an array is no such thing."""

import numpy as np
import pytest
from helpers import made_frames, made_tone

from emorec import MediaError, Recording
from emorec.media.grey import FrameBatch
from emorec.media.reader import MAX_SIDE_PX
from emorec.media.recording import RecordingReader

FRAMES = made_frames(10)
SOUND = made_tone(2.0, 8_000)


def read(recording, sample_rate_hz=16_000):
    reader = RecordingReader(recording, sample_rate_hz=sample_rate_hz, frames_per_batch=4)
    pieces = list(reader)
    batches = [piece for piece in pieces if isinstance(piece, FrameBatch)]
    return reader, pieces, batches, [p for p in pieces if not isinstance(p, FrameBatch)]


def test_frames_and_sound_come_in_the_order_of_time():
    recording = Recording(FRAMES, frame_rate_hz=5, sound=SOUND, sample_rate_hz=8_000)
    reader, pieces, batches, blocks = read(recording)
    starts = [p.times_s[0] if isinstance(p, FrameBatch) else p.start_s for p in pieces]
    assert starts == sorted(starts)
    assert np.concatenate([b.frames for b in batches]).tolist() == FRAMES.tolist()
    assert np.concatenate([b.times_s for b in batches]).tolist() == pytest.approx(np.arange(10) / 5)
    assert sum(len(b.samples) for b in blocks) == pytest.approx(32_000, abs=800)
    assert reader.picture_end_s == pytest.approx(
        2.0
    ) and reader.info.frame_rate_hz == pytest.approx(5)


def test_colours_become_their_luma_and_large_frames_smaller():
    red = np.zeros((2, 40, 60, 3), np.uint8)
    red[..., 0] = 255
    _, _, batches, _ = read(Recording(red, times_s=[0.0, 0.1]))
    assert (batches[0].frames == 76).all()
    wide = np.full((1, 720, 2 * MAX_SIDE_PX), 90, np.uint8)
    _, _, (batch,), _ = read(Recording(wide, times_s=[0.5]))
    assert (batch.frames.shape, batch.reduced_by) == ((1, 360, MAX_SIDE_PX), 2.0)


@pytest.mark.parametrize(
    "sound",
    [
        np.stack([SOUND, SOUND]),
        np.stack([SOUND, SOUND], axis=1),
        (SOUND * 32767).astype(np.int16),
        np.round(SOUND * 127 + 128).astype(np.uint8),
        SOUND.astype(np.float64),
    ],
)
def test_sound_of_any_kind_is_the_same_sound(sound):
    mono = Recording(sound=sound, sample_rate_hz=8_000).sound
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, SOUND, atol=0.01)


F = FRAMES
RGB = np.zeros((4, 48, 64, 3), np.uint8)
WRONG = {
    "nothing": ({}, "neither frames nor sound"),
    "one picture": ({"frames": F[0], "frame_rate_hz": 25}, "look like a single picture"),
    "one in colours": ({"frames": RGB[0], "frame_rate_hz": 25}, "look like a single picture"),
    "channels first": ({"frames": RGB.transpose(0, 3, 1, 2), "frame_rate_hz": 25}, "transpose"),
    "alpha": ({"frames": np.zeros((4, 48, 64, 4), np.uint8), "frame_rate_hz": 25}, "[..., :3]"),
    "five dimensions": ({"frames": RGB[None], "frame_rate_hz": 25}, "they are to be"),
    "floats": ({"frames": F / 255, "frame_rate_hz": 25}, "astype(np.uint8)"),
    "no frame": ({"frames": F[:0], "frame_rate_hz": 25}, "hold nothing"),
    "texts": ({"frames": np.array(["a"]), "frame_rate_hz": 25}, "no numbers"),
    "ragged": ({"frames": [[1, 2], [3]], "frame_rate_hz": 25}, "frames is no array"),
    "no times": ({"frames": F}, "give times_s or frame_rate_hz"),
    "times twice": ({"frames": F, "frame_rate_hz": 25, "times_s": range(10)}, "said twice"),
    "no rate": ({"frames": F, "frame_rate_hz": 0}, "the frame rate is 0"),
    "too few times": ({"frames": F, "times_s": [0, 1]}, "one time in seconds for each frame"),
    "times go back": ({"frames": F, "times_s": [0, 2, 1, *range(3, 10)]}, "do not rise"),
    "no times at all": ({"frames": F, "times_s": [np.nan] * 10}, "do not rise"),
    "sound without rate": ({"sound": SOUND}, "give sample_rate_hz"),
    "rate without sound": ({"frames": F, "frame_rate_hz": 5, "sample_rate_hz": 8000}, "no sound"),
    "rate in kHz": ({"sound": SOUND, "sample_rate_hz": 16}, "16 samples a second"),
    "half a rate": ({"sound": SOUND, "sample_rate_hz": 8000.5}, "whole number"),
    "16 bits as floats": ({"sound": SOUND * 32768, "sample_rate_hz": 8000}, "32768"),
    "not finite": ({"sound": SOUND * np.nan, "sample_rate_hz": 8000}, "nan_to_num"),
    "no sample": ({"sound": SOUND[:0], "sample_rate_hz": 8000}, "holds no sample"),
    "spectrogram": ({"sound": np.zeros((96, 188), "f4"), "sample_rate_hz": 8000}, "(samples,)"),
    "complex": ({"sound": SOUND.astype(complex), "sample_rate_hz": 8000}, "no numbers"),
    "times without frames": ({"sound": SOUND, "sample_rate_hz": 8000, "times_s": [0]}, "no frames"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_recording_is_refused_with_a_remedy(name):
    given, words = WRONG[name]
    with pytest.raises(MediaError) as error:
        Recording(**given)
    assert words in str(error.value)
    assert error.value.remedy
