"""All methods on one footing: one row for each model, from the committed predictions.

python -m emorec.publish.methods  # times the models that have weights, into Other/model_times.json

`make results` puts the table into `Models/README.md`. A model's predictions give its scores; its
`metrics.json` gives what training measured (parameters, minutes); its weights, where they are
committed, their size.
"""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Evidence, load_evidence
from emorec.files import write_json
from emorec.paths import MODELS, REPOSITORY

TIMES_FILE = REPOSITORY / "Other" / "model_times.json"

COLUMNS = {
    "accuracy": "accuracy % (95 %)",
    "recall": "recall %",
    "auc": "AUC",
    "seeds": "seeds %",
    "parameters": "parameters",
    "minutes": "training min",
    "ms": "ms",
    "size": "kB",
}
"""Key -> heading of the table."""


def model_size_kb(folder: Path) -> int | None:
    """Return the size of the committed weights in kB; None where there are none."""
    for name in ("model.onnx", "model.keras"):
        if (folder / name).exists():
            return round((folder / name).stat().st_size / 1000)
    return None


def _roc_auc(predictions: pd.DataFrame) -> float:
    """Return the area under the ROC curve; NaN where a class has no clip."""
    try:
        return evaluation.roc_auc(predictions)
    except ValueError:
        return float("nan")


def methods_table(found: list[Evidence], times_ms: dict[str, float]) -> pd.DataFrame:
    """Return one row per prediction table, the best first within each corpus and protocol.

    Single seeds have no rows of their own.

    Args:
        found: The evidence.
        times_ms: Folder -> ms for one window or face, of the models with weights.

    Returns:
        Columns `measured_on`, `title`, `folder`, `rank` (accuracy in percent), `n` and those of
        COLUMNS: numbers, NaN where nothing was measured; `accuracy` is text with its interval.
    """
    rows = []
    for evidence in found:
        if evidence.key.startswith("seed_"):
            continue  # told in the row of all seeds
        metrics = evidence.metrics
        seeds = metrics.get("accuracy_of_seeds", {}).get("accuracies", [])
        rows.append(
            {
                "measured_on": evidence.measured_on,
                "title": evidence.title,
                "folder": evidence.place,
                "rank": evidence.percent()[0],
                "n": metrics["clips"],
                "accuracy": evidence.in_words().replace(" %", "", 1),
                "recall": 100 * metrics["scores"]["unweighted_average_recall"],
                "auc": _roc_auc(evidence.predictions),
                "seeds": ", ".join(f"{100 * a:.1f}" for a in seeds) or np.nan,
                "parameters": metrics.get("parameters", np.nan),
                "minutes": metrics.get("training_minutes", np.nan),
                "ms": times_ms.get(evidence.folder.name, metrics.get("ms_per_clip", np.nan)),
                "size": model_size_kb(evidence.folder) or np.nan,
            }
        )
    table = pd.DataFrame(rows)
    first = table.groupby("measured_on")["n"].transform("size")
    return (
        table.assign(_many=first)
        .sort_values(
            ["_many", "measured_on", "rank"], ascending=[False, True, False], kind="stable"
        )
        .drop(columns="_many")
        .reset_index(drop=True)
    )


_FORMATS: dict[str, Callable] = {
    "accuracy": str,
    "recall": "{:.1f}".format,
    "auc": "{:.3f}".format,
    "seeds": str,
    "parameters": "{:,.0f}".format,
    "minutes": "{:.0f}".format,
    "ms": "{:.1f}".format,
    "size": "{:,.0f}".format,
}


def methods_page(table: pd.DataFrame) -> str:
    """Return the table in Markdown, one part for each corpus and protocol."""
    parts = []
    for measured_on, rows in table.groupby("measured_on", sort=False):
        lines = [
            f"### {measured_on}",
            "",
            "| model | n | " + " | ".join(COLUMNS.values()) + " |",
            "|---" * (len(COLUMNS) + 2) + "|",
        ]
        for row in rows.to_dict("records"):
            cells = [
                "–" if pd.isna(row[key]) else write(row[key]) for key, write in _FORMATS.items()
            ]
            name = f"[{row['title']}]({row['folder']}/)"
            lines.append(f"| {name} | {row['n']:,} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def read_times(path: Path = TIMES_FILE) -> dict[str, float]:
    """Return folder -> ms for one input, as `time_models` measured it; empty without the file."""
    if not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))["ms"]


def main() -> None:
    """Time the models and print the table."""
    from emorec.training.costs import time_models  # TensorFlow, which no table needs

    times_ms = time_models()
    write_json(
        TIMES_FILE,
        {
            "command": "python -m emorec.publish.methods",
            "what": "one window or face, ONNX Runtime, one thread, fastest of 30 rounds",
            "processor": platform.processor() or platform.machine(),
            "ms": times_ms,
        },
    )
    table = methods_table(load_evidence(MODELS), times_ms)
    print(table.drop(columns=["measured_on", "rank"]).to_string(index=False))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    main()
