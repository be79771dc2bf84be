"""Everything that is shown of the results, made again from the committed predictions alone.

python -m emorec.publish.rebuild    # tables in README.md and in the cards, plots in Plots/

No sound, picture or network is needed. Each folder of `Models/` that holds `predictions.csv` and
`metrics.json` takes part by itself; a further table `predictions_<key>.csv` belongs to the entry
`<key>` of the metrics, and takes part if there is one. Metrics that do not follow from their
predictions are corrected, so that a second run, or a run in a clean tree, changes nothing.
"""

import json
from pathlib import Path

import numpy as np

from emorec import files
from emorec.evaluation import model_card
from emorec.evaluation.deployed import deployed_line
from emorec.evaluation.evidence import Evidence, ResultsError, load_evidence, measured
from emorec.evaluation.model_card import BEGIN, END
from emorec.paths import REPOSITORY
from emorec.publish import methods
from emorec.publish.corpora_tables import rebuild_corpora
from emorec.publish.tables import one_actor_line, reference_split_table, results_table

_TOLERANCE = 1e-6


def differences(old, new, where: str = "") -> list[str]:
    """List where two nested values differ by more than rounding; empty when they agree.

    Example:
        >>> differences({"a": [1, 2.0]}, {"a": [1, 2.5]})
        ['/a/1: 2.0 is committed, 2.5 follows']
    """
    if isinstance(new, dict) and isinstance(old, dict):
        return [
            line
            for name in new
            for line in differences(old.get(name), new[name], f"{where}/{name}")
        ]
    if isinstance(new, list) and isinstance(old, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{where}/{i}")]
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    if old == new or (numbers and np.isclose(old, new, rtol=0, atol=_TOLERANCE)):
        return []
    return [f"{where}: {old} is committed, {new} follows"]


def check_metrics(evidence: Evidence) -> list[str]:
    """List what in the committed metrics does not follow from the committed predictions."""
    return differences(
        evidence.metrics, measured(evidence.predictions, evidence.unit), evidence.name
    )


def mend_metrics(found: list[Evidence]) -> None:
    """Write what follows from the predictions into each `metrics.json` that says otherwise."""
    for evidence in found:
        if not check_metrics(evidence):
            continue
        evidence.metrics.update(measured(evidence.predictions, evidence.unit))
        if evidence.unit in evidence.predictions and "units" in evidence.metrics:
            evidence.metrics["units"] = int(evidence.predictions[evidence.unit].nunique())
        file = evidence.folder / "metrics.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        content.update({evidence.key: evidence.metrics} if evidence.key else evidence.metrics)
        files.write_json(file, content)


def replace_region(text: str, content: str, file: Path) -> str:
    """Put content between the marks of a text.

    Raises:
        ResultsError: If the text has not one pair of marks.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ResultsError(
            f"{file}: no place for the results. Remedy: put the line {BEGIN} and below it the line "
            f"{END} where they belong, once."
        )
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + model_card.marked(content) + after


def write_region(file: Path, content: str) -> None:
    """Rewrite what stands between the marks of a file, if it differs."""
    old = file.read_text(encoding="utf-8")
    new = replace_region(old, content, file)
    if new != old:
        files.write_atomically(file, lambda name: Path(name).write_text(new, "utf-8"))


def readme_content(found: list[Evidence], models: Path) -> str:
    """Return what stands between the marks of the README."""
    shipped = [evidence for evidence in found if evidence.is_shipped]
    shown = [evidence for evidence in found if evidence.is_in_readme]
    rebuilt = [evidence for evidence in found if "published_accuracy_percent" in evidence.metrics]
    parts = (
        results_table(shown),
        reference_split_table(shown + rebuilt),
        "All that the notebooks train and judge for comparison stands in "
        "[Models/README.md](Models/README.md), on one footing.",
        deployed_line(models),
        one_actor_line(shipped),
    )
    return "\n\n".join(part for part in parts if part)


def rebuild_texts(root: Path = REPOSITORY) -> list[Evidence]:
    """Correct the metrics, and rewrite the tables in the cards and in the README.

    Returns:
        The evidence that was found.
    """
    models = root / "Models"
    mend_metrics(load_evidence(models))
    found = load_evidence(models)
    for evidence in found:
        card = evidence.folder / "MODEL_CARD.md"
        if card.exists() and not evidence.key:
            further = {e.key: e.metrics for e in found if e.folder == evidence.folder and e.key}
            write_region(card, model_card.results_content(evidence.metrics, further))
    write_region(root / "README.md", readme_content(found, models))
    times_ms = methods.read_times(root / "Other" / "model_times.json")
    table = methods.methods_table(found, times_ms)
    write_region(models / "README.md", methods.methods_page(table))
    return found


def rebuild(root: Path = REPOSITORY) -> None:
    """Make tables and plots again."""
    from emorec.publish.figures import rebuild_plots

    rebuild_corpora(root)
    found = rebuild_texts(root)
    for path in rebuild_plots(found, root / "Plots"):
        print(f"drew again: {path.relative_to(root)}")
    print(f"results of {len(found)} prediction tables are up to date")


if __name__ == "__main__":
    rebuild()
