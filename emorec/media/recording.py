"""A recording that lies in memory: pictures with their times, sound with its rate, or both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from emorec.errors import MediaError
from emorec.media.grey import FrameBatch
from emorec.media.opening import MOST_PIXELS, SAMPLE_RATES_HZ
from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ, Pace
from emorec.media.reader import MAX_SIDE_PX
from emorec.media.sound import Resampler, SoundBlock

__all__ = ["Recording", "RecordingReader"]

_MOST_CHANNELS = 32
_BLOCK_S = 0.5
_HIGHEST_FRAME_RATE_HZ = 10_000
_LOUDEST = 8.0  # of sound as floating point; 1 is full scale


class Recording:
    """A recording that lies in memory.

    Args:
        frames: (n, height, width) grey or (n, height, width, 3) RGB, uint8, 0 black; None for no
            picture. OpenCV's pictures are BGR: turn them by `frames[..., ::-1]`.
        times_s: (n,) times of the frames in seconds, rising; or else
        frame_rate_hz: how many of them there are a second.
        sound: (samples,), (samples, channels) or (channels, samples), floating point of which 1 is
            full scale, or integers; None for no sound.
        sample_rate_hz: How many samples there are a second.
        name: What it is called in tables.

    Raises:
        MediaError: When the arrays are no such things; it says what is wrong with them.

    >>> Recording(sound=np.zeros(48_000, np.float32), sample_rate_hz=16_000)
    <Recording 'recording': no picture, 3.0 s of sound>
    """

    def __init__(
        self,
        frames: np.ndarray | None = None,
        *,
        times_s: Sequence[float] | np.ndarray | None = None,
        frame_rate_hz: float | None = None,
        sound: np.ndarray | None = None,
        sample_rate_hz: int | None = None,
        name: str = "recording",
    ):
        self.name = name
        if frames is None and sound is None:
            raise _wrong(name, "it has neither frames nor sound", "give it one of them")
        if frames is None and (times_s is not None or frame_rate_hz is not None):
            raise _wrong(name, "it has times of frames, and no frames", "give it frames, too")
        self.frames = None if frames is None else _checked_frames(name, frames)
        self.times_s = np.zeros(0)
        if self.frames is not None:
            self.times_s = _checked_times(name, len(self.frames), times_s, frame_rate_hz)
        self.sound = np.zeros(0, np.float32)
        self.sample_rate_hz = 0
        if sound is not None:
            self.sample_rate_hz = _checked_rate(name, sample_rate_hz)
            self.sound = _checked_sound(name, sound)
        elif sample_rate_hz is not None:
            raise _wrong(name, "it has a sample rate, and no sound", "give it sound, too")

    @property
    def frame_rate_hz(self) -> float | None:
        """Mean frame rate; None of fewer than two frames."""
        length_s = self.times_s[-1] - self.times_s[0] if len(self.times_s) > 1 else 0
        return float((len(self.times_s) - 1) / length_s) if length_s > 0 else None

    def __repr__(self) -> str:
        picture = "no picture" if self.frames is None else f"{len(self.frames)} frames"
        seconds = len(self.sound) / self.sample_rate_hz if self.sample_rate_hz else 0.0
        sound = f"{seconds:.1f} s of sound" if seconds else "no sound"
        return f"<Recording {self.name!r}: {picture}, {sound}>"


@dataclass(frozen=True)
class RecordingInfo:
    """What `RecordingReader` tells of a recording, as `media.reader.ClipInfo` of a clip."""

    frame_rate_hz: float | None
    is_synthetic: bool = False


class RecordingReader:
    """Reads a recording as `media.reader.ClipReader` reads a clip.

    Args:
        recording: The recording.
        sample_rate_hz: Rate at which the sound is wanted.
        frames_per_batch: Largest number of frames in a batch.
        pictures_per_s: How many frames are wanted a second; by default all.
        kinds: "video", "audio": what is read; what is not is not converted either.

    Attributes:
        info: What it holds.
        notes: Always empty.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        sample_rate_hz: int,
        frames_per_batch: int,
        pictures_per_s: float = math.inf,
        kinds: Sequence[str] = ("video", "audio"),
    ):
        self._kinds = kinds
        self._pace = Pace(pictures_per_s)
        self.notes: list[str] = []
        self.info = RecordingInfo(recording.frame_rate_hz)
        self._recording = recording
        self._rate_hz, self._per_batch = sample_rate_hz, frames_per_batch

    @property
    def picture_end_s(self) -> float:
        """Time at which its picture ends, 0 without one."""
        times_s = self._recording.times_s
        frame_s = 1 / (self.info.frame_rate_hz or FALLBACK_FRAME_RATE_HZ)
        return float(times_s[-1]) + frame_s if len(times_s) else 0.0

    def __iter__(self) -> Iterator[FrameBatch | SoundBlock]:
        blocks = self._blocks()
        block = next(blocks, None)
        for batch in self._batches():
            while block is not None and block.start_s <= batch.times_s[0]:
                yield block
                block = next(blocks, None)
            yield batch
        if block is not None:
            yield block
        yield from blocks

    def _batches(self) -> Iterator[FrameBatch]:
        if "video" not in self._kinds:
            return
        frames, times_s = self._recording.frames, self._recording.times_s
        looked_at = np.flatnonzero([self._pace.is_due(time_s) for time_s in times_s])
        for first in range(0, len(looked_at), self._per_batch):
            part = looked_at[first : first + self._per_batch]
            grey = [_grey(frames[number]) for number in part]
            reduced_by = max(frames.shape[1:3]) / max(grey[0].shape)
            yield FrameBatch(times_s[part], np.stack(grey), reduced_by)

    def _blocks(self) -> Iterator[SoundBlock]:
        if "audio" not in self._kinds:
            return
        sound, rate_hz = self._recording.sound, self._recording.sample_rate_hz
        resampler, given = Resampler(self._rate_hz), 0
        length = max(1, round(_BLOCK_S * rate_hz))
        for first in range(0, len(sound), length):
            samples = resampler.push(sound[first : first + length], rate_hz)
            if len(samples):
                yield SoundBlock(given / self._rate_hz, samples, has_limit=False)
            given += len(samples)


def _grey(frame: np.ndarray) -> np.ndarray:
    if frame.ndim == 3:
        frame = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    scale = MAX_SIDE_PX / max(frame.shape)
    if scale >= 1:
        return frame
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    return cv2.resize(np.ascontiguousarray(frame), size, interpolation=cv2.INTER_AREA)


def _wrong(name: str, reason: str, remedy: str) -> MediaError:
    return MediaError(name, reason, remedy)


def _checked_frames(name: str, frames: np.ndarray) -> np.ndarray:
    frames = _array(name, "frames", frames)
    shape = frames.shape
    if frames.ndim == 4 and shape[1] in (1, 3, 4) and shape[3] not in (1, 3, 4):
        remedy = "put them last: frames.transpose(0, 2, 3, 1)"
        raise _wrong(name, f"the colours of frames {shape} come before height and width", remedy)
    if frames.ndim == 4 and shape[3] == 4:
        raise _wrong(
            name, f"frames {shape} have four colours", "leave out the last: frames[..., :3]"
        )
    if frames.ndim == 4 and shape[3] == 1:
        frames = frames[..., 0]
    is_one = frames.ndim == 2 or (frames.ndim == 3 and shape[2] in (3, 4) and shape[1] > 4)
    if is_one:
        reason = f"frames {shape} look like a single picture"
        raise _wrong(name, reason, "give PIL.Image.fromarray(frames), or frames[np.newaxis]")
    if frames.ndim not in (3, 4) or (frames.ndim == 4 and frames.shape[3] != 3):
        reason = f"frames have the shape {shape}"
        raise _wrong(name, reason, "they are to be (n, height, width) or (n, height, width, 3)")
    if not all(frames.shape[:3]):
        raise _wrong(name, f"frames {shape} hold nothing", "give it frames, or none at all")
    if shape[1] * shape[2] > MOST_PIXELS:
        reason = f"frames have {shape[2]} x {shape[1]} pixels"
        raise _wrong(name, reason, f"at most {MOST_PIXELS / 1e6:.0f} million are read")
    if frames.dtype != np.uint8:
        remedy = "make them uint8, 0 to 255: (255 * frames).astype(np.uint8) where 1 is white"
        raise _wrong(name, f"frames are {frames.dtype}", remedy)
    return frames


def _checked_times(name: str, count: int, times_s: Any, frame_rate_hz: Any) -> np.ndarray:
    if (times_s is None) == (frame_rate_hz is None):
        reason = (
            "when the frames are is said twice" if frame_rate_hz else "nothing says when they are"
        )
        raise _wrong(name, reason, "give times_s or frame_rate_hz")
    if frame_rate_hz is not None:
        is_number = isinstance(frame_rate_hz, int | float | np.number)
        if not is_number or not 0 < frame_rate_hz <= _HIGHEST_FRAME_RATE_HZ:
            raise _wrong(name, f"the frame rate is {frame_rate_hz}", "give frames a second, as 25")
        return np.arange(count) / float(frame_rate_hz)
    times = _array(name, "times_s", times_s)
    if times.shape != (count,) or times.dtype.kind not in "fiu":
        reason = f"there are {count} frames, and times_s has the shape {times.shape}"
        raise _wrong(name, reason, "give one time in seconds for each frame")
    times = times.astype(np.float64)
    if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        reason = "the times of the frames do not rise from 0 on"
        raise _wrong(name, reason, "give seconds from the start, in order")
    return times


def _checked_rate(name: str, sample_rate_hz: Any) -> int:
    least_hz, most_hz = SAMPLE_RATES_HZ
    if sample_rate_hz is None:
        raise _wrong(name, "the sound has no rate", "give sample_rate_hz, as 16000 or 48000")
    is_whole = isinstance(sample_rate_hz, int | np.integer | float) and sample_rate_hz % 1 == 0
    if not is_whole or not least_hz <= sample_rate_hz <= most_hz:
        reason = f"the sound has {sample_rate_hz} samples a second"
        raise _wrong(name, reason, f"give a whole number from {least_hz:,} to {most_hz:,}")
    return int(sample_rate_hz)


def _checked_sound(name: str, sound: np.ndarray) -> np.ndarray:
    sound = _array(name, "sound", sound)
    if sound.ndim == 2 and min(sound.shape) <= _MOST_CHANNELS:
        axis = 0 if sound.shape[0] < sound.shape[1] else 1
    elif sound.ndim == 1:
        axis = None
    else:
        remedy = "it is to be (samples,), (samples, channels) or (channels, samples)"
        raise _wrong(name, f"sound has the shape {sound.shape}", remedy)
    if not sound.size:
        raise _wrong(name, "the sound holds no sample", "give it sound, or none at all")
    if sound.dtype == np.uint8:
        sound = (sound.astype(np.float32) - 128) / 128
    elif sound.dtype.kind == "i":
        sound = sound.astype(np.float32) / -float(np.iinfo(sound.dtype).min)
    elif sound.dtype.kind != "f":
        raise _wrong(name, f"sound is {sound.dtype}", "make it float32, of which 1 is full scale")
    if not np.isfinite(sound).all():
        raise _wrong(name, "the sound holds what is no number", "see np.nan_to_num")
    if np.abs(sound).max() > _LOUDEST:
        reason = f"the sound goes up to {np.abs(sound).max():,.0f}, and 1 is full scale"
        raise _wrong(name, reason, "divide it: by 32768, where it was made from 16 bits")
    mono = sound if axis is None else sound.mean(axis=axis)
    return np.ascontiguousarray(mono, np.float32)


def _array(name: str, what: str, value: object) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        reason = f"{what} is no array ({str(error).splitlines()[0]})"
        raise _wrong(name, reason, "give it as a NumPy array") from error
    if array.dtype.kind not in "fiub":
        raise _wrong(name, f"{what} holds {array.dtype}, and no numbers", "give it as numbers")
    return array
