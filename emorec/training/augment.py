"""What speakers, rooms and cameras do to a recording, as batch augmentations in NumPy."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd


def augment_faces(
    rng: np.random.Generator, faces: np.ndarray, crop_px: int | None = None
) -> np.ndarray:
    """Flip, turn, shift, scale, crop, relight, blur and pixelate a batch of faces.

    Args:
        rng: Source of randomness.
        faces: uint8, shape (n, size, size).
        crop_px: Side of the part of each face that is kept; all of it if None.

    Returns:
        uint8 array, shape (n, crop_px, crop_px).
    """
    return np.stack([_augment_face(rng, face, crop_px or face.shape[0]) for face in faces])


def _augment_face(rng: np.random.Generator, face: np.ndarray, crop_px: int) -> np.ndarray:
    size = face.shape[0]
    centre = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D(
        (centre, centre), rng.uniform(-15, 15), np.exp(rng.uniform(-0.16, 0.16))
    )
    matrix[:, 2] += rng.uniform(-0.08, 0.08, 2) * size
    if rng.random() < 0.5:
        mirror = np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]], float)
        matrix = matrix @ mirror
    matrix[:, 2] -= (size - crop_px) / 2
    size = crop_px
    face = cv2.warpAffine(face, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    face = cv2.convertScaleAbs(face, alpha=rng.uniform(0.7, 1.3), beta=rng.uniform(-25, 25))
    draw = rng.random()
    if draw < 0.15:
        face = cv2.GaussianBlur(face, (0, 0), rng.uniform(0.4, 1.3))
    elif draw < 0.3:
        small = int(size * rng.uniform(0.4, 0.8))
        face = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
        face = cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:
        side = int(size * rng.uniform(0.15, 0.35))
        top, left = rng.integers(0, size - side, 2)
        face[top : top + side, left : left + side] = rng.integers(0, 256)
    return face


def colour(rng: np.random.Generator, bands: int, deviation_db: float) -> np.ndarray:
    """Draw a microphone's colour, smooth over the bands: (bands, 1) dB."""
    knots = rng.normal(0, deviation_db, 5)
    return np.interp(np.linspace(0, 4, bands), np.arange(5), knots)[:, None]


def reverberate(decibel: np.ndarray, seconds_to_60_db: float, hop_s: float = 0.016) -> np.ndarray:
    """Let each frame ring on: an exponential decay along time, in power.

    Args:
        decibel: Log-mel, (bands, frames) dB.
        seconds_to_60_db: The room's reverberation time.
        hop_s: From frame to frame.
    """
    decay = 10 ** (-6 * hop_s / seconds_to_60_db)
    power = 10 ** (decibel / 10)
    for frame in range(1, power.shape[1]):
        power[:, frame] += decay * power[:, frame - 1]
    return (10 * np.log10(power)).astype(np.float32)


def add_noise_floor(
    rng: np.random.Generator, decibel: np.ndarray, below_peak_db: float
) -> np.ndarray:
    """Add steady noise with a random spectral tilt, in power.

    Args:
        rng: Source of chance.
        decibel: Log-mel, (bands, frames) dB.
        below_peak_db: How far the noise lies below the loudest point.
    """
    bands = decibel.shape[0]
    level = decibel.max() - below_peak_db
    tilt = np.linspace(1, -1, bands)[:, None] * rng.uniform(-12, 12)
    noise = level + tilt + 10 * np.log10(rng.gamma(4, 0.25, decibel.shape) + 1e-3)
    return np.logaddexp(decibel * _LN10_10, noise * _LN10_10).astype(np.float32) / _LN10_10


_LN10_10 = np.float32(np.log(10) / 10)


def mixup(rng: np.random.Generator, inputs: np.ndarray, targets: np.ndarray, alpha: float):
    """Blend each example with another of its batch (Zhang et al. 2018).

    Returns:
        The blended inputs and targets, same shapes and dtypes.
    """
    share = rng.beta(alpha, alpha, len(inputs)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    partner = rng.permutation(len(inputs))
    wide = share.reshape(-1, *[1] * (inputs.ndim - 1))
    return (
        wide * inputs + (1 - wide) * inputs[partner],
        share[:, None] * targets + (1 - share[:, None]) * targets[partner],
    )


def speaker_means(
    take_means: Sequence[np.ndarray], takes: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return each speaker's mean, every emotion counting alike, and whose each take is.

    Args:
        take_means: The mean of each take, all of one shape.
        takes: Their table, with `speaker` and `emotion`.

    Returns:
        float32 (speakers, ...), speakers by name; int (takes,), each take's row of it.

    Example:
        >>> takes = pd.DataFrame({"speaker": ["b", "a", "a"], "emotion": ["sad", "sad", "happy"]})
        >>> means, speaker = speaker_means(np.array([[4.0], [1.0], [3.0]]), takes)
        >>> means.tolist(), speaker.tolist()
        ([[2.0], [4.0]], [1, 0, 0])
    """
    values, emotions = np.stack(take_means), takes["emotion"].to_numpy()
    names, speaker = np.unique(takes["speaker"].to_numpy(str), return_inverse=True)

    def mean_of(own):
        return np.mean([values[own & (emotions == e)].mean(0) for e in np.unique(emotions[own])], 0)

    means = [mean_of(speaker == row) for row in range(len(names))]
    return np.stack(means).astype(np.float32), speaker


def synthetic_speaker_means(
    rng: np.random.Generator, means: np.ndarray, count: int, spread: float = 1.0
) -> np.ndarray:
    """Draw speakers' means from the normal distribution of those that are known.

    Args:
        rng: Source of chance.
        means: (speakers, ...) the known ones.
        count: How many to draw.
        spread: Of the drawn ones, 1 for that of the known.

    Returns:
        float32 (count, ...): mixtures of the known ones' differences from their mean.
    """
    speakers, mean = len(means), means.mean(0)
    scale = spread / np.sqrt(max(1, speakers - 1))
    mix = rng.normal(0, scale, (count, speakers)).astype(np.float32)
    return mean + np.tensordot(mix, means - mean, 1)
