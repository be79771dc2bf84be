"""``emorec data``: fetch a corpus, say where it is got, or verify what is there."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.cli import common
from emorec.corpora import registry
from emorec.errors import DataError, EmorecError, require
from emorec.paths import data_folder

if TYPE_CHECKING:
    from emorec.fetch.verify import Report

EXAMPLES = """examples:
  emorec data --verify                        what is there, what is missing, what mends it
  emorec data ravdess                         the speech sound of RAVDESS (215 MB)
  emorec data ravdess --part video --actors 1-4,21
  emorec data ravdess --part landmarks --to /data/emotion
  emorec data crema-d                         where to get it, and where to put it

Archives come from Zenodo, are checked against the record's MD5 and unpacked into RAVDESS's
layout; a cut transfer goes on where it stopped. Only speech is unpacked, and of the clips those
with sound (01-01-...). EMOREC_DATA names another folder for all corpora, EMOREC_ZENODO_URL a
mirror of Zenodo.

exit status:
  0  all is there
  1  something is missing or damaged, or could not be fetched
  2  wrong usage
"""

_PARTS = ("sound", "video", "landmarks")


def add_to(commands) -> None:
    """Add the command and its arguments."""
    data = common.add_command(
        commands,
        "data",
        help="fetch corpora, or verify those that are there",
        description="Fetches the official files of a corpus, or says where it is got.",
        examples=EXAMPLES,
    )
    add = data.add_argument
    names = registry.keys()
    add("name", nargs="?", choices=names, metavar="NAME", help=", ".join(names))
    add("--part", action="append", choices=_PARTS, help="part of RAVDESS, repeatable (sound)")
    add("--actors", type=_actors, metavar="N", help="whose video: 5, or 1-4,21 (all)")
    add(
        "--to",
        type=common.path,
        metavar="FOLDER",
        help="where corpora lie (EMOREC_DATA, or Datasets)",
    )
    add("--verify", action="store_true", help="say what is there, missing or damaged")
    data.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what ``emorec data`` was asked for; see its ``--help``."""
    from emorec.fetch.verify import verify_all

    folder = Path(options.to or data_folder())
    try:
        if options.verify:
            return _print_reports(verify_all(folder, options.name))
        if options.name is None:
            names = ", ".join(registry.keys())
            common.say(f"name a corpus ({names}), or give --verify; see: emorec data --help")
            return common.EXIT_WRONG_USAGE
        if options.name != "ravdess":
            return _tell_how(options.name, folder)
        return _fetch_ravdess(options, folder)
    except DataError as error:
        common.say(error)
        return common.EXIT_NOT_ALL
    except EmorecError as error:
        return common.refuse(error)
    except KeyboardInterrupt:
        common.say("interrupted: what was finished is kept, and the same command goes on")
        return common.EXIT_INTERRUPTED


def _fetch_ravdess(options: argparse.Namespace, folder: Path) -> int:
    require("train", "pooch", "requests", "tqdm")
    from emorec.fetch.ravdess import fetch_ravdess
    from emorec.fetch.zenodo import disk_error

    try:
        for part in options.part or ["sound"]:
            fetch_ravdess(part, folder, options.actors, say=common.say)
    except OSError as error:
        raise disk_error(error, folder) from error
    return common.EXIT_OK


def _actors(text: str) -> tuple[int, ...]:
    wrong = argparse.ArgumentTypeError("must be numbers from 1 to 24, as in 1-4,21")
    actors: set[int] = set()
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise wrong
        if not 1 <= int(first) <= int(last or first) <= 24:
            raise wrong
        actors.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(actors))


def _tell_how(key: str, data: Path) -> int:
    """Print where a corpus is got that cannot be fetched here."""
    from emorec.fetch.verify import verify_all

    corpus = next(corpus for corpus in registry.corpora() if corpus.key == key)
    report = verify_all(data, key)[0]
    if report.state == "complete":
        print(f"{corpus.name} is there, whole, in {report.folder}")
        return common.EXIT_OK
    print("\n".join(corpus.how).format(folder=report.folder))
    return _print_reports([report])


def _print_reports(reports: list[Report]) -> int:
    """Print what was found of each corpus, and the commands that mend it.

    Returns:
        0 when every corpus that is there is complete, and one is; else 1.
    """
    for report in reports:
        print(f"{report.name}: {report.state}, {report.there:,} of {report.planned:,} clips")
        where = "looked for in" if report.state == "absent" else "in"
        print(f"    {where} {report.folder}")
        for problem in report.problems:
            print(f"    found: {problem.found}")
            print(f"    mend:  {problem.remedy}")
        for note in report.notes:
            print(f"    note:  {note}")
    states = [report.state for report in reports]
    is_whole = "complete" in states and "to mend" not in states
    return common.EXIT_OK if is_whole else common.EXIT_NOT_ALL
