"""How tables look in notebooks: whole counts, percentages with one digit, no missing numbers."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["MISSING", "Shown", "listed", "scores_shown", "shown"]

MISSING = "–"
"""What stands where nothing was measured."""

_SCORES = {
    "accuracy": "accuracy (%)",
    "unweighted_average_recall": "unweighted average recall (%)",
    "top3_accuracy": "truth among the first three (%)",
    "macro_f1": "macro F1 (%)",
    "expected_calibration_error": "calibration error (points)",
}


@dataclass(frozen=True)
class Shown:
    """A table of texts that shows itself, every row of it.

    Attributes:
        cells: Texts; index and columns are as they are shown.
        has_index: Whether the rows have names.
    """

    cells: pd.DataFrame
    has_index: bool = True

    @property
    def T(self) -> Shown:  # noqa: N802 - as pandas has it
        """Rows for columns."""
        return Shown(self.cells.T)

    def _repr_html_(self) -> str:
        return self.cells.to_html(index=self.has_index, border=0)

    def __repr__(self) -> str:
        return self.cells.to_string(index=self.has_index)


def shown(table: pd.DataFrame, digits: int = 1) -> Shown:
    """Write a table's numbers as a reader wants them.

    Columns of whole numbers get separators of thousands and no digits; what is missing is a dash,
    what is true or false is yes or no, and underscores of heads are blanks.

    Args:
        table: Numbers and texts; a plain range as its index is not shown.
        digits: Behind the point, for columns that are not whole.

    Example:
        >>> shown(pd.DataFrame({"n_clips": [1440, None], "right (%)": [52.04, 50]}))
        n clips right (%)
          1,440      52.0
              –      50.0
    """
    # Column by column: heads may occur twice.
    columns = [_written(table.iloc[:, place], digits) for place in range(table.shape[1])]
    cells = pd.DataFrame(dict(enumerate(columns)), index=table.index)
    cells.columns = _without_underscores(table.columns)
    cells.index.names = [None if name is None else _spaced(name) for name in cells.index.names]
    return Shown(cells, not isinstance(table.index, pd.RangeIndex))


def _written(column: pd.Series, digits: int) -> list[str]:
    is_number = [
        isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
        for value in column
    ]
    found = [value for value, is_one in zip(column, is_number, strict=True) if is_one]
    is_whole = all(float(value).is_integer() for value in found if np.isfinite(value))
    return [_cell(value, 0 if is_whole else digits) for value in column]


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, str | Sequence):
        return str(value)
    return MISSING if pd.isna(value) else f"{value:,.{digits}f}"


def _without_underscores(columns: pd.Index) -> pd.Index:
    if isinstance(columns, pd.MultiIndex):
        names = [None if name is None else _spaced(name) for name in columns.names]
        heads = [tuple(_spaced(part) for part in head) for head in columns]
        return pd.MultiIndex.from_tuples(heads, names=names)
    name = None if columns.name is None else _spaced(columns.name)
    return pd.Index([_spaced(head) for head in columns], name=name)


def _spaced(head: Any) -> str:
    return str(head).replace("_", " ")


def scores_shown(
    scores: Mapping[str, float], intervals: Mapping[str, Sequence[float]] | None = None
) -> Shown:
    """Show scores in percent, each with its 95 % interval.

    Args:
        scores: As `evaluation.scores` gives them, shares of one.
        intervals: As `evaluation.intervals` gives them; None where there are none.
    """
    rows = {}
    for key, name in _SCORES.items():
        if key in scores:
            low, high = (intervals or {}).get(key, (np.nan, np.nan))
            rows[name] = {"value": 100 * scores[key], "from": 100 * low, "to": 100 * high}
    return shown(pd.DataFrame(rows).T)


def listed(counts: Mapping[str, Any]) -> str:
    """Return names and their counts as a line of text.

    Example:
        >>> listed({"RAVDESS": 4, "JavaSED": 5112})
        'RAVDESS 4, JavaSED 5,112'
    """
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, numbers.Number) else f"{name} {value}"
        for name, value in counts.items()
    )
