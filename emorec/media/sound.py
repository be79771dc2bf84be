"""From decoded sound to mono: the equal mix of all channels, float32, at one rate, in blocks.

Where a channel holds the negative of another, as a wire the wrong way round makes it, the equal mix
would be silence; that channel is then turned back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

__all__ = ["NOTED_S", "Mixer", "MonoSound", "Resampler", "SoundBlock"]

_SHORTEST_BLOCK_S = 0.5
_LOOKED_AT = 12_000  # samples, a quarter of a second or more: how far back channels are compared
_LOST = 10.0  # so many times louder must the turned mix be: the equal one has lost the voice
_LOUDEST = 1e6  # of a float sample; the square of more can exceed what numbers hold
_AUDIBLE = 1e-6  # mean square of the quietest sound that is one
# Up to the longest, a hole is filled with silence; after it the sound goes on at its own time.
_SHORTEST_HOLE_S, _LONGEST_HOLE_S = 0.1, 10.0

NOTED_S = 1.0
"""For so long a track has to be absent at its begin or end for that to be worth a note."""

_NOTED_HOLE_S = 0.5  # in between; for less sound stops where nobody speaks and nothing is stored


@dataclass(frozen=True)
class SoundBlock:
    """A stretch of sound.

    Attributes:
        start_s: Time of the first sample, seconds from the start of the clip.
        samples: (n,) float32, the mean of all channels, in [-1, 1] unless the file exceeds it.
        has_limit: Whether louder sound than 1 could not be stored; floating point can.
    """

    start_s: float
    samples: np.ndarray
    has_limit: bool = True


class MonoSound:
    """Mixes the channels of decoded sound and brings it to one rate.

    Args:
        sample_rate_hz: Rate at which the sound is wanted.
        start_s: Time stamp at which the clip starts.

    Attributes:
        begin_s: Time at which the sound begins; None before it has.
        holes_s: From when to when it is absent in between, for half a second or longer.
    """

    def __init__(self, sample_rate_hz: int, start_s: float):
        self.begin_s: float | None = None
        self.holes_s: list[tuple[float, float]] = []
        self._rate_hz = sample_rate_hz
        self._container_start_s = start_s
        self._source_rate_hz: int | None = None
        self._resampler: av.AudioResampler | None = None
        self._mixer = Mixer()
        self._has_limit = True
        self._waiting: list[np.ndarray] = []
        self._waiting_s = 0.0
        self._start_s: float | None = None  # of the first sample since the last long hole
        self._heard_s = 0.0  # length of the sound taken in since then
        self._given = 0  # number of samples given out since then

    @property
    def end_s(self) -> float:
        """Time at which the sound ended so far."""
        return (self._start_s or 0.0) + self._heard_s

    def add(self, frame: av.AudioFrame) -> Iterator[SoundBlock]:
        """Take one frame; yield the block that it completes."""
        if not frame.samples:
            return
        if frame.sample_rate != self._source_rate_hz:
            yield from self._change_source_rate(frame.sample_rate)
        if frame.time is not None:
            time_s = frame.time - self._container_start_s
            if self._start_s is None:
                self._start_s = self.begin_s = time_s
            hole_s = time_s - self.end_s
            if hole_s >= _NOTED_HOLE_S:
                self.holes_s.append((self.end_s, time_s))
            if hole_s >= _LONGEST_HOLE_S:
                yield from self._begin_again(time_s)
            elif hole_s > _SHORTEST_HOLE_S:
                self._take(np.zeros(round(hole_s * self._source_rate_hz), np.float32))
        self._take(self._mixer.mix(_channels(frame)))
        if self._waiting_s >= _SHORTEST_BLOCK_S:
            yield from self._give(self._resampled())
        self._has_limit = not frame.format.name.startswith(("flt", "dbl"))

    def finish(self) -> Iterator[SoundBlock]:
        """Yield what is left."""
        yield from self._change_source_rate(None)

    def _begin_again(self, time_s: float) -> Iterator[SoundBlock]:
        """Give out all that came before a long hole, and count from its end on."""
        rate_hz = self._source_rate_hz
        yield from self._change_source_rate(None)
        yield from self._change_source_rate(rate_hz)
        self._start_s, self._heard_s, self._given = time_s, 0.0, 0

    def _take(self, samples: np.ndarray) -> None:
        self._waiting.append(samples)
        self._waiting_s += samples.size / self._source_rate_hz
        self._heard_s += samples.size / self._source_rate_hz

    def _change_source_rate(self, source_rate_hz: int | None) -> Iterator[SoundBlock]:
        """Empty the resampler of the old rate and start one for the new rate."""
        tail = self._resampled()
        if self._resampler is not None:
            tail += [frame.to_ndarray()[0] for frame in self._resampler.resample(None)]
        yield from self._give(tail)
        self._source_rate_hz = source_rate_hz
        same = source_rate_hz in (None, self._rate_hz)
        self._resampler = None if same else av.AudioResampler("flt", "mono", self._rate_hz)

    def _resampled(self) -> list[np.ndarray]:
        if not self._waiting:
            return []
        samples = np.concatenate(self._waiting)
        self._waiting, self._waiting_s = [], 0.0
        if self._resampler is None:
            return [samples]
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "flt", "mono")
        frame.sample_rate = self._source_rate_hz
        return [resampled.to_ndarray()[0] for resampled in self._resampler.resample(frame)]

    def _give(self, pieces: list[np.ndarray]) -> Iterator[SoundBlock]:
        samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        if samples.size:
            start_s = (self._start_s or 0.0) + self._given / self._rate_hz
            self._given += samples.size
            yield SoundBlock(start_s, samples, self._has_limit)


class Resampler:
    """Brings mono sound to one rate, block by block, whatever rate it comes at.

    Args:
        sample_rate_hz: Rate at which the sound is wanted.
    """

    def __init__(self, sample_rate_hz: int):
        self._rate_hz = sample_rate_hz
        self._source_rate_hz: int | None = None
        self._resampler: av.AudioResampler | None = None

    def push(self, samples: np.ndarray, source_rate_hz: int) -> np.ndarray:
        """Take the next samples, (n,) float32; return those that are ready, (m,) float32.

        A few milliseconds stay behind for the next block.
        """
        if source_rate_hz == self._rate_hz:
            return samples
        if source_rate_hz != self._source_rate_hz:
            self._source_rate_hz = source_rate_hz
            self._resampler = av.AudioResampler("flt", "mono", self._rate_hz)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], "flt", "mono")
        frame.sample_rate = source_rate_hz
        pieces = [piece.to_ndarray()[0] for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


class Mixer:
    """Mixes channels equally, a channel that holds the negative of the others turned back.

    Only where the equal mix loses nearly all of the sound is a channel turned, and it stays so
    until the equal mix is the louder again; every other recording is mixed as it is.
    """

    def __init__(self) -> None:
        self._products = np.zeros((0, 0))  # of each channel with each, over the last moments
        self._length = 0.0  # how many samples these are
        self._signs = np.zeros(0)

    def mix(self, channels: np.ndarray) -> np.ndarray:
        """Mix the next samples, (channels, n) float32; returns (n,) float32."""
        channels = _bounded(channels)
        if len(channels) > 1:
            self._look_at(channels)
            if (self._signs < 0).any():
                channels = channels * self._signs.astype(np.float32)[:, np.newaxis]
        return channels.mean(axis=0, dtype=np.float32)

    def _look_at(self, channels: np.ndarray) -> None:
        """Find out which channels are turned, from how they go together."""
        count, length = channels.shape
        if count != len(self._signs):
            self._products, self._signs = np.zeros((count, count)), np.ones(count)
            self._length = 0.0
        new = np.einsum("an,bn->ab", channels, channels)
        if not length:
            return
        kept = max(0.0, 1 - length / _LOOKED_AT)
        self._products = kept * self._products + new
        self._length = kept * self._length + length
        loudest = int(self._products.diagonal().argmax())
        turned = np.where(self._products[loudest] < 0, -1.0, 1.0)
        if turned @ self._signs < 0:
            turned = -turned  # it is the same mix, and would click
        plain, louder = self._power(np.ones(count)), self._power(turned)
        if louder > max(_LOST * plain, _AUDIBLE):
            self._signs = turned
        elif plain > self._power(self._signs):
            self._signs = np.ones(count)

    def _power(self, signs: np.ndarray) -> float:
        """The mean square of the channels, mixed with these signs."""
        return float(signs @ self._products @ signs) / (len(signs) ** 2 * self._length)


def _bounded(channels: np.ndarray) -> np.ndarray:
    """Put silence for samples that are no numbers, and a bound on those that no sound has."""
    if channels.size and channels.min() >= -_LOUDEST and channels.max() <= _LOUDEST:
        return channels
    return np.clip(np.nan_to_num(channels, posinf=0.0, neginf=0.0), -_LOUDEST, _LOUDEST)


def _channels(frame: av.AudioFrame) -> np.ndarray:
    """The samples of planar or packed sound of any format, (channels, n) float in [-1, 1]."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return samples
