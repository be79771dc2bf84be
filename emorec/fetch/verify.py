"""Says for each corpus what is there, what is missing or damaged, and what mends it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pandas as pd

from emorec.corpora.corpus import Corpus
from emorec.corpora.registry import corpora
from emorec.errors import CorpusMissingError
from emorec.fetch.damage import find_damaged
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


def verify(corpus: Corpus, data_folder: Path) -> Report:
    """Look at one corpus.

    Args:
        corpus: One of `registry.corpora()`.
        data_folder: Holds the corpora.

    Returns:
        What is there, and what is not as it should be.
    """
    folder = Path(data_folder) / corpus.folder
    report = Report(corpus.name, folder, 0, corpus.planned_count)
    fetch = _fetch_command(corpus, data_folder)
    if not folder.is_dir():
        report.problems.append(Problem("the folder is missing", fetch))
        return report
    files = _files_in(folder)
    waiting = files + _files_in(folder.parent / DOWNLOADS)
    report.problems += _half_downloaded(corpus, waiting, folder, fetch)
    misplaced = _misplaced(corpus, folder)
    report.problems += [Problem(*item) for item in misplaced.items()]
    table = _load(corpus, folder, report)
    if table is None:
        if not report.problems:
            what = "the folder is empty" if not files else _nothing_known(corpus, files, folder)
            report.problems.append(Problem(what, fetch))
        return report
    report.there = len(table)
    damaged = find_damaged(map(Path, table["path"].unique()))
    if damaged:
        report.problems.append(Problem(_damage(damaged, folder), fetch))
    if missing := _missing(corpus, table):
        report.problems.append(Problem(missing, fetch))
    report.notes += _foreign(corpus, files, table, folder)
    return report


def verify_all(data_folder: Path, key: str | None = None) -> list[Report]:
    """Look at all corpora, or at those with one key."""
    return [verify(corpus, data_folder) for corpus in corpora() if key in (None, corpus.key)]


def whole_clips(corpus: Corpus, data_folder: Path) -> set[str]:
    """List the ids of a corpus's clips that are there undamaged."""
    try:
        table = corpus.load(Path(data_folder) / corpus.folder)
    except CorpusMissingError:
        return set()
    damaged = find_damaged(map(Path, table["path"].unique()))
    return set(table.loc[~table["path"].isin(set(map(str, damaged))), "clip_id"])


def _fetch_command(corpus: Corpus, data_folder: Path) -> str:
    if Path(data_folder).resolve() == usual_folder().resolve():
        return corpus.command
    return f"{corpus.command} --to {shlex.quote(str(data_folder))}"


def _files_in(folder: Path) -> list[Path]:
    """List all files below a folder, hidden ones and hidden folders left out."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(parent, name) for name in sorted(names) if not name.startswith(".")]
    return found


def _load(corpus: Corpus, folder: Path, report: Report) -> pd.DataFrame | None:
    try:
        return corpus.load(folder)
    except CorpusMissingError:
        return None
    except (ValueError, KeyError, EOFError, OSError) as error:
        remedy = "take the foreign or damaged file away, and fetch it again"
        report.problems.append(Problem(f"it cannot be listed ({error})", remedy))
        return None


def _half_downloaded(corpus: Corpus, files: list[Path], folder: Path, fetch: str):
    """Tell of archives that wait, and of halves of them."""
    for file in files:
        if not _may_hold(corpus, file, folder):
            continue
        if file.suffix.lower() in _HALF:
            yield Problem(f"half-downloaded: {file.name}", fetch)
        elif file.suffix.lower() in _ARCHIVES and not corpus.how:
            yield Problem(f"not unpacked: {file.name}", fetch)
        elif file.suffix.lower() == ".zip":
            unzip = f"python -m zipfile -e {shlex.quote(str(file))} {shlex.quote(str(folder))}"
            yield Problem(f"not unpacked: {file.name}", unzip)


def _may_hold(corpus: Corpus, file: Path, folder: Path) -> bool:
    """Tell whether a half or whole archive is of this corpus, by its place and its name."""
    if corpus.archive_sign:
        return corpus.archive_sign in file.name.lower()
    return folder in file.parents


def _misplaced(corpus: Corpus, folder: Path) -> dict[str, str]:
    """Find the corpus's files further down than they belong: what was found -> what mends it."""
    if corpus.layout.startswith("**/"):
        return {}
    depth = len(PurePath(corpus.layout).parts)
    roots = {match.parents[depth - 1] for match in folder.rglob(corpus.layout)} - {folder}
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


def _nothing_known(corpus: Corpus, files: list[Path], folder: Path) -> str:
    names = ", ".join(str(file.relative_to(folder)) for file in files[:_SHOWN])
    return f"{len(files):,} files, none of the form {corpus.layout} (found {names} ...)"


def _damage(damaged: dict[Path, str], folder: Path) -> str:
    shown = [
        f"{path.relative_to(folder)}: {reason}" for path, reason in list(damaged.items())[:_SHOWN]
    ]
    more = f"; and {len(damaged) - _SHOWN:,} more" if len(damaged) > _SHOWN else ""
    return f"{len(damaged):,} damaged: {'; '.join(shown)}{more}"


def _missing(corpus: Corpus, table: pd.DataFrame) -> str | None:
    """Say what the complete corpus has beyond the table, or None."""
    there = table["clip_id"].nunique()
    if there >= corpus.planned_count:
        return None
    text = f"{there:,} of {corpus.planned_count:,}"
    if corpus.planned is None:
        return text
    absent = sorted(set(corpus.planned()) - set(table["clip_id"]))
    shown = ", ".join(absent[:_SHOWN])
    return f"{text}; missing {shown}{' ...' if len(absent) > _SHOWN else ''}"


def _foreign(corpus: Corpus, files: list[Path], table: pd.DataFrame, folder: Path) -> list[str]:
    """Note files that belong to no part of the corpus."""
    known = set(table["path"])
    below = folder / corpus.only_below
    foreign = [
        file
        for file in files
        if str(file) not in known and below in file.parents and not _is_companion(corpus, file)
    ]
    if not foreign:
        return []
    names = ", ".join(str(file.relative_to(folder)) for file in foreign[:_SHOWN])
    return [f"{len(foreign):,} files are not the corpus's and are left alone: {names}"]


def _is_companion(corpus: Corpus, file: Path) -> bool:
    """Tell whether a file is no clip of this part and yet in its place."""
    if file.suffix.lower() in _ARCHIVES | _HALF | _PAPERS:
        return True
    companions = {Path(companion.file).name for companion in corpus.companions}
    return file.name in companions or corpus.facts_of(file) is not None
