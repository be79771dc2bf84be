"""What the module of a corpus says about it, so that a new corpus is one new file.

Each module beside this one that holds a corpus has a `CORPUS`; `emorec.corpora.registry` finds it
by itself. These modules import no pandas before a table is asked for: the command line lists
their names, and every result asks them what a file name tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emorec.emotions import COMMON7
from emorec.errors import CorpusMissingError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SOUND_SUFFIXES = frozenset({".wav", ".flac", ".opus", ".mp3", ".m4a"})
"""Suffixes of the official files and of compressed copies under the same names."""

MEDIA = ("sound", "audio-visual", "landmarks", "pictures")
"""What a corpus can consist of, in the order of the tables."""

Medium = Literal["sound", "audio-visual", "landmarks", "pictures"]


@dataclass(frozen=True, kw_only=True)
class Companion:
    """A file that belongs to a corpus and is none of its clips.

    Attributes:
        file: Its place in the data folder, or in the corpus's folder with `{folder}`.
        holds: What is in it.
        name: What to call it where its terms are told; empty if they are the corpus's own.
        citation: Who made it.
        source: From whom it comes.
        url: The official page; empty if there is none.
        terms: On what terms.
    """

    file: str
    holds: str
    name: str = ""
    citation: str = ""
    source: str = ""
    url: str = ""
    terms: str = ""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One corpus, or one part of it: what it holds, where it is got, and how it is laid out.

    Attributes:
        key: What `emorec data` calls it: the name of its module, with hyphens.
        name: Its name in tables.
        folder: Where it lies in the data folder.
        medium: What its clips are.
        load: Lists its clips, given its folder.
        classes: Its emotions, sorted.
        planned_count: Number of clips of the complete corpus.
        planned: Lists the clip ids of the complete corpus; None where only their number is known.
        parse_name: Reads what a file name says, `emotion` among it; None for a foreign name, a
            ValueError for an unknown code in one of its own. None where names tell nothing.
        layout: Pattern, within its folder, of the files that belong to it; one that begins with
            `**/` is found at any depth.
        example: One such file.
        holds: What it holds, in words.
        citation: Who made it, and when; empty if nothing is published.
        source: From whom it comes.
        url: The official page; empty if there is none.
        terms: On what terms.
        part: Of a corpus that is fetched in parts, which one.
        how: How it is got, in lines where `{folder}` is its folder; empty if `emorec data`
            fetches it.
        archive_sign: What the names of its archives contain, where several parts share a folder.
        only_below: Folder outside of which foreign files are not told of.
        companions: Further files that belong to it.
        is_name_telling: Whether a file of any origin that bears such a name is taken for its clip.
        speaker_field: Which field of a planned clip id names the speaker.
    """

    key: str
    name: str
    folder: str
    medium: Medium
    load: Callable[[Path], pd.DataFrame]
    classes: tuple[str, ...]
    planned_count: int
    layout: str
    example: str
    holds: str
    citation: str
    source: str
    terms: str
    url: str = ""
    planned: Callable[[], list[str]] | None = None
    parse_name: Callable[[str | Path], dict | None] | None = None
    part: str = ""
    how: tuple[str, ...] = ()
    archive_sign: str = ""
    only_below: str = ""
    companions: tuple[Companion, ...] = ()
    is_name_telling: bool = False
    speaker_field: int = 0

    @property
    def command(self) -> str:
        """The command that fetches it, or tells how it is got."""
        return f"emorec data {self.key}" + (f" --part {self.part}" if self.part else "")

    @property
    def is_played(self) -> bool:
        """Whether its clips have sound to be measured."""
        return self.medium in ("sound", "audio-visual")

    def speaker_code(self, clip_id: str) -> str:
        """Return what a planned clip id says of its speaker.

        Example:
            >>> from emorec.corpora import ravdess
            >>> ravdess.CORPUS.speaker_code("01-03-01-01-02-01-12")
            '12'
        """
        return re.split("[-_]", clip_id)[self.speaker_field]

    def facts_of(self, path: str | Path) -> dict | None:
        """Return what a file name says, or None if it says nothing in this corpus."""
        try:
            return self.parse_name(path) if self.parse_name else None
        except ValueError:
            return None


def sound_files(folder: Path, pattern: str) -> list[Path]:
    """List the sound files of a pattern, sorted by name."""
    files = [f for f in folder.glob(pattern) if f.suffix.lower() in SOUND_SUFFIXES]
    return sorted(files, key=lambda file: (file.name, file))


def read_labels(name: str, folder: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """List the pictures of a corpus that keeps what they show in `labels.csv`.

    Args:
        name: The corpus, for messages.
        folder: Holds `faces/` and `labels.csv` with `file`, `emotion` (one of COMMON7, or
            nothing) and `columns`.
        columns: Further columns that it must have.

    Returns:
        One row for each picture that is there, in the order of the table, all of its columns as
        text, and path, clip_id; emotion is None where there is nothing.

    Raises:
        CorpusMissingError: If the table or every picture is missing.
        ValueError: If a column is missing or an emotion unknown.
    """
    import pandas as pd

    file = folder / "labels.csv"
    if not file.is_file():
        raise CorpusMissingError(name, file)
    table = pd.read_csv(file, dtype=str)
    if missing := {"file", "emotion", *columns} - set(table):
        raise ValueError(f"{file} lacks the column {', '.join(sorted(missing))}")
    table["emotion"] = table["emotion"].astype(object).where(table["emotion"].notna(), None)
    if unknown := set(table["emotion"].dropna()) - set(COMMON7):
        raise ValueError(f"{file}: unknown emotion {min(unknown)!r}; is it from {name}?")
    table["path"] = [str(folder / "faces" / file) for file in table["file"]]
    table["clip_id"] = [Path(file).stem for file in table["file"]]
    table = table[[Path(path).is_file() for path in table["path"]]].reset_index(drop=True)
    if table.empty:
        raise CorpusMissingError(name, folder / "faces")
    return table


def read_pictures(paths: Iterable[str], shape_px: tuple[int, int]) -> np.ndarray:
    """Read pictures of one height and width, uint8 (n, height, width), grey.

    Raises:
        ValueError: If one cannot be read or has another size.
    """
    import cv2
    import numpy as np

    paths = list(paths)
    pictures = [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in paths]
    for path, picture in zip(paths, pictures, strict=True):
        if picture is None or picture.shape != shape_px:
            raise ValueError(
                f"{path}: no picture of {shape_px[1]}x{shape_px[0]}. "
                "Remedy: copy it from the corpus again."
            )
    return np.stack(pictures)
