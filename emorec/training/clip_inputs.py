"""What the three networks read of whole clips, kept: for training on an audio-visual corpus.

The recogniser judges while it reads and keeps little; training needs the inputs themselves, many
times. The face is found, cropped and measured by the same code as in the recogniser, which follows
it through fewer frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from emorec.faces.boxes import crop_face, widened
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.tracker import FaceTracker
from emorec.faces.upright import Sighting, turn_upright
from emorec.features import voice as voice_features
from emorec.features.face import FACE_SIZE_PX
from emorec.media.grey import FrameBatch
from emorec.media.pacing import Pace
from emorec.media.reader import ClipReader
from emorec.streams.face import FACES_PER_S

"""Side of the face network's input; not imported, for that would load Keras in each worker."""


@dataclass(frozen=True)
class ClipInputs:
    """The inputs of one clip.

    Attributes:
        sound: (samples,) float32 at the rate of `features.voice.VOICE`; empty where there is none.
        faces: (n, 48, 48) uint8, about `FACES_PER_S` a second; none where no face was found.
        landmarks_s: (frames,) float64, times of the frames with a face.
        landmarks: (frames, 68, 2) float32, pixels.
    """

    sound: np.ndarray
    faces: np.ndarray
    landmarks_s: np.ndarray
    landmarks: np.ndarray


def read_clip_inputs(path: str | Path, pixel_aspect: float = 1.0) -> ClipInputs:
    """Read one clip.

    Args:
        path: The clip.
        pixel_aspect: Width of a pixel where its height is one. The face is found in the frame
            as it is stored; faces and landmarks are taken from its true proportions.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """
    tracker, predictor = FaceTracker(), LandmarkPredictor()
    sound, faces, times_s, points = [], [], [], []
    pace = Pace(FACES_PER_S)
    for piece in ClipReader(path, sample_rate_hz=voice_features.VOICE.sample_rate_hz):
        if not isinstance(piece, FrameBatch):
            sound.append(piece.samples)
            continue
        for time_s, frame in zip(piece.times_s.tolist(), piece.frames, strict=True):
            sighting = tracker.update(time_s, frame)
            if sighting is None:
                continue
            if pixel_aspect != 1:
                sighting = _in_true_proportions(sighting, frame, pixel_aspect)
            times_s.append(time_s)
            points.append(predictor.follow(sighting))
            if pace.is_due(time_s):
                faces.append(crop_face(sighting.frame, sighting.upright_box, FACE_SIZE_PX))
    return ClipInputs(
        np.concatenate(sound) if sound else np.zeros(0, np.float32),
        np.stack(faces) if faces else np.zeros((0, FACE_SIZE_PX, FACE_SIZE_PX), np.uint8),
        np.array(times_s),
        np.stack(points) if points else np.zeros((0, 68, 2), np.float32),
    )


def _in_true_proportions(sighting: Sighting, picture: np.ndarray, pixel_aspect: float) -> Sighting:
    """The same face in the picture as it is to be shown."""
    shown, box = widened(picture, sighting.box, pixel_aspect)
    roll_deg = None if sighting.to_picture is None else sighting.roll_deg
    upright = turn_upright(shown, box, roll_deg)
    return Sighting.of(upright, roll_deg, sighting.first_roll_deg)


def read_inputs(
    paths: Sequence[str | Path], jobs: int = 2, pixel_aspect: float = 1.0
) -> list[ClipInputs]:
    """Read several clips of one pixel aspect, in order, in parallel."""
    work = (delayed(read_clip_inputs)(path, pixel_aspect) for path in paths)
    found = Parallel(n_jobs=jobs, return_as="generator")(work)
    return list(tqdm(found, "reading clips", total=len(paths), disable=None))
