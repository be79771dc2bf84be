"""Readers that turn each corpus into one tidy table; nothing else parses its file names."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def data_folder() -> Path:
    """Return where the corpora lie: the variable `EMOREC_DATA`, else `Datasets/`."""
    return Path(os.environ.get("EMOREC_DATA") or REPOSITORY / "Datasets")


class CorpusMissingError(FileNotFoundError):
    """A corpus is not where it should be; the message says how to get it."""

    def __init__(self, name: str, looked_for: Path):
        super().__init__(
            f"{name} is not at {looked_for}. Put it there (Datasets/README.md says where it "
            "comes from), or set EMOREC_DATA to the folder that holds the corpora."
        )
