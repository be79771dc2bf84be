"""The page's tab on the system itself: every number and sentence comes from the models' folders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.evaluation import evidence
from emorec.evaluation import scores as evaluation
from emorec.evaluation.deployed import deployed_line
from emorec.evaluation.left_out import read_worth
from emorec.evaluation.model_card import further_metrics
from emorec.models import MODEL_FOLDERS
from emorec.style import EMOTION_COLORS, TITLES

__all__ = ["About", "ModelFacts", "about", "cards", "licence_markdown", "recall_intervals"]

_RESAMPLES, _SEED = 1000, 0
_FURTHER = {"ferplus": "as ten people label it"}
# What only those need who train the networks again.
_FOR_DEVELOPERS = re.compile(r"\s*Made again by `[^`]*`\.|; see `[^`]*`| \(see the table below\)")


@dataclass(frozen=True)
class ModelFacts:
    """What is known of one model.

    Attributes:
        stream: "voice", "face", "geometry" or "fused".
        title: Heading of its card.
        sections: Heading of the card -> text in Markdown.
        metrics: What `metrics.json` says.
        intervals: Emotion -> recall and its 95 % interval, 0 to 1.
    """

    stream: str
    title: str
    sections: Mapping[str, str]
    metrics: dict
    intervals: Mapping[str, tuple[float, float, float]]

    @property
    def recalls(self) -> list[dict]:
        """Each emotion's recall and interval in whole percent."""
        return [
            {
                "emotion": name,
                "shade": name if name in EMOTION_COLORS else "neutral",
                **{k: round(100 * v) for k, v in zip(("recall", "low", "high"), row, strict=True)},
            }
            for name, row in self.intervals.items()
        ]

    @property
    def card(self):
        """What the card says of the model, as markup."""
        wanted = ("What it is", "Data", "Protocol", "Limits", "Licence")
        there = [name for name in wanted if name in self.sections]
        parts = [f"**{name}.** {self.sections[name]}" for name in there]
        return _markup("\n\n".join(p.replace(".** - ", ".**\n\n- ", 1) for p in parts))


@dataclass(frozen=True)
class About:
    """What the tab tells, for its template.

    Attributes:
        models: What is known of the models in use.
        deployed: A sentence on clips from elsewhere; may be empty.
        worth: What the words for confidence were worth, see `left_out.read_worth`.
        licences: Of the weights, as markup.
    """

    models: list[ModelFacts]
    deployed: str
    worth: Mapping
    licences: str

    @property
    def accuracy(self) -> list[dict[str, str]]:
        """A row for everything that a stream was measured on."""
        return [_row(name, metrics) for model in self.models for name, metrics in _measured(model)]

    @property
    def limits(self):
        """What the voice's card names as limits, as markup; the others are told with each model."""
        return _markup(self.models[0].sections.get("Limits", ""))


def about(models: Path) -> About:
    """Read what is known of the models in a folder."""
    licences = _markup(licence_markdown(models.resolve().parent))
    return About(cards(models), deployed_line(models), read_worth(models), licences)


def recall_intervals(
    predictions: pd.DataFrame, unit: str = "speaker"
) -> dict[str, tuple[float, float, float]]:
    """Return each class's recall with its 95 % interval, bootstrapped over whole speakers.

    Args:
        predictions: Prediction table; see `emorec.evaluation.scores`.
        unit: Column whose values are drawn with replacement.

    Example:
        >>> table = pd.DataFrame({"clip_id": ["a", "b"], "speaker": ["x", "y"], "fold": 1,
        ...     "truth": ["sad", "sad"], "happy": [0.4, 0.1], "sad": [0.6, 0.9]})
        >>> recall_intervals(table)["sad"]
        (1.0, 1.0, 1.0)
    """
    classes = evaluation.classes_of(predictions)
    truth = pd.Categorical(predictions["truth"], classes).codes
    hit = predictions[list(classes)].to_numpy().argmax(1) == truth
    units, row_unit = np.unique(predictions[unit], return_inverse=True)
    totals, hits = np.zeros((2, len(units), len(classes)))
    np.add.at(totals, (row_unit, truth), 1)
    np.add.at(hits, (row_unit, truth), hit)
    samples = []
    for drawn in evaluation.resampled_units(len(units), _RESAMPLES, _SEED):
        times = np.bincount(drawn, minlength=len(units))
        samples.append((times @ hits) / np.maximum(times @ totals, 1))
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    recall = hits.sum(0) / np.maximum(totals.sum(0), 1)
    return {
        name: (float(recall[i]), float(low[i]), float(high[i])) for i, name in enumerate(classes)
    }


def cards(models: Path) -> list[ModelFacts]:
    """Read what is known of the models in use; a folder without evidence is left out."""
    facts = []
    for stream, folder in {**MODEL_FOLDERS, "fused": "fusion"}.items():
        path = models / folder
        if not all((path / n).exists() for n in ("MODEL_CARD.md", "metrics.json")):
            continue
        metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
        title, sections = _card(path / "MODEL_CARD.md")
        predictions = evidence.read_predictions(path, "predictions.csv")
        intervals = recall_intervals(predictions, metrics["bootstrapped_over"])
        facts.append(ModelFacts(stream, title, sections, metrics, intervals))
    return facts


def licence_markdown(repository: Path) -> str:
    """Return what LICENSE.md says of the weights, in Markdown; nothing where there is none."""
    path = repository / "LICENSE.md"
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^## What was trained on them\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found.group(1).strip() if found else ""


def _card(path: Path) -> tuple[str, dict[str, str]]:
    """Title, and heading -> text."""
    text = re.sub(r"<!--.*?-->\n?", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    title, *parts = re.split(r"^## ", text.split("\n---\n")[0], flags=re.MULTILINE)
    sections = dict(part.split("\n", 1) for part in parts)
    told = {n: _FOR_DEVELOPERS.sub("", body).strip() for n, body in sections.items()}
    return title.strip().removeprefix("# "), told


def _measured(facts: ModelFacts) -> list[tuple[str, Mapping]]:
    """What a model was measured on, and what came out: its metrics, and further ones."""
    title = TITLES[facts.stream]
    further = further_metrics(facts.metrics).items()
    more = [(f"{title}, {_FURTHER.get(key, key)}", metrics) for key, metrics in further]
    return [(title, facts.metrics), *more]


def _row(name: str, metrics: Mapping) -> dict[str, str]:
    low, high = metrics["intervals_95"]["accuracy"]
    size = f"{metrics['clips']:,} clips"
    if metrics.get("bootstrapped_over") == "speaker":
        size += f" of {metrics['units']} speakers"
    measured_on = re.split(r"[;:.](?:\s|$)", metrics["protocol"])[0]
    return {
        "name": name,
        "right": f"{100 * metrics['scores']['accuracy']:.1f}",
        "interval": f"{100 * low:.1f} – {100 * high:.1f}",
        "measured_on": f"{measured_on}; {size}",
    }


def _markup(markdown: str):
    """Turn Markdown of our own files into markup; HTML in it stays text."""
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    framed = '<div class="table" tabindex="0" role="region" aria-label="Table"><table>'
    return Markup(made.replace("<table>", framed).replace("</table>", "</table></div>"))
