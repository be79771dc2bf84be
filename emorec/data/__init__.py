"""Fetching the corpora, and telling whether what lies there is whole: `emorec data`."""

from __future__ import annotations


class DataError(Exception):
    """Something about a corpus that its owner has to mend.

    >>> print(DataError("a.zip", "it is damaged", "fetch it again"))
    a.zip: it is damaged. Remedy: fetch it again.
    """

    def __init__(self, what: object, reason: str, remedy: str):
        super().__init__(str(what), reason, remedy)
        self.what, self.reason, self.remedy = str(what), reason, remedy

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}. Remedy: {self.remedy}."
