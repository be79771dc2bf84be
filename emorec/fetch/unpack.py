"""From the official archives into the layout of the data folder, one file after the other.

A file appears only when it is complete. Members go where their own RAVDESS name says, whatever
folders the archive wraps around them; an archive that points outside is refused as a whole.
"""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import pandas as pd
from tqdm import tqdm

from emorec.corpora import ravdess
from emorec.errors import DataError
from emorec.fetch.zenodo import require_space
from emorec.files import write_atomically

_POINTS = range(68)
_ENCRYPTED = 1
# Of bzip2 and LZMA, zipfile unpacks a whole block at once, however large it becomes.
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_LARGEST_MEMBER_BYTES = 100_000_000
"""Twenty times the longest take."""
_FETCH_AGAIN = "delete it and run the same command again"
_NOT_OFFICIAL = "delete it; it is not the official archive"
# What zipfile and pandas raise on an archive or a table that was changed on its way.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, TypeError, KeyError, IndexError,
    OverflowError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an archive whose members can be read and stay inside the folder it is unpacked to.

    Raises:
        DataError: If it is no archive, or a member would leave the folder, is encrypted, or is
            larger than any that is wanted here.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (*_DAMAGED, OSError) as error:
        raise DataError(path, "it is no archive that can be opened", _FETCH_AGAIN) from error
    for member in archive.infolist():
        if reason := _objection_to(member):
            archive.close()
            raise DataError(path, f"{reason}; nothing was unpacked", _NOT_OFFICIAL)
    return archive


def _objection_to(member: zipfile.ZipInfo) -> str:
    """Say why a member is not taken, "" where it is."""
    # Backslashes and drive letters are folders on some systems.
    place = PurePosixPath(member.filename.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in member.filename:
        return f"its member {member.filename!r} points outside the folder"
    if member.flag_bits & _ENCRYPTED:
        return f"its member {member.filename!r} is encrypted"
    if member.compress_type not in _READABLE:
        return f"its member {member.filename!r} is packed in a way that cannot be read here"
    if member.file_size > _LARGEST_MEMBER_BYTES:
        return f"its member {member.filename!r} would take {member.file_size / 1e9:,.1f} GB"
    return ""


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
        # Of several members for one place the last counts.
        wanted = {
            path: member
            for member in archive.infolist()
            if (path := _place_of(member.filename, modality))
        }
        if not wanted:
            reason = "there is no speech take in it"
            raise DataError(archive_path, reason, _NOT_OFFICIAL)
        missing = [
            (member, folder / path)
            for path, member in wanted.items()
            if not _is_there(folder / path, member.file_size)
        ]
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
            _check_length(member, target.tell())

    return write


def _check_length(member: zipfile.ZipInfo, length: int) -> None:
    if length < member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} is shorter than the archive says")


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
        by_actor: dict[Path, dict[str, zipfile.ZipInfo]] = {}
        for member in archive.infolist():
            if place := _place_of(member.filename, "01"):
                by_actor.setdefault(place.parent, {})[place.name] = member
        if not by_actor:
            reason = "there is no landmark track in it"
            raise DataError(archive_path, reason, _NOT_OFFICIAL)
        folder.mkdir(parents=True, exist_ok=True)
        missing = [
            (folder / f"{actor}_landmarks.csv.xz", members)
            for actor, members in sorted(by_actor.items())
            if not list(folder.glob(f"{actor}_landmarks.csv*"))
        ]
        for path, members in tqdm(missing, desc="Joining", unit="actor", disable=None):
            _guarded(archive_path, lambda p=path, m=members: _join(archive, m.values(), p))
    return len(missing)


def _join(archive: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo], path: Path) -> None:
    names = sorted(members, key=lambda member: member.filename)
    table = pd.concat([read_track(_content(archive, m), m.filename) for m in names])
    write_atomically(path, lambda name: table.to_csv(name, index=False, compression="xz"))


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as source:
        content = source.read(member.file_size)  # without a number, all that comes is unpacked
    _check_length(member, len(content))
    return content


def read_track(content: bytes, name: str) -> pd.DataFrame:
    """Read one of OpenFace's tables in the columns of `Actor_NN_landmarks.csv`.

    Args:
        content: The CSV file, whose column names may begin with a blank.
        name: Its name, RAVDESS's with `.csv`.

    Returns:
        `fname`, `frame_ct` from 0, `pt1.x` ... `pt68.x`, `pt1.y` ... `pt68.y`.

    Raises:
        ValueError: If a column is missing or holds other than numbers.
    """
    wanted = {"frame", *(f"{axis}_{i}" for axis in "xy" for i in _POINTS)}
    track = pd.read_csv(io.BytesIO(content), usecols=lambda column: column.strip() in wanted)
    track.columns = track.columns.str.strip()
    if missing := wanted - set(track):
        raise ValueError(f"{name} lacks the columns {', '.join(sorted(missing)[:3])} ...")
    if len(track.select_dtypes("number").columns) < len(wanted):
        raise ValueError(f"{name} holds other than numbers")
    points = {f"pt{i + 1}.{axis}": track[f"{axis}_{i}"] for axis in "xy" for i in _POINTS}
    return pd.DataFrame(
        {"fname": f"{PurePosixPath(name).stem}.mp4", "frame_ct": track["frame"] - 1, **points}
    )


def _guarded(archive_path: Path, work: Callable[[], None]) -> None:
    """Run a step of unpacking; damage in the archive becomes a `DataError`."""
    try:
        work()
    except _DAMAGED as error:
        raise DataError(archive_path, f"it is damaged ({error})", _FETCH_AGAIN) from error
