"""`emorec data`: fetch a corpus, say where it is got, or verify what is there."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from emorec.corpora import ravdess, registry
from emorec.errors import DataError
from emorec.fetch.unpack import unpack_landmarks, unpack_takes
from emorec.fetch.verify import DOWNLOADS, Report, verify_all, whole_clips
from emorec.fetch.zenodo import ZENODO_URL, disk_error, fetch, read_record
from emorec.paths import data_folder

EXIT_OK, EXIT_NOT_WHOLE, EXIT_WRONG_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

_MODALITIES = {"sound": "03", "video": "01"}


def run(options: argparse.Namespace) -> int:
    """Do what `emorec data` was asked for.

    Args:
        options: `name` (a key or None), `verify`, `part` (list or None), `actors` (tuple or
            None), `to` (folder or None).

    Returns:
        The exit status: 0 all is there, 1 something is missing or damaged or was not fetched,
        2 wrong usage, 130 interrupted.
    """
    folder = Path(options.to or data_folder())
    try:
        if options.verify:
            return print_reports(verify_all(folder, options.name))
        if options.name is None:
            names = ", ".join(registry.keys())
            _say(f"name a corpus ({names}), or give --verify; see: emorec data --help")
            return EXIT_WRONG_USAGE
        if options.name != "ravdess":
            return _tell_how(options.name, folder)
        parts = options.part or ["sound"]
        for part in parts:
            fetch_ravdess(part, folder, options.actors)
    except DataError as error:
        _say(str(error))
        return EXIT_NOT_WHOLE
    except OSError as error:
        _say(str(disk_error(error, folder)))
        return EXIT_NOT_WHOLE
    except KeyboardInterrupt:
        _say("interrupted: what was finished is kept, and the same command goes on")
        return EXIT_INTERRUPTED
    return EXIT_OK


def fetch_ravdess(
    part: str, folder: Path, actors: tuple[int, ...] | None = None, retries: int = 3
) -> None:
    """Fetch and unpack one part of RAVDESS; archive by archive, what is there is left alone.

    Args:
        part: "sound", "video" or "landmarks".
        folder: The data folder.
        actors: For the video, whose clips; by default all 24.
        retries: How often a cut or damaged transfer is tried again.

    Raises:
        DataError: If something cannot be fetched or unpacked; finished archives stay unpacked.
    """
    downloads = folder / DOWNLOADS
    server = os.environ.get("EMOREC_ZENODO_URL") or ZENODO_URL
    for record, name in ravdess.archives(part, actors or tuple(range(1, 25))):
        if _is_unpacked(part, name, folder):
            _say(f"{name}: its files are there already")
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
        _say(f"{name}: fetched, checked and unpacked")


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


def _tell_how(key: str, data: Path) -> int:
    """Print where a corpus is got that cannot be fetched here."""
    corpus = next(corpus for corpus in registry.corpora() if corpus.key == key)
    report = verify_all(data, key)[0]
    if report.state == "complete":
        print(f"{corpus.name} is there, whole, in {report.folder}")
        return EXIT_OK
    print("\n".join(corpus.how).format(folder=report.folder))
    return print_reports([report])


def print_reports(reports: list[Report]) -> int:
    """Print what was found of each corpus, and the commands that mend it.

    Returns:
        0 when every corpus that is there is complete, and one is; else 1.
    """
    for report in reports:
        print(f"{report.name}: {report.state}, {report.there:,} of {report.planned:,} clips")
        if report.state != "absent":
            print(f"    in {report.folder}")
        for problem in report.problems:
            print(f"    found: {problem.found}")
            print(f"    mend:  {problem.remedy}")
        for note in report.notes:
            print(f"    note:  {note}")
    states = [report.state for report in reports]
    return EXIT_OK if "complete" in states and "to mend" not in states else EXIT_NOT_WHOLE


def _say(text: str) -> None:
    print(f"emorec: {text}", file=sys.stderr)
