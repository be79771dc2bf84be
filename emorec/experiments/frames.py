"""The reference project's face network on single frames of JavaSED, four folds of two actors.

    python -m emorec.experiments.frames                      # all kinds of picture
    python -m emorec.experiments.frames --kinds face  # one kind; processes can share the work

It reads the full frame, the frame with its light background blacked out, the face, or the face
minus the training actors' mean face. Two of the six actors who are not judged choose the epoch.
Evidence goes to `Models/comparisons/frames`: `predictions.csv` for clips (mean over frames, as the
reference project does), `predictions_frames.csv` for single frames, `history.csv` for the learning
curves. A fold that was begun goes on, a finished one is not trained again.
"""

import argparse
import functools
from collections.abc import Callable, Iterator, Sequence
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
from emorec.training.fit import precision
from emorec.training.folds import Fold, learning_curves, out_of_fold
from emorec.training.patience import Patience, fit_until_stale

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
        dtype_policy: What it computes in while it trains.
    """

    frame_set: str
    what: str
    build: Callable[[int], keras.Model] = build_face
    is_mean_subtracted: bool = False
    dtype_policy: str = "mixed_bfloat16"


KINDS = {
    "full": Kind("frame", "the full frame"),
    "black": Kind("black", "the frame with its light background black"),
    "face": Kind("face", "the face"),
    "face_minus_mean": Kind("face", "the face minus the mean face", is_mean_subtracted=True),
    # Its narrow layers are slower in bfloat16.
    "transfer": Kind(
        "face", "the face, MobileNetV2", build=build_transfer_network, dtype_policy="float32"
    ),
}
FRAMES_PER_CLIP = 6
EPOCHS, PATIENCE = 100, 10
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


def folds_of(speakers: pd.Series) -> Iterator[Fold]:
    """Yield the four folds; the two actors after those who are judged train nothing.

    They choose the epoch: `predict_frames` takes for it whoever is on neither side.
    """
    folds = list(javased_folds(speakers))
    for number, others, test in folds:
        choosing = folds[number % len(folds)][2]
        yield number, others & ~choosing, test


def predict_frames(
    of_frames: pd.DataFrame,
    frames: FrameSet,
    kind: str,
    train: np.ndarray,
    test: np.ndarray,
    work: Path,
    epochs: int = EPOCHS,
) -> np.ndarray:
    """Train on some clips' frames; return posteriors of others', float (m, 6).

    Args:
        of_frames: `emotion` of each frame.
        frames: The frames.
        kind: One of KINDS.
        train: bool (frames,).
        test: bool (frames,), whose posteriors are wanted; the rest chooses the epoch.
        work: For the learning curve, and the state of a run that is cut.
        epochs: Most passes over the chosen frames.
    """
    truth = np.array([JAVASED6.index(name) for name in of_frames["emotion"]])
    pictures = frames.scaled()
    if KINDS[kind].is_mean_subtracted:
        pictures = pictures - pictures[train].mean(0)
    rows = spread(frames)
    training, choosing = rows[train[rows]], rows[~(train | test)[rows]]
    keras.utils.set_random_seed(SEED)
    with precision(KINDS[kind].dtype_policy):
        network = flipping(KINDS[kind].build(len(JAVASED6)))
    fit_until_stale(
        network,
        (pictures[training], truth[training]),
        (pictures[choosing], truth[choosing]),
        work,
        batch_size=BATCH_SIZE,
        patience=Patience(PATIENCE, epochs),
        seed=SEED,
    )
    return network.predict(pictures[test], batch_size=64, verbose=0)


def flipping(network: keras.Model) -> keras.Model:
    """Have half of the pictures mirrored that a network trains on, as the reference project has."""
    inputs = keras.layers.Input(network.input_shape[1:])
    return keras.Model(inputs, network(keras.layers.RandomFlip("horizontal", seed=SEED)(inputs)))


@functools.cache
def _name_and_size(build: Callable[[int], keras.Model]) -> tuple[str, int]:
    network = build(len(JAVASED6))
    return network.name, network.count_params()


def described(kind: str) -> str:
    """Say what a network is shown, and whether pre-trained weights were at hand for it."""
    name, _ = _name_and_size(KINDS[kind].build)
    return KINDS[kind].what + (" from scratch" if "from_scratch" in name else "")


def recipe_of(kind: str, epochs: int = EPOCHS) -> str:
    """Say how a kind of picture is trained."""
    return (
        f"{FRAMES_PER_CLIP} frames a clip train; two of the six actors choose the epoch: the best "
        f"before {PATIENCE} epochs in a row that are not better, {epochs} in all at most; "
        f"{described(kind)}; seed {SEED}"
    )


def evaluate_kind(
    kind: str, table: pd.DataFrame, frames: FrameSet, models: Path = MODELS, epochs: int = EPOCHS
) -> dict:
    """Predict all clips out of fold by one kind of picture and write the evidence."""
    folder = Path(models) / QUESTION / f"frames_{kind}"
    of_frames = table.set_index("clip_id").loc[list(frames.clip_id)].reset_index()
    folds = list(folds_of(of_frames["speaker"]))

    def predict(train: np.ndarray, test: np.ndarray, work: Path) -> np.ndarray:
        return predict_frames(of_frames, frames, kind, train, test, work, epochs)

    how = recipe_of(kind, epochs)
    found = out_of_fold(of_frames, folds, predict, folder / "work", JAVASED6, recipe=how)
    numbers = np.concatenate([frames.frame_number[test] for _, _, test in folds])
    found.insert(1, "frame_number", numbers)
    return write_kind(folder, kind, found, epochs)


def pool_frames(of_frames: pd.DataFrame) -> pd.DataFrame:
    """Average the frames' posteriors over each clip; returns a prediction table of clips."""
    keys = ["clip_id", "speaker", "fold", "truth"]
    return of_frames.groupby(keys, sort=False)[list(JAVASED6)].mean().reset_index()


def write_kind(folder: Path, kind: str, of_frames: pd.DataFrame, epochs: int = EPOCHS) -> dict:
    """Write one kind's evidence; returns what `metrics.json` holds.

    Args:
        folder: For the evidence; its `work/` holds the trainings.
        kind: One of KINDS.
        of_frames: Prediction table of frames, with `frame_number`.
        epochs: Most passes that they trained for.
    """
    write_table(folder / "predictions_frames.csv", of_frames)
    single = of_frames.drop(columns="frame_number")
    how = (
        "single frames, the reference project's face network unless another is named; mean over "
        f"the frames of a clip; {recipe_of(kind, epochs)}"
    )
    curves = learning_curves(folder / "work")
    write_table(folder / "history.csv", curves)
    facts = {
        "seed": SEED,
        "parameters": _name_and_size(KINDS[kind].build)[1],
        "patience_epochs": PATIENCE,
        "epochs_at_most": epochs,
        "epochs_trained": curves.groupby("fold", sort=False).size().to_dict(),
        "frames": len(single),
        "frame_scores": evaluation.scores(single),
        "frame_intervals_95": evaluation.intervals(single),
    }
    metrics = write_evidence(
        folder,
        Measurement(
            pool_frames(of_frames),
            JAVASED_PROTOCOL.format(others="four of the other six", how=how),
            f"Single frames: {described(kind)}",
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
    table = javased.load_video_table()
    for kind in parser.parse_args(arguments).kinds:
        frames = load_frames(table, OUTPUT_FOLDER, KINDS[kind].frame_set, corpus="JavaSED")
        evaluate_kind(kind, table, frames)


if __name__ == "__main__":
    run_main(main)
