"""Text for the cells of a CSV file, which a spreadsheet takes for nothing but text."""

from __future__ import annotations

import unicodedata
from pathlib import Path

__all__ = ["cell"]

_FORMULA = ("=", "+", "-", "@")
# Control characters, halves of characters, and what breaks lines.
_ESCAPED = {"Cc", "Cs", "Zl", "Zp"}
# What turns the direction of writing, so that a name reads as another.
_TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def cell(text: str | Path) -> str:
    r"""Return a text as a cell: control characters escaped, and no formula.

    >>> cell("=1+1.mp4"), cell("two\nlines.mp4"), cell("a=b.mp4")
    ("'=1+1.mp4", 'two\\nlines.mp4', 'a=b.mp4')
    >>> cell("a\u202e4pm.exe")
    'a\\u202e4pm.exe'
    """
    escaped = "".join(
        c.encode("unicode_escape").decode()
        if unicodedata.category(c) in _ESCAPED or c in _TURNING
        else c
        for c in str(text)
    )
    # Full-width signs are taken for formulas too, and so are those behind blanks.
    first = unicodedata.normalize("NFKC", escaped.lstrip()[:1])
    return f"'{escaped}" if first.startswith(_FORMULA) else escaped
