"""Faces as people hold them: what the second look finds that the cascade alone does not.

python -m emorec.analysis.held_faces    # Models/comparisons/held_faces

Upright clips are turned, reduced, shifted half out, darkened and overexposed, written as silent
videos and read again, by the cascade alone ("before") and with the second look ("after"). A frame
counts as found where the box overlaps the true one by at least 0.4. The truth is what the cascade
and the landmark predictor read in the upright clip. There are two verdicts: of the picture alone,
and with what the voice says in the sound of the clip that was changed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.analysis.held_clips import (
    CHANGES,
    FRAME_RATE_HZ,
    Change,
    KnownClip,
    made_frames,
    write_frames,
)
from emorec.analysis.held_clips import faceless_frames as make_faceless_frames
from emorec.corpora import sfew
from emorec.emotions import COMMON7
from emorec.errors import CorpusMissingError, run_main
from emorec.faces.alignment import eye_centres
from emorec.faces.boxes import overlap
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.second_look import Found, SecondLook
from emorec.faces.tracker import FaceTracker
from emorec.faces.upright import Sighting
from emorec.files import write_json, write_table
from emorec.media.grey import FrameBatch
from emorec.media.reader import ClipReader, read_frames
from emorec.paths import COMPARISONS, data_folder
from emorec.recognizer import Recognizer
from emorec.streams.face import FaceStream
from emorec.streams.geometry import GeometryStream
from emorec.streams.voice import VoiceStream
from emorec.streams.windows import Findings

__all__ = [
    "CascadeAlone",
    "measure_clip",
    "measure_faceless",
    "measure_films",
    "read_evidence",
    "summed_up",
]

COMMAND = "python -m emorec.analysis.held_faces"
FOLDER = COMPARISONS / "held_faces"
_LEAST_OVERLAP = 0.4
_FILM_FRAME = (240, 320)
_FILM_FRAMES = 4  # so often each face from a film is shown; it counts where it is found in the last
_FACELESS_RATE_HZ = 25.0


class CascadeAlone(SecondLook):
    """No second look: faces are found as before there was one."""

    def find_at(self, time_s: float, frame: np.ndarray) -> None:
        """Find nothing."""

    def righted(self, frame: np.ndarray, box: np.ndarray) -> Found | None:
        """Take what the cascade found for upright."""


def trackers() -> dict[str, FaceTracker]:
    """Make the two that are compared, fresh."""
    return {"before": FaceTracker(second_look=CascadeAlone()), "after": FaceTracker()}


@dataclass
class _Reading:
    """What one tracker saw of a made clip, and what the networks read of it."""

    tracker: FaceTracker
    face: FaceStream
    geometry: GeometryStream
    predictor: LandmarkPredictor
    overlaps: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    frames: int = 0

    def take(self, time_s: float, frame: np.ndarray, box: np.ndarray, points: np.ndarray) -> None:
        """Take a frame whose face is known."""
        self.frames += 1
        sighting = self.tracker.update(time_s, frame)
        if sighting is None:
            return
        self.face.add(time_s, sighting)
        self.geometry.add(time_s, sighting)
        self.overlaps.append(overlap(sighting.box.astype(float), box))
        if self.overlaps[-1] >= _LEAST_OVERLAP:
            self.errors.append(self._error(sighting, points))

    def _error(self, sighting: Sighting, points: np.ndarray) -> float:
        """Mean distance of the landmarks from the true ones, in eye distances."""
        seen = self.predictor.predict(sighting.frame, sighting.upright_box)
        left, right = eye_centres(points)
        off = np.linalg.norm(sighting.in_picture(seen) - points, axis=1)
        return float(off.mean() / np.hypot(*(right - left)))

    def row(self, recognizer: Recognizer, voice: Findings | None) -> dict[str, object]:
        """What is measured; the voice is what was heard in the clip."""
        found = {"face": self.face.finish()[0], "geometry": self.geometry.finish()}
        right = np.array(self.overlaps) >= _LEAST_OVERLAP
        return {
            "frames": self.frames,
            "found": right.sum() / self.frames,
            "elsewhere": (~right).sum() / self.frames,
            "overlap": float(np.mean(np.array(self.overlaps)[right])) if right.any() else np.nan,
            "landmark_error": float(np.mean(self.errors)) if self.errors else np.nan,
            "verdict": _verdict(recognizer, found),
            "verdict_with_sound": _verdict(recognizer, {"voice": voice, **found}),
        }


def _verdict(recognizer: Recognizer, found: Mapping[str, Findings | None]) -> str:
    """The emotion that streams lead to together, empty where none says anything."""
    pooled = {stream: one.pooled for stream, one in found.items() if one is not None}
    fused = recognizer.combine(pooled).get("fused")
    return "" if fused is None else COMMON7[int(fused.argmax())]


def hear(path: Path, recognizer: Recognizer) -> Findings | None:
    """Read a clip's voice; None where it holds none."""
    voice = VoiceStream(recognizer.networks["voice"])
    for piece in ClipReader(path, sample_rate_hz=voice.sample_rate_hz):
        if not isinstance(piece, FrameBatch):
            voice.add(piece)
    return voice.finish()


def measure_clip(
    clip: KnownClip, changes: Iterable[Change], recognizer: Recognizer, voice: Findings | None
) -> list[dict[str, object]]:
    """Make a clip's changed forms and measure what is seen in them.

    Args:
        clip: The clip.
        changes: Of its picture.
        recognizer: Reads it.
        voice: What `hear` heard in it.

    Returns:
        A row for each change and each of "before" and "after": `clip`, `change`, `way`, `frames`
        (looked at), `found` and `elsewhere` (shares of them with a box that is right, or not),
        `overlap` (mean, of the right ones), `landmark_error` (in eye distances), `verdict` and
        `verdict_with_sound`.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as beside:
        for change in changes:
            path = Path(folder) / "made.mp4"
            write_frames(path, made_frames(clip, change))
            readings = {
                way: _Reading(
                    tracker,
                    FaceStream(recognizer.networks["face"], beside),
                    GeometryStream(recognizer.networks["geometry"], recognizer.landmarks),
                    recognizer.landmarks,
                )
                for way, tracker in trackers().items()
            }
            _read(path, clip, change, readings)
            for way, reading in readings.items():
                row = {"clip": clip.name, "change": change.name, "way": way}
                rows.append({**row, **reading.row(recognizer, voice)})
    return rows


def _read(path: Path, clip: KnownClip, change: Change, readings: Mapping[str, _Reading]) -> None:
    """Show a made clip's frames to all readings."""
    matrix, _ = change.matrix(clip)
    scale, number = float(np.hypot(*matrix[:, 0])), 0
    for batch in read_frames(path):
        for time_s, frame in zip(batch.times_s.tolist(), batch.frames, strict=True):
            box = clip.boxes[number]
            centre = matrix[:, :2] @ (box[:2] + box[2:] / 2) + matrix[:, 2]
            true_box = np.concatenate([centre - scale * box[2:] / 2, scale * box[2:]])
            points = clip.points[number] @ matrix[:, :2].T + matrix[:, 2]
            for reading in readings.values():
                reading.take(time_s, frame, true_box, points)
            number += 1


def measure_films(pictures: Iterable[np.ndarray]) -> dict[str, float]:
    """Paste faces from films into wider frames of their own mean grey, and look for them.

    Args:
        pictures: (height, width) uint8 each, filled by a face.

    Returns:
        "before" and "after": the share of the faces that are found: the box holds more than half
        of the picture, and is at most twice as wide.
    """
    found: dict[str, list[bool]] = {"before": [], "after": []}
    for picture in pictures:
        frame = np.full(_FILM_FRAME, round(float(picture.mean())), np.uint8)
        height, width = picture.shape
        y, x = (_FILM_FRAME[0] - height) // 2, (_FILM_FRAME[1] - width) // 2
        frame[y : y + height, x : x + width] = picture
        pasted = np.array([x, y, width, height])
        for way, tracker in trackers().items():
            for number in range(_FILM_FRAMES):
                sighting = tracker.update(number / FRAME_RATE_HZ, frame)
            found[way].append(sighting is not None and _holds(sighting.box, pasted))
    return {way: float(np.mean(hits)) for way, hits in found.items()}


def _holds(box: np.ndarray, picture: np.ndarray) -> bool:
    """Tell whether a box is that of the face that fills a picture, both x, y, width, height."""
    inside = np.minimum(box[:2] + box[2:], picture[:2] + picture[2:])
    inside = np.maximum(inside - np.maximum(box[:2], picture[:2]), 0)
    return bool(inside.prod() > picture[2:].prod() / 2 and box[2] <= 2 * picture[2])


def measure_faceless() -> pd.DataFrame:
    """Measure how often a face is seen where there is none.

    Returns:
        A row for each clip without a face: `clip`, `frames`, and "before" and "after", the share
        of the frames with a box.
    """
    rows = []
    for name, frames in make_faceless_frames().items():
        row: dict[str, object] = {"clip": name, "frames": len(frames)}
        for way, tracker in trackers().items():
            seen = [tracker.update(i / _FACELESS_RATE_HZ, frame) for i, frame in enumerate(frames)]
            row[way] = float(np.mean([one is not None for one in seen]))
        rows.append(row)
    return pd.DataFrame(rows)


def summed_up(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the rows of `measure_clip` over clips.

    Returns:
        A row for each change, in columns (measure, way); `same_verdict` is the share of the clips
        whose verdict is that of the clip as it is, read by the cascade alone.
    """
    upright = rows[(rows["change"] == CHANGES[0].name) & (rows["way"] == "before")]
    upright = upright.set_index("clip")
    same = {
        f"same_{name}": (rows[name] == rows["clip"].map(upright[name])).astype(float)
        for name in ("verdict", "verdict_with_sound")
    }
    measured = rows.assign(**same)
    names = ["found", "elsewhere", "overlap", "landmark_error", *same]
    means = measured.groupby(["change", "way"], sort=False)[names].mean().unstack("way")
    ways = pd.MultiIndex.from_product([names, ["before", "after"]])
    return means.reindex(columns=ways, index=list(dict.fromkeys(rows["change"])))


def read_evidence(folder: Path = FOLDER) -> pd.DataFrame:
    """Read the committed measurements, summed up as by `summed_up`."""
    rows = pd.read_csv(Path(folder) / "clips.csv", keep_default_na=False, na_values=[""])
    return summed_up(rows)


def real_clips() -> list[Path]:
    """List the clips that the study rests on: of RAVDESS and JavaSED, spread over people.

    Raises:
        CorpusMissingError: When there is none.
    """
    data = data_folder()
    paths = [
        *sorted((data / "RAVDESS" / "Actor_05").glob("01-*.mp4"))[::2],
        *sorted((data / "RAVDESS_360p" / "Actor_05").glob("*.mp4"))[::14],
        *sorted((data / "JavaSED").glob("*.mp4"))[2::27],
    ]
    if not paths:
        raise CorpusMissingError("clips of RAVDESS or JavaSED", data)
    return paths


def main() -> None:
    """Measure all and write the evidence."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    cv2.setNumThreads(1)
    recognizer, rows = Recognizer.load(), []
    paths, faceless = real_clips(), measure_faceless()
    pictures = sfew.load_pictures(sfew.load_picture_table())
    films = measure_films(pictures)
    for path in tqdm(paths, "making clips and reading them", disable=None):
        clip = KnownClip.read(path, FaceTracker(second_look=CascadeAlone()))
        rows += measure_clip(clip, CHANGES, recognizer, hear(path, recognizer))
        write_table(FOLDER / "clips.csv", pd.DataFrame(rows).round(4))
    table = summed_up(pd.DataFrame(rows))
    write_table(FOLDER / "faceless.csv", faceless.round(4))
    summary = {
        "title": "Faces as people hold them, by the cascade alone and with the second look",
        "command": COMMAND,
        "clips": len(paths),
        "found_from_films": {"pictures": len(pictures), **films},
        "faceless_frames_with_a_face": faceless[["before", "after"]].mean().to_dict(),
        "changes": {
            change: {f"{name} {way}": round(value, 3) for (name, way), value in row.items()}
            for change, row in table.iterrows()
        },
    }
    write_json(FOLDER / "summary.json", summary)
    print(table.round(3).to_string())


if __name__ == "__main__":
    run_main(main)
