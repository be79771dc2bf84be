"""A face found again from frame to frame by its last picture (normalised cross-correlation)."""

from __future__ import annotations

import cv2
import numpy as np

from emorec.faces.boxes import cut_out, peak_offset

__all__ = ["LOWEST_MATCH", "TEMPLATE_PX", "best_match"]

TEMPLATE_PX = 32
"""Side of the picture of a face that is matched."""

LOWEST_MATCH = 0.6
"""Correlation with the last picture of a face below which it is not the same."""

_MARGIN = 0.25  # of the box size: how far a face moves from frame to frame at most


def best_match(
    frame: np.ndarray, box: np.ndarray, template: np.ndarray
) -> tuple[np.ndarray, float]:
    """Find where around a box a face's last picture fits best.

    Args:
        frame: (height, width) uint8, grey.
        box: x, y, width, height of the face a frame ago.
        template: (TEMPLATE_PX, TEMPLATE_PX) uint8, its picture.

    Returns:
        The x, y of the box there, and the correlation; -1 where there is no room to look.
    """
    window, corner = cut_out(frame, box, _MARGIN)
    scale = TEMPLATE_PX / box[2]
    height, width = (round(side * scale) for side in window.shape)
    if min(height, width) < TEMPLATE_PX:
        return box[:2], -1.0
    # Linear, since it reads few of the pixels; averaging them all makes the match no better.
    window = cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR)
    scores = cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(scores)
    offset = peak_offset(scores[row], column), peak_offset(scores[:, column], row)
    return corner + np.add((column, row), offset) / scale, best
