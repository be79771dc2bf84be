"""How often the recogniser, as shipped, is right on clips from elsewhere."""

import json
from pathlib import Path

from emorec.evaluation.left_out import CORPORA_NAMES, END_TO_END


def read_strangers(models: Path) -> dict:
    """Return what `emorec.experiments.strangers` measured; empty before it ran.

    Args:
        models: The models' folder.

    Returns:
        `metrics.json`, with `left_out` (stream -> corpus -> what was measured) and `gate` (means
        of the fused verdict over the corpora).
    """
    file = models / END_TO_END / "metrics.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def deployed_line(models: Path) -> str:
    """Tell how the shipped recogniser does on corpora of which nothing trained it; may be empty."""
    metrics = read_strangers(models)
    if not metrics:
        return ""
    gate, corpora = metrics["gate"], metrics["left_out"]["fused"]
    each = ", ".join(
        f"{CORPORA_NAMES[name]} {100 * found['scores']['accuracy']:.0f}"
        for name, found in corpora.items()
    )
    return (
        f"On clips of corpora of which nothing trained it, the recogniser is right in "
        f"{100 * gate['mean_accuracy']:.0f} % (mean of {gate['corpora']}: {each}; guessing among "
        f"{len(metrics['classes'])} emotions: {100 / len(metrics['classes']):.0f}), and says "
        f"{100 * gate['mean_confidence']:.0f} % on average."
    )
