"""A pre-trained speech encoder on RAVDESS: six blocks of speakers, frozen or fine-tuned.

    python -m emorec.experiments.speech_encoder --method frozen
    python -m emorec.experiments.speech_encoder --method fine_tuned --encoder FOLDER_OR_NAME

Needs `emorec[pretrained]`, and the encoder's weights here or within reach. A cut run goes on where
it was; an encoder of 95 M parameters wants a GPU to be fine-tuned, and is used if there is one.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from emorec.corpora import ravdess
from emorec.emotions import RAVDESS8
from emorec.errors import run_main
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.splits import RAVDESS_BLOCKS, speaker_folds
from emorec.features import voice as voice_features
from emorec.files import kept_or_made, write_json
from emorec.media.reader import read_sound
from emorec.networks import speech_encoder
from emorec.networks.speech_encoder import (
    SAMPLE_RATE_HZ,
    SpeechEncoder,
    build_classifier,
    encode,
    layer_statistics,
    logits,
    posteriors,
    prepare,
    require,
    save_trained,
)
from emorec.paths import COMPARISONS
from emorec.training.folds import out_of_fold

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained.

    Attributes:
        epochs: Passes over the takes.
        batch_size: Takes per step.
        learning_rate: Peak of the head's; cosine to zero after 10 % warm-up.
        encoder_learning_rate: That of the encoder's top layers, where they are trained.
        top_layers: How many of the encoder's layers `fine_tune` trains.
        window_s: Seconds of each take that a step of `fine_tune` hears.
        weight_decay: Of AdamW.
        label_smoothing: Share of the truth that is spread over all classes.
        seed: Of order, dropout and windows.
    """

    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 3e-5
    top_layers: int = 4
    window_s: float = voice_features.WINDOW_S
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    seed: int = 1


def train_head(
    classifier: torch.nn.ModuleDict,
    statistics: np.ndarray,
    codes: np.ndarray,
    recipe: Recipe = Recipe(),
) -> list[float]:
    """Train the head and the layers' weights in place; the encoder stays as it is.

    Args:
        classifier: From `build_classifier`.
        statistics: (takes, layers, features) of the training takes, from `encode`.
        codes: int (takes,), their classes.
        recipe: How.

    Returns:
        Mean loss of each epoch.
    """
    torch = require("torch")
    for parameter in classifier["encoder"].parameters():
        parameter.requires_grad_(False)
    device = classifier["layer_weights"][0].device
    inputs = torch.from_numpy(np.asarray(statistics, np.float32)).to(device)
    return _fit(classifier, lambda rng, rows: inputs[rows], codes, recipe)


def fine_tune(
    classifier: torch.nn.ModuleDict,
    encoder: SpeechEncoder,
    sounds: Sequence[np.ndarray],
    codes: np.ndarray,
    recipe: Recipe = Recipe(),
) -> list[float]:
    """Train the head and the encoder's top layers in place; each step hears random windows.

    Arguments and result as those of `train_head`, but for `encoder`, the one inside the
    classifier, and `sounds`, the training takes, float32 mono at 16 kHz.
    """
    torch = require("torch")
    network = classifier["encoder"]
    device = classifier["layer_weights"][0].device
    length = round(recipe.window_s * SAMPLE_RATE_HZ)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for layer in network.encoder.layers[-recipe.top_layers :]:
        layer.requires_grad_(True)

    def statistics(rng, rows):
        cut = [_window(rng, sounds[row], length) for row in rows]
        batch = np.stack([prepare(encoder, window) for window in cut])
        return layer_statistics(network, torch.from_numpy(batch).to(device))

    return _fit(classifier, statistics, codes, recipe)


def _window(rng: np.random.Generator, samples: np.ndarray, length: int) -> np.ndarray:
    start = rng.integers(0, max(1, len(samples) - length + 1))
    return voice_features.fit_length(samples[start : start + length], length)


def _fit(classifier, statistics, codes: np.ndarray, recipe: Recipe) -> list[float]:
    """Minimise the cross-entropy; `statistics(rng, rows)` gives a batch's."""
    torch = require("torch")
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    top = [p for p in classifier["encoder"].parameters() if p.requires_grad]
    head = [*classifier["layer_weights"].parameters(), *classifier["head"].parameters()]
    groups = [{"params": head, "lr": recipe.learning_rate}]
    groups += [{"params": top, "lr": recipe.encoder_learning_rate}] if top else []
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    batches = max(1, len(codes) // recipe.batch_size)
    steps = recipe.epochs * batches
    schedule = require("transformers").get_cosine_schedule_with_warmup(
        optimizer, num_warmup_steps=steps // 10, num_training_steps=steps
    )
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    truth = torch.from_numpy(np.asarray(codes, np.int64)).to(head[0].device)
    losses = []
    # Dropout in the head alone: with few takes to learn from, the encoder should not waver.
    classifier.eval()
    classifier["head"].train()
    for _ in range(recipe.epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(len(codes)), batches):
            optimizer.zero_grad()
            loss = criterion(logits(classifier, statistics(rng, rows)), truth[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head + top, 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        losses.append(total / len(codes))
    classifier.eval()
    return losses


@dataclass(frozen=True)
class Takes:
    """What the protocol is run on.

    Attributes:
        table: One row per take, with `clip_id`, `speaker` and `emotion`.
        sounds: Their samples, float32 mono at 16 kHz.
        statistics: From `encode` with the encoder as it was loaded; None where no method reads it.
    """

    table: pd.DataFrame
    sounds: Sequence[np.ndarray]
    statistics: np.ndarray | None = None

    @property
    def codes(self) -> np.ndarray:
        """Class of each take, int (takes,), in RAVDESS8."""
        return np.array([RAVDESS8.index(emotion) for emotion in self.table["emotion"]])


def predict_frozen(encoder: SpeechEncoder, takes: Takes, train, test, recipe: Recipe, folder: Path):
    """Train a head on the frozen encoder with some takes, and predict others.

    Args:
        encoder: As it was loaded.
        takes: With `statistics`.
        train: bool (takes,).
        test: bool (takes,).
        recipe: How.
        folder: Gets the weights.

    Returns:
        Posteriors of the test takes, float (test takes, 8).
    """
    classifier = _placed(build_classifier(encoder, seed=recipe.seed))
    train_head(classifier, takes.statistics[train], takes.codes[train], recipe)
    save_trained(Path(folder) / "trained.safetensors", classifier)
    return posteriors(classifier, takes.statistics[test])


def predict_fine_tuned(
    encoder: SpeechEncoder, takes: Takes, train, test, recipe: Recipe, folder: Path
):
    """Train head and top layers with some takes, and predict others, all from whole takes.

    Arguments and result as those of `predict_frozen`; `takes.statistics` is not read, and the
    encoder given is copied, so that each fold starts from the same weights.
    """
    own = dataclasses.replace(encoder, network=copy.deepcopy(encoder.network))
    classifier = _placed(build_classifier(own, seed=recipe.seed))
    rows = np.flatnonzero(train)
    fine_tune(classifier, own, [takes.sounds[i] for i in rows], takes.codes[train], recipe)
    save_trained(Path(folder) / "trained.safetensors", classifier)
    return posteriors(classifier, encode(own, [takes.sounds[i] for i in np.flatnonzero(test)]))


def _placed(classifier: torch.nn.ModuleDict) -> torch.nn.ModuleDict:
    """Put it on the GPU, if there is one."""
    return classifier.to("cuda" if require("torch").cuda.is_available() else "cpu")


METHODS: dict[str, Callable] = {"frozen": predict_frozen, "fine_tuned": predict_fine_tuned}
RECIPES = {"frozen": Recipe(), "fine_tuned": Recipe(epochs=12, batch_size=8)}


def kept_statistics(
    encoder: SpeechEncoder, sounds: Sequence[np.ndarray], work_folder: Path
) -> np.ndarray:
    """Return `encode` of all takes, computed once and kept in the work folder.

    Raises:
        emorec.files.StaleCacheError: If what is kept is of other takes or another encoder.
    """

    def make() -> dict[str, np.ndarray]:
        _placed(encoder.network)
        found = [encode(encoder, [sound]) for sound in tqdm(sounds, "encoding", disable=None)]
        return {"statistics": np.concatenate(found)}

    stamp = {"encoder": encoder.name, "takes": len(sounds)}
    return kept_or_made(Path(work_folder) / "statistics.npz", stamp, make)["statistics"]


def run_blocks(
    encoder: SpeechEncoder,
    takes: Takes,
    method: str,
    work_folder: Path,
    *,
    recipe: Recipe | None = None,
    blocks: Sequence[Sequence[int]] = RAVDESS_BLOCKS,
) -> pd.DataFrame:
    """Predict every block of actors by a classifier that was trained on all others.

    A fold whose predictions lie in the work folder is not trained again.

    Args:
        encoder: As it was loaded.
        takes: All of them.
        method: One of METHODS.
        work_folder: Holds `fold_N/`.
        recipe: How; that of the method unless told otherwise.
        blocks: Actors of each block.

    Returns:
        The prediction table.
    """
    recipe = recipe or RECIPES[method]

    def predict(train: np.ndarray, test: np.ndarray, folder: Path) -> np.ndarray:
        folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        posterior = METHODS[method](encoder, takes, train, test, recipe, folder)
        seconds = round(time.perf_counter() - start, 1)
        write_json(folder / "training.json", {"seconds": seconds})
        return posterior

    folds = speaker_folds(takes.table["speaker"], blocks)
    return out_of_fold(takes.table, folds, predict, work_folder, RAVDESS8)


def write_results(
    folder: Path, predictions: pd.DataFrame, encoder: SpeechEncoder, method: str, **facts
) -> dict:
    """Write the evidence of one encoder and method; `facts` go into the metrics too."""
    words = {"frozen": "frozen", "fine_tuned": "its top layers trained along"}[method]
    protocol = (
        "RAVDESS speech (sound), 8 classes, all actors out of fold: blocks of four actors, "
        f"each judged by a network trained on the others; encoder {encoder.name}, {words}; no "
        "setting chosen on RAVDESS; one seed"
    )
    parameters = sum(p.numel() for p in encoder.network.parameters())
    title = f"Voice, pre-trained encoder {encoder.name}, {method.replace('_', '-')}"
    return write_evidence(
        folder,
        Measurement(predictions, protocol, title, facts={"parameters": parameters, **facts}),
        stream="voice",
        command=(
            f"python -m emorec.experiments.speech_encoder --method {method} "
            f"--encoder {encoder.name}"
        ),
    )


def training_minutes(work_folder: Path) -> float:
    """Return the minutes that all folds took, the encoding of whole takes left out."""
    files = Path(work_folder).glob("fold_*/training.json")
    seconds = sum(json.loads(file.read_text(encoding="utf-8"))["seconds"] for file in files)
    return round(seconds / 60, 1)


def model_folder_of(encoder_name: str, method: str) -> Path:
    """Return the folder of an encoder and method.

    Example:
        >>> model_folder_of("facebook/wav2vec2-base", "frozen").name
        'voice_wav2vec2_base_frozen'
    """
    short = re.sub(r"[^a-z0-9]+", "_", Path(encoder_name).name.lower()).strip("_")
    return COMPARISONS / "speech_encoder" / f"voice_{short}_{method}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--method", choices=METHODS, default="frozen")
    where = "name on the Hugging Face hub, or a folder"
    parser.add_argument("--encoder", default=speech_encoder.ENCODER, help=where)
    chosen = parser.parse_args(arguments)
    encoder = speech_encoder.load_encoder(chosen.encoder)
    table = ravdess.load_sound_table()
    sounds = [read_sound(p, SAMPLE_RATE_HZ) for p in tqdm(table["path"], "reading sound")]
    folder = model_folder_of(chosen.encoder, chosen.method)
    frozen = chosen.method == "frozen"
    statistics = kept_statistics(encoder, sounds, folder / "work") if frozen else None
    takes = Takes(table, sounds, statistics)
    predictions = run_blocks(encoder, takes, chosen.method, folder / "work")
    recipe = RECIPES[chosen.method]
    metrics = write_results(
        folder,
        predictions,
        encoder,
        chosen.method,
        seed=recipe.seed,
        recipe=dataclasses.asdict(recipe),
        training_minutes=training_minutes(folder / "work"),
    )
    print(f"out of fold: accuracy {metrics['scores']['accuracy']:.1%}")


if __name__ == "__main__":
    run_main(main)
