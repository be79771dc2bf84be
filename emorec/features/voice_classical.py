"""Classical features of a voice: means over time of what one spectrogram and the samples tell.

Two sets, as two published projects use them: 26 means over a take without its silences
(op2adi/Saumya_Btp_work) and 162 means over 2.5 seconds from 0.6 s on (Ouma487/Emotion-recognition
and Emotion-Recognition-using-Facial-and-Speech-Features). Every column is librosa's, which is
imported when features are made and not before: the shipped voice does without it.
"""

import functools
import warnings
from types import ModuleType

import numpy as np

from emorec.errors import ModelError

__all__ = [
    "MEANS_26",
    "MEANS_162",
    "SAMPLE_RATE_HZ",
    "VERSION",
    "both_162",
    "excerpt",
    "frames_162",
    "import_librosa",
    "means_26",
    "means_162",
    "remove_silence",
]

VERSION = "voice-features-2"
"""Raised whenever values change, be it by rounding; stamped on caches and on models."""

SAMPLE_RATE_HZ = 22_050
N_FFT = 2048
HOP = 512
BANDS = 128
COEFFICIENTS = 20
SILENCE_DB = 20.0
EXCERPT_START_S, EXCERPT_S = 0.6, 2.5
EXCERPT_FRAMES = 1 + round(EXCERPT_S * SAMPLE_RATE_HZ) // HOP

_MFCC_NAMES = tuple(f"mfcc_{i}" for i in range(1, COEFFICIENTS + 1))
_CHROMA_NAMES = tuple(f"chroma_{i}" for i in range(1, 13))
_MEL_NAMES = tuple(f"mel_{i}" for i in range(1, BANDS + 1))

MEANS_26 = ("chroma", "rms", "centroid", "bandwidth", "rolloff", "zero_crossing", *_MFCC_NAMES)
"""Columns of `means_26`; centroid, bandwidth and rolloff are in Hz, the others have no unit."""

MEANS_162 = ("zero_crossing", *_CHROMA_NAMES, *_MFCC_NAMES, "rms", *_MEL_NAMES)
"""Columns of `means_162` and of `frames_162`."""

_FRAMING = {"frame_length": N_FFT, "hop_length": HOP}


@functools.cache
def import_librosa() -> ModuleType:
    """Import librosa.

    Raises:
        ModelError: If it is not installed.
    """
    try:
        import librosa
    except ImportError as error:
        reason = f"it is not installed, and classical features of a voice are made by it ({error})"
        raise ModelError("librosa", reason, "pip install 'emorec[train]'") from error
    # Of silence and of sound shorter than a frame, whose features are defined all the same.
    warnings.filterwarnings("ignore", "Trying to estimate tuning from empty frequency set")
    warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")
    return librosa


def _magnitude(samples: np.ndarray) -> np.ndarray:
    """Return the magnitudes of the short-time Fourier transform, float32 (1025, frames)."""
    return np.abs(import_librosa().stft(samples, n_fft=N_FFT, hop_length=HOP))


def _mel_and_decibel(power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mel spectrogram as power and in dB, (128, frames) each."""
    mel = import_librosa().feature.melspectrogram(
        S=power, sr=SAMPLE_RATE_HZ, n_fft=N_FFT, n_mels=BANDS
    )
    return mel, import_librosa().power_to_db(mel)


def _check(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(
            f"features need mono sound with at least one sample, not shape {samples.shape}. "
            "Remedy: leave out clips without sound."
        )
    return samples


def means_26(samples: np.ndarray) -> np.ndarray:
    """Return the 26 means; remove silence before with `remove_silence`.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Returns:
        float32 array, shape (26,), columns `MEANS_26`.

    Raises:
        ValueError: If there is no sound.
        ModelError: If librosa is not installed.

    Example:
        >>> means_26(np.zeros(22_050, np.float32))[1:6].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    samples, feature = _check(samples), import_librosa().feature
    magnitude = _magnitude(samples)
    power = magnitude**2
    options = {"S": magnitude, "sr": SAMPLE_RATE_HZ, "n_fft": N_FFT}
    centroid = feature.spectral_centroid(**options)
    found = [
        feature.chroma_stft(S=power, sr=SAMPLE_RATE_HZ, n_fft=N_FFT),
        feature.rms(y=samples, **_FRAMING),
        centroid,
        feature.spectral_bandwidth(centroid=centroid, **options),
        feature.spectral_rolloff(**options),
        feature.zero_crossing_rate(samples, **_FRAMING),
    ]
    mfcc = feature.mfcc(S=_mel_and_decibel(power)[1], n_mfcc=COEFFICIENTS)
    return np.array([*(one.mean() for one in found), *mfcc.mean(axis=1)], np.float32)


def means_162(samples: np.ndarray) -> np.ndarray:
    """Return the 162 means of an excerpt (see `excerpt`); the mel bands are powers, not dB.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Returns:
        float32 array, shape (162,), columns `MEANS_162`.

    Raises:
        ValueError: If there is no sound.
        ModelError: If librosa is not installed.
    """
    return both_162(samples)[0]


def frames_162(samples: np.ndarray) -> np.ndarray:
    """Return the same 162 features frame by frame, unaveraged, the mel bands in dB.

    What a network that reads time should read: here the first axis is time.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Returns:
        float32 array, shape (1 + n // 512, 162), columns `MEANS_162`.

    Raises:
        ValueError: If there is no sound.
        ModelError: If librosa is not installed.
    """
    return both_162(samples)[1]


def both_162(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `means_162` and `frames_162`, whose spectrogram is then made only once."""
    samples, feature = _check(samples), import_librosa().feature
    power = _magnitude(samples) ** 2
    mel, decibel = _mel_and_decibel(power)
    first = [
        feature.zero_crossing_rate(samples, **_FRAMING),
        feature.chroma_stft(S=power, sr=SAMPLE_RATE_HZ, n_fft=N_FFT),
        feature.mfcc(S=decibel, n_mfcc=COEFFICIENTS),
        feature.rms(y=samples, **_FRAMING),
    ]
    means = np.concatenate([*first, mel]).mean(axis=1)
    return means.astype(np.float32), np.concatenate([*first, decibel]).T.astype(np.float32)


def excerpt(samples: np.ndarray) -> np.ndarray:
    """Cut out 0.6 s to 3.1 s, or what there is of it.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.

    Raises:
        ValueError: If the sound ends before 0.6 s.
    """
    start = round(EXCERPT_START_S * SAMPLE_RATE_HZ)
    if len(samples) <= start:
        raise ValueError(
            f"the sound lasts {len(samples) / SAMPLE_RATE_HZ:.2f} s and the features begin at "
            f"{EXCERPT_START_S} s. Remedy: leave this clip out, or use `means_26`."
        )
    return samples[start : start + round(EXCERPT_S * SAMPLE_RATE_HZ)]


def remove_silence(samples: np.ndarray, top_db: float = SILENCE_DB) -> np.ndarray:
    """Join the stretches that are less than `top_db` below the loudest frame.

    Sound of one level throughout, silence included, stays as it is.

    Args:
        samples: (n,) float32, mono, 22,050 Hz.
        top_db: Depth below the loudest frame, in dB.

    Returns:
        float32 array, shape (m,), m <= n.

    Raises:
        ValueError: If there is no sound.
        ModelError: If librosa is not installed.
    """
    samples = _check(samples)
    stretches = import_librosa().effects.split(samples, top_db=top_db, **_FRAMING)
    return np.concatenate([samples[start:end] for start, end in stretches])
