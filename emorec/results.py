"""Everything that is shown of the results, made again from the committed predictions alone.

python -m emorec.results    # tables in README.md and in the cards, plots in Plots/

No sound, picture or network is needed. Each folder of `Models/` that holds `predictions.csv` and
`metrics.json` takes part by itself; a further table `predictions_<key>.csv` belongs to the entry
`<key>` of the metrics, and takes part if there is one. Metrics that do not follow from their
predictions are corrected, so that a second run, or a run in a clean tree, changes nothing.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from emorec import evaluation, fusion, methods, model_card, model_folder
from emorec.corpora import REPOSITORY
from emorec.corpora.ravdess import speaker_name
from emorec.emotions import COMMON7
from emorec.evidence import Evidence, ResultsError, load_evidence, measured
from emorec.model_card import BEGIN, END
from emorec.published import REFERENCE, published_for
from emorec.splits import REFERENCE_TEST_ACTORS, is_actor

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
        model_folder.write_json(file, content)


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
        model_folder.write_atomically(file, lambda name: Path(name).write_text(new, "utf-8"))


def reported_by_others(evidence: Evidence) -> list[str]:
    """Return what others report: on the same model where it is a rebuilt one, else the corpus."""
    if "published_accuracy_percent" in evidence.metrics:
        percent = evidence.metrics["published_accuracy_percent"]
        return [f"{REFERENCE} {percent:g}"] if percent else []
    figures = published_for(evidence.measured_on, evidence.stream)
    return [figure.in_words() for figure in figures]


def results_table(found: list[Evidence]) -> str:
    """Return one row per model and set of clips, in Markdown."""
    rows = [
        "| model | measured on | accuracy % | 95 % interval | others on the same corpus |",
        "|---|---|---|---|---|",
    ]
    for evidence in found:
        value, low, high = evidence.percent()
        cells = (
            f"[{evidence.title}]({evidence.page})",
            f"{evidence.measured_on}; {evidence.size}",
            f"**{value:.1f}**",
            f"{low:.1f} – {high:.1f}",
            ", ".join(reported_by_others(evidence)) or "–",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def on_reference_split(evidence: Evidence) -> pd.DataFrame | None:
    """Return predictions for the reference project's test actors in its 7 classes.

    None where the model was not judged on RAVDESS, eight classes.
    """
    table = evidence.predictions
    actors = table[is_actor(table["speaker"], REFERENCE_TEST_ACTORS)]
    if evidence.key or not len(actors) or "calm" not in table:
        return None
    return evaluation.fold_predictions(actors, "ravdess7")


def reference_split_table(found: list[Evidence]) -> str:
    """Return accuracy on the reference project's test actors, in Markdown; empty without any."""
    rows = []
    for evidence in found:
        table = on_reference_split(evidence)
        if table is None:
            continue
        theirs = [words for words in reported_by_others(evidence) if REFERENCE in words]
        accuracy = 100 * evaluation.scores(table)["accuracy"]
        blocks = evaluation.fold_predictions(evidence.predictions, "ravdess7")
        by_block = 100 * blocks.groupby("fold").apply(
            lambda block: evaluation.scores(block)["accuracy"], include_groups=False
        )
        rows.append(
            f"| {evidence.title} | {accuracy:.1f} | {len(table)} | "
            + (f"{by_block.min():.1f} – {by_block.max():.1f}" if len(by_block) > 1 else "–")
            + f" | {', '.join(theirs) or '–'} |"
        )
    if not rows:
        return ""
    head = (
        "On the reference project's own split (actors 21-24, 7 classes without neutral), judged by "
        "the fold that never met them. Four actors prove little, as the range over all folds shows."
        "\n\n| model | accuracy % | takes | lowest – highest fold | reported |\n"
        "|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows)


def deployed_accuracies(folder: Path) -> dict[str, float]:
    """Return the shipped recogniser's accuracy on the audio-visual clips, by stream and fused.

    Args:
        folder: `Models/fusion` with `audiovisual.csv` and `fusion.json`.

    Returns:
        Stream -> share of all clips that are right, a clip without the stream being wrong.
    """
    table = pd.read_csv(folder / "audiovisual.csv")
    streams = list(dict.fromkeys(c.split(".")[0] for c in table.columns if "." in c))
    posteriors = {s: table[[f"{s}.{name}" for name in COMMON7]].to_numpy(float) for s in streams}
    rule = fusion.LogLinearFusion.from_json(folder / "fusion.json")
    posteriors["fused"] = rule.apply(posteriors)
    truth = table["truth"].map({name: i for i, name in enumerate(COMMON7)}).to_numpy()
    return {
        stream: float(
            (np.where(np.isfinite(p).all(1), np.nan_to_num(p).argmax(1), -1) == truth).mean()
        )
        for stream, p in posteriors.items()
    }


def deployed_line(models: Path) -> str:
    """Tell how the shipped recogniser does on another corpus; empty without its posteriors."""
    folder = models / "fusion"
    if not (folder / "audiovisual.csv").exists() or not (folder / "fusion.json").exists():
        return ""
    table = pd.read_csv(folder / "audiovisual.csv")
    found = deployed_accuracies(folder)
    streams = ", ".join(f"{s} {100 * a:.1f} %" for s, a in found.items() if s != "fused")
    return (
        f"The recogniser as shipped, on JavaSED (Javanese, {table['speaker'].nunique()} actors, "
        f"{len(table)} clips, {table['truth'].nunique()} emotions): fused "
        f"{100 * found['fused']:.1f} %, {streams}; chance {100 / table['truth'].nunique():.1f} %. "
        "The exponents of the fusion were fitted on these clips together with RAVDESS."
    )


def one_actor_line(found: list[Evidence], actor: int = 5) -> str:
    """Tell how the fold that never met an actor judges all takes of that actor."""
    parts = []
    for evidence in found:
        table = evidence.predictions
        own = table[table["speaker"] == speaker_name(actor)]
        if len(own) and not evidence.key:
            right = round(evaluation.scores(own)["accuracy"] * len(own))
            parts.append(f"{evidence.title} {right} of {len(own)}")
    if not parts:
        return ""
    return (
        f"Actor {actor:02d}, by the fold that never met that actor: {', '.join(parts)} takes right."
    )


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
    from emorec.result_plots import rebuild_plots

    found = rebuild_texts(root)
    for path in rebuild_plots(found, root / "Plots"):
        print(f"drew again: {path.relative_to(root)}")
    print(f"results of {len(found)} prediction tables are up to date")


if __name__ == "__main__":
    rebuild()
