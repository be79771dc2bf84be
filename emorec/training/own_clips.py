"""Labelled clips as the heads of voice and face see them, and what a head says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from emorec.emotions import COMMON7, fold
from emorec.evaluation.labels import Label
from emorec.features import geometry, voice
from emorec.posteriors import log_mean, softmax
from emorec.streams.face import FACE_WINDOW_S, pool_faces
from emorec.training.linear_head import LinearHead
from emorec.training.own_reading import Reading

__all__ = ["FaceClips", "LabelledClips", "Rows", "SeenByHead", "VoiceClips", "labelled_clips"]


class Rows(NamedTuple):
    """What a head is trained on.

    Attributes:
        features: float32 (rows, features).
        clip: int (rows,), which clip each belongs to.
        weight: (rows,), how much each counts in its clip's posterior; those of a clip sum to 1.
    """

    features: np.ndarray
    clip: np.ndarray
    weight: np.ndarray


class SeenByHead(Protocol):
    """Clips as one stream's head sees them.

    Attributes:
        classes: Of the network.
        there: bool (clips,), which have something for it.
    """

    classes: tuple[str, ...]
    there: np.ndarray

    def posteriors(self, head: LinearHead) -> np.ndarray:
        """Return what a head says, uncalibrated, (clips, 7) over COMMON7; NaN where nothing."""

    def rows(self, head: LinearHead) -> Rows:
        """Return what is to be trained on; `head` is the one that is there before."""


@dataclass(frozen=True)
class VoiceClips:
    """Voices: the mean of the windows' features, weighted by loudness.

    A clip's posterior is the weighted geometric mean of its windows', and the head is linear: that
    is the head's posterior of the mean.

    Attributes:
        features: float32 (clips, features); NaN where nobody is heard.
        classes: Of the network.
    """

    features: np.ndarray
    classes: tuple[str, ...]

    @property
    def there(self) -> np.ndarray:
        """See `SeenByHead`."""
        return np.isfinite(self.features).all(1)

    def posteriors(self, head: LinearHead) -> np.ndarray:
        """See `SeenByHead`."""
        found = np.full((len(self.features), len(COMMON7)), np.nan)
        said = head.predict(self.features[self.there]).astype(float)
        found[self.there] = fold(said, self.classes, COMMON7)
        return found

    def rows(self, _: LinearHead) -> Rows:
        """See `SeenByHead`."""
        clip = np.flatnonzero(self.there)
        return Rows(self.features[clip], clip, np.ones(len(clip)))


@dataclass(frozen=True)
class FaceClips:
    """Faces; a clip is the half of its faces that is least neutral.

    Attributes:
        faces: Of each clip float32 (faces, features); none where nobody is seen.
        classes: Of the network.
    """

    faces: tuple[np.ndarray, ...]
    classes: tuple[str, ...]

    @property
    def there(self) -> np.ndarray:
        """See `SeenByHead`."""
        return np.array([len(faces) > 0 for faces in self.faces], bool)

    def posteriors(self, head: LinearHead) -> np.ndarray:
        """See `SeenByHead`."""
        found = np.full((len(self.faces), len(COMMON7)), np.nan)
        for clip in np.flatnonzero(self.there):
            pooled = pool_faces(self._said(head, clip), self.classes)
            found[clip] = fold(pooled, self.classes, COMMON7)
        return found

    def rows(self, head: LinearHead) -> Rows:
        """See `SeenByHead`."""
        features, clips, weights = [], [], []
        for clip in np.flatnonzero(self.there):
            neutral = fold(self._said(head, clip), self.classes, COMMON7)[
                :, COMMON7.index("neutral")
            ]
            kept = np.argsort(neutral, kind="stable")[: (len(neutral) + 1) // 2]
            features.append(self.faces[clip][kept])
            clips.append(np.full(len(kept), clip))
            weights.append(np.full(len(kept), 1 / len(kept)))
        return Rows(np.concatenate(features), np.concatenate(clips), np.concatenate(weights))

    def _said(self, head: LinearHead, clip: int) -> np.ndarray:
        return softmax(self.faces[clip] @ head.kernel + head.bias)


@dataclass(frozen=True)
class LabelledClips:
    """Labelled clips, or stretches of them.

    Attributes:
        labels: What somebody says of each.
        truth: int (clips,), codes in COMMON7.
        apart: (clips,), what must not stand on two sides: the speaker, or the clip's file.
        by_speaker: Whether that is the speaker.
        heads: "voice" and "face" -> how their heads see them.
        geometry: (clips, 7), what the geometry says, uncalibrated; NaN where nothing.
        distances: (clips,), how far each voice lies from those that trained; NaN without a voice.
    """

    labels: tuple[Label, ...]
    truth: np.ndarray
    apart: np.ndarray
    by_speaker: bool
    heads: dict[str, SeenByHead]
    geometry: np.ndarray
    distances: np.ndarray

    @property
    def names(self) -> list[str]:
        """What each is called in tables."""
        return [_name(label) for label in self.labels]


def _name(label: Label) -> str:
    if not label.is_part:
        return label.named
    end = "end" if label.end_s is None else f"{label.end_s:g}"
    return f"{label.named} {label.start_s or 0:g}-{end} s"


def labelled_clips(
    labels: Sequence[Label],
    readings: Sequence[Reading],
    classes: dict[str, tuple[str, ...]],
) -> LabelledClips:
    """Join labels and what was read of their clips; those with neither voice nor face are left out.

    Of some seconds of a clip, what lies in them counts, all windows alike.

    Args:
        labels: Labels.
        readings: Of the clip of each.
        classes: "voice" and "face" -> classes of their networks.
    """
    pairs = [
        (label, _within(label, reading)) for label, reading in zip(labels, readings, strict=True)
    ]
    pairs = [(label, r) for label, r in pairs if len(r.voice) or len(r.faces)]
    kept = tuple(label for label, _ in pairs)
    by_speaker = len({label.speaker for label in kept}) > 1
    apart = [label.speaker if by_speaker else str(label.path) for label in kept]
    width = max((r.voice.shape[1] for _, r in pairs if len(r.voice)), default=1)
    nothing = np.full(width, np.nan, np.float32)
    voices = [_mean_voice(r) if len(r.voice) else nothing for _, r in pairs]
    silent = np.full(len(COMMON7), np.nan)
    moved = [r.geometry_pooled if len(r.geometry_pooled) else silent for _, r in pairs]
    far = [r.distances.mean() if len(r.distances) else np.nan for _, r in pairs]
    return LabelledClips(
        kept,
        np.array([COMMON7.index(label.emotion) for label in kept], int),
        np.array(apart, str),
        by_speaker,
        {
            "voice": VoiceClips(np.array(voices, np.float32).reshape(-1, width), classes["voice"]),
            "face": FaceClips(tuple(r.faces for _, r in pairs), classes["face"]),
        },
        np.array(moved, float).reshape(-1, len(COMMON7)),
        np.array(far, float),
    )


def _mean_voice(reading: Reading) -> np.ndarray:
    weights = reading.loudness if reading.loudness.sum() > 0 else None
    return np.average(reading.voice, axis=0, weights=weights).astype(np.float32)


def _within(label: Label, reading: Reading) -> Reading:
    """Return what lies in a label's seconds."""
    if not label.is_part:
        return reading
    start_s = label.start_s or 0.0
    end_s = float(reading.duration_s) if label.end_s is None else label.end_s

    def inside(times_s: np.ndarray, reach_s: float) -> np.ndarray:
        there = (times_s >= start_s) & (times_s < end_s)
        if not there.any() and len(times_s):
            # A stretch shorter than the hop: what reaches over its middle.
            away_s = np.abs(times_s - (start_s + end_s) / 2)
            there[away_s.argmin()] = away_s.min() <= reach_s / 2
        return there

    heard = inside(reading.voice_times_s, voice.WINDOW_S)
    seen = inside(reading.faces_times_s, FACE_WINDOW_S)
    moved = inside(reading.geometry_times_s, geometry.WINDOW_S)
    posteriors = reading.geometry[moved]
    return Reading(
        reading.duration_s,
        reading.voice[heard],
        reading.voice_times_s[heard],
        np.ones(heard.sum()),
        reading.distances[heard],
        reading.faces[seen],
        reading.faces_times_s[seen],
        posteriors,
        reading.geometry_times_s[moved],
        log_mean(posteriors) if len(posteriors) else posteriors,
    )
