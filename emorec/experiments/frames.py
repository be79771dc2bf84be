"""The reference project's face network on single frames of JavaSED, four folds of two actors.

    python -m emorec.experiments.frames                      # all kinds of picture
    python -m emorec.experiments.frames --kinds face  # one kind; processes can share the work

It reads the full frame, the frame with its light background blacked out, the face, or the face
minus the training actors' mean face. Evidence goes to `Models/comparisons/frames`:
`predictions.csv` for clips (mean over frames, as the reference project does) and
`predictions_frames.csv` for single frames. A finished fold is not trained again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from emorec.corpora import javased
from emorec.corpora.frame_sets import OUTPUT_FOLDER, FrameSet, load_frames
from emorec.emotions import JAVASED6
from emorec.errors import run_main
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.splits import JAVASED_PROTOCOL, javased_folds
from emorec.files import write_table
from emorec.networks.rebuilt import build_face, build_transfer_network
from emorec.paths import MODELS
from emorec.training.fit import build_variables, is_too_short_to_trace, training_precision
from emorec.training.folds import out_of_fold

QUESTION = "comparisons/frames"
"""Where in `Models` the evidence goes."""


@dataclass(frozen=True)
class Kind:
    """What a network is shown, and which network it is.

    Attributes:
        frame_set: "frame", "black" or "face"; see `emorec.corpora.frame_clip`.
        what: In words.
        build: Makes the network from the number of classes.
        is_mean_subtracted: Whether the training actors' mean picture is taken away.
    """

    frame_set: str
    what: str
    build: Callable[[int], keras.Model] = build_face
    is_mean_subtracted: bool = False


KINDS = {
    "full": Kind("frame", "the full frame"),
    "black": Kind("black", "the frame with its light background black"),
    "face": Kind("face", "the face"),
    "face_minus_mean": Kind("face", "the face minus the mean face", is_mean_subtracted=True),
    "transfer": Kind("face", "the face, MobileNetV2", build=build_transfer_network),
}
FRAMES_PER_CLIP = 6
EPOCHS = 10
BATCH_SIZE = 64
SEED = 1


def spread(frames: FrameSet, per_clip: int = FRAMES_PER_CLIP) -> np.ndarray:
    """Choose up to `per_clip` frames of each clip, evenly over its length; row numbers."""
    rows = pd.Series(np.arange(len(frames))).groupby(frames.clip_id, sort=False)
    return np.concatenate(
        [
            part.to_numpy()[np.linspace(0, len(part) - 1, min(per_clip, len(part))).astype(int)]
            for _, part in rows
        ]
    )


def predict_frames(
    of_frames: pd.DataFrame,
    frames: FrameSet,
    kind: str,
    train: np.ndarray,
    work: Path,
    epochs: int = EPOCHS,
) -> np.ndarray:
    """Train on some clips' frames; return posteriors of the others', float (m, 6).

    Args:
        of_frames: `emotion` of each frame.
        frames: The frames.
        kind: One of KINDS.
        train: bool (frames,).
        work: For the learning curve.
        epochs: Passes over the chosen frames.
    """
    truth = np.array([JAVASED6.index(name) for name in of_frames["emotion"]])
    pictures = frames.scaled()
    if KINDS[kind].is_mean_subtracted:
        pictures = pictures - pictures[train].mean(0)
    rows = spread(frames)
    rows = rows[train[rows]]
    keras.utils.set_random_seed(SEED)
    network = KINDS[kind].build(len(JAVASED6))
    batches = FlippedBatches(pictures[rows], truth[rows])
    network.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=is_too_short_to_trace(epochs * len(batches)),
        jit_compile=False,
    )
    work.mkdir(parents=True, exist_ok=True)
    build_variables(network, pictures[rows[:1]], truth[rows[:1]])
    network.fit(
        batches,
        epochs=epochs,
        callbacks=[keras.callbacks.CSVLogger(str(work / "history.csv"))],
        verbose=0,
    )
    return network.predict(pictures[~train], batch_size=64, verbose=0)


class FlippedBatches(keras.utils.PyDataset):
    """Shuffled batches, half of whose pictures are mirrored, as in the reference project."""

    def __init__(self, pictures: np.ndarray, truth: np.ndarray):
        super().__init__()
        self._pictures, self._truth = pictures, truth
        self._rng = np.random.default_rng(SEED)
        self._order = self._rng.permutation(len(truth))

    def __len__(self):
        return max(1, len(self._truth) // BATCH_SIZE)

    def __getitem__(self, index):
        rows = self._order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
        pictures = self._pictures[rows].copy()
        flip = self._rng.random(len(rows)) < 0.5
        pictures[flip] = pictures[flip][:, :, ::-1]
        return pictures, self._truth[rows]

    def on_epoch_end(self):
        """Draw a new order."""
        self._order = self._rng.permutation(len(self._truth))


def evaluate_kind(
    kind: str, table: pd.DataFrame, frames: FrameSet, models: Path = MODELS, epochs: int = EPOCHS
) -> dict:
    """Predict all clips out of fold by one kind of picture and write the evidence."""
    folder = Path(models) / QUESTION / f"frames_{kind}"
    of_frames = table.set_index("clip_id").loc[list(frames.clip_id)].reset_index()
    folds = list(javased_folds(of_frames["speaker"]))

    def predict(train: np.ndarray, test: np.ndarray, work: Path) -> np.ndarray:
        return predict_frames(of_frames, frames, kind, train, work, epochs)

    found = out_of_fold(of_frames, folds, predict, folder / "work", JAVASED6)
    numbers = np.concatenate([frames.frame_number[test] for _, _, test in folds])
    found.insert(1, "frame_number", numbers)
    return write_kind(folder, kind, found)


def pool_frames(of_frames: pd.DataFrame) -> pd.DataFrame:
    """Average the frames' posteriors over each clip; returns a prediction table of clips."""
    keys = ["clip_id", "speaker", "fold", "truth"]
    return of_frames.groupby(keys, sort=False)[list(JAVASED6)].mean().reset_index()


def write_kind(folder: Path, kind: str, of_frames: pd.DataFrame) -> dict:
    """Write one kind's evidence; returns what `metrics.json` holds."""
    write_table(folder / "predictions_frames.csv", of_frames)
    single = of_frames.drop(columns="frame_number")
    network = KINDS[kind].build(len(JAVASED6))
    what = KINDS[kind].what + (" from scratch" if "from_scratch" in network.name else "")
    how = (
        f"single frames, {what}, the reference project's face network unless another is named; "
        f"mean over the frames of a clip; {FRAMES_PER_CLIP} frames a clip train for {EPOCHS} "
        "epochs; one seed"
    )
    facts = {
        "seed": SEED,
        "parameters": network.count_params(),
        "frames": len(single),
        "frame_scores": evaluation.scores(single),
        "frame_intervals_95": evaluation.intervals(single),
    }
    metrics = write_evidence(
        folder,
        Measurement(
            pool_frames(of_frames),
            JAVASED_PROTOCOL.format(how=how),
            f"Single frames: {what}",
            facts=facts,
        ),
        stream="face",
        command=f"python -m emorec.experiments.frames --kinds {kind}",
    )
    scores = metrics["frame_scores"]["accuracy"], metrics["scores"]["accuracy"]
    print("{}: frame {:.1%}, clip {:.1%}".format(kind, *scores), flush=True)
    return metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and evaluate the kinds asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    training_precision()
    table = javased.load_video_table()
    for kind in parser.parse_args(arguments).kinds:
        frames = load_frames(table, OUTPUT_FOLDER, KINDS[kind].frame_set, corpus="JavaSED")
        evaluate_kind(kind, table, frames)


if __name__ == "__main__":
    run_main(main)
