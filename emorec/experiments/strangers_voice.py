"""What a stranger's voice gets: whole corpora left out, and speakers within each.

python -m emorec.experiments.strangers_voice                       # all heads; a cut run goes on
python -m emorec.experiments.strangers_voice --heads logistic      # one of them

Six corpora in four languages. Each is left out in turn: a head trains on what the frozen encoder
hears in the other five and is judged on all speakers of the sixth, all seven classes open. Beside
it stand, for the head that ships and the plain one, folds by speaker within RAVDESS, CREMA-D and
JavaSED, on the corpus alone and together with the other five.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.emotions import COMMON7, RAVDESS8
from emorec.errors import run_main
from emorec.evaluation import evidence
from emorec.evaluation.scores import (
    expected_calibration_error,
    fold_predictions,
    prediction_table,
)
from emorec.evaluation.splits import (
    RAVDESS_BLOCKS,
    check_disjoint,
    crema_d_sides,
    javased_folds,
    speaker_folds,
)
from emorec.files import write_table
from emorec.networks.whisper_encoder import BLOCKS, STATISTICS
from emorec.paths import COMPARISONS
from emorec.posteriors import log_mean
from emorec.training.corpus_weights import class_codes
from emorec.training.heard import LOADERS, Heard, hear
from emorec.training.temperature import at_temperature, fit_temperature

FOLDER = COMPARISONS / "strangers"
COMMAND = "python -m emorec.experiments.strangers_voice"
SEEDS = (1, 2, 3)
Predict = Callable[[Heard, Heard, tuple[str, ...]], np.ndarray]
"""Given clips to train on, clips to predict and classes, gives posteriors (clips, classes)."""


# --- heads ---


def logistic(train: Heard, test: Heard, classes: tuple[str, ...]) -> np.ndarray:
    """Masked logistic regression, weakly held, without label smoothing: the baseline."""
    from emorec.training.masked_heads import fit_logistic

    head = fit_logistic(train.statistics, train.table, classes, l2=0.003, label_smoothing=0)
    return head.predict(test.statistics)


def held(train: Heard, test: Heard, classes: tuple[str, ...]) -> np.ndarray:
    """Masked logistic regression, strongly held, on clips and altered copies: what ships."""
    from emorec.training.voice_encoder import fit_head

    return fit_head(train, classes).predict(test.statistics)


def of_block(index: int) -> Predict:
    """Return what judges by the statistics of one block alone."""
    columns = slice(index * STATISTICS // BLOCKS, (index + 1) * STATISTICS // BLOCKS)

    def predict(train, test, classes):
        from emorec.training.masked_heads import fit_logistic

        heard = train.with_copies()
        head = fit_logistic(heard.statistics[:, columns], heard.table, classes)
        return head.predict(test.statistics[:, columns])

    return predict


def perceptron(seed: int) -> Predict:
    """Return what judges by the masked perceptron of a seed."""

    def predict(train, test, classes):
        from emorec.training.masked_heads import fit_perceptron

        heard = train.with_copies()
        head = fit_perceptron(heard.statistics, heard.table, classes, seed=seed)
        return head.predict(test.statistics)

    return predict


def _network(build_name: str, reads: str) -> Callable[[int], Predict]:
    def seeded(seed: int) -> Predict:
        def predict(train, test, classes):
            from emorec.posteriors import softmax
            from emorec.training import masked_heads

            heard = train.with_copies()
            build = getattr(masked_heads, build_name)
            inputs = getattr(heard, reads)
            network = masked_heads.fit_network(build, inputs, heard.table, classes, seed=seed)
            return softmax(network.predict(getattr(test, reads), batch_size=512, verbose=0))

        return predict

    return seeded


HEADS: dict[str, Sequence[Predict]] = {
    "logistic": (logistic,),
    "held_logistic": (held,),
    "block_1": (of_block(0),),
    "block_2": (of_block(1),),
    "block_3": (of_block(2),),
    "perceptron": [perceptron(seed) for seed in SEEDS],
    "layer_weights": [_network("build_layer_weights", "statistics")(seed) for seed in SEEDS],
    "attention": [_network("build_attention", "segments")(seed) for seed in SEEDS],
}
"""Name -> what trains and judges, one for each seed."""
BY_SPEAKER = ("logistic", "held_logistic")
"""Heads that are also judged by speaker."""


# --- protocols ---


def left_out(heard: Heard, predict: Predict) -> pd.DataFrame:
    """Judge each corpus by a head that trained on the others; `fold` numbers the corpora."""
    corpus, parts = heard.table["corpus"].to_numpy(), []
    for fold, name in enumerate(LOADERS, 1):
        test = corpus == name
        if test.any():
            parts.append(_predicted(heard, ~test, test, predict, COMMON7, fold))
    return pd.concat(parts, ignore_index=True)


def by_speaker(heard: Heard, predict: Predict, corpus: str, alone: bool = False) -> pd.DataFrame:
    """Judge a corpus by speaker: heads train on its other speakers and on the other corpora.

    Args:
        heard: All corpora.
        predict: The head.
        corpus: RAVDESS (eight classes), CREMA-D or JavaSED.
        alone: Leave the other corpora away.
    """
    own = (heard.table["corpus"] == corpus).to_numpy()
    classes = RAVDESS8 if corpus == "ravdess" else COMMON7
    parts = []
    for fold, test in _speaker_folds(heard.table["speaker"].where(own, ""), corpus):
        train = own & ~test if alone else ~test
        if corpus == "crema_d":
            train = train & ~_crema_d_validation(heard.table["speaker"].where(own, ""))
        parts.append(_predicted(heard, train, test, predict, classes, fold))
    predictions = pd.concat(parts, ignore_index=True)
    return predictions if corpus == "ravdess" else fold_predictions(predictions, OWN[corpus])


OWN = {"crema_d": "crema_d6", "javased": "javased6"}
"""Corpus -> the vocabulary of its own classes: by speaker, no other is open."""


def _speaker_folds(speakers: pd.Series, corpus: str) -> Iterator[tuple[int, np.ndarray]]:
    if corpus == "ravdess":
        yield from ((n, test) for n, _, test in speaker_folds(speakers, RAVDESS_BLOCKS))
    elif corpus == "javased":
        yield from ((n, test) for n, _, test in javased_folds(speakers))
    else:
        yield 1, _crema_d_side(speakers, "test")


def _crema_d_side(speakers: pd.Series, side: str) -> np.ndarray:
    names = speakers[speakers != ""]
    chosen = names[crema_d_sides(names)[side]]
    return speakers.isin(set(chosen)).to_numpy()


def _crema_d_validation(speakers: pd.Series) -> np.ndarray:
    return _crema_d_side(speakers, "validation")


def _predicted(heard, train, test, predict, classes, fold):
    table = heard.table
    check_disjoint(train=table["speaker"][train], test=table["speaker"][test])
    tested = heard.of(test)
    posterior = predict(heard.of(train), tested, classes)
    print(f"fold {fold}: {train.sum()} clips trained, {test.sum()} judged", flush=True)
    clips = tested.table
    if "calm" not in classes:
        clips = clips.assign(emotion=clips["emotion"].replace("calm", "neutral"))
    return prediction_table(clips, posterior, classes, fold)


# --- evidence ---


def of_seeds(
    measure: Callable[[Predict], pd.DataFrame], seeds: Sequence[Predict], work: Path
) -> pd.DataFrame:
    """Return the mean of what several seeds say: the geometric mean of their posteriors.

    Args:
        measure: Judges under a protocol.
        seeds: The heads.
        work: Keeps each one's table, so that a cut run goes on.
    """
    tables = []
    for number, predict in enumerate(seeds, 1):
        file = work / f"{number}.csv"
        if not file.exists():
            write_table(file, measure(predict))
        tables.append(evidence.read_predictions(work, file.name))
    if len(tables) == 1:
        return tables[0]
    classes = [c for c in tables[0] if c not in ("clip_id", "speaker", "fold", "truth")]
    pooled = log_mean(np.stack([table[classes].to_numpy() for table in tables]))
    return tables[0].assign(**dict(zip(classes, pooled.T, strict=True)))


def by_corpus(predictions: pd.DataFrame) -> dict[str, dict]:
    """Return scores and intervals of each corpus that was left out, and its calibration.

    The temperature of a corpus is fitted on the others, each counting alike.
    """
    truth = class_codes(predictions.rename(columns={"truth": "emotion"}), COMMON7)
    posterior = predictions[list(COMMON7)].to_numpy()
    fold = predictions["fold"].to_numpy()
    weights = 1 / np.bincount(fold)[fold]
    found = {}
    for number, name in enumerate(LOADERS, 1):
        rows = fold == number
        if not rows.any():
            continue
        others = (truth[~rows], posterior[~rows], weights[~rows])
        temperature = fit_temperature(*others)
        calibrated = at_temperature(posterior[rows], temperature)
        found[name] = {
            **evidence.measured(predictions[rows], "speaker"),
            "temperature": temperature,
            "calibration_error_after": expected_calibration_error(truth[rows], calibrated),
        }
    return found


def summary(corpora: dict[str, dict]) -> dict[str, float]:
    """Return the gate: the means over the corpora that were left out."""
    scores = [entry["scores"] for entry in corpora.values()]
    return {
        "corpora": len(scores),
        "mean_accuracy": float(np.mean([s["accuracy"] for s in scores])),
        "mean_recall": float(np.mean([s["unweighted_average_recall"] for s in scores])),
        "mean_calibration_error": float(np.mean([s["expected_calibration_error"] for s in scores])),
        "mean_calibration_error_after": float(
            np.mean([entry["calibration_error_after"] for entry in corpora.values()])
        ),
    }


def write_results(
    folder: Path, main: pd.DataFrame, parts: dict[str, tuple[str, pd.DataFrame]]
) -> dict:
    """Write predictions and metrics of one head: corpora left out, and folds by speaker."""
    corpora, name = by_corpus(main), folder.name.replace("_", " ")
    return evidence.write_evidence(
        folder,
        evidence.Measurement(
            main,
            PROTOCOL,
            f"Whisper's front and {name}, corpora left out",
            facts={
                "left_out": corpora,
                "gate": summary(corpora),
                "seeds": len(HEADS[folder.name]),
            },
        ),
        stream="voice",
        command=f"{COMMAND} --heads {folder.name}",
        parts={
            key: evidence.Measurement(
                predictions, protocol, f"Whisper's front and {name}, {key.replace('_', ' ')}"
            )
            for key, (protocol, predictions) in parts.items()
        },
    )


PROTOCOL = (
    "six corpora, each left out in turn and judged by a head trained on the other five, all seven "
    "classes open; the fold is the number of the corpus: " + ", ".join(LOADERS)
)
SPEAKERS = {
    "ravdess": "RAVDESS, 8 classes, six blocks of four actors, each judged by a head trained on "
    "the other 20",
    "crema_d": "CREMA-D, 6 classes, 20 actors drawn by chance, judged by a head trained on 41 "
    "others (10 are kept for validation)",
    "javased": "JavaSED, 6 classes, four folds of two actors, each judged by a head trained on "
    "the other six",
}


def evaluate(heard: Heard, name: str, folder: Path, work: Path) -> dict:
    """Judge by one head under its protocols and write the evidence."""
    seeds = HEADS[name]
    main = of_seeds(lambda predict: left_out(heard, predict), seeds, work / "left_out")
    there = set(heard.table["corpus"])
    parts = {}
    for corpus, protocol in SPEAKERS.items() if name in BY_SPEAKER else ():
        for key, alone in (("speakers", False), ("alone", True)):
            if corpus in there:
                text = protocol + ("" if alone else ", and on the other five corpora")
                measure = partial(by_speaker, heard, corpus=corpus, alone=alone)
                parts[f"{corpus}_{key}"] = text, of_seeds(measure, seeds, work / f"{corpus}_{key}")
    return write_results(folder, main, parts)


def main() -> None:
    """Hear, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heads", nargs="*", choices=list(HEADS), default=list(HEADS))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the evidence goes")
    parser.add_argument("--work", type=Path, help="where features are kept (FOLDER/work)")
    parser.add_argument("--copies", type=int, default=1, help="altered copies of each clip")
    arguments = parser.parse_args()
    work = arguments.work or arguments.folder / "work"
    heard = hear(list(LOADERS), work, arguments.copies)
    for name in arguments.heads:
        gate = evaluate(heard, name, arguments.folder / name, work / f"head_{name}")["gate"]
        print(name, {key: round(value, 4) for key, value in gate.items()}, flush=True)


if __name__ == "__main__":
    run_main(main)
