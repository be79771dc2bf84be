"""Altered copies of a voice: noise, another tempo, another pitch, a shift in time."""

from collections.abc import Callable

import numpy as np

from emorec.features.voice_classical import SAMPLE_RATE_HZ, import_librosa

__all__ = ["COPY_KINDS", "add_noise", "change_pitch", "make_copy", "shift", "stretch"]

NOISE = (0.001, 0.015)
"""Standard deviation of the noise, in shares of the take's peak."""
STRETCH = (0.8, 1.25)
"""Tempo of the copy; 1.25 is faster."""
PITCH_SEMITONES = (-4.0, 4.0)
SHIFT_SHARE = (-0.25, 0.25)
"""Share of the take's length by which it is turned round."""


def add_noise(rng: np.random.Generator, samples: np.ndarray, share: float) -> np.ndarray:
    """Add white noise whose deviation is `share` of the peak; float32 (n,)."""
    scale = share * np.abs(samples).max(initial=0)
    return samples + (scale * rng.standard_normal(samples.size, np.float32)).astype(np.float32)


def shift(samples: np.ndarray, share: float) -> np.ndarray:
    """Turn the sound round by a share of its length: what leaves at one end enters at the other."""
    return np.roll(samples, round(share * samples.size))


def stretch(samples: np.ndarray, rate: float) -> np.ndarray:
    """Change the tempo and keep the pitch, with librosa's phase vocoder.

    Args:
        samples: (n,) float32.
        rate: Above 1 is faster.

    Returns:
        float32 array, shape (round(n / rate),).

    Raises:
        ValueError: If the rate is not positive.
    """
    if rate <= 0:
        raise ValueError(f"the rate {rate} is not positive. Remedy: 1 keeps the tempo, 2 doubles.")
    return import_librosa().effects.time_stretch(samples, rate=rate)


def change_pitch(samples: np.ndarray, semitones: float) -> np.ndarray:
    """Raise or lower the pitch and keep the tempo.

    Args:
        samples: (n,) float32.
        semitones: Above 0 is higher.

    Returns:
        float32 array, shape (n,).
    """
    # Medium quality: its stop band lies below the 16 bit of the corpora.
    return import_librosa().effects.pitch_shift(
        samples, sr=SAMPLE_RATE_HZ, n_steps=semitones, res_type="soxr_mq"
    )


_COPIES: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "noise": lambda rng, samples: add_noise(rng, samples, rng.uniform(*NOISE)),
    "stretch": lambda rng, samples: stretch(samples, rng.uniform(*STRETCH)),
    "pitch": lambda rng, samples: change_pitch(samples, rng.uniform(*PITCH_SEMITONES)),
    "shift": lambda rng, samples: shift(samples, rng.uniform(*SHIFT_SHARE)),
}

COPY_KINDS = tuple(_COPIES)
"""The kinds of copies."""


def make_copy(kind: str, rng: np.random.Generator, samples: np.ndarray) -> np.ndarray:
    """Make a copy of one kind, with a strength drawn from that kind's range.

    Args:
        kind: One of `COPY_KINDS`.
        rng: Source of chance.
        samples: (n,) float32, mono, 22,050 Hz.

    Raises:
        ValueError: If the kind is unknown.

    Example:
        >>> make_copy("shift", np.random.default_rng(0), np.zeros(100, np.float32)).shape
        (100,)
    """
    if kind not in _COPIES:
        raise ValueError(f"unknown kind of copy {kind!r}: choose from {', '.join(COPY_KINDS)}")
    return _COPIES[kind](rng, samples)
