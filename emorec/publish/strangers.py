"""What a stranger's clip gets: the README's first figure, as a table and as a plot."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from emorec.analysis import strangers
from emorec.evaluation.evidence import Evidence

__all__ = ["draw_strangers", "end_to_end", "strangers_line", "strangers_table"]


def end_to_end(found: Sequence[Evidence]) -> Evidence | None:
    """Return the evidence of the whole recogniser on corpora left out; None without it."""
    return next((e for e in found if e.place.endswith("strangers/end_to_end")), None)


def strangers_line(evidence: Evidence) -> str:
    """Return how good the recogniser is on strangers in a sentence or two, in Markdown."""
    gate = evidence.metrics["gate"]
    value, low, high = strangers.mean_interval(evidence.predictions)["accuracy"]
    fused = evidence.metrics["left_out"]["fused"]
    right = {key: 100 * fused[key]["scores"]["accuracy"] for key in fused}
    least, most = min(right, key=right.__getitem__), max(right, key=right.__getitem__)
    names = {key: label.partition(",")[0] for key, label in strangers.CORPORA.items()}
    return (
        f"**Of a stranger's clips, {100 * value:.1f} % are named rightly** among seven emotions "
        f"(95 % interval {100 * low:.1f} – {100 * high:.1f}; mean of {gate['corpora']} corpora, "
        f"from {right[least]:.0f} % on {names[least]} to {right[most]:.0f} % on {names[most]}; "
        "guessing 14.3 %). "
        f"The recogniser says that it is {100 * gate['mean_confidence']:.0f} % sure on average."
    )


def strangers_table(evidence: Evidence) -> str:
    """Return a row for each corpus, in Markdown."""
    lines = [
        "| corpus, left out of everything | clips | read from | right % (95 %) | mean recall % "
        "| says it is sure % | calibration error, points |",
        "|---|---|---|---|---|---|---|",
    ]
    left_out = evidence.metrics["left_out"]
    for key, label in strangers.CORPORA.items():
        if key not in left_out["fused"]:
            continue
        entry = left_out["fused"][key]
        scores = {name: 100 * share for name, share in entry["scores"].items()}
        bounds = (100 * bound for bound in entry["intervals_95"]["accuracy"])
        cells = (
            label,
            f"{entry['clips']:,}",
            "voice and face" if key in left_out["face"] else "voice",
            f"**{scores['accuracy']:.1f}** ({{:.1f}} – {{:.1f}})".format(*bounds),
            f"{scores['unweighted_average_recall']:.1f}",
            f"{100 * entry['mean_confidence']:.0f}",
            f"{scores['expected_calibration_error']:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw_strangers(evidence: Evidence, models: Path) -> Figure:
    """Draw how often the recogniser is right on each corpus, and the voice before."""
    figure, axes = plt.subplots(figsize=(9, 5.6), layout="constrained")
    previous = strangers.before(models)
    title = (
        "What a stranger's clip gets: one of seven emotions, each corpus left out of all fitting"
    )
    strangers.plot_corpora(axes, evidence.metrics["left_out"], title, previous)
    return figure
