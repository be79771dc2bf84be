"""Augmented log-mel windows: the same emotion in another voice, heard over another microphone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from emorec.features import voice as voice_features
from emorec.training import augment
from emorec.training.augment import (
    add_noise_floor,
    colour,
    reverberate,
    speaker_means,
    synthetic_speaker_means,
)

__all__ = ["Draw", "VoiceAugmenter", "VoiceStrength", "as_another_recording", "as_another_voice"]

Draw = Callable[[np.random.Generator, int, int], np.ndarray]
"""Draws a window of a take: source of chance, row of the take, frames -> (bands, frames) dB."""

_VOICED_DB = 35.0
"""A frame counts as voice when its loudest band is at most this far below the take's."""


@dataclass(frozen=True)
class VoiceStrength:
    """How far augmentation goes.

    Attributes:
        other_voice: Share of the windows that get another speaker's mean spectrum.
        tempo: The tempo is scaled by up to exp(this).
        shift_bands: The spectrum moves up or down by up to so many bands.
        microphone: Share of the windows that a microphone colours, and how far, in dB.
        microphone_db: Deviation of that colour.
        noise: Share of the windows with a noise floor.
        noise_below_peak_db: How far below the peak the floor lies, least and most.
        room: Share of the windows that a room smears.
        codec: Share of the windows whose top bands are cut.
    """

    other_voice: float = 0.7
    tempo: float = 0.12
    shift_bands: int = 2
    microphone: float = 0.5
    microphone_db: float = 3.0
    noise: float = 0.4
    noise_below_peak_db: tuple[float, float] = (20.0, 70.0)
    room: float = 0.15
    codec: float = 0.1


class VoiceAugmenter:
    """Draws augmented windows of training takes.

    A voice's mean spectrum tells who speaks and what was recorded with, more than how it is
    meant. As each speaker acts all emotions, it is known; moving a take from its speaker's mean
    to that of a synthetic speaker, drawn from the normal distribution of the training speakers',
    leaves the emotion alone. `emorec.training.augment_geometry` does the same to faces.

    Frames are repeated or left out and bands moved by whole steps, never interpolated, and
    nothing is masked: what the network goes by is not smeared.

    Args:
        spectrograms: Log-mel of whole takes, float32 (bands, frames), dB.
        takes: Their table, with `speaker` and `emotion`.
        strength: How far augmentation goes.
    """

    def __init__(
        self,
        spectrograms: Sequence[np.ndarray],
        takes: pd.DataFrame,
        strength: VoiceStrength | None = None,
    ):
        self._strength = strength or VoiceStrength()
        self._spectrograms = spectrograms
        means = [_voiced_mean(decibel) for decibel in spectrograms]
        self._means, self._speaker = speaker_means(means, takes)

    def draw(self, rng: np.random.Generator, take: int, frames: int) -> np.ndarray:
        """Draw one window of one take; float32 (bands, frames), dB.

        Args:
            rng: Source of chance.
            take: Its row.
            frames: Length of the window; a shorter take is surrounded by silence.
        """
        strength = self._strength
        decibel = self._spectrograms[take]
        window = _cut(rng, decibel, frames, strength.tempo)
        if rng.random() < strength.other_voice:
            other = (
                synthetic_speaker_means(rng, self._means, 1)[0] - self._means[self._speaker[take]]
            )
            window = np.maximum(window + other[:, None], decibel.min())
        shift = int(rng.integers(-strength.shift_bands, strength.shift_bands + 1))
        window = _shift_bands(window, shift)
        if rng.random() < strength.microphone:
            window = window + augment.colour(rng, len(window), strength.microphone_db)
        if rng.random() < strength.room:
            window = augment.reverberate(window, seconds_to_60_db=rng.uniform(0.2, 0.8))
        if rng.random() < strength.noise:
            below_db = rng.uniform(*strength.noise_below_peak_db)
            window = augment.add_noise_floor(rng, window, below_db)
        if rng.random() < strength.codec:
            window[rng.integers(len(window) // 2, len(window)) :] = window.min()
        return np.maximum(window, window.max() - voice_features.DYNAMIC_RANGE_DB).astype(np.float32)


def as_another_voice(spectrograms: Sequence[np.ndarray], takes: pd.DataFrame) -> Draw:
    """Windows in the voice of somebody else: `VoiceAugmenter.draw`."""
    return VoiceAugmenter(spectrograms, takes).draw


def as_another_recording(spectrograms: Sequence[np.ndarray], takes: pd.DataFrame) -> Draw:
    """Windows of the same voice, strongly altered and masked: `augment.augment_log_mel`."""
    return lambda rng, take, frames: augment_log_mel(rng, spectrograms[take], frames)


def _voiced_mean(decibel: np.ndarray) -> np.ndarray:
    """Mean spectrum of a take's voice, (bands,) dB below its loudest point."""
    level = decibel.max(0)
    return decibel[:, level > level.max() - _VOICED_DB].mean(1) - level.max()


def _cut(rng, decibel, frames, tempo):
    """Take `frames` frames from a place and at a tempo drawn, silence beyond the take's ends."""
    length = decibel.shape[1]
    slack = length - frames
    middle = rng.uniform(min(0, slack), max(0, slack)) + frames / 2
    step = np.exp(rng.uniform(-tempo, tempo))
    # The nearest frame, not an interpolated one.
    at = np.rint(middle + step * (np.arange(frames) - frames / 2)).astype(int)
    window = np.full((len(decibel), frames), decibel.min(), np.float32)
    inside = (at >= 0) & (at < length)
    window[:, inside] = decibel[:, at[inside]]
    return window


def _shift_bands(window, bands):
    """Move the spectrum down by `bands`, up where negative; the edge is repeated."""
    at = np.clip(np.arange(len(window)) + bands, 0, len(window) - 1)
    return window[at]


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
    return np.maximum(window, window.max() - voice_features.DYNAMIC_RANGE_DB)
