"""Stretches of a clip as Praat's TextGrid and as ELAN's EAF, through pympi."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from emorec.errors import require
from emorec.files import write_atomically
from emorec.result.clip import ClipResult
from emorec.streams.windows import STREAMS, Span, spans

__all__ = ["EXTRA", "check_installed", "tiers", "write_elan", "write_textgrid"]

EXTRA = "annotations"
"""What of this package brings pympi."""

_AUTHOR = "emorec"


def check_installed() -> None:
    """Make sure that pympi is there.

    Raises:
        MissingPartError: When it is not.
    """
    require(EXTRA, "pympi")


def tiers(result: ClipResult) -> dict[str, list[Span]]:
    """Return tier -> its stretches: "fused", each stream, and each person where they are read.

    Fused and people are smoothed (`segments`); a stream's stretches are what is likeliest in each
    of its windows, neighbours of one emotion joined.
    """
    found = {"fused": result.segments}
    for stream in STREAMS:
        if stream in result.windows:
            found[stream] = list(_joined(spans(result.windows[stream], result.duration_s)))
    found |= {f"person {person.number}": person.segments for person in result.people}
    return {name: stretches for name, stretches in found.items() if stretches}


def write_textgrid(result: ClipResult, path: Path) -> None:
    """Write the tiers for Praat: intervals, their emotion as the text.

    Raises:
        MissingPartError: When pympi is not installed.
    """
    check_installed()
    from pympi.Praat import TextGrid

    found = tiers(result)
    end_s = max([result.duration_s, *(s.end_s for ones in found.values() for s in ones)])
    grid = TextGrid(xmax=end_s)
    for name, stretches in found.items():
        tier = grid.add_tier(name)
        for one in stretches:
            tier.add_interval(one.start_s, one.end_s, one.emotion, check=False)
    write_atomically(path, lambda part: _anew(part, grid.to_file))


def write_elan(result: ClipResult, path: Path) -> None:
    """Write the tiers for ELAN, linked to the clip.

    Raises:
        MissingPartError: When pympi is not installed.
    """
    check_installed()
    from pympi.Elan import Eaf

    document = Eaf(author=_AUTHOR)
    document.remove_tier("default")
    clip = result.path.absolute()
    kind = mimetypes.guess_type(clip.name)[0] or "video/mp4"
    if not result.named:
        beside = Path(os.path.relpath(clip, path.absolute().parent)).as_posix()
        document.add_linked_file(clip.as_uri(), f"./{beside}", kind)
    for name, stretches in tiers(result).items():
        document.add_tier(name)
        for one in stretches:
            start_ms, end_ms = round(one.start_s * 1000), round(one.end_s * 1000)
            if end_ms > start_ms:
                document.add_annotation(name, start_ms, end_ms, one.emotion)
    write_atomically(path, lambda part: _anew(part, document.to_file))


def _anew(part: str, write) -> None:
    """Have a file written that is not there, for pympi keeps a copy of one that is."""
    Path(part).unlink()
    write(part)


def _joined(found: list[Span]) -> Iterator[Span]:
    """Join stretches of one emotion that touch; the confidence is their mean over time."""
    place = 0
    runs = []
    for i, one in enumerate(found):
        is_next = i and one.emotion == found[i - 1].emotion
        place += not (is_next and one.start_s <= found[i - 1].end_s + 1e-3)
        runs.append(place)
    for _, run in groupby(zip(runs, found, strict=True), key=lambda pair: pair[0]):
        ones = [one for _, one in run if one.end_s > one.start_s]
        if ones:
            length_s = sum(one.end_s - one.start_s for one in ones)
            mean = sum(one.confidence * (one.end_s - one.start_s) for one in ones) / length_s
            yield Span(ones[0].start_s, ones[-1].end_s, ones[0].emotion, mean)
