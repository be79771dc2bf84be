"""Says for each corpus what is there, what is missing or damaged, and what mends it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pandas as pd

from emorec.corpora import crema_d, ravdess
from emorec.errors import CorpusMissingError
from emorec.fetch.damage import find_damaged
from emorec.fetch.sources import SOURCES, Source
from emorec.paths import data_folder as usual_folder

DOWNLOADS = ".downloads"
"""Folder, within the data folder, in which archives wait to be unpacked."""

_ARCHIVES = {".zip", ".gz", ".tar", ".tgz", ".7z", ".rar"}
_HALF = {".part", ".crdownload", ".download", ".partial"}
_PAPERS = {".md", ".txt", ".pdf", ".html"}
_SHOWN = 3


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        found: What was found.
        remedy: What mends it: a command where there is one.
    """

    found: str
    remedy: str


@dataclass
class Report:
    """What is known of one corpus.

    Attributes:
        name: The corpus.
        folder: Where it should lie.
        there: Clips that are there.
        planned: Clips of the complete corpus.
        problems: What is to be mended; empty for a complete corpus.
        notes: What is odd but harms nothing.
    """

    name: str
    folder: Path
    there: int
    planned: int
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`absent`, `complete` or `to mend`."""
        if not self.there and not self.folder.exists():
            return "absent"
        return "to mend" if self.problems else "complete"


def verify(source: Source, data_folder: Path) -> Report:
    """Look at one corpus.

    Args:
        source: One of `SOURCES`.
        data_folder: Holds the corpora.

    Returns:
        What is there, and what is not as it should be.
    """
    corpus = source.facts
    folder = Path(data_folder) / corpus.folder
    report = Report(corpus.name, folder, 0, corpus.planned_count)
    fetch = _fetch_command(source, data_folder)
    if not folder.is_dir():
        report.problems.append(Problem("the folder is missing", fetch))
        return report
    files = _files_in(folder)
    waiting = files + _files_in(folder.parent / DOWNLOADS)
    report.problems += _half_downloaded(source, waiting, folder, fetch)
    misplaced = _misplaced(source, folder)
    report.problems += [Problem(*item) for item in misplaced.items()]
    table = _load(source, folder, report)
    if table is None:
        if not report.problems:
            what = "the folder is empty" if not files else _nothing_known(source, files, folder)
            report.problems.append(Problem(what, fetch))
        return report
    report.there = len(table)
    damaged = find_damaged(map(Path, table["path"].unique()))
    if damaged:
        report.problems.append(Problem(_damage(damaged, folder), fetch))
    if missing := _missing(source, table):
        report.problems.append(Problem(missing, fetch))
    report.notes += _foreign(source, files, table, folder)
    return report


def verify_all(data_folder: Path, key: str | None = None) -> list[Report]:
    """Look at all corpora, or at those with one key."""
    return [verify(source, data_folder) for source in SOURCES if key in (None, source.key)]


def whole_takes(folder: Path, modality: str) -> set[str]:
    """List the clip ids of RAVDESS takes of one modality that are there undamaged.

    Args:
        folder: `RAVDESS` in the data folder.
        modality: First field of their names.
    """
    files = [f for f in folder.glob(f"Actor_*/{modality}-01-*") if not f.name.endswith(".part")]
    damaged = find_damaged(files)
    takes = [ravdess.parse_name(file) for file in files if file not in damaged]
    return {take["clip_id"] for take in takes if take}


def _fetch_command(source: Source, data_folder: Path) -> str:
    if Path(data_folder).resolve() == usual_folder().resolve():
        return source.command
    return f"{source.command} --to {shlex.quote(str(data_folder))}"


def _files_in(folder: Path) -> list[Path]:
    """List all files below a folder, hidden ones and hidden folders left out."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return found


def _load(source: Source, folder: Path, report: Report) -> pd.DataFrame | None:
    try:
        return source.facts.load(folder)
    except CorpusMissingError:
        return None
    except (ValueError, KeyError, EOFError, OSError) as error:
        remedy = "take the foreign or damaged file away, and fetch it again"
        report.problems.append(Problem(f"it cannot be listed ({error})", remedy))
        return None


def _half_downloaded(source: Source, files: list[Path], folder: Path, fetch: str):
    """Tell of archives that wait, and of halves of them."""
    for file in files:
        if not _may_hold(source, file, folder):
            continue
        if file.suffix.lower() in _HALF:
            yield Problem(f"half-downloaded: {file.name}", fetch)
        elif file.suffix.lower() in _ARCHIVES and not source.how:
            yield Problem(f"not unpacked: {file.name}", fetch)
        elif file.suffix.lower() == ".zip":
            unzip = f"python -m zipfile -e {shlex.quote(str(file))} {shlex.quote(str(folder))}"
            yield Problem(f"not unpacked: {file.name}", unzip)


def _may_hold(source: Source, file: Path, folder: Path) -> bool:
    """Tell whether a half or whole archive is of this corpus, by its place and its name."""
    if source.key != "ravdess":
        return folder in file.parents
    signs = {"sound": "audio_speech", "video": "video_speech", "landmarks": "facialtracking"}
    return signs[source.facts.medium] in file.name.lower()


def _misplaced(source: Source, folder: Path) -> dict[str, str]:
    """Find the corpus's files further down than they belong: what was found -> what mends it."""
    if source.layout == "*.*":
        return {}
    depth = len(PurePath(source.layout).parts)
    roots = {match.parents[depth - 1] for match in folder.rglob(source.layout)} - {folder}
    return {
        f"unpacked too deep: {root.relative_to(folder.parent)}": _move_up(root, folder)
        for root in sorted(roots)
    }


def _move_up(root: Path, folder: Path) -> str:
    """Return the command that brings what is in `root` into `folder`, over what is there."""
    source, target = shlex.quote(str(root)), shlex.quote(str(folder))
    clash = any((folder / child.name).exists() for child in root.iterdir())
    if clash:
        return f"cp -R {source}/. {target}/ && rm -R {source}"
    return f"mv {source}/* {target}/"


def _nothing_known(source: Source, files: list[Path], folder: Path) -> str:
    names = ", ".join(str(file.relative_to(folder)) for file in files[:_SHOWN])
    return f"{len(files):,} files, none of the form {source.layout} (found {names} ...)"


def _damage(damaged: dict[Path, str], folder: Path) -> str:
    shown = [
        f"{path.relative_to(folder)}: {reason}" for path, reason in list(damaged.items())[:_SHOWN]
    ]
    more = f"; and {len(damaged) - _SHOWN:,} more" if len(damaged) > _SHOWN else ""
    return f"{len(damaged):,} damaged: {'; '.join(shown)}{more}"


def _missing(source: Source, table: pd.DataFrame) -> str | None:
    """Say what the complete corpus has beyond the table, or None."""
    corpus = source.facts
    there = table["clip_id"].nunique()
    if there >= corpus.planned_count:
        return None
    text = f"{there:,} of {corpus.planned_count:,}"
    if corpus.planned is None:
        return text
    absent = sorted(set(corpus.planned()) - set(table["clip_id"]))
    shown = ", ".join(absent[:_SHOWN])
    return f"{text}; missing {shown}{' ...' if len(absent) > _SHOWN else ''}"


def _foreign(source: Source, files: list[Path], table: pd.DataFrame, folder: Path) -> list[str]:
    """Note files that belong to no part of the corpus."""
    known = set(table["path"])
    foreign = [
        file
        for file in files
        if str(file) not in known and not _is_companion(source, file) and _is_at_hand(source, file)
    ]
    if not foreign:
        return []
    names = ", ".join(str(file.relative_to(folder)) for file in foreign[:_SHOWN])
    return [f"{len(foreign):,} files are not the corpus's and are left alone: {names}"]


def _is_companion(source: Source, file: Path) -> bool:
    if file.suffix.lower() in _ARCHIVES | _HALF | _PAPERS:
        return True
    if source.key == "ravdess":
        return ravdess.parse_name(file) is not None
    return file.name in ("fer2013new.csv", crema_d.DEMOGRAPHICS)


def _is_at_hand(source: Source, file: Path) -> bool:
    """A clone of CREMA-D brings much that nobody reads; only its sound folder is looked into."""
    return source.key != "crema-d" or file.parent.name == "AudioWAV"
