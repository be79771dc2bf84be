"""One clip's frames in three sets of PNG files, made whole or not at all.

The recipe is that of gianscuri/Emotion-Recognition_SER-FER_RAVDESS: frames 21, 24, 27, ...
(counted from 0) as

- "frame": colour, 224 high, the width in proportion (398 for RAVDESS's 1280x720);
- "black": the same with its light background (grey above 220) set to black, and cut to the middle
  224x224;
- "face": the largest face of `emorec.faces.detector.REFERENCE`, grey, brought to 234x234 and
trimmed to
  224x224. A frame without a face is missing from this set.

A clip's three folders are written under other names and then renamed; the folder with the record
of it all comes last, so that a run that is killed leaves either a finished clip or none.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emorec.errors import MediaError
from emorec.faces.detector import REFERENCE, FaceDetector
from emorec.media.colour_frames import ColourFrame, read_colour_frames

__all__ = ["KINDS", "RECIPE", "ClipFrames", "FrameFolders", "cut_frame", "extract_clip"]

RECIPE = "reference-frames-1"
"""Raised whenever the pixels would come out otherwise; frames of another recipe are made anew."""

KINDS = {"frame": "frames", "black": "frames_black", "face": "frames_face_BW"}
"""Kind of set -> what its folder's name ends in."""

FIRST_FRAME, FRAME_STEP = 21, 3
SIDE_PX = 224
_BACKGROUND_FROM = 220  # lighter grey than this is taken for RAVDESS's white wall
_FACE_PX, _TRIM_PX = 234, 5
_RECORD = "record.json"
_PART = ".part-"
_PART_AGE_S = 3600.0


@dataclass(frozen=True)
class FrameFolders:
    """Where the sets of a corpus lie: `root/RAVDESS_frames/<clip>/0021.png` and so on.

    Attributes:
        root: The data folder.
        corpus: What the names of the three folders begin with.
    """

    root: Path
    corpus: str

    def of_set(self, kind: str) -> Path:
        """The folder of a set; raises ValueError when there is no such kind."""
        if kind not in KINDS:
            raise ValueError(f"there is no set {kind!r}; choose from {', '.join(KINDS)}")
        return self.root / f"{self.corpus}_{KINDS[kind]}"

    def of_clip(self, kind: str, clip_id: str) -> Path:
        """The folder of a clip in a set."""
        return self.of_set(kind) / clip_id

    def remove_leftovers(self) -> None:
        """Remove what killed runs left half-written, an hour ago or earlier."""
        for kind in KINDS:
            for part in self.of_set(kind).glob(f"{_PART}*"):
                if time.time() - part.stat().st_mtime > _PART_AGE_S:
                    shutil.rmtree(part, ignore_errors=True)


@dataclass(frozen=True)
class ClipFrames:
    """What was made of a clip.

    Attributes:
        frame_number: Numbers of its frames, from 0 at the clip's first.
        time_s: Their times, seconds from the start of the clip.
        face_box: x, y, width, height of each face in pixels of the clip, None where none was
            found.
        crc32: Kind -> checksum of each frame's file, None where the set has no such frame.
        source_bytes: Length of the clip's file.
        cpu_s: Processor time that it took.
    """

    frame_number: list[int]
    time_s: list[float]
    face_box: list[list[int] | None]
    crc32: dict[str, list[int | None]]
    source_bytes: int
    cpu_s: float

    @property
    def faces(self) -> int:
        """Number of frames in which a face was found."""
        return sum(box is not None for box in self.face_box)

    def files(self, kind: str) -> Iterator[tuple[int, str, int]]:
        """Index, file name and checksum of each frame that a set has."""
        for index, (number, crc32) in enumerate(
            zip(self.frame_number, self.crc32[kind], strict=True)
        ):
            if crc32 is not None:
                yield index, _file_name(number), crc32


def extract_clip(path: str | Path, clip_id: str, folders: FrameFolders) -> ClipFrames:
    """Make the three sets of a clip, over what is there.

    Args:
        path: The clip.
        clip_id: Names its folders.
        folders: Where they go; the folders of the sets have to be there.

    Returns:
        What was made.

    Raises:
        MediaError: When the clip cannot be read to its end; nothing is then written.
        OSError: When the frames cannot be written.
    """
    start_s = time.process_time()
    parts = {kind: folders.of_set(kind) / f"{_PART}{clip_id}-{os.getpid()}" for kind in KINDS}
    try:
        for part in parts.values():
            part.mkdir(exist_ok=True)
        columns = _write_pictures(path, parts)
        size = Path(path).stat().st_size
        made = ClipFrames(*columns, source_bytes=size, cpu_s=time.process_time() - start_s)
        record = {"recipe": RECIPE, **vars(made)}
        (parts["frame"] / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        for kind in ("black", "face", "frame"):
            target = folders.of_clip(kind, clip_id)
            shutil.rmtree(target, ignore_errors=True)
            parts[kind].rename(target)
    finally:
        for part in parts.values():
            shutil.rmtree(part, ignore_errors=True)
    return made


def read_record(path: str | Path, clip_id: str, folders: FrameFolders) -> ClipFrames | None:
    """Tell what was made of a clip, or None when it has to be made (again).

    That is so when there is no record or an unreadable one, when it is of another recipe or of
    a clip of another length, or when files of it are missing. A clip that was removed after its
    frames were made need not come back.
    """
    try:
        text = (folders.of_clip("frame", clip_id) / _RECORD).read_text(encoding="utf-8")
        record = json.loads(text)
        if record.pop("recipe") != RECIPE:
            return None
        made = ClipFrames(**record)
        is_whole = _is_of(made, Path(path)) and all(
            _has_all(made, clip_id, folders, kind) for kind in KINDS
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return made if is_whole else None


def read_picture(folder: Path, name: str, crc32: int) -> np.ndarray | None:
    """Read a frame's file as grey, (height, width) uint8; None when it is not what was written."""
    try:
        content = (folder / name).read_bytes()
    except OSError:
        return None
    if zlib.crc32(content) != crc32:
        return None
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)


def cut_frame(
    pixels: np.ndarray, box: np.ndarray | None, grey: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Make a frame's pictures of all three sets.

    Args:
        pixels: (height, width, 3) uint8: blue, green, red.
        box: x, y, width, height of the face in pixels of the frame; None for no face.
        grey: (height, width) uint8, the same in grey, where it is at hand.

    Returns:
        Kind -> picture; "face" is left out where there is no box.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if grey is None else grey
    height, width = grey.shape
    size = max(1, width * SIDE_PX // height), SIDE_PX
    black = pixels.copy()
    black[grey > _BACKGROUND_FROM] = 0
    pictures = {
        "frame": cv2.resize(pixels, size),
        "black": middle_square(cv2.resize(black, size)),
    }
    if box is not None:
        x, y, width, height = box
        face = cv2.resize(grey[y : y + height, x : x + width], (_FACE_PX, _FACE_PX))
        pictures["face"] = face[_TRIM_PX:-_TRIM_PX, _TRIM_PX:-_TRIM_PX]
    return pictures


def middle_square(picture: np.ndarray) -> np.ndarray:
    """Cut the middle 224x224 out of a picture 224 high; a narrower one gets black borders.

    >>> middle_square(np.zeros((224, 398), np.uint8)).shape
    (224, 224)
    """
    missing = max(SIDE_PX - picture.shape[1], 0)
    left, right = missing // 2, missing - missing // 2
    picture = cv2.copyMakeBorder(picture, 0, 0, left, right, cv2.BORDER_CONSTANT, value=0)
    start = (picture.shape[1] - SIDE_PX) // 2
    return picture[:, start : start + SIDE_PX]


def _is_of(made: ClipFrames, path: Path) -> bool:
    return not path.exists() or path.stat().st_size == made.source_bytes


def _has_all(made: ClipFrames, clip_id: str, folders: FrameFolders, kind: str) -> bool:
    present = {file.name for file in folders.of_clip(kind, clip_id).iterdir()}
    return present >= {name for _, name, _ in made.files(kind)}


def _write_pictures(path: str | Path, parts: dict[str, Path]) -> tuple:
    """Write all pictures of a clip; give the first four columns of `ClipFrames`."""
    numbers, times_s, boxes = [], [], []
    crc32: dict[str, list[int | None]] = {kind: [] for kind in KINDS}
    for frame in read_colour_frames(path, first=FIRST_FRAME, step=FRAME_STEP):
        box, pictures = _cut(frame)
        numbers.append(frame.number)
        times_s.append(round(float(frame.time_s), 5))
        boxes.append(box)
        for kind, part in parts.items():
            file = part / _file_name(frame.number)
            crc32[kind].append(_write_png(file, pictures[kind]) if kind in pictures else None)
    return numbers, times_s, boxes, crc32


def _cut(frame: ColourFrame) -> tuple[list[int] | None, dict[str, np.ndarray]]:
    grey = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY)
    boxes = _detector().detect(grey)
    box = boxes[0].tolist() if len(boxes) else None
    return box, cut_frame(frame.pixels, box, grey)


@functools.cache
def _detector() -> FaceDetector:
    """One for each process; the clips are what is worked on in parallel."""
    cv2.setNumThreads(1)
    return FaceDetector(REFERENCE)


def _write_png(path: Path, picture: np.ndarray) -> int:
    """Write a picture without loss and give the file's checksum."""
    # Not cv2.imwrite: on a full disk it says nothing of the reason.
    ok, content = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not ok:
        raise MediaError(path, "OpenCV cannot make a PNG of it", "check the clip")
    path.write_bytes(content.tobytes())
    return zlib.crc32(content.tobytes())


def _file_name(number: int) -> str:
    return f"{number:04d}.png"
