"""What a training on somebody's own clips gains, as a table."""

import json
from pathlib import Path

from emorec.evaluation.left_out import CORPORA_NAMES

__all__ = ["own_data_page"]

_HEAD = (
    "| somebody's clips | read from | right %, before | now | difference (95 %) | "
    "calibration error, before | now |\n|---|---|---|---|---|---|---|"
)


def own_data_page(folder: Path) -> str:
    """Return a row for each corpus that stood for somebody's clips, in Markdown.

    Args:
        folder: Of the evidence of `emorec.experiments.own_data`.
    """
    there = {file.parent.name: file for file in folder.glob("*/metrics.json")}
    return "\n".join([_HEAD, *(_row(there[name]) for name in CORPORA_NAMES if name in there)])


def _row(file: Path) -> str:
    metrics = json.loads(file.read_text(encoding="utf-8"))
    now, before = metrics["scores"], metrics["shipped"]["scores"]
    gain, low, high = (100 * value for value in metrics["gains"]["fused"]["accuracy"])
    error = "expected_calibration_error"
    cells = (
        f"{CORPORA_NAMES[file.parent.name]}, {metrics['clips']:,} of {metrics['units']} people",
        "voice and face" if "face" in metrics else "voice",
        f"{100 * before['accuracy']:.1f}",
        f"**{100 * now['accuracy']:.1f}**",
        f"{gain:+.1f} ({low:+.1f} – {high:+.1f})",
        f"{100 * before[error]:.1f}",
        f"{100 * now[error]:.1f}",
    )
    return f"| {' | '.join(cells)} |"
