"""The notebooks' table of contents, from what each notebook says of itself.

A notebook's metadata hold an entry `emorec`: its title, the question that it answers, what it
needs and shows, how many minutes it takes, and the folders of `Models/` that it fills. A new
notebook is one file; `make results` puts it into the tables.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from emorec.evaluation.evidence import ResultsError

__all__ = ["Notebook", "count_in_words", "notebook_table", "read_notebooks"]

# fmt: off
_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)
# fmt: on


@dataclass(frozen=True)
class Notebook:
    """What a notebook says of itself.

    Attributes:
        path: The file; its name begins with a number of two digits.
        title: Of its first heading, without the number.
        question: What it asks, in an indirect clause.
        needs: Corpora and packages.
        shows: What is to be seen.
        minutes: How long a whole run takes, in words.
        models: Folders of `Models/` that it fills or explains.
    """

    path: Path
    title: str
    question: str
    needs: str
    shows: str
    minutes: str
    models: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """Its place in the order, in two digits."""
        return self.path.stem[:2]

    @property
    def heading(self) -> str:
        """The first line of the notebook."""
        return f"# {self.number} · {self.title}"


def read_notebook(path: Path) -> Notebook:
    """Read what a notebook says of itself.

    Raises:
        ResultsError: If an entry is missing or unknown.
    """
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("emorec", {})
    facts = metadata | {"models": tuple(metadata.get("models", ()))}
    try:
        return Notebook(path, **facts)
    except TypeError as error:
        raise ResultsError(
            path,
            f"its metadata do not describe it ({error})",
            "give them an entry `emorec` with title, question, needs, shows, minutes and models, "
            "as its neighbours do",
        ) from error


def read_notebooks(folder: Path) -> list[Notebook]:
    """Read all notebooks of a folder, in order."""
    return [read_notebook(path) for path in sorted(folder.glob("*.ipynb"))]


def notebook_table(notebooks: list[Notebook]) -> str:
    """Return one row per notebook, in Markdown."""
    lines = ["| notebook | question | needs | shows | minutes |", "|---|---|---|---|---|"]
    for notebook in notebooks:
        link = f"[`{notebook.path.stem}`]({notebook.path.name})"
        cells = (link, notebook.question, notebook.needs, notebook.shows, notebook.minutes)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def count_in_words(count: int) -> str:
    """Return a number as running text has it.

    Example:
        >>> count_in_words(20), count_in_words(21)
        ('twenty', '21')
    """
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)
