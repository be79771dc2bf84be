"""Where faces are: the Haar cascade of Viola and Jones.

Rapid object detection using a boosted cascade of simple features (CVPR 2001), as trained by
Lienhart and shipped with OpenCV.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np

from emorec.faces.boxes import cut_out, halved, overlap, resized
from emorec.paths import cascade_path

__all__ = ["FAST", "REFERENCE", "FaceDetector", "HaarSetting"]


# Where a face is known, coarser steps do; the fewer steps also bring fewer hits to a face.
_QUICK_SCALE_FACTOR, _QUICK_MIN_NEIGHBORS = 1.2, 5


_SMALLEST_RIVAL = 0.5  # of the followed face's size


# A face is brought to this size when it is looked for again: the cascade strides over faces of
# less than 48 pixels more coarsely, which biases the size of the boxes.
_SEARCH_FACE_PX = 64


_SEARCH_MARGIN = 0.3  # of the box size, on each side


_SMALLEST_CHANGE, _LARGEST_CHANGE = 0.7, 1.4  # of the box size, from one detection to the next


@dataclass(frozen=True)
class HaarSetting:
    """How the cascade searches a frame.

    Attributes:
        scale_factor: Ratio of the sizes that are tried one after the other.
        min_neighbors: How many raw hits have to agree on a face.
        retry_scale_factor: Finer ratio for a second search when the first finds nothing; None for
            no second search.
        reduce_to_px: The frame is halved as often as its shorter side stays at least this long;
            None searches the full frame.
        min_size_share: Smallest face, as a share of the frame's shorter side.
    """

    scale_factor: float
    min_neighbors: int
    retry_scale_factor: float | None
    reduce_to_px: int | None
    min_size_share: float


REFERENCE = HaarSetting(
    scale_factor=1.12,
    min_neighbors=9,
    retry_scale_factor=1.02,
    reduce_to_px=None,
    min_size_share=0.0,
)
"""The setting of gianscuri/Emotion-Recognition_SER-FER_RAVDESS: the full frame, every size."""


FAST = HaarSetting(
    scale_factor=1.12,
    min_neighbors=9,
    retry_scale_factor=None,
    reduce_to_px=180,
    min_size_share=0.13,
)
"""A reduced frame and no tiny faces: with `FaceTracker`, under 1 ms a frame and 0.2 % of the faces
of `REFERENCE` lost on 32 real clips."""


class FaceDetector:
    """Finds all frontal faces of one frame.

    Args:
        setting: How the cascade searches.
    """

    def __init__(self, setting: HaarSetting = REFERENCE):
        self.setting = setting
        self._cascade = _cascade()

    def detect(self, frame: np.ndarray) -> np.ndarray:
        """Find all faces of a frame.

        Args:
            frame: (height, width) uint8, grey.

        Returns:
            (n, 4) int32: x, y, width, height in pixels of the frame, largest first.
        """
        reduced, factor = self._reduced(frame)
        min_px = round(min(reduced.shape) * self.setting.min_size_share)
        first, again = self.setting.scale_factor, self.setting.retry_scale_factor
        boxes = self._cascade_boxes(reduced, first, self.setting.min_neighbors, min_px)
        if not len(boxes) and again is not None:
            boxes = self._cascade_boxes(reduced, again, self.setting.min_neighbors, min_px)
        return boxes * factor

    def detect_rivals(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Find the faces that are not much smaller than one that is known; coarse and quick.

        Args:
            frame: (height, width) uint8, grey.
            box: x, y, width, height of the known face, which may be among the found.

        Returns:
            (n, 4) int32: x, y, width, height in pixels of the frame, largest first.
        """
        reduced, factor = self._reduced(frame)
        min_px = round(_SMALLEST_RIVAL * box[2] / factor)
        return factor * self._cascade_boxes(
            reduced, _QUICK_SCALE_FACTOR, _QUICK_MIN_NEIGHBORS, min_px
        )

    def detect_near(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Find the face again that was in `box` a moment ago.

        Args:
            frame: (height, width) uint8, grey.
            box: x, y, width, height in pixels of the frame.

        Returns:
            (4,) float64, the face that overlaps `box` most, or None.
        """
        window, corner = cut_out(frame, box, _SEARCH_MARGIN)
        scale = _SEARCH_FACE_PX / box[2]
        height, width = (max(round(side * scale), 1) for side in window.shape)
        boxes = self._cascade_boxes(
            resized(window, width, height),
            _QUICK_SCALE_FACTOR,
            _QUICK_MIN_NEIGHBORS,
            round(_SEARCH_FACE_PX * _SMALLEST_CHANGE),
            round(_SEARCH_FACE_PX * _LARGEST_CHANGE),
        )
        boxes = boxes / scale
        boxes[:, :2] += corner
        return max(boxes, key=lambda found: overlap(found, box), default=None)

    def _reduced(self, frame: np.ndarray) -> tuple[np.ndarray, int]:
        reduced = halved(frame, self.setting.reduce_to_px or max(frame.shape))
        return reduced, frame.shape[0] // reduced.shape[0]

    def _cascade_boxes(
        self,
        image: np.ndarray,
        scale_factor: float,
        min_neighbors: int,
        min_px: int,
        max_px: int = 0,
    ) -> np.ndarray:
        found = self._cascade.detectMultiScale(
            image,
            scaleFactor=scale_factor,
            minNeighbors=min_neighbors,
            minSize=(min_px, min_px),
            maxSize=(max_px, max_px),
        )
        boxes = np.asarray(found, np.int32).reshape(-1, 4)
        return boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]


_loaded = threading.local()


def _cascade() -> cv2.CascadeClassifier:
    """The cascade, read once for each thread: one must not search two frames at a time."""
    if not hasattr(_loaded, "cascade"):
        _loaded.cascade = cv2.CascadeClassifier(str(cascade_path()))
    return _loaded.cascade
