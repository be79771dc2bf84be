"""What speakers, rooms and cameras do to a recording, as batch augmentations in NumPy."""

import cv2
import numpy as np

from emorec import speech


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


def augment_log_mel(rng: np.random.Generator, decibel: np.ndarray, frames: int) -> np.ndarray:
    """Cut a window out of a take's log-mel and do to it what speakers and rooms do.

    Tempo and pitch change a little (time and frequency axes stretch and shift), a
    microphone colours it, a noise floor rises, a room smears it, a codec cuts the top;
    then bands and moments are masked (SpecAugment, Park et al. 2019).

    Args:
        rng: Source of randomness.
        decibel: Log-mel of the whole take, float32, shape (bands, frames of the take).
        frames: Length of the window.

    Returns:
        float32 array, shape (bands, frames), in dB.
    """
    bands, length = decibel.shape
    floor = float(decibel.min())
    tempo = np.exp(rng.uniform(-0.15, 0.15))
    stretch = np.exp(rng.uniform(-0.06, 0.06))
    slack = length / tempo - frames
    start = rng.uniform(min(0, slack), max(0, slack)) * tempo
    matrix = np.array([[tempo, 0, start], [0, stretch, rng.uniform(-3, 3)]], np.float32)
    window = cv2.warpAffine(
        decibel,
        matrix,
        (frames, bands),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=floor,
    )
    if rng.random() < 0.5:
        window += colour(rng, bands, deviation_db=3)
    if rng.random() < 0.15:
        window = reverberate(window, seconds_to_60_db=rng.uniform(0.2, 0.8))
    if rng.random() < 0.4:
        window = add_noise_floor(rng, window, below_peak_db=rng.uniform(20, 70))
    if rng.random() < 0.1:
        window[rng.integers(bands // 2, bands) :] = window.min()
    for axis, longest in ((0, 10), (0, 10), (1, 20), (1, 20)):
        width = rng.integers(0, longest)
        at = rng.integers(0, window.shape[axis] - width)
        masked = (slice(at, at + width), slice(None))[:: 1 if axis == 0 else -1]
        window[masked] = window.mean()
    return np.maximum(window, window.max() - speech.DYNAMIC_RANGE_DB)


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
