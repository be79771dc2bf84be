"""The page's tab on the system itself: every number and sentence comes from the models' folders."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.confidence import PROBABLY, VERY_LIKELY
from emorec.evaluation import evidence
from emorec.evaluation import scores as evaluation
from emorec.evaluation.model_card import further_metrics
from emorec.models import MODEL_FOLDERS
from emorec.style import EMOTION_COLORS, TITLES

__all__ = [
    "PRIVACY",
    "ModelFacts",
    "about_html",
    "card_markdown",
    "cards",
    "licence_markdown",
    "limits_markdown",
    "recall_intervals",
    "recalls_html",
    "words_html",
]

PRIVACY = (
    "Everything is computed on the machine that runs this page. Clips, camera and microphone go "
    "nowhere else; nothing is fetched from the internet, nothing is counted, no cookie is set "
    "(except one that remembers the password, where the page asks for one). A clip lies in a "
    "folder that only the owner of this program may open, and is deleted soon after you "
    "close the tab. The live view keeps nothing."
)

_RESAMPLES, _SEED = 1000, 0


@dataclass(frozen=True)
class ModelFacts:
    """What is known of one model.

    Attributes:
        stream: "voice", "face", "geometry" or "fused".
        title: Heading of its card.
        sections: Heading of the card -> text in Markdown.
        metrics: What `metrics.json` says.
        recalls: Emotion -> recall and its 95 % interval, 0 to 1.
        clips: Emotion -> how many clips the recall rests on.
    """

    stream: str
    title: str
    sections: Mapping[str, str]
    metrics: Mapping
    recalls: Mapping[str, tuple[float, float, float]]
    clips: Mapping[str, int]


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
        recalls = recall_intervals(predictions, metrics["bootstrapped_over"])
        clips = predictions["truth"].value_counts().to_dict()
        facts.append(ModelFacts(stream, title, sections, metrics, recalls, clips))
    return facts


def _card(path: Path) -> tuple[str, dict[str, str]]:
    """Title, and heading -> text."""
    text = re.sub(r"<!--.*?-->\n?", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    title, *parts = re.split(r"^## ", text.split("\n---\n")[0], flags=re.MULTILINE)
    sections = dict(part.split("\n", 1) for part in parts)
    return title.strip().removeprefix("# "), {n: body.strip() for n, body in sections.items()}


def about_html(facts: list[ModelFacts]) -> str:
    """Return the accuracy of each stream, with its interval."""
    if not facts:
        return "<p>The models in use came without their evidence: nothing is known of them.</p>"
    rows = "".join(
        _accuracy_row(name, metrics) for model in facts for name, metrics in _measured(model)
    )
    return (
        '<div class="em-table" tabindex="0" role="region" aria-label="Accuracy by stream"><table>'
        '<thead><tr><th scope="col">Stream</th><th scope="col">Right in 100</th>'
        '<th scope="col">95 % interval</th><th scope="col">Measured on</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def recalls_html(facts: list[ModelFacts]) -> str:
    """Return recall of each emotion in each stream, with its interval."""
    return (
        "<p>Of 100 clips in which this emotion was acted (or shown), so many were read so. The "
        "thin line is the 95 % interval.</p>"
        f'<div class="em-panels">{"".join(map(_recall_panel, facts))}</div>'
    )


def words_html(worth: Mapping) -> str:
    """Return what the words for confidence were worth.

    Args:
        worth: From `emorec.evaluation.left_out.read_worth`.
    """
    if not worth:
        return (
            f"<p>A verdict is called very likely from {VERY_LIKELY:.0%} on and probable from "
            f"{PROBABLY:.0%} on. What these words are worth did not come with the models in use."
            "</p>"
        )
    surest = worth["words"][0]
    rows = "".join(map(_word_row, worth["words"]))
    return (
        f"<p>Verdicts said with {surest['least']:.0%} or more were right in "
        f"{_percent(surest['right'])} of clips from corpora that nothing was trained on: "
        f"{worth['clips']:,} clips of {worth['corpora']} corpora, each of which counts alike. "
        "Your clip is such a clip too.</p>"
        '<div class="em-table" tabindex="0" role="region" aria-label="Words"><table>'
        '<thead><tr><th scope="col">Said</th><th scope="col">From</th>'
        '<th scope="col">So many verdicts</th><th scope="col">Right</th>'
        '<th scope="col">Corpus by corpus</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _word_row(word: Mapping) -> str:
    between = f"{_percent(word['lowest'])} – {_percent(word['highest'])}"
    return (
        f'<tr><th scope="row">{word["word"]}</th><td>{word["least"]:.0%}</td>'
        f"<td>{_percent(word['share'])}</td><td><strong>{_percent(word['right'])}</strong></td>"
        f'<td class="em-number">{between}</td></tr>'
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} %"


def _measured(facts: ModelFacts) -> list[tuple[str, Mapping]]:
    """What a model was measured on, and what came out: its metrics, and further ones."""
    title = TITLES[facts.stream]
    further = further_metrics(facts.metrics).items()
    return [(title, facts.metrics), *((f"{title} ({key})", more) for key, more in further)]


def _accuracy_row(name: str, metrics: Mapping) -> str:
    low, high = metrics["intervals_95"]["accuracy"]
    size = f"{metrics['clips']:,} clips"
    if metrics.get("bootstrapped_over") == "speaker":
        size += f" of {metrics['units']} speakers"
    measured_on = re.split(r"[;:.](?:\s|$)", metrics["protocol"])[0]
    return (
        f'<tr><th scope="row">{html.escape(name)}</th>'
        f"<td><strong>{100 * metrics['scores']['accuracy']:.1f}</strong></td>"
        f'<td class="em-number">{100 * low:.1f} – {100 * high:.1f}</td>'
        f"<td>{html.escape(measured_on)}; {size}</td></tr>"
    )


def _recall_panel(facts: ModelFacts) -> str:
    rows = []
    for name, (recall, low, high) in facts.recalls.items():
        color = EMOTION_COLORS.get(name, EMOTION_COLORS["neutral"])
        rows.append(
            f'<li title="{facts.clips.get(name, 0)} clips, {100 * low:.0f} – {100 * high:.0f} %">'
            f'<span class="em-name">{name}</span><span class="em-track">'
            f'<span class="em-fill" style="width:{100 * recall:.1f}%;background:{color}"></span>'
            f'<span class="em-interval" style="left:{100 * low:.1f}%;'
            f'width:{100 * (high - low):.1f}%"></span></span>'
            f'<span class="em-share">{100 * recall:.0f} '
            f"<small>({100 * low:.0f}–{100 * high:.0f})</small></span></li>"
        )
    return (
        f'<section class="em-panel em-wide"><h4>{TITLES[facts.stream]}</h4>'
        f'<ul class="em-bars">{"".join(rows)}</ul></section>'
    )


def card_markdown(facts: ModelFacts) -> str:
    """Return what the card says of its model, in Markdown."""
    wanted = ("What it is", "Data", "Protocol", "Limits", "Licence")
    parts = [f"**{name}.** {facts.sections[name]}" for name in wanted if name in facts.sections]
    joined = "\n\n".join(part.replace(".** - ", ".**\n\n- ", 1) for part in parts)
    return joined


def limits_markdown(facts: list[ModelFacts]) -> str:
    """Return every limit that a card names, once, in Markdown."""
    points: dict[str, None] = {}
    for model in facts:
        for line in model.sections.get("Limits", "").splitlines():
            points.setdefault(line.strip(), None)
    return "\n".join(point for point in points if point)


def licence_markdown(repository: Path) -> str:
    """Return what LICENSE.md says of the weights, in Markdown; nothing where there is none."""
    path = repository / "LICENSE.md"
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^## What was trained on them\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found.group(1).strip() if found else ""
