"""What the package `fer` makes of the same clips, and how long it takes.

python -m emorec.benchmarks.peers    # Models/comparisons/peers; where `pip install fer` was done

`fer` reads single pictures: Haar's cascade finds the face, a network trained on FER-2013 reads it.
It is given every frame of a clip, as its own `Video.analyze` does, and a clip's verdict is the mean
over the frames in which a face was found. Both read each clip in turn, in one process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.corpora import javased
from emorec.emotions import COMMON7
from emorec.errors import EmorecError
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.scores import prediction_table
from emorec.files import write_table
from emorec.media.colour_frames import read_colour_frames
from emorec.paths import COMPARISONS, default_models_folder
from emorec.recognizer import Recognizer

__all__ = ["PeerMissingError", "mean_over_frames", "measure"]

FOLDER = COMPARISONS / "peers"
COMMAND = "python -m emorec.benchmarks.peers"


class PeerMissingError(EmorecError, ImportError):
    """A package that is compared with, and is not installed."""


def mean_over_frames(path: str | Path, detect: Callable[[np.ndarray], list[dict]]) -> np.ndarray:
    """Read every frame of a clip with a detector like `fer`'s.

    Args:
        path: The clip.
        detect: From (height, width, 3) uint8 in OpenCV's order to the faces in it: each with `box`
            (x, y, width, height) and `emotions`, name -> probability.

    Returns:
        (7,) float64 over COMMON7: the mean over the frames in which there is a face, of the largest
        one; all alike where there is none.
    """
    found = []
    for frame in read_colour_frames(path):
        faces = detect(frame.pixels)
        if faces:
            largest = max(faces, key=lambda face: face["box"][2])
            found.append([largest["emotions"][emotion] for emotion in COMMON7])
    return np.mean(found, axis=0) if found else np.full(len(COMMON7), 1 / len(COMMON7))


def measure(
    clips: pd.DataFrame,
    detect: Callable[[np.ndarray], list[dict]],
    classify: Callable[[str], object],
) -> tuple[np.ndarray, pd.DataFrame]:
    """Read clips with both, in turn.

    Args:
        clips: With `path` and `clip_id`.
        detect: See `mean_over_frames`.
        classify: The recogniser's.

    Returns:
        What the peer says, (n, 7) float64, and a table: clip_id, and seconds of the processor,
        `peer_s` and `emorec_s`.
    """
    posteriors, rows = [], []
    for clip in tqdm(clips.itertuples(), "reading clips", total=len(clips), disable=None):
        peer_s, posterior = _timed(mean_over_frames, clip.path, detect)
        emorec_s, _ = _timed(classify, clip.path)
        posteriors.append(posterior)
        rows.append({"clip_id": clip.clip_id, "peer_s": peer_s, "emorec_s": emorec_s})
    return np.array(posteriors), pd.DataFrame(rows).round(3)


def _timed(work: Callable, *arguments: object) -> tuple[float, np.ndarray]:
    start_s = time.process_time()
    made = work(*arguments)
    return time.process_time() - start_s, made


def _detector() -> Callable[[np.ndarray], list[dict]]:
    """Load `fer` with the cascade, its default.

    Raises:
        PeerMissingError: When it is not installed.
    """
    try:
        from fer.fer import FER
    except ImportError as error:
        remedy = "pip install fer 'setuptools<80', into an environment of its own"
        raise PeerMissingError("fer", f"it cannot be imported ({error})", remedy) from error
    return FER().detect_emotions


def main() -> None:
    """Read JavaSED, in the proportions in which it was filmed, and write the evidence."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    cv2.setNumThreads(1)
    detect, recognizer = _detector(), Recognizer.load(default_models_folder())
    with tempfile.TemporaryDirectory() as folder:
        clips = javased.as_filmed(javased.load_video_table(), Path(folder))
        measure(clips[:2], detect, recognizer.classify)  # both load what they load late
        posteriors, seconds = measure(clips, detect, recognizer.classify)
    write_table(FOLDER / "seconds.csv", seconds)
    total = seconds[["peer_s", "emorec_s"]].sum()
    write_evidence(
        FOLDER,
        Measurement(
            prediction_table(clips, posteriors, COMMON7, 1),
            f"JavaSED, zero-shot, as filmed; the package fer {version('fer')}: its network on "
            "every frame's largest face, mean over the frames",
            title="The package fer, face alone",
            facts={
                "processor_s": {name: round(float(s), 1) for name, s in total.items()},
                "times_the_processor_time": round(float(total["peer_s"] / total["emorec_s"]), 1),
            },
        ),
        stream="face",
        command=COMMAND,
    )


if __name__ == "__main__":
    main()
