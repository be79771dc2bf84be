"""Model cards: one page of text per model, made from its `metrics.json` (Mitchell et al. 2019)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from emorec.files import write_atomically

_SCORE_NAMES = {
    "accuracy": "Accuracy",
    "unweighted_average_recall": "Unweighted average recall",
    "top3_accuracy": "Truth among the first three",
    "macro_f1": "Macro F1",
    "expected_calibration_error": "Expected calibration error",
}

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
NOTICE = "<!-- Made by `make results`; edits between these marks are lost. -->"
"""What stands between the marks follows from the predictions; see `emorec.publish.rebuild`."""

RAVDESS_LIMITS = (
    "The emotions are acted, by 24 professional actors from North America who say two "
    "sentences in English, in a studio. The scores say little of other people, cultures and "
    "languages, and nothing of emotion that is felt.",
    "Accuracy differs from actor to actor by tens of points; see `predictions.csv`.",
    "A probability is a statement about how such acting is labelled, not about what a person "
    "feels. It is not fit for decisions about people.",
)
"""What holds for every model that was trained on RAVDESS."""

RAVDESS_LICENCE = (
    "The weights were trained on RAVDESS (Livingstone & Russo 2018) and are, like it, licensed "
    "CC BY-NC-SA 4.0: no commercial use, share alike. The code is MIT."
)


@dataclass(frozen=True)
class CardText:
    """What a card says beside the numbers.

    Attributes:
        title: Heading.
        what: What goes in, what comes out, how it works.
        data: What it was trained on, and who speaks there.
        limits: One point each.
        licence: Of the weights.
        more: Further sections, (heading, text in Markdown).
    """

    title: str
    what: str
    data: str
    limits: Sequence[str] = RAVDESS_LIMITS
    licence: str = RAVDESS_LICENCE
    more: Sequence[tuple[str, str]] = ()


def score_table(scores: dict, intervals: dict) -> str:
    """Return scores and their 95 % intervals as a Markdown table, in percent.

    Example:
        >>> print(score_table({"accuracy": 0.5}, {"accuracy": [0.4, 0.6]}))
        | score | % | 95 % interval |
        |---|---|---|
        | Accuracy | 50.0 | 40.0 – 60.0 |
    """
    rows = ["| score | % | 95 % interval |", "|---|---|---|"]
    for name, value in scores.items():
        low, high = intervals[name]
        label = _SCORE_NAMES.get(name, name)
        rows.append(f"| {label} | {100 * value:.1f} | {100 * low:.1f} – {100 * high:.1f} |")
    return "\n".join(rows)


def recall_table(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> str:
    """Return for each class its clips, recall, precision and likeliest error, in Markdown."""
    counts = np.asarray(confusion)
    rows = [
        "| class | clips | recall % | precision % | most often taken for |",
        "|---|---|---|---|---|",
    ]
    for i, name in enumerate(classes):
        errors = counts[i].copy()
        errors[i] = 0
        wrong = int(errors.argmax())
        taken_for = f"{classes[wrong]} ({errors[wrong]})" if errors.any() else "–"
        recall = 100 * counts[i, i] / max(1, counts[i].sum())
        precision = 100 * counts[i, i] / max(1, counts[:, i].sum())
        rows.append(
            f"| {name} | {counts[i].sum()} | {recall:.1f} | {precision:.1f} | {taken_for} |"
        )
    return "\n".join(rows)


def results_content(metrics: dict, further: Mapping[str, dict] = MappingProxyType({})) -> str:
    """Return the sections of a card that follow from the predictions, in Markdown.

    Args:
        metrics: As `evidence.write_evidence` writes them.
        further: Key -> metrics of the same model on other clips or labels, with a protocol of
            their own.
    """
    over = metrics["bootstrapped_over"]
    sections = [
        f"## Scores\n\n{metrics['clips']} clips, {metrics['units']} {over}s; intervals "
        f"bootstrapped over {over}s.\n\n" + score_table(metrics["scores"], metrics["intervals_95"]),
        f"## By class\n\n{recall_table(metrics['classes'], metrics['confusion'])}",
    ]
    for key, more in further.items():
        sections.append(
            f"## Scores: {key}\n\n{more['protocol']}; {more['clips']} clips.\n\n"
            + score_table(more["scores"], more["intervals_95"])
            + f"\n\n{recall_table(more['classes'], more['confusion'])}"
        )
    return "\n\n".join(sections)


def marked(content: str) -> str:
    """Return content between the marks of what `make results` writes."""
    return f"{BEGIN}\n{NOTICE}\n\n{content.strip()}\n\n{END}"


def further_metrics(metrics: dict) -> dict[str, dict]:
    """Return the entries of `metrics.json` that are metrics of their own, by key."""
    return {
        key: entry
        for key, entry in metrics.items()
        if isinstance(entry, dict) and {"protocol", "scores", "confusion"} <= set(entry)
    }


def render_card(text: CardText, metrics: dict) -> str:
    """Return the card in Markdown.

    Args:
        text: What the numbers cannot say.
        metrics: As `evidence.write_evidence` writes them.
    """
    sections = [
        ("What it is", text.what),
        ("Data", text.data),
        ("Protocol", f"{metrics['protocol']}\n\nMade again by `{metrics['command']}`."),
    ]
    after = [
        *text.more,
        ("Limits", "\n".join(f"- {limit}" for limit in text.limits)),
        ("Licence", text.licence),
    ]
    results = marked(results_content(metrics, further_metrics(metrics)))
    body = "\n\n".join([_join(sections), results, _join(after)])
    note = "Written from `metrics.json`; edit the code that writes it, not this file."
    return f"# {text.title}\n\n{body}\n\n---\n\n{note}\n"


def _join(sections: Sequence[tuple[str, str]]) -> str:
    return "\n\n".join(f"## {heading}\n\n{content}" for heading, content in sections)


def write_card(folder: Path, text: CardText) -> None:
    """Write `MODEL_CARD.md` from the folder's `metrics.json`."""
    folder = Path(folder)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    card = render_card(text, metrics)
    write_atomically(
        folder / "MODEL_CARD.md", lambda name: Path(name).write_text(card, encoding="utf-8")
    )
