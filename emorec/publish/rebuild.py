"""Everything that is shown of the results, made again from the committed predictions alone.

python -m emorec.publish.rebuild    # tables in the pages and in the cards, plots in Plots/

No sound, picture or network is needed. Each folder of `Models/` that holds `predictions.csv` and
`metrics.json` takes part by itself; a further table `predictions_<key>.csv` belongs to the entry
`<key>` of the metrics, and takes part if there is one. Metrics that do not follow from their
predictions are corrected, so that a second run, or a run in a clean tree, changes nothing.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from emorec import files
from emorec.evaluation.deployed import deployed_line
from emorec.evaluation.evidence import Evidence, ResultsError, load_evidence, measured
from emorec.evaluation.left_out import write_worth
from emorec.evaluation.model_card import BEGIN, END, NOTICE, results_content
from emorec.paths import REPOSITORY
from emorec.publish import methods
from emorec.publish.corpora_tables import rebuild_corpora
from emorec.publish.figures import rebuild_plots
from emorec.publish.held_faces import held_faces_page
from emorec.publish.model_folders import folders_page
from emorec.publish.notebook_table import count_in_words, notebook_table, read_notebooks
from emorec.publish.own_data import own_data_page
from emorec.publish.strangers import end_to_end, strangers_line, strangers_table
from emorec.publish.tables import accuracy_table, one_actor_line, reference_split_table

_TOLERANCE = 1e-6
_RESULTS = (BEGIN, END)


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


def marks(name: str) -> tuple[str, str]:
    """Return the lines, or comments within a line, between which a region is made."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def replace_region(text: str, content: str, file: Path, between: tuple[str, str] = _RESULTS) -> str:
    """Put content between two marks of a text: lines under a notice, a few words as they are.

    Raises:
        ResultsError: If the text has not one pair of marks.
    """
    begin, end = between
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        remedy = f"put the line {begin} and below it the line {end} where they belong, once"
        raise ResultsError(file, "no place for the results", remedy)
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    if "\n" in content:
        content = f"\n{NOTICE}\n\n{content.strip()}\n\n"
    return before + begin + content + end + after


def write_region(file: Path, content: str, between: tuple[str, str] = _RESULTS) -> None:
    """Rewrite what stands between two marks of a file, if it differs."""
    old = file.read_text(encoding="utf-8")
    new = replace_region(old, content, file, between)
    if new != old:
        files.write_atomically(file, lambda name: Path(name).write_text(new, "utf-8"))
        print(f"wrote again: {file.name} in {file.parent.name}")


def results_page(found: list[Evidence], models: Path) -> str:
    """Return what stands between the marks of `docs/results.md`."""
    described = [evidence for evidence in found if evidence.has_card]
    shown = [evidence for evidence in found if evidence.is_in_readme]
    rebuilt = [evidence for evidence in found if "published_accuracy_percent" in evidence.metrics]
    parts = (
        accuracy_table(shown),
        reference_split_table(shown + rebuilt),
        "All that the notebooks train and judge for comparison stands in "
        "[Models/README.md](Models/README.md), on one footing.",
        deployed_line(models),
        one_actor_line(described),
    )
    # The tables name folders from the repository's root, and the page lies a folder below.
    return "\n\n".join(part for part in parts if part).replace("](Models/", "](../Models/")


def rebuild_texts(root: Path = REPOSITORY) -> list[Evidence]:
    """Correct the metrics, and rewrite the tables in the cards and in the pages.

    Returns:
        The evidence that was found.
    """
    models = root / "Models"
    mend_metrics(load_evidence(models))
    found = load_evidence(models)
    write_worth(models)
    for evidence in found:
        card = evidence.folder / "MODEL_CARD.md"
        if card.exists() and not evidence.key:
            further = {e.key: e.metrics for e in found if e.folder == evidence.folder and e.key}
            write_region(card, results_content(evidence.metrics, further))
    whole = end_to_end(found)
    if whole is not None:
        write_region(root / "README.md", strangers_line(whole), marks("strangers-line"))
        write_region(root / "README.md", strangers_table(whole), marks("strangers"))
    study = models / "comparisons" / "held_faces"
    if study.is_dir():
        write_region(root / "docs" / "clips.md", held_faces_page(study), marks("held-faces"))
    own_data = models / "comparisons" / "own_data"
    if own_data.is_dir():
        write_region(root / "docs" / "clips.md", own_data_page(own_data), marks("own-data"))
    write_region(root / "docs" / "results.md", results_page(found, models))
    times_ms = methods.read_times(root / "Other" / "model_times.json")
    table = methods.methods_table(found, times_ms)
    write_region(models / "README.md", methods.methods_page(table))
    notebooks = read_notebooks(root / "notebooks")
    write_region(models / "README.md", folders_page(found, models, notebooks), marks("folders"))
    if notebooks:
        count = count_in_words(len(notebooks))
        write_region(root / "README.md", count, marks("notebooks"))
        write_region(root / "notebooks" / "README.md", notebook_table(notebooks))
    return found


def rebuild(root: Path = REPOSITORY) -> None:
    """Make tables and plots again."""
    rebuild_corpora(root)
    found = rebuild_texts(root)
    for path in rebuild_plots(found, root / "Plots"):
        print(f"drew again: {path.relative_to(root)}")
    print(f"results of {len(found)} prediction tables are up to date")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    rebuild()
