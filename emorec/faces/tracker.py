"""Where the face is: Haar boxes, and one face followed over time.

Detection is the cascade of Viola and Jones (Rapid object detection using a boosted cascade of
simple features, CVPR 2001) as trained by Lienhart and shipped with OpenCV. Between detections the
face is followed by matching its last picture (normalised cross-correlation), at a small fraction
of the cost of a detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from emorec.faces.boxes import crop_face, cut_out, overlap
from emorec.faces.detector import FAST, FaceDetector, HaarSetting
from emorec.faces.hidden import HiddenFaces
from emorec.faces.stillness import LivingFirst

__all__ = ["FaceTracker"]

_RIVAL_PAUSE_S = 0.2
_LASTING_SIGHTINGS = 3  # in a row, before another face counts
_TEMPLATE_PX = 32
_MATCH_MARGIN = 0.25  # of the box size: how far a face moves from frame to frame at most
_LOWEST_MATCH = 0.6  # correlation with the last picture of the face
_SAME_FACE_OVERLAP = 0.3
_MOST_RIVALS_WATCHED = 4
# Up to so many searches in vain, the pause between two; a faceless clip must not cost too much.
_SURVEY_PAUSES_S = ((3, 0.0), (20, 0.1), (np.inf, 0.5))


class FaceTracker:
    """Follows one face through a clip: the largest one that persists.

    The cascade looks around the last box every `redetect_s`, at once after a loss, and over the
    whole frame every `survey_s`; in between the last picture of the face is matched.

    Args:
        setting: How the cascade searches.
        redetect_s: Time from one detection to the next.
        survey_s: Time from one search of the whole frame to the next.
        hold_s: How long the face is followed by matching alone when the cascade misses it.

    Attributes:
        gaps: [start_s, end_s] of each stretch without a face.
        most_faces: Largest number of lasting faces seen at once.
    """

    def __init__(
        self,
        setting: HaarSetting = FAST,
        *,
        redetect_s: float = 0.25,
        survey_s: float = 1.0,
        hold_s: float = 1.0,
    ):
        self.redetect_s, self.survey_s, self.hold_s = redetect_s, survey_s, hold_s
        self.gaps: list[list[float]] = []
        self.most_faces = 0
        self._detector = FaceDetector(setting)
        self._box: np.ndarray | None = None  # float64
        self._template: np.ndarray | None = None
        self._confirmed_s = self._tried_s = self._surveyed_s = -np.inf
        self._rivals: list[_Rival] = []
        self._empty_surveys = 0
        self._had_face = True
        self._hidden, self._living = HiddenFaces(), LivingFirst()
        self._left_picture = False

    def begin_anew(self) -> None:
        """Look for the face anew, after a cut; what the notes tell stays."""
        self._box, self._rivals = None, []
        self._surveyed_s, self._empty_surveys = -np.inf, 0
        self._living.begin_anew()

    def update(self, time_s: float, frame: np.ndarray) -> np.ndarray | None:
        """Take the next frame.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.

        Returns:
            (4,) int32: x, y, width, height of the face in pixels of the frame, or None.
        """
        if self._box is not None:
            corner = self._match(frame)
            is_matched = corner is not None
            if is_matched:
                self._box[:2] = corner
            if not is_matched or time_s >= self._tried_s + self.redetect_s:
                self._confirm(time_s, frame, is_matched)
        if time_s >= self._surveyed_s + self._survey_interval_s():
            self._survey(time_s, frame)
        self._keep_account(time_s)
        self._hidden.look(time_s, frame, self._box is not None)
        return None if self._box is None else np.rint(self._box).astype(np.int32)

    def look(self, frame: np.ndarray) -> np.ndarray | None:
        """Tell where the face is in a frame between two updates; what is known stays as it is.

        Args:
            frame: (height, width) uint8, grey, of the size of those before.

        Returns:
            (4,) int32: x, y, width, height of the face; where it was last when it is not found
            again, None when no face is followed.
        """
        if self._box is None:
            return None
        corner = self._match(frame)
        box = self._box if corner is None else np.concatenate([corner, self._box[2:]])
        return np.rint(box).astype(np.int32)

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know, in plain words."""
        notes = self._hidden.notes(self.gaps, is_ever_seen=bool(self.most_faces))
        if self.most_faces > 1:
            notes.append(f"{self.most_faces} faces; the largest was followed")
        return [*notes, *self._living.notes]

    def has_left_a_picture(self) -> bool:
        """Tell, once, that a picture's face was followed until now and never a living one."""
        left, self._left_picture = self._left_picture, False
        return left

    def _match(self, frame: np.ndarray) -> np.ndarray | None:
        """Find the x, y of the box where the face's last picture fits best, None if nowhere."""
        window, corner = cut_out(frame, self._box, _MATCH_MARGIN)
        scale = _TEMPLATE_PX / self._box[2]
        height, width = (round(side * scale) for side in window.shape)
        if min(height, width) < _TEMPLATE_PX:
            return None
        # Linear, since it reads few of the pixels; averaging them all makes the match no better.
        window = cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR)
        scores = cv2.matchTemplate(window, self._template, cv2.TM_CCOEFF_NORMED)
        _, best, _, (column, row) = cv2.minMaxLoc(scores)
        if best < _LOWEST_MATCH:
            return None
        offset = _peak_offset(scores[row], column), _peak_offset(scores[:, column], row)
        return corner + np.add((column, row), offset) / scale

    def _confirm(self, time_s: float, frame: np.ndarray, is_matched: bool) -> None:
        """Let the cascade look around the box; give the face up after too long without a hit."""
        self._tried_s = time_s
        found = self._detector.detect_near(frame, self._box)
        if found is not None:
            self._adopt(time_s, frame, found)
        elif not is_matched or time_s > self._confirmed_s + self.hold_s:
            self._box = None
            self._surveyed_s = -np.inf

    def _survey_interval_s(self) -> float:
        """Surveys are rare while a face is followed, and relax when nobody is there."""
        if self._box is not None:
            return _RIVAL_PAUSE_S if self._rivals else self.survey_s
        return next(pause_s for most, pause_s in _SURVEY_PAUSES_S if self._empty_surveys < most)

    def _survey(self, time_s: float, frame: np.ndarray) -> None:
        """Search the whole frame: for the face when it is lost, for larger ones otherwise."""
        self._surveyed_s = time_s
        if self._box is None:
            self._rivals = []
            boxes = self._living.without_pictures(self._detector.detect(frame))
            self._empty_surveys = 0 if len(boxes) else self._empty_surveys + 1
            if len(boxes):
                self._adopt(time_s, frame, boxes[0])
                self._rivals = [_Rival(box, 1) for box in boxes[1:]]
                self._living.expect(time_s, frame, boxes[: 1 + _MOST_RIVALS_WATCHED])
            return
        # The speaker beside a large picture may be much smaller than it.
        if self._living.watch(time_s, frame, self._box):
            boxes = self._detector.detect(frame)
        else:
            boxes = self._detector.detect_rivals(frame, self._box)
        others = [box for box in boxes if overlap(box, self._box) < _SAME_FACE_OVERLAP]
        self._rivals = [self._recognised(box) for box in others]
        lasting = [rival for rival in self._rivals if rival.sightings >= _LASTING_SIGHTINGS]
        self.most_faces = max(self.most_faces, 1 + len(lasting))
        others = [rival.box for rival in lasting[:_MOST_RIVALS_WATCHED]]
        better = self._living.choose(time_s, frame, self._box, others)
        if better is not None:
            self._left_picture = not self._living.has_followed_living
            self._box = None
            self._adopt(time_s, frame, better)
            self._rivals = []

    def _recognised(self, box: np.ndarray) -> _Rival:
        """The rival that this box shows, with the times it was seen before."""
        earlier = [r.sightings for r in self._rivals if overlap(box, r.box) > _SAME_FACE_OVERLAP]
        return _Rival(box, 1 + max(earlier, default=0))

    def _adopt(self, time_s: float, frame: np.ndarray, found: np.ndarray) -> None:
        """Take a detection over as the face's box, and its picture as the one to match."""
        self._confirmed_s = self._tried_s = time_s
        self._box = found.astype(np.float64)
        self._template = crop_face(frame, found, _TEMPLATE_PX)

    def _keep_account(self, time_s: float) -> None:
        """Note where a gap begins and, up to the frame in which the face is back, where it ends."""
        has_face = self._box is not None
        if self._had_face and not has_face:
            self.gaps.append([time_s, time_s])
        elif not self._had_face:
            self.gaps[-1][1] = time_s
        if has_face:
            self.most_faces = max(self.most_faces, 1)
        self._had_face = has_face


@dataclass(frozen=True)
class _Rival:
    """Another face than the one followed, and how often it was seen in a row."""

    box: np.ndarray
    sightings: int


def _peak_offset(scores: np.ndarray, index: int) -> float:
    """Where between samples a peak lies, by the parabola through three of them."""
    if not 0 < index < len(scores) - 1:
        return 0.0
    before, peak, after = (float(score) for score in scores[index - 1 : index + 2])
    curvature = before - 2 * peak + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
