"""Reads emotion from a speaking person's voice and face.

>>> from emorec import Recognizer  # doctest: +SKIP
>>> Recognizer.load().classify("clip.mp4").emotion  # doctest: +SKIP
'happy'
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emorec.errors import MediaError, ModelError
    from emorec.media.recording import Recording
    from emorec.recognizer import Recognizer
    from emorec.report.labelled import evaluate
    from emorec.report.many import classify_to_parquet
    from emorec.report.table import to_table
    from emorec.result.clip import ClipResult

# ONNX Runtime (1.29 and later) reports its use to its maker unless this is set before it is loaded.
# Nothing that is read here, and nothing about it, is to leave the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = [
    "ClipResult",
    "MediaError",
    "ModelError",
    "Recognizer",
    "Recording",
    "classify_to_parquet",
    "evaluate",
    "to_table",
]

_HOMES = {
    "ClipResult": "emorec.result.clip",
    "MediaError": "emorec.errors",
    "ModelError": "emorec.errors",
    "Recognizer": "emorec.recognizer",
    "Recording": "emorec.media.recording",
    "classify_to_parquet": "emorec.report.many",
    "evaluate": "emorec.report.labelled",
    "to_table": "emorec.report.table",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for: training needs no decoder."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Name what can be asked for, imported or not."""
    return sorted({*globals(), *_HOMES})
