"""Fetches RAVDESS: its archives, checked and unpacked into its layout."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from emorec.corpora import ravdess
from emorec.errors import DataError
from emorec.fetch.unpack import unpack_landmarks, unpack_takes
from emorec.fetch.verify import DOWNLOADS, whole_clips
from emorec.fetch.zenodo import ZENODO_URL, fetch, read_record

__all__ = ["fetch_ravdess"]

_MODALITIES = {"sound": "03", "video": "01"}


def fetch_ravdess(
    part: str,
    folder: Path,
    actors: tuple[int, ...] | None = None,
    retries: int = 3,
    say: Callable[[str], None] = print,
) -> None:
    """Fetch and unpack one part of RAVDESS; archive by archive, what is there is left alone.

    Args:
        part: "sound", "video" or "landmarks".
        folder: The data folder.
        actors: For the video, whose clips; by default all 24.
        retries: How often a cut or damaged transfer is tried again.
        say: Is told of each archive what became of it.

    Raises:
        DataError: If something cannot be fetched or unpacked; finished archives stay unpacked.
    """
    downloads = folder / DOWNLOADS
    server = os.environ.get("EMOREC_ZENODO_URL") or ZENODO_URL
    for record, name in ravdess.archives(part, actors or tuple(range(1, 25))):
        if _is_unpacked(part, name, folder):
            say(f"{name}: its files are there already")
            continue
        files = {file.name: file for file in read_record(record, downloads, server)}
        if name not in files:
            reason = f"the record {record} does not hold it"
            raise DataError(name, reason, f"look at {server}/records/{record}")
        archive = fetch(files[name], downloads, retries)
        if part == "landmarks":
            unpack_landmarks(archive, folder / "RAVDESS_landmarks")
        else:
            unpack_takes(archive, folder / "RAVDESS", _MODALITIES[part])
        archive.unlink()
        say(f"{name}: fetched, checked and unpacked")


def _is_unpacked(part: str, archive: str, folder: Path) -> bool:
    """Tell whether all that an archive holds is there, undamaged."""
    if part == "landmarks":
        files = list((folder / "RAVDESS_landmarks").glob("Actor_*_landmarks.csv*"))
        return len(files) == 24
    planned = set(ravdess.planned_clip_ids())
    if part == "video":
        actor = archive.removesuffix(".zip")[-2:]
        planned = {clip_id for clip_id in planned if clip_id.endswith(f"-{actor}")}
    corpus = next(corpus for corpus in ravdess.PARTS if corpus.part == part)
    return planned <= whole_clips(corpus, folder)
