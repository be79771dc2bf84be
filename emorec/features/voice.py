"""From sound to the voice network's input: log-mel spectrograms over sliding windows.

NumPy alone: a kept filter bank makes this five times as fast as `librosa`, whose values it
reproduces (a test holds both to 1e-4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = [
    "DYNAMIC_RANGE_DB",
    "REFERENCE_LOG_MEL",
    "SILENCE_DBFS",
    "VOICE",
    "WINDOW_HOP_S",
    "WINDOW_S",
    "LogMelSetting",
    "SlidingWindows",
    "SoundWindow",
    "centred",
    "fit_length",
    "is_silent",
    "log_mel",
    "loudness",
    "mel_filter_bank",
    "reference_input",
    "standardize_log_mel",
    "voice_input",
]

WINDOW_S = 3.0
WINDOW_HOP_S = 1.0
"""From one window of a clip to the next. At half of it a minute takes a third longer, and 99 % of
939 clips of four corpora get the same verdict."""

DYNAMIC_RANGE_DB = 80.0
"""How far below its loudest point a spectrogram reaches; what is quieter is raised to that."""

SILENCE_DBFS = -60.0
"""Level below which there is no voice, in decibel of full scale."""

_LEVEL_BLOCK_S = 0.05
_SMALLEST_OFFSET = 0.01
_SMALLEST_POWER = 1e-10


@dataclass(frozen=True)
class LogMelSetting:
    """How a log-mel spectrogram is made; lengths in samples, frequencies in Hz."""

    sample_rate_hz: int
    n_fft: int
    hop: int
    bands: int
    low_hz: float
    high_hz: float

    def frames(self, samples: int) -> int:
        """Return the number of frames that so many samples give."""
        return 1 + samples // self.hop

    @property
    def hop_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop / self.sample_rate_hz


REFERENCE_LOG_MEL = LogMelSetting(48_000, 1024, 512, 128, 50, 24_000)
"""The two-stream reference project's setting: three seconds give 128 x 282."""

VOICE = LogMelSetting(16_000, 1024, 256, 96, 50, 8_000)
"""The 2D CNN's setting: three seconds give 96 x 188. Every microphone, telephone
codec and web video reaches 8 kHz, so that a new recording looks like the training's."""


def _hz_to_mel(hz: float | np.ndarray) -> np.ndarray:
    """Slaney's scale: linear below 1 kHz, logarithmic above."""
    hz = np.asarray(hz, float)
    logarithmic = 15 + np.log(np.maximum(hz, 1e-3) / 1000) / (np.log(6.4) / 27)
    return np.where(hz < 1000, hz * 3 / 200, logarithmic)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


@cache
def mel_filter_bank(setting: LogMelSetting) -> np.ndarray:
    """Return the triangular filters, float32, shape (bands, 1 + n_fft // 2).

    Slaney's mel scale with each filter's area normalised, as in his Auditory Toolbox
    (1998).
    """
    edges = np.linspace(_hz_to_mel(setting.low_hz), _hz_to_mel(setting.high_hz), setting.bands + 2)
    edges = _mel_to_hz(edges)
    bins = np.fft.rfftfreq(setting.n_fft, 1 / setting.sample_rate_hz)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    return (filters * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@cache
def _hann(length: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


@cache
def _mel_runs(setting: LogMelSetting) -> tuple[np.ndarray, ...]:
    """Split the bins of the spectrum into runs that feed the same two neighbouring filters.

    Returns:
        The bins that any filter passes, where each run starts among them, the lower filter of
        each run, and the weights of the bins in the lower and in the upper filter.
    """
    filters = mel_filter_bank(setting)
    bins = np.flatnonzero(filters.any(0))
    lower = (filters[:, bins] > 0).argmax(0)
    starts = np.flatnonzero(np.diff(lower, prepend=-1))
    with_none = np.vstack([filters, np.zeros_like(filters[:1])])
    return bins, starts, lower[starts], filters[lower, bins], with_none[lower + 1, bins]


def _mel_power(power: np.ndarray, setting: LogMelSetting) -> np.ndarray:
    """Apply the filters to power (frames, 1 + n_fft // 2); float32 (bands, frames).

    Not as a product of matrices: nearly all weights are zero, and the threads that NumPy starts
    for a product get in the way of those that decode (measured: 20 against 2 ms a window).
    """
    bins, starts, lower, in_lower, in_upper = _mel_runs(setting)
    passed = power[:, bins]
    mel_power = np.zeros((len(power), setting.bands + 1), np.float32)
    mel_power[:, lower] += np.add.reduceat(passed * in_lower, starts, axis=1)
    mel_power[:, lower + 1] += np.add.reduceat(passed * in_upper, starts, axis=1)
    return mel_power[:, :-1].T


def mel_power(padded: np.ndarray, setting: LogMelSetting) -> np.ndarray:
    """Return the power in each mel band of sound that is padded already.

    Args:
        padded: float32 mono sound, shape (n,); the first frame is its first `n_fft` samples.
        setting: Sizes and frequencies.

    Returns:
        float32 array, shape (bands, 1 + (n - n_fft) // hop).
    """
    frames = np.lib.stride_tricks.sliding_window_view(padded, setting.n_fft)[:: setting.hop]
    spectrum = np.fft.rfft(frames * _hann(setting.n_fft), axis=1)
    return _mel_power(spectrum.real**2 + spectrum.imag**2, setting)


def log_mel(samples: np.ndarray, setting: LogMelSetting) -> np.ndarray:
    """Return the log-mel spectrogram in dB.

    Args:
        samples: float32 mono sound, shape (n,), at `setting.sample_rate_hz`; frames are
            centred, with silence beyond both ends.
        setting: Sizes and frequencies.

    Returns:
        float32 array, shape (bands, 1 + n // hop), clipped to 80 dB below its maximum.

    Example:
        >>> log_mel(np.zeros(144_000, np.float32), REFERENCE_LOG_MEL).shape
        (128, 282)
    """
    half = setting.n_fft // 2
    power = mel_power(np.pad(np.asarray(samples, np.float32), half), setting)
    decibel = 10 * np.log10(np.maximum(power, _SMALLEST_POWER))
    return np.maximum(decibel, decibel.max() - DYNAMIC_RANGE_DB)


def reference_input(samples: np.ndarray) -> np.ndarray:
    """Return the reference project's 128 x 282 input: 0.5 s to 3.5 s, centred if shorter.

    Args:
        samples: float32 mono sound at 48 kHz.
    """
    rate = REFERENCE_LOG_MEL.sample_rate_hz
    middle = samples[rate // 2 : rate // 2 + 3 * rate]
    return log_mel(fit_length(middle, 3 * rate), REFERENCE_LOG_MEL)


def fit_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Pad sound with silence on both sides to `length`, or cut its middle out."""
    missing = length - len(samples)
    if missing <= 0:
        start = -missing // 2
        return samples[start : start + length]
    return np.pad(samples, (missing // 2, missing - missing // 2))


def standardize_log_mel(decibel: np.ndarray) -> np.ndarray:
    """Give a log-mel zero mean and unit variance, so that loudness of recording is no cue."""
    return (decibel - decibel.mean()) / (decibel.std() + 1e-3)


def voice_input(window: np.ndarray) -> np.ndarray:
    """Return what the voice network reads of one window of sound.

    Args:
        window: float32 mono, 16 kHz, `WINDOW_S` long (padded or cut to that).

    Returns:
        float32 array, shape (96, 188, 1).
    """
    length = round(WINDOW_S * VOICE.sample_rate_hz)
    return standardize_log_mel(log_mel(fit_length(window, length), VOICE))[..., None]


def loudness(window: np.ndarray) -> float:
    """Return the root mean square: what a window's verdict weighs in its clip's."""
    return float(np.sqrt(np.mean(np.square(window, dtype=np.float64)))) if len(window) else 0.0


def is_silent(samples: np.ndarray, sample_rate_hz: int) -> bool:
    """Tell whether sound stays below `SILENCE_DBFS` throughout; a constant offset is no sound.

    Args:
        samples: (n,) float32, mono.
        sample_rate_hz: Its rate.

    >>> is_silent(np.zeros(16_000, np.float32), 16_000)
    True
    """
    block = max(1, round(_LEVEL_BLOCK_S * sample_rate_hz))
    padded = np.pad(
        samples, (0, -len(samples) % block), mode="edge" if len(samples) else "constant"
    )
    blocks = padded.reshape(-1, block).astype(np.float64)
    powers = np.square(blocks).mean(1) - np.square(blocks.mean(1))
    return bool(powers.max(initial=0.0) < 10 ** (SILENCE_DBFS / 10))


def centred(window: SoundWindow) -> SoundWindow:
    """Take a constant offset out of a window, as a faulty input adds one.

    A voice has none: on average over seconds it is as often above as below. What is smaller than
    `_SMALLEST_OFFSET` stays, and the window with it.

    >>> float(centred(SoundWindow(0.0, np.full(48_000, 0.25, np.float32))).samples.max())
    0.0
    """
    offset = window.samples.mean(dtype=np.float64) if len(window.samples) else 0.0
    if abs(offset) < _SMALLEST_OFFSET:
        return window
    return SoundWindow(window.start_s, window.samples - np.float32(offset))


@dataclass(frozen=True)
class SoundWindow:
    """A stretch of sound: where it starts, and its samples (float32 mono)."""

    start_s: float
    samples: np.ndarray


class SlidingWindows:
    """Cuts sound that arrives in blocks into overlapping windows; memory stays flat.

    Sound shorter than one window gives one shorter window when it ends; longer sound ends
    in a window that reaches its last sample.

    Args:
        sample_rate_hz: Rate of the sound.
        window_s: Length of a window.
        hop_s: From one window's start to the next one's.

    Example:
        >>> windows = SlidingWindows(10, window_s=3.0, hop_s=1.0)
        >>> [w.start_s for w in windows.push(np.zeros(45, np.float32))]
        [0.0, 1.0]
        >>> [w.start_s for w in windows.finish()]
        [1.5]
    """

    def __init__(
        self, sample_rate_hz: int, window_s: float = WINDOW_S, hop_s: float = WINDOW_HOP_S
    ):
        self._rate = sample_rate_hz
        self._length, self._hop = round(window_s * sample_rate_hz), round(hop_s * sample_rate_hz)
        self._kept = np.zeros(0, np.float32)
        self._kept_from = 0
        self._next_start = 0

    def push(self, samples: np.ndarray) -> Iterator[SoundWindow]:
        """Take a block of sound; yield the windows that it completes."""
        self._kept = np.concatenate([self._kept, samples])
        end = self._kept_from + len(self._kept)
        while self._next_start + self._length <= end:
            yield self._window(self._next_start)
            self._next_start += self._hop
        # One window's length stays, for the last window may reach back that far.
        drop = min(self._next_start - self._kept_from, len(self._kept) - self._length)
        if drop > 0:
            self._kept, self._kept_from = self._kept[drop:], self._kept_from + drop

    def finish(self) -> Iterator[SoundWindow]:
        """Yield the last window, if sound is left that no window has covered."""
        end = self._kept_from + len(self._kept)
        covered = self._next_start - self._hop + self._length if self._next_start else 0
        if end > covered:
            yield self.last()

    def last(self) -> SoundWindow:
        """Return the window that ends with the last sample; shorter while little was heard."""
        end = self._kept_from + len(self._kept)
        return self._window(max(0, end - self._length))

    def _window(self, start: int) -> SoundWindow:
        first = start - self._kept_from
        return SoundWindow(start / self._rate, self._kept[first : first + self._length].copy())
