"""Frames of whole corpora for the face networks: three sets of pictures, and arrays of them.

`extract_frames` makes the sets that `emorec.corpora.frame_clip` describes, over many clips at once;
a run that is cut goes on where it stopped. `load_frames` gives a set back as one array of 112x112
grey pictures, which is kept in a file so that the second call takes a moment.

    python -m emorec.corpora.frame_sets RAVDESS --jobs 2
    python -m emorec.corpora.frame_sets RAVDESS --clips Datasets/Avatars --corpus Avatars
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from emorec.corpora import javased, ravdess
from emorec.corpora.frame_clip import (
    FIRST_FRAME,
    KINDS,
    RECIPE,
    ClipFrames,
    FrameFolders,
    extract_clip,
    middle_square,
    read_picture,
    read_record,
)
from emorec.errors import CorpusMissingError, MediaError, OutputError
from emorec.files import UNREADABLE, write_atomically, write_table
from emorec.paths import REPOSITORY

__all__ = ["OUTPUT_FOLDER", "FrameSet", "extract_frames", "load_frames", "problems_path"]

OUTPUT_FOLDER = REPOSITORY / "Datasets"
"""Where the sets go by default, wherever the corpora lie."""

NETWORK_SIDE_PX = 112
_ARRAYS = "pixels_112.npz"


@dataclass(frozen=True)
class FrameSet:
    """Frames of many clips, in the order of the clips' table.

    Attributes:
        pixels: (n, 112, 112) uint8, grey.
        clip_id: (n,) str, the clip of each frame.
        frame_number: (n,) int64, from 0 at the clip's first frame.
        time_s: (n,) float64, seconds from the start of the clip.
    """

    pixels: np.ndarray
    clip_id: np.ndarray
    frame_number: np.ndarray
    time_s: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def scaled(self) -> np.ndarray:
        """The pictures as networks read them: (n, 112, 112, 1) float32 in [0, 1]."""
        return self.pixels[..., np.newaxis].astype(np.float32) / 255

    def where(self, mask: np.ndarray) -> FrameSet:
        """The frames that a bool array (n,) or an array of indices picks."""
        return FrameSet(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def extract_frames(
    table: pd.DataFrame, folder: str | Path, jobs: int = 2, *, corpus: str = "RAVDESS"
) -> pd.DataFrame:
    """Make the three sets of all clips; what is done is kept, what is broken is listed.

    The listing of clips without a face, of damaged ones and of ones too short for a single frame
    goes to `problems_path`.

    Args:
        table: One row for each clip, with `path` and `clip_id`.
        folder: The data folder that the sets go to.
        jobs: Processes; -1 for one a core.
        corpus: What the names of the sets' folders begin with.

    Returns:
        One row for each clip, in the order of the table: `clip_id`, `path`, `status` ("done",
        "no face", "too short" or "damaged"), `frames`, `faces`, `cpu_s` (processor time),
        `is_new` (made in this call), `reason`, `remedy`.

    Raises:
        OutputError: When the folder cannot be written or the disk is full; finished clips stay.
        ValueError: When two rows have one clip_id.
    """
    folders = FrameFolders(Path(folder), corpus)
    summary = _extract_missing(table, folders, jobs)
    odd = summary[summary["status"] != "done"][["clip_id", "path", "status", "reason", "remedy"]]
    others = _other_problems(folders, set(summary["clip_id"]))
    with _saying_why(folders):
        write_table(problems_path(folder, corpus), pd.concat([others, odd]).sort_values("clip_id"))
    return summary


def load_frames(
    table: pd.DataFrame,
    folder: str | Path,
    kind: str = "face",
    jobs: int = 2,
    *,
    corpus: str = "RAVDESS",
) -> FrameSet:
    """Give a set as arrays; clips that are not extracted yet are extracted first.

    The wider pictures of the set "frame" are cut to their middle square, as the reference
    project does. The arrays are kept in the set's folder and made again when the file is
    corrupt, or when clips or recipe have changed; so are single pictures that are corrupt.

    Args:
        table: One row for each clip, with `path` and `clip_id`.
        folder: The data folder that the sets are in.
        kind: "frame", "black" or "face".
        jobs: Processes for what has to be extracted.
        corpus: What the names of the sets' folders begin with.

    Returns:
        The frames. Clips that are damaged, too short or, in the set "face", without a face have
        none.

    Raises:
        OutputError: When something has to be written and cannot.
        ValueError: When two rows have one clip_id, or there is no such kind.
    """
    folders = FrameFolders(Path(folder), corpus)
    kept_in = folders.of_set(kind) / _ARRAYS
    _extract_missing(table, folders, jobs)
    records = _records(table, folders)
    frames = _read_arrays(kept_in, _digest(kind, records))
    if frames is None:
        with _saying_why(folders):
            frames, records = _read_pictures(table, folders, kind)
            arrays = {**vars(frames), "digest": np.array(_digest(kind, records))}
            write_atomically(kept_in, lambda name: np.savez(name, **arrays))
    return frames


def problems_path(folder: str | Path, corpus: str = "RAVDESS") -> Path:
    """The listing (CSV) of the clips that gave no frames or no faces."""
    return FrameFolders(Path(folder), corpus).of_set("frame") / "problems.csv"


def _extract_missing(table: pd.DataFrame, folders: FrameFolders, jobs: int) -> pd.DataFrame:
    """Extract the clips that have no valid record; one row for each clip."""
    repeated = table["clip_id"][table["clip_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"clip {repeated.iloc[0]} stands in the table twice")
    _make_folders(folders)
    clips = list(zip(table["path"].astype(str), table["clip_id"], strict=True))
    rows = {}
    for path, clip_id in clips:
        record = read_record(path, clip_id, folders)
        if record is not None:
            rows[clip_id] = _row(path, clip_id, record, is_new=False)
    missing = [clip for clip in clips if clip[1] not in rows]
    with _saying_why(folders):
        for row in _extract_in_parallel(missing, folders, jobs):
            rows[row["clip_id"]] = row
    return pd.DataFrame([rows[clip_id] for _, clip_id in clips], columns=list(_row("", "")))


def _extract_in_parallel(
    clips: list[tuple[str, str]], folders: FrameFolders, jobs: int
) -> Iterator[dict]:
    if not clips:
        return
    work = (delayed(_try_clip)(path, clip_id, folders) for path, clip_id in clips)
    done = Parallel(n_jobs=jobs, return_as="generator_unordered")(work)
    yield from tqdm(done, total=len(clips), desc=f"{folders.corpus} frames", unit="clip")


def _try_clip(path: str, clip_id: str, folders: FrameFolders) -> dict:
    """Extract a clip; one that cannot be read gives a row that says why."""
    try:
        return _row(path, clip_id, extract_clip(path, clip_id, folders))
    except MediaError as error:
        return _row(path, clip_id, status="damaged", reason=error.reason, remedy=error.remedy)


def _row(
    path: str,
    clip_id: str,
    made: ClipFrames | None = None,
    *,
    status: str = "done",
    reason: str = "",
    remedy: str = "",
    is_new: bool = True,
) -> dict:
    frames, faces = (len(made.frame_number), made.faces) if made else (0, 0)
    if made and not frames:
        status, reason = "too short", f"it has no frame {FIRST_FRAME}"
        remedy = "leave it out"
    elif made and not faces:
        status, reason = "no face", f"no face was found in {frames} frames"
        remedy = "look at it; leave it out of what needs a face"
    return {
        "clip_id": clip_id,
        "path": path,
        "status": status,
        "frames": frames,
        "faces": faces,
        "cpu_s": made.cpu_s if made else 0.0,
        "is_new": is_new,
        "reason": reason,
        "remedy": remedy,
    }


def _make_folders(folders: FrameFolders) -> None:
    """Make the folders of the sets and try whether they can be written, before any work."""
    try:
        for kind in KINDS:
            folders.of_set(kind).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folders.of_set(kind)):
                pass
        folders.remove_leftovers()
    except OSError as error:
        reason = f"no frames can be written there ({error.strerror})"
        raise OutputError(folders.root, reason, "name a folder in which you may write") from error


@contextlib.contextmanager
def _saying_why(folders: FrameFolders) -> Iterator[None]:
    """Turn a failure to write into an error that says what to do."""
    try:
        yield
    except OSError as error:
        reason = f"frames cannot be written there ({error.strerror or error})"
        remedy = "make room or name another folder; what is finished is kept, run it again"
        raise OutputError(folders.root, reason, remedy) from error


def _other_problems(folders: FrameFolders, clip_ids: set[str]) -> pd.DataFrame:
    """What an earlier run listed of clips that are not in this one."""
    columns = ["clip_id", "path", "status", "reason", "remedy"]
    try:
        listed = pd.read_csv(problems_path(folders.root, folders.corpus), dtype=str)[columns]
    except (OSError, ValueError, KeyError):
        return pd.DataFrame(columns=columns)
    return listed[~listed["clip_id"].isin(clip_ids)]


def _records(table: pd.DataFrame, folders: FrameFolders) -> dict[str, ClipFrames]:
    """Clip -> what was made of it, for the clips of which something was."""
    pairs = zip(table["path"].astype(str), table["clip_id"], strict=True)
    records = {clip_id: read_record(path, clip_id, folders) for path, clip_id in pairs}
    return {clip_id: record for clip_id, record in records.items() if record is not None}


def _digest(kind: str, records: dict[str, ClipFrames]) -> str:
    """What the arrays of these clips depend on, in one line."""
    digest = hashlib.sha256(f"{RECIPE} {kind} {NETWORK_SIDE_PX}".encode())
    for clip_id, record in records.items():
        digest.update(f"{clip_id} {record.crc32[kind]}".encode())
    return digest.hexdigest()


def _read_arrays(path: Path, digest: str) -> FrameSet | None:
    """Read the kept arrays, or None when there are none that are whole and up to date."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["digest"]) != digest:
                return None
            return FrameSet(*(file[name] for name in FrameSet.__dataclass_fields__))
    except UNREADABLE:
        return None


def _read_pictures(
    table: pd.DataFrame, folders: FrameFolders, kind: str
) -> tuple[FrameSet, dict[str, ClipFrames]]:
    """Read a set's pictures; clips with corrupt ones are extracted again."""
    sets, records = [], {}
    for clip_id, record in tqdm(_records(table, folders).items(), desc="reading", unit="clip"):
        frames = _read_clip(clip_id, record, folders, kind)
        if frames is None:
            path = table.loc[table["clip_id"] == clip_id, "path"].iloc[0]
            record = extract_clip(path, clip_id, folders)
            frames = _read_clip(clip_id, record, folders, kind)
        if frames is None:
            raise OSError(f"pictures of {clip_id} cannot be read back")
        sets.append(frames)
        records[clip_id] = record
    return _joined(sets), records


def _read_clip(
    clip_id: str, record: ClipFrames, folders: FrameFolders, kind: str
) -> FrameSet | None:
    """A clip's frames of one set; None when a picture is corrupt."""
    folder = folders.of_clip(kind, clip_id)
    pictures, indices = [], []
    for index, name, crc32 in record.files(kind):
        picture = read_picture(folder, name, crc32)
        if picture is None:
            return None
        pictures.append(cv2.resize(middle_square(picture), (NETWORK_SIDE_PX, NETWORK_SIDE_PX)))
        indices.append(index)
    pixels = np.array(pictures, np.uint8).reshape(-1, NETWORK_SIDE_PX, NETWORK_SIDE_PX)
    return FrameSet(
        pixels,
        np.full(len(indices), clip_id),
        np.array(record.frame_number, np.int64)[indices],
        np.array(record.time_s, np.float64)[indices],
    )


def _joined(sets: list[FrameSet]) -> FrameSet:
    """One set of several."""
    side = NETWORK_SIDE_PX
    empty = FrameSet(
        np.zeros((0, side, side), np.uint8), np.zeros(0, "U1"), np.zeros(0, int), np.zeros(0)
    )
    sets = [frames for frames in sets if len(frames)] or [empty]
    return FrameSet(
        *(np.concatenate([getattr(s, n) for s in sets]) for n in FrameSet.__dataclass_fields__)
    )


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line.

    Returns:
        0; 1 when clips are damaged, 2 when there are no clips or the sets cannot be written.
    """
    readers = {"RAVDESS": ravdess.load_video_table, "JavaSED": javased.load_video_table}
    parser = argparse.ArgumentParser(
        prog="python -m emorec.corpora.frame_sets", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("layout", choices=sorted(readers), help="how the clips are named")
    add("--clips", type=Path, help="the folder of the clips (by default that of the corpus)")
    add("--folder", type=Path, default=OUTPUT_FOLDER, help="where the sets go (Datasets)")
    add("--corpus", help="what the sets' names begin with (the layout's name)")
    add("--jobs", type=int, default=2, help="processes, -1: one a core (2)")
    options = parser.parse_args(arguments)
    corpus = options.corpus or options.layout
    try:
        table = readers[options.layout](options.clips)
        summary = extract_frames(table, options.folder, options.jobs, corpus=corpus)
    except (CorpusMissingError, OutputError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: finished clips are kept; run it again to go on", file=sys.stderr)
        return 130
    counts = summary["status"].value_counts()
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    print(f"{summary['frames'].sum()} frames, {summary['faces'].sum()} faces")
    if set(counts.index) != {"done"}:
        print(f"see {problems_path(options.folder, corpus)}")
    return int("damaged" in counts.index)


if __name__ == "__main__":
    sys.exit(main())
