"""The fusion's evidence on RAVDESS, out of fold, and the parameters that the recogniser uses.

python -m emorec.training.fusion            # from the committed posteriors, in seconds
python -m emorec.training.fusion --predict  # first run the networks again
python -m emorec.training.fusion --voice voice_2d_cnn  # the parameters for that voice instead
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from emorec import files, fusion
from emorec.emotions import RAVDESS8
from emorec.errors import run_main
from emorec.evaluation import evidence
from emorec.evaluation import scores as evaluation
from emorec.evaluation.model_card import RAVDESS_LICENCE, RAVDESS_LIMITS, CardText, write_card
from emorec.evaluation.splits import check_disjoint
from emorec.paths import MODELS
from emorec.training import fusion_groups, fusion_rules
from emorec.training.fusion_groups import codes

RAVDESS_STREAMS = {"voice": "voice_encoder", "geometry": "geometry"}
COMMAND = "python -m emorec.training.fusion"


def join_streams(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the prediction tables of several streams by `clip_id`; clips of all streams stay.

    Args:
        tables: Stream -> prediction table (see `emorec.evaluation.scores`).

    Returns:
        `clip_id`, `speaker`, `fold`, `truth`, and columns (stream, class) named
        `stream.class`.

    Raises:
        ValueError: If two streams disagree on a clip's speaker, fold or truth, or share no
            clip.
    """
    joined = None
    for stream, table in tables.items():
        classes = evaluation.classes_of(table)
        table = table.rename(columns={name: f"{stream}.{name}" for name in classes})
        if joined is None:
            joined = table
            continue
        both = joined.merge(table, on="clip_id", suffixes=("", " again"), validate="1:1")
        for key in ("speaker", "fold", "truth"):
            differing = both.loc[both[key] != both.pop(f"{key} again"), "clip_id"]
            if len(differing):
                raise ValueError(
                    f"{stream} and the other streams differ in the {key} of {len(differing)} "
                    f"clips, the first of which is {differing.iloc[0]}. Remedy: train all "
                    "streams on the same folds."
                )
        joined = both
    if not len(joined):
        raise ValueError(f"{' and '.join(tables)} share no clip, so there is nothing to fuse")
    return joined


def posteriors_of(joined: pd.DataFrame, streams, classes=RAVDESS8) -> dict[str, np.ndarray]:
    """Return each stream's posteriors (n, classes) from a table that `join_streams` made."""
    return {s: joined[[f"{s}.{name}" for name in classes]].to_numpy(float) for s in streams}


def agreement(joined: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Count in percent of clips where each of two streams alone is right; rows are the first."""
    truth = codes(joined["truth"])
    posteriors = posteriors_of(joined, (first, second))
    right = [pd.Series(p.argmax(1) == truth) for p in posteriors.values()]
    return 100 * pd.crosstab(
        *right, rownames=[f"{first} right"], colnames=[f"{second} right"], normalize=True
    )


def fuse_out_of_fold(joined: pd.DataFrame, streams=tuple(RAVDESS_STREAMS)) -> dict:
    """Fuse by every rule; parameters for a block come from the other blocks' clips alone.

    Returns:
        Rule -> prediction table. The streams alone, calibrated the same way, are among them.
    """
    truth = codes(joined["truth"])
    posteriors = posteriors_of(joined, streams)
    size = (len(joined), len(RAVDESS8))
    fused = {rule: apply(posteriors) for rule, apply in fusion_rules.RULES.items()}
    fused |= {name: np.empty(size) for name in ("log-linear", "weighted mean", "stacking")}
    fused |= {f"{s} alone": p for s, p in posteriors.items()}
    fused |= {f"{s} alone, calibrated": np.empty(size) for s in streams}
    for block in sorted(joined["fold"].unique()):
        held_out = (joined["fold"] == block).to_numpy()
        check_disjoint(fit=joined["speaker"][~held_out], judged=joined["speaker"][held_out])
        fit_on = {s: p[~held_out] for s, p in posteriors.items()}
        judged = {s: p[held_out] for s, p in posteriors.items()}
        log_linear = fusion_rules.fit_log_linear(fit_on, truth[~held_out], RAVDESS8)
        fused["log-linear"][held_out] = log_linear.apply(judged)
        weights = fusion_rules.fit_mean_weights(fit_on, truth[~held_out])
        fused["weighted mean"][held_out] = fusion_rules.weighted_mean(judged, weights)
        fused["stacking"][held_out] = fusion_rules.fit_stacking(fit_on, truth[~held_out])(judged)
        for s in streams:
            fused[f"{s} alone, calibrated"][held_out] = log_linear.apply({s: judged[s]})
    clips = joined.rename(columns={"truth": "emotion"})
    return {
        rule: evaluation.prediction_table(clips, posterior, RAVDESS8, joined["fold"].to_numpy())
        for rule, posterior in fused.items()
    }


def compare(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Score several prediction tables: one row each, best accuracy first, intervals beside."""
    rows = []
    for rule, table in tables.items():
        low, high = evaluation.intervals(table)["accuracy"]
        found = evaluation.scores(table)
        rows.append({"rule": rule, "accuracy_low": low, "accuracy_high": high, **found})
    return pd.DataFrame(rows).sort_values("accuracy", ascending=False, ignore_index=True)


def load_ravdess(models: Path = MODELS, voice: pd.DataFrame | None = None) -> pd.DataFrame:
    """Join the committed out-of-fold predictions of voice and geometry.

    Args:
        models: The models' folder.
        voice: Another voice's prediction table; by default that of the one that ships.
    """
    own = {s: evidence.read_predictions(models / name) for s, name in RAVDESS_STREAMS.items()}
    return join_streams(own if voice is None else own | {"voice": voice})


def card_text(
    rules: pd.DataFrame, fitted: fusion.LogLinearFusion, no_harm: pd.DataFrame
) -> CardText:
    """Write the card's text around the numbers."""
    lines = ["| rule | accuracy % | 95 % interval | calibration error |", "|---|---|---|---|"]
    for row in rules.itertuples():
        lines.append(
            f"| {row.rule} | {100 * row.accuracy:.1f} | {100 * row.accuracy_low:.1f} – "
            f"{100 * row.accuracy_high:.1f} | {100 * row.expected_calibration_error:.1f} |"
        )
    parameters = ["| streams present | exponent of each |", "|---|---|"]
    for streams in fitted.weights:
        exponents = ", ".join(f"{s} {e:.2f}" for s, e in fitted.exponents(sorted(streams)).items())
        parameters.append(f"| {', '.join(sorted(streams))} | {exponents} |")
    strangers = [
        "| corpus, nothing fitted on it | streams | clips | right % | 95 % | calibration error |",
        "|---|---|---|---|---|---|",
    ]
    for row in no_harm[no_harm["fitted_on"] != "all"].itertuples():
        strangers.append(
            f"| {row.group} | {row.streams} | {row.clips} | {row.accuracy:.1f} | "
            f"{row.accuracy_low:.1f} – {row.accuracy_high:.1f} | "
            f"{row.expected_calibration_error:.1f} |"
        )
    return CardText(
        title="Log-linear fusion",
        what=(
            "Takes half of what a network's training taught it to expect out of its posterior, "
            "divides by a temperature, and joins the streams: the product of each, raised to a "
            "weight, normalised. The weights are fitted for every set of streams, so that what "
            "remains is calibrated when a stream is missing, and drawn towards 1 for the voice, "
            "0.7 for the geometry and 0.6 for the face, so that they hold on people never seen. "
            "How sure voice and geometry may be is fitted on corpora that their networks never "
            "met: on other actors of the same recordings the geometry is right more than twice as "
            "often."
        ),
        data=(
            "The out-of-fold predictions of the voice and the geometry network, joined by take. "
            "`fusion.json`, in the seven common classes, is fitted on RAVDESS's other actors, "
            "actor 05 with face pictures and videos, JavaSED as it was filmed, and, for single "
            "streams, still faces "
            "(CFEE, SFEW, CK+) and the speech of corpora that the voice left out; all count alike."
        ),
        limits=(
            *RAVDESS_LIMITS,
            "The scores are those of voice and geometry on RAVDESS. With the face they are "
            "measured on one actor of RAVDESS and on eight Javanese actors, the only strangers "
            "whose faces move: what the geometry is worth on others rests on these eight.",
        ),
        licence=RAVDESS_LICENCE,
        more=[
            ("All rules, on the same takes", "\n".join(lines)),
            ("On strangers, by streams", "\n".join(strangers)),
            ("Deployed parameters", "\n".join(parameters)),
        ],
    )


def main(models: Path = MODELS) -> None:
    """Write `Models/fusion` from the committed predictions; takes seconds."""
    folder = models / "fusion"
    joined = load_ravdess(models)
    tables = fuse_out_of_fold(joined)
    rules = compare(tables)
    groups = fusion_groups.load_groups(joined, models)
    fitted = fusion_groups.fit_shipped(groups)
    no_harm = fusion_groups.no_harm_tables(groups)
    files.write_table(models / fusion_groups.FOLDER / "subsets.csv", no_harm)
    protocol = (
        "RAVDESS speech, 8 classes, voice and geometry. Both networks' posteriors of a block "
        "of four actors come from networks trained on the other 20; the fusion's parameters "
        "for a block are fitted on the posteriors of the other five blocks."
    )
    facts = {"rules": rules.round(4).to_dict("records")}
    metrics = evidence.write_evidence(
        folder,
        evidence.Measurement(tables["log-linear"], protocol, facts=facts),
        stream="fusion",
        command=COMMAND,
    )
    files.write_atomically(folder / "fusion.json", fitted.to_json)
    write_card(folder, card_text(rules, fitted, no_harm))
    words = (f"{name.replace('_', ' ')} {value:.1%}" for name, value in metrics["scores"].items())
    print("; ".join(words))


def fit_beside(
    folder: Path, ravdess: pd.DataFrame, javased: pd.DataFrame, models: Path = MODELS
) -> fusion.LogLinearFusion:
    """Fit for another voice beside the shipped face and geometry; write its `fusion.json`.

    Args:
        folder: Of the voice.
        ravdess: What it says of RAVDESS, out of fold: a prediction table.
        javased: `clip_id` and what it says of JavaSED, on which it was not trained, in COMMON7.
        models: The models' folder.
    """
    joined = load_ravdess(models, ravdess)
    groups = fusion_groups.load_groups(joined, models, spoken={"javased": javased})
    fitted = fusion_groups.fit_shipped(groups)
    files.write_atomically(folder / "fusion.json", fitted.to_json)
    return fitted


def fit_beside_2d_cnn(models: Path = MODELS) -> fusion.LogLinearFusion:
    """Fit for the 2D CNN, from committed posteriors."""
    folder = models / "alternatives" / "voice_2d_cnn"
    said = fusion_groups.read_audiovisual(models, ["voice"])
    javased = said.rename(columns=lambda name: name.removeprefix("voice."))
    return fit_beside(folder, evidence.read_predictions(folder), javased, models)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--predict", action="store_true", help="run the networks again first")
    parser.add_argument(
        "--voice", choices=["voice_2d_cnn"], help="fit for this voice, not for the shipped one"
    )
    arguments = parser.parse_args()
    if arguments.predict:
        from emorec.training.fusion_tables import predict_tables

        run_main(predict_tables)
    if arguments.voice:
        run_main(fit_beside_2d_cnn)
    else:
        run_main(main)
