"""The tables of results, from the committed predictions."""

import pandas as pd

from emorec.corpora.ravdess import speaker_name
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import Evidence
from emorec.evaluation.literature import REFERENCE_PROJECT, reported_for
from emorec.evaluation.splits import REFERENCE_TEST_ACTORS, is_actor


def reported_by_others(evidence: Evidence) -> list[str]:
    """Return what others report: on the same model where it is a rebuilt one, else the corpus."""
    if "published_accuracy_percent" in evidence.metrics:
        percent = evidence.metrics["published_accuracy_percent"]
        return [f"{REFERENCE_PROJECT} {percent:g}"] if percent else []
    figures = reported_for(evidence.measured_on, evidence.stream)
    return [figure.in_words() for figure in figures]


def accuracy_table(found: list[Evidence]) -> str:
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
        theirs = [words for words in reported_by_others(evidence) if REFERENCE_PROJECT in words]
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
