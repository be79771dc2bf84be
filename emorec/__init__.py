"""Reads emotion from a speaking person's voice and face.

>>> from emorec import Recognizer  # doctest: +SKIP
>>> Recognizer.load("Models").classify("clip.mp4").emotion  # doctest: +SKIP
'happy'
"""

__version__ = "0.1.0"
__all__ = ["ClipResult", "MediaError", "ModelError", "Recognizer"]

_HOMES = {
    "ClipResult": "emorec.result",
    "MediaError": "emorec.media",
    "ModelError": "emorec.engines",
    "Recognizer": "emorec.recognizer",
}


def __getattr__(name: str):
    """Import the public names when they are first asked for: training needs no decoder."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
