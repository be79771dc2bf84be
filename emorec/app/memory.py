"""Memory that pages which are gone no longer need, given back to the machine."""

from __future__ import annotations

import contextlib
import ctypes
import gc

__all__ = ["give_back", "keep_what_is_loaded"]


def keep_what_is_loaded() -> None:
    """Have `give_back` look no more at what is there when the server begins, and stays."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Give back what pictures and videos have left behind.

    The C library keeps what its many threads have freed, a gigabyte after some hundred clips, until
    it is told otherwise.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another system's library needs no telling
        ctypes.CDLL("libc.so.6").malloc_trim(0)
