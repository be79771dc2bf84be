"""The tables of corpora in `Datasets/README.md` and `LICENSE.md`, from what the corpora say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from emorec.corpora.corpus import Corpus
from emorec.corpora.registry import corpora
from emorec.evaluation.evidence import ResultsError
from emorec.files import write_atomically


def folders_table(parts: Sequence[Corpus]) -> str:
    """Say of each part, and of each file beside it, where it lies and what it holds."""
    rows = []
    for part in parts:
        place = f"`{part.folder}/{part.example}`"
        rows.append((part.name, place, part.holds, f"{part.planned_count:,}", f"`{part.command}`"))
        rows += [("", f"`{file.file}`", file.holds, "", "") for file in part.companions]
    return _table(("corpus", "lies in", "what it holds", "clips", "to get it"), rows)


def origins_table(parts: Sequence[Corpus]) -> str:
    """Say of each corpus from whom it comes, and on what terms."""
    rows = [
        (_named(names, citation), source, terms) for names, citation, source, terms in _of(parts)
    ]
    return _table(("corpus", "from whom", "terms"), rows)


def terms_table(parts: Sequence[Corpus]) -> str:
    """Say of each corpus on what terms it is given out."""
    return _table(
        ("corpus", "terms"),
        [(_named(names, citation), terms) for names, citation, _, terms in _of(parts)],
    )


def _of(parts: Sequence[Corpus]) -> list[tuple[list[str], str, str, str]]:
    """List names, citation, source and terms; parts that have these in common stand together."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for part in parts:
        for item in (part, *(file for file in part.companions if file.terms)):
            source = f"[{item.source}]({item.url})" if item.url else item.source
            names.setdefault((item.citation, source, item.terms), []).append(item.name)
    return [(found, *facts) for facts, found in names.items()]


def _named(names: Sequence[str], citation: str) -> str:
    return ", ".join(names) + (f" ({citation})" if citation else "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(line)} |" for line in (heads, *rows)]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def between_marks(text: str, name: str, content: str) -> str:
    """Put content between the marks `<!-- name:begin -->` and `<!-- name:end -->` of a text.

    Raises:
        ResultsError: If the text has not one pair of marks.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ResultsError(name, "no place for it", f"put {begin} and below it {end}, once")
    before, rest = text.split(begin)
    notice = "<!-- Made by `make results` from emorec/corpora; edits in between are lost. -->"
    return f"{before}{begin}\n{notice}\n\n{content}\n\n{end}{rest.split(end)[1]}"


def rebuild_corpora(root: Path) -> None:
    """Write the tables of corpora anew where they differ.

    Args:
        root: Holds `Datasets/README.md` and `LICENSE.md`.

    Raises:
        ResultsError: If a file has not its pair of marks.
    """
    tables = {
        "Datasets/README.md": {"corpora": folders_table, "origins": origins_table},
        "LICENSE.md": {"corpora": terms_table},
    }
    for name, makers in tables.items():
        file = root / name
        old = new = file.read_text(encoding="utf-8")
        for mark, make in makers.items():
            new = between_marks(new, mark, make(corpora()))
        if new != old:
            write_atomically(file, lambda path, text=new: Path(path).write_text(text, "utf-8"))
