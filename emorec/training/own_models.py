"""The models' folder that was fitted on somebody's clips: weights, cards, predictions, scores."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emorec.emotions import COMMON7
from emorec.engines import read_model_spec
from emorec.errors import printable
from emorec.evaluation.evidence import Measurement, write_evidence
from emorec.evaluation.model_card import CardText, render_card, write_card
from emorec.files import write_atomically
from emorec.models import MODEL_FOLDERS
from emorec.style import TITLES
from emorec.training.own_fit import Own
from emorec.training.own_networks import write_with_head
from emorec.training.own_scores import Comparison

__all__ = ["Story", "write_models"]

_FAMILIAR = 99  # per cent of clips that trained are to be called familiar
_LICENCE = (
    "Derived from the weights that come with emorec, which are for non-commercial use, share "
    "alike, for research (LICENSE.md there); and from your clips, under the terms of these."
)
_SHOWN = {
    "accuracy": "right %",
    "unweighted_average_recall": "recall %",
    "macro_f1": "F1 %",
    "expected_calibration_error": "calibration error, points",
}


@dataclass(frozen=True)
class Story:
    """What the cards tell beside the numbers.

    Attributes:
        labels: What the file of labels is called.
        command: What makes the same again.
        warnings: What a reader has to know.
        base: What the models folder that it began with is called.
    """

    labels: str
    command: str
    warnings: Sequence[str]
    base: str


def write_models(
    folder: Path, shipped: Path, own: Own, comparison: Comparison, story: Story
) -> None:
    """Write a models' folder that `Recognizer.load` takes.

    What is not new is copied with its own evidence. `predictions.csv` and `metrics.json` at the top
    are what all streams together said of people whom they did not meet, and, as their entry
    `shipped`, what the models said that were there before.

    Args:
        folder: To write, not there yet.
        shipped: The models that were there before.
        own: What was fitted.
        comparison: Both, judged.
        story: For the cards.
    """
    folder.mkdir(parents=True)
    for stream, name in MODEL_FOLDERS.items():
        if stream in own.strengths:
            _write_stream(folder / name, shipped / name, stream, own, comparison, story)
        else:
            _copy(shipped / name, folder / name)
    if own.has_own_fusion or own.strengths:
        _write_fusion(folder / "fusion", own, comparison, story)
    else:
        _copy(shipped / "fusion", folder / "fusion")
    facts = {
        "gains": comparison.gains,
        "by_speaker": comparison.by_speaker,
        "trained": {s: own.strengths.get(s, 0) for s in comparison.clips.heads},
        "has_own_fusion": own.has_own_fusion,
        "warnings": list(story.warnings),
    }
    main = replace(_measurement(comparison, "fused", story.labels), facts=facts)
    parts = {"shipped": _measurement(comparison, "fused", story.labels, shipped=True)}
    for stream in comparison.streams[1:]:
        parts[stream] = _measurement(comparison, stream, story.labels)
        old = _measurement(comparison, stream, story.labels, shipped=True)
        parts[f"{stream}_shipped"] = old
    metrics = write_evidence(folder, main, stream="fusion", command=story.command, parts=parts)
    # Of the parts it tells what changed, and not all once more.
    card = render_card(
        _card(own, comparison, story), {n: metrics[n] for n in metrics if n not in parts}
    )
    write_atomically(
        folder / "MODEL_CARD.md", lambda name: Path(name).write_text(card, encoding="utf-8")
    )


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("work"))


def _measurement(
    comparison: Comparison, stream: str, labels: str, *, shipped: bool = False
) -> Measurement:
    how = "judged by the models that were there before" if shipped else comparison.protocol
    when = "before a training" if shipped else "trained"
    return Measurement(
        comparison.predictions(stream, shipped=shipped),
        f"{labels}, {stream}; {how}",
        f"{TITLES[stream]}, {when} on {labels}",
        comparison.unit,
    )


def _write_stream(
    folder: Path, shipped: Path, stream: str, own: Own, comparison: Comparison, story: Story
) -> None:
    """Write voice or face: its new head, and what its like said of people they did not meet."""
    far = None
    if stream == "voice":
        distances = comparison.clips.distances
        known = float(np.percentile(distances[np.isfinite(distances)], _FAMILIAR))
        far = max(read_model_spec(shipped).far, known)
    write_with_head(shipped, folder, own.models.heads[stream], far)
    measurement = _measurement(comparison, stream, story.labels)
    write_evidence(folder, measurement, stream=stream, command=story.command)
    what = (
        f"The {stream} network that came with emorec, its last layer trained anew on your clips; "
        "all before it is as it was."
    )
    text = CardText(
        f"{TITLES[stream]}, its head trained on {story.labels}",
        what,
        _data(comparison, story),
        story.warnings,
        _LICENCE,
    )
    write_card(folder, text)


def _write_fusion(folder: Path, own: Own, comparison: Comparison, story: Story) -> None:
    folder.mkdir()
    write_atomically(folder / "fusion.json", own.models.fusion.to_json)
    measurement = _measurement(comparison, "fused", story.labels)
    write_evidence(folder, measurement, stream="fusion", command=story.command)
    fitted = "fitted on your clips" if own.has_own_fusion else "as it came with emorec"
    text = CardText(
        f"Fusion, of what was trained on {story.labels}",
        f"What voice, face and geometry say, joined log-linearly; temperatures and weights are "
        f"{fitted}.",
        _data(comparison, story),
        story.warnings,
        _LICENCE,
    )
    write_card(folder, text)


def _data(comparison: Comparison, story: Story) -> str:
    labels = comparison.clips.labels
    speakers = len({label.speaker for label in labels if label.speaker})
    who = f" of {speakers} speakers" if speakers else ", whose speakers are not named"
    counts = [f"{sum(one.emotion == n for one in labels)} {n}" for n in COMMON7]
    shown = ", ".join(count for count in counts if not count.startswith("0 "))
    return f"{len(labels)} rows of {story.labels}{who}: {shown}."


def _card(own: Own, comparison: Comparison, story: Story) -> CardText:
    new = [f"the head of the {stream}" for stream in own.strengths]
    new += ["the fusion's temperatures and weights"] * own.has_own_fusion
    trained = f"Trained anew: {', '.join(new)}. " if new else "Nothing is trained anew. "
    what = (
        f"A models' folder for `emorec classify --models`, begun from {story.base}. {trained}"
        "All else is copied. A new head or fusion is held to the one that was there, and taken "
        "only where folds within the clips say that it is better by more than a standard error."
    )
    if story.warnings:
        what += "\n\n**Mind:**\n\n" + "\n".join(f"- {warning}" for warning in story.warnings)
    more = [
        ("Beside what was there before", _gains_table(comparison)),
        ("Use", "```sh\nemorec classify CLIP --models THIS_FOLDER\n```"),
    ]
    if comparison.by_speaker:
        more.insert(1, ("By speaker", _speakers_table(comparison)))
    limits = [
        "A probability is a statement about how such clips are labelled, not about what a person "
        "feels. It is not fit for decisions about people.",
    ]
    title = f"Models trained on {story.labels}"
    return CardText(title, what, _data(comparison, story), limits, _LICENCE, more)


def _gains_table(comparison: Comparison) -> str:
    lines = [
        "Both on the same clips; 95 % intervals are those of the difference, over "
        f"{'speakers' if comparison.unit == 'speaker' else 'clips'}.",
        "",
        "| | score | before | now | difference (95 %) |",
        "|---|---|---|---|---|",
    ]
    for stream in comparison.streams:
        for score, title in _SHOWN.items():
            gain, low, high = (100 * value for value in comparison.gains[stream][score])
            before, now = comparison.scores(stream, score)
            lines.append(
                f"| {TITLES[stream]} | {title} | {100 * before:.1f} | {100 * now:.1f} | "
                f"{gain:+.1f} ({low:+.1f} – {high:+.1f}) |"
            )
    return "\n".join(lines)


def _speakers_table(comparison: Comparison) -> str:
    lines = ["| speaker | clips | right %, before | now |", "|---|---|---|---|"]
    for one in comparison.by_speaker:
        shares = f"{100 * one['shipped']:.0f} | {100 * one['own']:.0f}"
        lines.append(f"| {printable(one['speaker'])} | {one['clips']} | {shares} |")
    return "\n".join(lines)
