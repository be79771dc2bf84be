"""The pitch of a voice: how often its cords open and close a second.

The autocorrelation of short windows, divided by the window's own (Boersma, Accurate short-term
analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled sound, IFA
Proceedings 17, 1993), at 8 kHz. Each moment is told by itself; no path is laid through them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emorec.media.sound import SoundBlock

__all__ = ["HOP_S", "SAMPLE_RATE_HZ", "PitchTrack", "track_pitch"]

SAMPLE_RATE_HZ = 8_000
HOP_S = 0.01

_LOWEST_HZ, _HIGHEST_HZ = 60.0, 500.0
_WINDOW = round(3 / _LOWEST_HZ * SAMPLE_RATE_HZ)  # three periods of the lowest voice
_HOP = round(HOP_S * SAMPLE_RATE_HZ)
_FFT = 1024
_SHORTEST_LAG = int(SAMPLE_RATE_HZ / _HIGHEST_HZ)
_LONGEST_LAG = int(np.ceil(SAMPLE_RATE_HZ / _LOWEST_HZ))
_LEAST_VOICED = 0.6  # of the autocorrelation at its peak
_OCTAVE_COST = 0.03  # for each octave down, or every second period would serve as well
_LEAST_POWER = 10 ** (-60 / 10)
_BLOCK_FRAMES = 2_000


@dataclass(frozen=True)
class PitchTrack:
    """Pitch over time.

    Attributes:
        times_s: (n,) float64, the middle of each moment, seconds from the start of the clip.
        hz: (n,) float32, NaN where no cords swing.
    """

    times_s: np.ndarray
    hz: np.ndarray

    def medians(self, starts_s: np.ndarray, ends_s: np.ndarray) -> np.ndarray:
        """Return the median pitch within each of some stretches, (m,) float32; NaN without any."""
        found = np.full(len(starts_s), np.nan, np.float32)
        for i, (start_s, end_s) in enumerate(zip(starts_s, ends_s, strict=True)):
            first, end = np.searchsorted(self.times_s, [start_s, end_s])
            voiced = self.hz[first:end][np.isfinite(self.hz[first:end])]
            if len(voiced):
                found[i] = np.median(voiced)
        return found


def track_pitch(blocks: Iterable[SoundBlock]) -> PitchTrack:
    """Follow the pitch of a voice, every `HOP_S`.

    Args:
        blocks: Sound at `SAMPLE_RATE_HZ`, in order.

    Example:
        >>> times_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        >>> buzz = sum(np.sin(2 * np.pi * 120 * n * times_s) / n for n in range(1, 9))
        >>> track = track_pitch([SoundBlock(0.0, buzz.astype(np.float32))])
        >>> np.abs(track.hz - 120).max() < 1
        np.True_
    """
    times_s: list[np.ndarray] = []
    found: list[np.ndarray] = []
    kept, kept_s = np.zeros(0, np.float32), 0.0
    for block in blocks:
        end_s = kept_s + len(kept) / SAMPLE_RATE_HZ
        if abs(block.start_s - end_s) > HOP_S:
            kept, kept_s = np.zeros(0, np.float32), block.start_s  # a hole
        kept = np.concatenate([kept, block.samples])
        count = (len(kept) - _WINDOW) // _HOP + 1
        if count <= 0:
            continue
        for first in range(0, count, _BLOCK_FRAMES):
            end = min(count, first + _BLOCK_FRAMES)
            found.append(_pitches(kept[first * _HOP : (end - 1) * _HOP + _WINDOW]))
        times_s.append(kept_s + (np.arange(count) * _HOP + _WINDOW / 2) / SAMPLE_RATE_HZ)
        kept, kept_s = kept[count * _HOP :], kept_s + count * _HOP / SAMPLE_RATE_HZ
    if not found:
        return PitchTrack(np.zeros(0), np.zeros(0, np.float32))
    return PitchTrack(np.concatenate(times_s), np.concatenate(found))


def _pitches(samples: np.ndarray) -> np.ndarray:
    """Pitch (frames,) float32 of windows that lie `_HOP` apart; NaN where there is none."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    frames = frames - frames.mean(1, keepdims=True)
    is_loud = np.square(frames).mean(1) > _LEAST_POWER
    hann = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
    own = _autocorrelation(hann[np.newaxis])[0]
    shares = _autocorrelation(frames * hann)
    shares = shares / np.maximum(shares[:, :1], 1e-12) / (own / own[0])
    lags = np.arange(_SHORTEST_LAG, _LONGEST_LAG + 1)
    here, before, after = shares[:, lags], shares[:, lags - 1], shares[:, lags + 1]
    is_peak = (here >= before) & (here > after) & (here > 0)
    costs = _OCTAVE_COST * np.log2(lags * _LOWEST_HZ / SAMPLE_RATE_HZ)
    best = np.where(is_peak, here - costs, -np.inf).argmax(1)
    rows = np.arange(len(frames))
    left, peak, right = before[rows, best], here[rows, best], after[rows, best]
    curvature = np.minimum(left - 2 * peak + right, -1e-9)
    lag = lags[best] + np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)
    is_voiced = is_loud & is_peak[rows, best] & (peak >= _LEAST_VOICED)
    return np.where(is_voiced, SAMPLE_RATE_HZ / lag, np.nan).astype(np.float32)


def _autocorrelation(frames: np.ndarray) -> np.ndarray:
    """Autocorrelation (n, lags) float32 up to one more than the longest lag."""
    spectrum = np.fft.rfft(frames, _FFT)
    return np.fft.irfft(spectrum.real**2 + spectrum.imag**2, _FFT)[:, : _LONGEST_LAG + 2]
