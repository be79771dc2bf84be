"""Who is who and who speaks, in made clips of several people.

python -m emorec.analysis.everybody    # Models/comparisons/everybody

Clips of one person each are put together (`people_clips`), written as files and read again. A
person's frame is kept where the face that is followed there bears the number that is that person's
in most frames of the clip, of one number for each. A window is three seconds in which somebody
speaks for at least half a second; it is clear where at least two thirds of its speech are one
person's, and right where most of it is given to that person (or to nobody, where nobody who is seen
speaks).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.analysis.people_clips import NOBODY_SEEN, SCENES, Made, Performer, Take
from emorec.avatar.clip import FRAME_RATE_HZ as CLIP_RATE_HZ
from emorec.corpora import javased
from emorec.errors import CorpusMissingError, run_main
from emorec.faces.crowd import Crowd, Face
from emorec.faces.landmarks import LandmarkPredictor
from emorec.faces.mouth import Mouth
from emorec.features.loudness import MOUTH_RATE_HZ, Loudness
from emorec.features.voice import WINDOW_S
from emorec.files import write_json, write_table
from emorec.media.grey import FrameBatch
from emorec.media.pacing import Pace
from emorec.media.reader import ClipReader
from emorec.paths import COMPARISONS, data_folder
from emorec.streams.speaking import who_speaks

__all__ = ["measure", "summed_up"]

COMMAND = "python -m emorec.analysis.everybody"
FOLDER = COMPARISONS / "everybody"
_ROUNDS = 9  # clips of each scene, each of other people
_SAMPLE_RATE_HZ = 16_000
_WINDOW_HOP_S = 0.5
_LEAST_SPEECH_S, _CLEAR = 0.5, 2 / 3
_NEAR = 0.5  # of the head's width: so far off, a face is still that head's


def performers() -> list[Performer]:
    """Read three takes each of JavaSED's first eight people and of RAVDESS's actor 05.

    Raises:
        CorpusMissingError: When they are not there.
    """
    data = data_folder()
    people = []
    for number in range(1, 9):
        takes = [f"{number:02d}-{take}_01.mp4" for take in ("01-03", "02-06", "03-02")]
        paths = [data / "JavaSED" / name for name in takes]
        if all(path.exists() for path in paths):
            shown = [Take.read(path, javased.PIXEL_ASPECT) for path in paths]
            people.append(Performer(f"javased {number}", shown))
    paths = sorted((data / "RAVDESS_360p" / "Actor_05").glob("01-*.mp4"))[2:12:4]
    if len(paths) == 3:
        people.append(Performer("ravdess 5", [Take.read(path) for path in paths]))
    if len(people) < 3:
        raise CorpusMissingError("clips of three people of JavaSED or RAVDESS", data)
    return people


def measure(made: Made, path: Path) -> dict[str, float]:
    """Write a made clip, read it again, and compare what is found with what is true.

    Args:
        made: The clip.
        path: Where to write it.

    Returns:
        Counts: `frames` (of all people, where their heads are seen), `found` (with a face that is
        followed there) and `kept` (with the right number); `windows` with speech, `right` ones;
        `clear` windows, `clear_right`; `people` and `numbers`; `seconds` and `cpu_s`.
    """
    made.write(path)
    started_s = time.process_time()
    faces, mouths, levels_db = _followed(path)
    speakers = who_speaks([mouths[number] for number in sorted(mouths)], levels_db)
    cpu_s = time.process_time() - started_s
    hits = _hits(made, faces)
    whose = _one_to_one(hits)
    row: dict[str, float] = {
        "people": len(made.boxes),
        "numbers": len(mouths),
        "frames": sum(int(np.isfinite(_looked_at(b)).all(1).sum()) for b in made.boxes.values()),
        "found": sum(sum(found.values()) for found in hits.values()),
        "kept": sum(hits[name][number] for name, number in whose.items()),
    }
    names = {index: name for index, number in enumerate(sorted(mouths)) for name in whose
             if whose[name] == number}  # fmt: skip
    said = np.array([names.get(int(index), NOBODY_SEEN) for index in speakers])
    row |= _windows(made, said, levels_db)
    return {**row, "seconds": len(made.frames) / CLIP_RATE_HZ, "cpu_s": round(cpu_s, 2)}


def _looked_at(boxes: np.ndarray) -> np.ndarray:
    """Of a clip's frames those that the recogniser looks at."""
    return boxes[:: round(CLIP_RATE_HZ / MOUTH_RATE_HZ)]


def _followed(path: Path) -> tuple[list[Face], dict, np.ndarray]:
    """Follow everybody through a clip: the faces, each number's mouth, and the loudness."""
    predictor, pace = LandmarkPredictor(), Pace(MOUTH_RATE_HZ)
    crowd, loudness = Crowd(predictor), Loudness(_SAMPLE_RATE_HZ)
    faces: list[Face] = []
    for piece in ClipReader(path, sample_rate_hz=_SAMPLE_RATE_HZ):
        if not isinstance(piece, FrameBatch):
            loudness.add(piece)
            continue
        for time_s, frame in zip(piece.times_s.tolist(), piece.frames, strict=True):
            if pace.is_due(time_s):
                faces += crowd.take(time_s, frame)
    faces += crowd.finish()
    mouths: dict[int, Mouth] = {}
    for face in faces:
        mouth = mouths.setdefault(face.number, Mouth())
        if face.is_anew:
            mouth.restart()
        points = predictor.predict(face.sighting.frame, face.sighting.upright_box)
        mouth.add(face.time_s, face.sighting.frame, points)
    last = {face.number: face for face in faces}
    found = {n: None if last[n].is_picture else mouth.finish() for n, mouth in mouths.items()}
    return faces, found, loudness.levels_db


def _hits(made: Made, faces: Sequence[Face]) -> dict[str, Counter]:
    """Name -> number -> in how many frames the number is where the person's head is."""
    hits: dict[str, Counter] = {name: Counter() for name in made.boxes}
    nearest: dict[tuple[str, int], tuple[float, int]] = {}
    for face in faces:
        frame = min(round(face.time_s * CLIP_RATE_HZ), len(made.frames) - 1)
        box = face.sighting.box
        for name, boxes in made.boxes.items():
            x, y, width, height = boxes[frame]
            off = box[:2] + box[2:] / 2 - (x + width / 2, y + height / 2)
            # Heads differ in height more than in their places side by side.
            distance = float(np.abs(off / (width, 2 * height)).max())
            if distance < min(_NEAR, nearest.get((name, frame), (np.inf, 0))[0]):
                nearest[name, frame] = distance, face.number
    for (name, _), (_, number) in nearest.items():
        hits[name][number] += 1
    return hits


def _one_to_one(hits: Mapping[str, Counter]) -> dict[str, int]:
    """Give each person one number, the commonest first."""
    whose: dict[str, int] = {}
    pairs = [(count, name, number) for name in hits for number, count in hits[name].items()]
    for _, name, number in sorted(pairs, reverse=True):
        if name not in whose and number not in whose.values():
            whose[name] = number
    return whose


def _windows(made: Made, said: np.ndarray, levels_db: np.ndarray) -> dict[str, float]:
    """Compare who is said to speak in each window with who does."""
    row: Counter = Counter(windows=0, right=0, clear=0, clear_right=0)
    end_s = len(made.speakers) / CLIP_RATE_HZ
    for start_s in np.arange(0, max(end_s - WINDOW_S, 0) + 1e-6, _WINDOW_HOP_S):
        first, last = (round(s * CLIP_RATE_HZ) for s in (start_s, start_s + WINDOW_S))
        true = Counter(str(who) for who in made.speakers[first:last] if who)
        if true.total() < _LEAST_SPEECH_S * CLIP_RATE_HZ:
            continue
        first, last = (round(s * MOUTH_RATE_HZ) for s in (start_s, start_s + WINDOW_S))
        given: Counter = Counter()
        for who, level_db in zip(said[first:last], levels_db[first:last], strict=False):
            given[str(who)] += 10 ** (float(level_db) / 20)
        (speaker, most), is_right = true.most_common(1)[0], False
        is_right = given.most_common(1)[0][0] == speaker
        is_clear = most >= _CLEAR * true.total()
        row.update(windows=1, right=is_right, clear=is_clear, clear_right=is_right and is_clear)
    return dict(row)


def summed_up(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum the rows of `measure` over clips.

    Returns:
        A row for each scene, and "all but the hardest": `clips`, and the shares `found` (of
        frames), `kept` (of those found), `right` (of windows) and `clear_right` (of clear ones).
    """
    hardest = rows["scene"].isin(["two, one talks without a sound"])
    sums = rows.groupby("scene", sort=False).sum(numeric_only=True)
    sums.loc["all but the hardest"] = rows[~hardest].sum(numeric_only=True)
    counts = rows.groupby("scene", sort=False).size()
    counts["all but the hardest"] = int((~hardest).sum())
    return pd.DataFrame(
        {
            "clips": counts.reindex(sums.index),
            "found": sums["found"] / sums["frames"],
            "kept": sums["kept"] / sums["found"],
            "right": sums["right"] / sums["windows"],
            "clear_right": sums["clear_right"] / sums["clear"],
        }
    )


def main() -> None:
    """Make the clips, measure, and write the evidence."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    cv2.setNumThreads(1)
    people, rows = performers(), []
    jobs = [(scene, turn) for scene in SCENES for turn in range(_ROUNDS)]
    with tempfile.TemporaryDirectory() as folder:
        for scene, turn in tqdm(jobs, "making and reading clips", disable=None):
            chosen = [people[(turn + i) % len(people)] for i in range(3)]
            made = SCENES[scene](chosen, np.random.default_rng(turn))
            who = ", ".join(made.boxes)
            rows.append({"scene": scene, "who": who, **measure(made, Path(folder) / "made.mp4")})
            write_table(FOLDER / "clips.csv", pd.DataFrame(rows).round(4))
    table = summed_up(pd.DataFrame(rows))
    summary = {
        "title": "Everybody in a clip: who is who, and who speaks",
        "command": COMMAND,
        "people": len(people),
        "scenes": {scene: row.round(3).to_dict() for scene, row in table.iterrows()},
    }
    write_json(FOLDER / "summary.json", summary)
    print(table.round(3).to_string())


if __name__ == "__main__":
    run_main(main)
