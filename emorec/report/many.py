"""Many clips from Python: read on some processes or a cluster, into Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emorec.errors import MediaError, require
from emorec.media.find import find_clips
from emorec.media.storage import Address
from emorec.recognizer import Recognizer
from emorec.report.parquet import ParquetWriter
from emorec.report.stamp import Stamps
from emorec.report.table import ResultWriter
from emorec.result.clip import ClipResult
from emorec.workers import fitting_jobs

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Tally", "classify_to_parquet"]


@dataclass
class Tally:
    """What became of many clips.

    Attributes:
        kept: How many an earlier run had read.
        read: How many were read now.
        without_verdict: How many of these failed, or hold neither a voice nor a face.
    """

    kept: int = 0
    read: int = 0
    without_verdict: int = 0


def classify_to_parquet(
    names: Iterable[str | Path],
    folder: str | Path,
    recognizer: Recognizer | None = None,
    *,
    n_jobs: int | None = None,
    client: Client | None = None,
    overwrite: bool = False,
    resume: bool = False,
) -> Tally:
    """Read the emotion of many clips into two Parquet tables, `clips` and `timeline`.

    Args:
        names: Clips, folders, patterns, and addresses of such.
        folder: Where the tables go, a path or an address; see `emorec.report.parquet`.
        recognizer: Who judges; by default the one that ships.
        n_jobs: Number of processes; by default one a core, and this one for few clips.
        client: Of Dask: its workers read the clips instead.
        overwrite: Whether what an earlier run wrote is removed.
        resume: Whether it is gone on with.

    Raises:
        EmorecError: When a package is missing, the folder cannot be written or holds something, or
            the cluster cannot do the work.

    Example:
        >>> classify_to_parquet(["clips/"], "results/", resume=True)  # doctest: +SKIP
        Tally(kept=1200, read=34, without_verdict=1)
    """
    found = find_clips(map(str, names))
    clips = [clip for clip in found if not isinstance(clip, MediaError)]
    recognizer = recognizer or Recognizer.load()
    stamp_of = Stamps(
        lambda: recognizer.fingerprints,
        recognizer.speaker,
        streams=recognizer.purpose.streams,
    ).of
    parquet = ParquetWriter(folder, overwrite=overwrite, resume=resume)
    left = parquet.left_of(clips, stamp_of)
    tally = Tally(kept=len(clips) - len(left))
    wrong = [clip for clip in found if isinstance(clip, MediaError)]
    if resume:
        parquet.keep_all_but([*left, *(clip.what for clip in wrong)])
    with ResultWriter(parquet=parquet, stamp_of=stamp_of) as writer:
        failed = (ClipResult.failed(clip.what, clip.reason, clip.remedy) for clip in wrong)
        for results in (failed, _read(recognizer, left, n_jobs, client)):
            for result in results:
                writer.add(result)
                tally.read += 1
                tally.without_verdict += result.emotion is None
    return tally


def _read(
    recognizer: Recognizer,
    clips: list[Path | Address],
    n_jobs: int | None,
    client: Client | None,
) -> Iterator[ClipResult]:
    if client is None:
        return recognizer.classify_many(clips, n_jobs or fitting_jobs(len(clips)))
    require("cluster", "distributed")
    from emorec.report import cluster

    return cluster.classify_many(client, recognizer, clips)
