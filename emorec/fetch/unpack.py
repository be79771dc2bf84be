"""From the official archives into the layout of the data folder, one file after the other.

A file appears only when it is complete. Members go where their own RAVDESS name says, whatever
folders the archive wraps around them; an archive that points outside is refused as a whole.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pandas as pd
from tqdm import tqdm

from emorec.corpora import ravdess
from emorec.errors import DataError
from emorec.fetch.zenodo import require_space
from emorec.files import write_atomically

_POINTS = range(68)


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an archive whose members all stay inside the folder that it is unpacked to.

    Raises:
        DataError: If it is no archive, or a member would leave the folder.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        remedy = "delete it and run the same command again"
        raise DataError(path, "it is no archive that can be opened", remedy) from error
    for name in archive.namelist():
        # Backslashes and drive letters are folders on some systems.
        member = PurePosixPath(name.replace("\\", "/"))
        if member.is_absolute() or ".." in member.parts or ":" in name:
            archive.close()
            reason = f"its member {name!r} points outside the folder; nothing was unpacked"
            raise DataError(path, reason, "delete it; it is not the official archive")
    return archive


def unpack_takes(archive_path: Path, folder: Path, modality: str) -> int:
    """Unpack the speech takes of one modality as `Actor_NN/<name>`.

    Args:
        archive_path: An official RAVDESS archive.
        folder: `RAVDESS` in the data folder.
        modality: First field of the wanted names: "01" picture and sound, "03" sound.

    Returns:
        How many files were written; those that are there at full size are left alone.

    Raises:
        DataError: If the archive is damaged or foreign, or the disk has too little room.
    """
    with open_archive(archive_path) as archive:
        wanted = [
            (member, path)
            for member in archive.infolist()
            if (path := _place_of(member.filename, modality))
        ]
        if not wanted:
            reason = "there is no speech take in it"
            raise DataError(archive_path, reason, "delete it; it is not the official archive")
        missing = [(m, folder / p) for m, p in wanted if not _is_there(folder / p, m.file_size)]
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, sum(member.file_size for member, _ in missing), archive_path.name)
        for member, path in tqdm(missing, desc="Unpacking", unit="file", disable=None):
            _guarded(archive_path, lambda m=member, p=path: write_atomically(p, _copy(archive, m)))
    return len(missing)


def _place_of(member_name: str, modality: str) -> Path | None:
    """Return `Actor_NN/<name>` of a wanted speech take, None for anything else."""
    name = PurePosixPath(member_name.replace("\\", "/")).name
    facts = ravdess.parse_name(name)
    if facts is None or facts["channel"] != "speech" or not name.startswith(f"{modality}-"):
        return None
    if name.endswith("/") or not Path(name).suffix:
        return None
    return Path(f"Actor_{facts['speaker'].rpartition('-')[2]}") / name


def _is_there(path: Path, size_bytes: int) -> bool:
    return path.exists() and path.stat().st_size == size_bytes


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[str], None]:
    def write(name: str) -> None:
        with archive.open(member) as source, Path(name).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    return write


def unpack_landmarks(archive_path: Path, folder: Path) -> int:
    """Join OpenFace's tracks of the speech takes into one `Actor_NN_landmarks.csv.xz` each.

    Args:
        archive_path: `FacialTracking_Actors_01-24.zip`: one CSV per take, of which the 68
            points `x_0` ... `y_67` (pixels) and the frame's number are kept.
        folder: `RAVDESS_landmarks` in the data folder.

    Returns:
        How many actors' files were written; those that are there are left alone.

    Raises:
        DataError: If the archive is damaged or foreign, or the disk has too little room.
    """
    with open_archive(archive_path) as archive:
        by_actor: dict[Path, list[zipfile.ZipInfo]] = {}
        for member in archive.infolist():
            if place := _place_of(member.filename, "01"):
                by_actor.setdefault(place.parent, []).append(member)
        if not by_actor:
            reason = "there is no landmark track in it"
            raise DataError(archive_path, reason, "delete it; it is not the official archive")
        folder.mkdir(parents=True, exist_ok=True)
        missing = [
            (folder / f"{actor}_landmarks.csv.xz", members)
            for actor, members in sorted(by_actor.items())
            if not list(folder.glob(f"{actor}_landmarks.csv*"))
        ]
        for path, members in tqdm(missing, desc="Joining", unit="actor", disable=None):
            _guarded(archive_path, lambda p=path, m=members: _join(archive, m, p))
    return len(missing)


def _join(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], path: Path) -> None:
    names = sorted(members, key=lambda member: member.filename)
    table = pd.concat([read_track(archive.read(member), member.filename) for member in names])
    write_atomically(path, lambda name: table.to_csv(name, index=False, compression="xz"))


def read_track(content: bytes, name: str) -> pd.DataFrame:
    """Read one of OpenFace's tables in the columns of `Actor_NN_landmarks.csv`.

    Args:
        content: The CSV file, whose column names may begin with a blank.
        name: Its name, RAVDESS's with `.csv`.

    Returns:
        `fname`, `frame_ct` from 0, `pt1.x` ... `pt68.x`, `pt1.y` ... `pt68.y`.

    Raises:
        ValueError: If a column is missing.
    """
    wanted = {"frame", *(f"{axis}_{i}" for axis in "xy" for i in _POINTS)}
    track = pd.read_csv(io.BytesIO(content), usecols=lambda column: column.strip() in wanted)
    track.columns = track.columns.str.strip()
    if missing := wanted - set(track):
        raise ValueError(f"{name} lacks the columns {', '.join(sorted(missing)[:3])} ...")
    points = {f"pt{i + 1}.{axis}": track[f"{axis}_{i}"] for axis in "xy" for i in _POINTS}
    return pd.DataFrame(
        {"fname": f"{PurePosixPath(name).stem}.mp4", "frame_ct": track["frame"] - 1, **points}
    )


def _guarded(archive_path: Path, work: Callable[[], None]) -> None:
    """Run a step of unpacking; damage in the archive becomes a `DataError`."""
    try:
        work()
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        remedy = "delete it and run the same command again"
        raise DataError(archive_path, f"it is damaged ({error})", remedy) from error
