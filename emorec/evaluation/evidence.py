"""The evidence behind every number: each model's committed predictions and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from emorec.errors import EmorecError
from emorec.evaluation import scores as evaluation
from emorec.files import write_json, write_table

# The order of tables and slides; folders that are not named follow by name.
_STREAMS = ("voice", "face", "geometry", "fusion")


class ResultsError(EmorecError):
    """Results that cannot be made."""


@dataclass(frozen=True)
class Evidence:
    """The predictions of one model on one set of clips, and the metrics that follow.

    Attributes:
        folder: The model's folder.
        place: Where in `Models` it lies; what ships lies at the top.
        stream: What it listens to or looks at: voice, face, geometry, fusion.
        key: Empty for `predictions.csv`, else what follows in `predictions_<key>.csv`.
        metrics: The model's `metrics.json`, or its entry `key`.
    """

    folder: Path
    place: str
    stream: str
    key: str
    metrics: dict

    @property
    def name(self) -> str:
        """Folder and key, fit for a file's name."""
        return self.folder.name + (f"_{self.key}" if self.key else "")

    @property
    def title(self) -> str:
        """Heading of the model's card; without one what the metrics say, or the folder's name."""
        if self.has_card:
            card = (self.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
            return card.split("\n")[0].removeprefix("# ")
        return self.metrics.get("title", self.folder.name.replace("_", " "))

    @property
    def is_shipped(self) -> bool:
        """Whether the recogniser loads it: the others were trained for evidence alone."""
        return "/" not in self.place

    @property
    def has_card(self) -> bool:
        """Whether a page tells of it: of what ships, and of what can be chosen instead."""
        return (self.folder / "MODEL_CARD.md").exists()

    @property
    def is_in_readme(self) -> bool:
        """Whether `docs/results.md` shows it: what is shipped, and what its metrics name."""
        return self.is_shipped or self.metrics.get("in_readme", False)

    @property
    def page(self) -> str:
        """Where a reader of them learns more: the card, or the folder without one."""
        return f"Models/{self.place}/" + ("MODEL_CARD.md" if self.has_card else "")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The prediction table."""
        suffix = f"_{self.key}" if self.key else ""
        return read_predictions(self.folder, f"predictions{suffix}.csv")

    @property
    def unit(self) -> str:
        """Over what intervals are bootstrapped."""
        return self.metrics.get("bootstrapped_over", "clip_id" if self.key else "speaker")

    @property
    def measured_on(self) -> str:
        """The protocol's first clause."""
        return re.split(r"[;:.](?:\s|$)", self.metrics["protocol"])[0]

    @property
    def size(self) -> str:
        """Number of clips, and of speakers where the corpus names them."""
        clips = f"n = {self.metrics['clips']:,}"
        if self.unit != "speaker":
            return clips
        return f"{clips}, {self.predictions['speaker'].nunique()} speakers"

    def percent(self, score: str = "accuracy") -> tuple[float, float, float]:
        """Return a score and its 95 % interval, in percent."""
        low, high = self.metrics["intervals_95"][score]
        return 100 * self.metrics["scores"][score], 100 * low, 100 * high

    def in_words(self) -> str:
        """Return accuracy and interval: `63.4 % (59.4 – 67.9)`."""
        value, low, high = self.percent()
        return f"{value:.1f} % ({low:.1f} – {high:.1f})"


def measured(predictions: pd.DataFrame, unit: str) -> dict:
    """Return the part of the metrics that follows from the predictions."""
    return {
        "clips": len(predictions),
        "scores": evaluation.scores(predictions),
        "intervals_95": evaluation.intervals(predictions, unit=unit),
        "confusion": evaluation.confusion(predictions).to_numpy().tolist(),
        "classes": list(evaluation.classes_of(predictions)),
    }


@dataclass(frozen=True)
class Measurement:
    """Predictions on one set of clips, and how they came about.

    Attributes:
        predictions: Prediction table (see `emorec.evaluation.scores`).
        protocol: One sentence: corpus, split, what was held out.
        title: Heading in tables; empty where the model's card gives it.
        unit: What the intervals are bootstrapped over: `speaker`, or `clip_id` where a corpus
            names no speakers or too few.
        facts: More for `metrics.json` (seeds, sizes, times).
    """

    predictions: pd.DataFrame
    protocol: str
    title: str = ""
    unit: str = "speaker"
    facts: Mapping[str, object] = field(default_factory=dict)


def write_evidence(
    folder: Path,
    main: Measurement,
    *,
    stream: str,
    command: str,
    parts: Mapping[str, Measurement] = MappingProxyType({}),
) -> dict:
    """Write a model's prediction tables and the `metrics.json` that follows from them.

    Args:
        folder: The model's folder.
        main: What stands in `predictions.csv` and at the top of `metrics.json`.
        stream: What the model listens to or looks at: voice, face, geometry, fusion.
        command: What makes the same again.
        parts: Key -> what stands in `predictions_<key>.csv` and below `<key>`: other clips or
            labels, other seeds, another split.

    Returns:
        What was written to `metrics.json`.
    """
    folder = Path(folder)
    metrics = {
        "stream": stream,
        "protocol": main.protocol,
        "command": command,
        **_entry(folder, "predictions.csv", main),
        **{key: _entry(folder, f"predictions_{key}.csv", part) for key, part in parts.items()},
    }
    write_json(folder / "metrics.json", metrics)
    return metrics


def _entry(folder: Path, name: str, measurement: Measurement) -> dict:
    """Write a prediction table, and return what `metrics.json` says of it."""
    write_table(folder / name, measurement.predictions)
    # Scored as they will be read back, so that the table and the numbers agree exactly.
    predictions = read_predictions(folder, name)
    unit = measurement.unit
    return {
        "protocol": measurement.protocol,
        "clips": len(predictions),
        "units": int(predictions[unit].nunique()),
        "bootstrapped_over": unit,
        **measured(predictions, unit),
        **({"title": measurement.title} if measurement.title else {}),
        **measurement.facts,
    }


def of_seeds(accuracies: Mapping[int, float]) -> dict:
    """Return what `metrics.json` tells of several seeds' accuracies.

    Args:
        accuracies: Seed -> accuracy.

    Example:
        >>> of_seeds({1: 0.5, 2: 0.75})["mean"]
        0.625
    """
    found = list(accuracies.values())
    return {
        "mean": sum(found) / len(found),
        "lowest": min(found),
        "highest": max(found),
        "seeds": list(accuracies),
        "accuracies": found,
    }


def load_evidence(models: Path) -> list[Evidence]:
    """Read all models' predictions and metrics, voice first, then face, geometry and fusion.

    Raises:
        ResultsError: If a folder has one without the other, or metrics that cannot be read.
    """
    found = []
    for folder in _model_folders(models):
        tables, file = sorted(folder.glob("predictions*.csv")), folder / "metrics.json"
        if not (folder / "predictions.csv").exists() or not file.exists():
            reason = "predictions.csv and metrics.json belong together, and one is missing"
            raise ResultsError(folder, reason, "write both with evidence.write_evidence")
        found += _read_folder(models, folder, tables)
    rank = {stream: i for i, stream in enumerate(_STREAMS)}
    return sorted(
        found,
        key=lambda e: (rank.get(e.stream, len(rank)), not e.name.startswith(e.stream), e.name),
    )


def _model_folders(models: Path) -> list[Path]:
    files = [*models.rglob("predictions*.csv"), *models.rglob("metrics.json")]
    return sorted({f.parent for f in files if "work" not in f.relative_to(models).parts})


def _read_folder(models: Path, folder: Path, tables: list[Path]) -> list[Evidence]:
    file = folder / "metrics.json"
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultsError(file, f"no JSON ({error})", "train the model again") from error
    found = []
    for table in tables:
        key = table.stem.removeprefix("predictions").lstrip("_")
        entry = metrics.get(key) if key else metrics
        if key and not isinstance(entry, dict):
            # Such a table, of single frames for example, is kept for notebooks alone.
            continue
        if "protocol" not in entry:
            what = f"its entry {key!r}" if key else "it"
            reason = f"{what} has no protocol, which {table.name} needs"
            raise ResultsError(file, reason, "have the training write it, or remove the table")
        place = folder.relative_to(models).as_posix()
        found.append(Evidence(folder, place, metrics.get("stream", ""), key, entry))
    return found


def read_predictions(folder: Path, name: str = "predictions.csv") -> pd.DataFrame:
    """Read a model's out-of-fold predictions."""
    return pd.read_csv(Path(folder) / name, dtype={"clip_id": str, "speaker": str})
