"""Where the face is: one face followed over time.

Detection is the cascade of Viola and Jones (Rapid object detection using a boosted cascade of
simple features, CVPR 2001) as trained by Lienhart and shipped with OpenCV. Where it sees nobody, a
second look is taken now and then. Between detections the face is followed by matching its last
picture (normalised cross-correlation), at a small fraction of the cost of a detection. A face that
is turned is followed in a picture that is turned back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from emorec.faces.boxes import crop_face, overlap
from emorec.faces.detector import FAST, FaceDetector, HaarSetting
from emorec.faces.hidden import HiddenFaces
from emorec.faces.matching import LOWEST_MATCH, TEMPLATE_PX, best_match
from emorec.faces.second_look import Found, SecondLook, turned
from emorec.faces.stillness import LivingFirst
from emorec.faces.upright import Sighting, Upright, turn_upright

__all__ = ["FaceTracker"]

_RIVAL_PAUSE_S = 0.2
_LASTING_SIGHTINGS = 3  # in a row, before another face counts
_SAME_FACE_OVERLAP = 0.3
_MOST_RIVALS_WATCHED = 4
# Up to so many searches in vain, the pause between two; a faceless clip must not cost too much.
_SURVEY_PAUSES_S = ((3, 0.0), (20, 0.1), (np.inf, 1.0))
# Of every 16th pixel, on the mean: with less the cascade need not look again.
_LEAST_CHANGE, _CHANGE_STEP_PX = 1.0, 16
# Up to this roll, and from this size on, the cascade's own view of the picture is left as it is.
_LARGEST_ROLL_DEG, _SMALLEST_PLAIN_PX = 15.0, 64
_LEAST_TURN_DEG = 5.0  # what is left of a roll, for the picture to be turned anew
_SAME_BOX_OVERLAP = 0.5
_SAME_STRETCH_DEG = 45.0  # a face that comes back turned by more is measured anew
_RELOOK_S = 1.0  # from one look at how far a face is turned to the next
_ROLL_STEP_DEG, _LEAST_NOTED_ROLL_DEG = 15, 30


class FaceTracker:
    """Follows one face through a clip: the largest one that persists.

    The cascade looks around the last box every `redetect_s`, at once after a loss, and over the
    whole frame every `survey_s`; in between the last picture of the face is matched.

    Args:
        setting: How the cascade searches.
        redetect_s: Time from one detection to the next.
        survey_s: Time from one search of the whole frame to the next.
        hold_s: How long the face is followed by matching alone when the cascade misses it.
        second_look: Finds whom the cascade does not see; by default one of the tracker's own.

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
        second_look: SecondLook | None = None,
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
        self._searched: np.ndarray | None = None  # of a frame that was searched
        self._had_face = True
        self._hidden, self._living = HiddenFaces(), LivingFirst()
        self._left_picture = self._is_another = False
        self._second = second_look or SecondLook()
        # How far the followed face is turned; None where the cascade sees it in the picture as it
        # is. And how far it was when it was found.
        self._roll_deg: float | None = None
        self._first_roll_deg: float | None = None
        self._relooked_s = -np.inf
        self._rolls: Counter[int] = Counter()

    def begin_anew(self) -> None:
        """Look for the face anew, after a cut; what the notes tell stays."""
        self._box, self._first_roll_deg, self._rivals = None, None, []
        self._surveyed_s, self._empty_surveys, self._searched = -np.inf, 0, None
        self._second.restart()
        self._living.begin_anew()

    def update(self, time_s: float, frame: np.ndarray) -> Sighting | None:
        """Take the next frame.

        Args:
            time_s: Its time.
            frame: (height, width) uint8, grey.

        Returns:
            The face, or None.
        """
        if self._box is not None:
            upright, is_matched = self._matched(frame)
            self._box = upright.in_picture(upright.box)
            if not is_matched or time_s >= self._tried_s + self.redetect_s:
                self._confirm(time_s, frame, upright, is_matched)
        if time_s >= self._surveyed_s + self._survey_interval_s():
            self._survey(time_s, frame)
        self._keep_account(time_s)
        self._hidden.look(time_s, frame, self._box is not None)
        return None if self._box is None else self._sighting(self._upright(frame))

    def look(self, frame: np.ndarray) -> Sighting | None:
        """Tell where the face is in a frame between two updates; what is known stays as it is.

        Args:
            frame: (height, width) uint8, grey, of the size of those before.

        Returns:
            The face; where it was last when it is not found again, None when none is followed.
        """
        return None if self._box is None else self._sighting(self._matched(frame)[0])

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know, in plain words."""
        notes = self._hidden.notes(self.gaps, is_ever_seen=bool(self.most_faces))
        if self.most_faces > 1:
            which = "the largest that moves" if self._living.notes else "the largest"
            notes.append(f"{self.most_faces} faces; {which} was followed")
        roll_deg = self._usual_roll_deg()
        if abs(roll_deg) >= _LEAST_NOTED_ROLL_DEG:
            notes.append(f"the face is turned by about {abs(roll_deg)} degrees; it was turned back")
        return [*notes, *self._living.notes]

    def has_left_a_picture(self) -> bool:
        """Tell, once, that a picture's face was followed until now and never a living one."""
        left, self._left_picture = self._left_picture, False
        return left

    def has_begun_anew(self) -> bool:
        """Tell, once, that another face is followed now, or the same one turned otherwise."""
        is_another, self._is_another = self._is_another, False
        return is_another

    def _usual_roll_deg(self) -> int:
        """How far the face is turned most of the time, in whole steps."""
        return max(self._rolls, key=self._rolls.__getitem__, default=0)

    def _upright(self, frame: np.ndarray) -> Upright:
        """The frame, turned so that the followed face is upright in it."""
        return turn_upright(frame, self._box, self._roll_deg)

    def _sighting(self, upright: Upright) -> Sighting:
        """What is told of the followed face."""
        return Sighting.of(upright, self._roll_deg, self._first_roll_deg or 0.0)

    def _matched(self, frame: np.ndarray) -> tuple[Upright, bool]:
        """The followed face upright, moved to where its last picture fits, and whether it does."""
        upright = self._upright(frame)
        corner = self._match(upright.frame, upright.box)
        if corner is None:
            return upright, False
        return replace(upright, box=np.concatenate([corner, upright.box[2:]])), True

    def _match(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Find the x, y of the box where the face's last picture fits best, None if nowhere."""
        corner, score = best_match(frame, box, self._template)
        return corner if score >= LOWEST_MATCH else None

    def _confirm(
        self, time_s: float, frame: np.ndarray, upright: Upright, is_matched: bool
    ) -> None:
        """Let the cascade look around the box; give the face up after too long without a hit."""
        self._tried_s = time_s
        found = self._detector.detect_near(upright.frame, upright.box)
        if found is not None:
            self._adopt(time_s, replace(upright, box=found))
        is_seen = found is not None
        if self._roll_deg is not None and not (is_seen and time_s < self._relooked_s + _RELOOK_S):
            is_seen |= self._relook(time_s, frame, upright)
        if not is_seen and (not is_matched or time_s > self._confirmed_s + self.hold_s):
            self._box = None
            self._surveyed_s = -np.inf
            self._second.restart()

    def _relook(self, time_s: float, frame: np.ndarray, upright: Upright) -> bool:
        """Look at how a turned face is turned by now; tell whether it was seen."""
        self._relooked_s = time_s
        seen = self._second.find_again(upright)
        if seen is None:
            return False
        is_turned = abs(seen.roll_deg) >= _LEAST_TURN_DEG
        roll_deg = turned(self._roll_deg, seen.roll_deg if is_turned else 0.0)
        self._adopt_turned(time_s, frame, upright.in_picture(seen.haar_box), roll_deg)
        return True

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
            boxes = self._searched_for_living(frame)
            found = self._second_look(time_s, frame, boxes)
            is_empty = found is None and not len(boxes)
            self._empty_surveys = self._empty_surveys + 1 if is_empty else 0
            if found is not None:
                self._adopt_turned(time_s, frame, found.box, found.roll_deg)
            elif len(boxes):
                self._adopt_plain(time_s, frame, boxes[0])
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
            self._first_roll_deg, self._is_another = None, True
            self._adopt_plain(time_s, frame, better)
            self._rivals = []

    def _searched_for_living(self, frame: np.ndarray) -> np.ndarray:
        """What the cascade finds in a frame that is new to it, (n, 4); no known picture's face."""
        boxes = self._detector.detect(frame) if self._is_new(frame) else np.zeros((0, 4), int)
        return self._living.without_pictures(frame, boxes)

    def _second_look(self, time_s: float, frame: np.ndarray, boxes: np.ndarray) -> Found | None:
        """Look where the cascade saw nobody; and whether who it saw hangs or lies."""
        if len(boxes):
            return self._second.righted(frame, boxes[0])
        found = self._second.find_at(time_s, frame)
        if found is None or not len(self._living.without_pictures(frame, found.box[None])):
            return None
        return found

    def _is_new(self, frame: np.ndarray) -> bool:
        """Tell whether a frame differs from the last one that was searched in vain."""
        view = frame[::_CHANGE_STEP_PX, ::_CHANGE_STEP_PX].astype(np.float32)
        searched = self._searched
        is_like = searched is not None and searched.shape == view.shape
        if self._empty_surveys and is_like and np.abs(view - searched).mean() < _LEAST_CHANGE:
            return False
        self._searched = view
        return True

    def _recognised(self, box: np.ndarray) -> _Rival:
        """The rival that this box shows, with the times it was seen before."""
        earlier = [r.sightings for r in self._rivals if overlap(box, r.box) > _SAME_FACE_OVERLAP]
        return _Rival(box, 1 + max(earlier, default=0))

    def _adopt(self, time_s: float, upright: Upright) -> None:
        """Take a detection over as the face's box, and its picture as the one to match."""
        self._confirmed_s = self._tried_s = time_s
        self._box = upright.in_picture(upright.box)
        self._template = crop_face(upright.frame, upright.box, TEMPLATE_PX)

    def _adopt_plain(self, time_s: float, frame: np.ndarray, box: np.ndarray) -> None:
        """Take over what the cascade found in the picture as it is."""
        self._roll_deg = None
        self._level_at(0.0)
        self._adopt(time_s, Upright(frame, box))

    def _adopt_turned(
        self, time_s: float, frame: np.ndarray, box: np.ndarray, roll_deg: float
    ) -> None:
        """Take over what the second look found; where the cascade sees it now, as it sees it."""
        if abs(roll_deg) <= _LARGEST_ROLL_DEG and box[2] >= _SMALLEST_PLAIN_PX:
            near = self._near(Upright(frame, box))
            if near is not None:
                self._adopt_plain(time_s, frame, near)
                return
        self._level_at(roll_deg)
        self._roll_deg, self._relooked_s = roll_deg, time_s
        upright = turn_upright(frame, box, roll_deg)
        near = self._near(upright)
        self._adopt(time_s, upright if near is None else replace(upright, box=near))

    def _level_at(self, roll_deg: float) -> None:
        """Level landmarks by the first roll, until the face comes back turned otherwise."""
        first_deg = self._first_roll_deg
        if first_deg is None:
            self._first_roll_deg = roll_deg
        elif self._box is None and abs(turned(roll_deg, -first_deg)) > _SAME_STRETCH_DEG:
            self._first_roll_deg, self._is_another = roll_deg, True

    def _near(self, upright: Upright) -> np.ndarray | None:
        """The cascade's box of a face that is known, None where it sees none or another."""
        found = self._detector.detect_near(upright.frame, upright.box)
        is_same = found is not None and overlap(found, upright.box) > _SAME_BOX_OVERLAP
        return found if is_same else None

    def _keep_account(self, time_s: float) -> None:
        """Note where a gap begins and, up to the frame in which the face is back, where it ends."""
        has_face = self._box is not None
        if self._had_face and not has_face:
            self.gaps.append([time_s, time_s])
        elif not self._had_face:
            self.gaps[-1][1] = time_s
        if has_face:
            self.most_faces = max(self.most_faces, 1)
            self._rolls[_ROLL_STEP_DEG * round((self._roll_deg or 0.0) / _ROLL_STEP_DEG)] += 1
        self._had_face = has_face


@dataclass(frozen=True)
class _Rival:
    """Another face than the one followed, and how often it was seen in a row."""

    box: np.ndarray
    sightings: int
