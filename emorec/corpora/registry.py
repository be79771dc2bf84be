"""Every corpus as rows of one tidy table; the corpora are found by themselves.

A corpus is a module of this folder with a `CORPUS`, and `PARTS` where it is fetched in parts.
File names are read by each corpus's own module; this one brings their tables together.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.corpora.corpus import MEDIA, Corpus
from emorec.emotions import COMMON7, nearest
from emorec.errors import CorpusMissingError
from emorec.paths import data_folder

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "path",
    "clip_id",
    "corpus",
    "emotion",
    "speaker",
    "gender",
    "intensity",
    "statement",
    "duration_s",
    "channels",
    "sample_rate_hz",
    "status",
)
"""Columns of the tidy table; what a corpus does not tell is missing in its rows."""

_NO_CORPORA = {"corpus", "registry", "merged", "frame_sets", "frame_clip"}


def _modules() -> list[str]:
    """List the modules that hold a corpus each, without importing one."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in found if module.name not in _NO_CORPORA)


def keys() -> tuple[str, ...]:
    """List what `emorec data` calls the corpora; no corpus is imported for it.

    Example:
        >>> "crema-d" in keys()
        True
    """
    return tuple(name.replace("_", "-") for name in _modules())


@cache
def corpora() -> tuple[Corpus, ...]:
    """List all corpora and their parts, by medium and by name."""
    modules = [import_module(f"emorec.corpora.{name}") for name in _modules()]
    parts = [part for module in modules for part in getattr(module, "PARTS", (module.CORPUS,))]
    return tuple(sorted(parts, key=lambda part: (MEDIA.index(part.medium), part.name.lower())))


def truth_of(path: str | Path) -> str | None:
    """Return the acted emotion that a clip's name tells, where the name can be no other's.

    Args:
        path: A file, in any folder; it need not exist.

    Returns:
        One of COMMON7 (RAVDESS's calm is neutral), or None where the name tells none of them.

    Example:
        >>> truth_of("03-01-02-01-01-01-12.wav"), truth_of("holiday.mp4")
        ('neutral', None)
    """
    # Names like JavaSED's 01-02-03_04 are also dates, and say nothing outside the corpus.
    facts = (corpus.facts_of(path) for corpus in corpora() if corpus.is_name_telling)
    emotion = next((found["emotion"] for found in facts if found), None)
    return nearest(emotion, COMMON7) if emotion else None


def list_corpus(corpus: Corpus, folder: Path | None = None) -> pd.DataFrame:
    """List the clips of one corpus without opening their sound.

    Args:
        corpus: One of `corpora()`.
        folder: The data folder; by default where the corpora lie.

    Returns:
        Rows with `COLUMNS`, and `split` and `digest` where pictures are repeated in a corpus.
        `status` is "listed".

    Raises:
        CorpusMissingError: If it has no clip there.
    """
    table = corpus.load(Path(folder or data_folder()) / corpus.folder)
    table = table.rename(columns={"sentence": "statement"})
    table["corpus"] = corpus.name
    table["status"] = "listed"
    extra = [name for name in ("split", "digest") if name in table]
    return table.reindex(columns=[*COLUMNS, *extra])


def list_corpora(
    folder: Path | None = None, wanted: Iterable[Corpus] | None = None
) -> pd.DataFrame:
    """List the clips of all corpora that are there; see `list_corpus`.

    Args:
        folder: The data folder; by default where the corpora lie.
        wanted: Which ones; by default all of `corpora()`.

    Raises:
        CorpusMissingError: If none is there.
    """
    import pandas as pd

    tables = []
    for corpus in corpora() if wanted is None else wanted:
        try:
            tables.append(list_corpus(corpus, folder))
        except CorpusMissingError:
            continue
    if not tables:
        raise CorpusMissingError("no corpus: anything", Path(folder or data_folder()))
    # Object columns, so that a corpus without genders or rates changes no other's type.
    return pd.concat([table.astype(object) for table in tables], ignore_index=True)
