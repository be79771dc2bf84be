"""Figures in the prose of pages and notebooks are those of the evidence."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emorec.analysis import bias
from emorec.analysis.strangers import mean_interval
from emorec.evaluation.evidence import read_predictions
from emorec.paths import MODELS, REPOSITORY

# Page, a sentence with places for figures, and for each the evidence: folder of Models, and the
# way to the value in its metrics.json, after a colon where that lies in a folder within.
CLAIMS = [
    (
        "notebooks/09_face_geometry.ipynb",
        "the geometry network is right in **{:.1f} %** of the takes (95 % interval over actors: "
        "{:.1f} to {:.1f}; chance 13.3 at best), with the truth among its first three in {:.1f} %",
        "geometry",
        [
            "scores/accuracy",
            "intervals_95/accuracy/0",
            "intervals_95/accuracy/1",
            "scores/top3_accuracy",
        ],
    ),
    (
        "notebooks/04_voice_1d_cnn.ipynb",
        "right in **{:.1f} %** of those of the four test actors (mean of three seeds, "
        "{:.1f} to {:.1f}; 48 published)",
        "comparisons/reference_voice/reference_voice_1d_augmented",
        [f"accuracy_of_seeds/{which}" for which in ("mean", "lowest", "highest")],
    ),
    (
        "notebooks/04_voice_1d_cnn.ipynb",
        "and in {:.1f} % without them (41 published)",
        "comparisons/reference_voice/reference_voice_1d_plain",
        ["accuracy_of_seeds/mean"],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "plain {:.1f} % (mean of three seeds, {:.1f} to {:.1f}; 40 published)",
        "comparisons/reference_voice/reference_voice_2d_plain",
        [f"accuracy_of_seeds/{which}" for which in ("mean", "lowest", "highest")],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "tuned {:.1f} % (mean of two seeds; 49), with variants and wide kernels",
        "comparisons/reference_voice/reference_voice_2d_tuned",
        ["accuracy_of_seeds/mean"],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "wide kernels {:.1f} % (one seed, {:.1f} to {:.1f} over four actors; 59)",
        "comparisons/reference_voice/reference_voice_2d_3x5",
        ["scores/accuracy", "intervals_95/accuracy/0", "intervals_95/accuracy/1"],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "reaches {:.1f} % by the same protocol",
        "alternatives/voice_long",
        ["scores/accuracy"],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "the encoder of notebook 16 reaches {:.1f} %, and on SAVEE",
        "voice_encoder",
        ["scores/accuracy"],
    ),
    (
        "notebooks/16_pretrained_speech_encoder.ipynb",
        "RAVDESS's six blocks reach {:.0f} %",
        "voice_encoder",
        ["scores/accuracy"],
    ),
    (
        "notebooks/18_ck_plus.ipynb",
        "is right in {:.0f} of 100 cases",
        "comparisons/ck_plus/ck_plus_face_head",
        ["scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "MobileNetV2 is right in {:.0f} of 100 faces",
        "comparisons/fer2013/fer2013_mobilenet",
        ["scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "The small grey network is right in {:.0f} after as many passes",
        "comparisons/fer2013/fer2013_small_grey",
        ["scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "right in {:.1f} % of the pictures (63.0 to 66.1) and MobileNetV2 in {:.1f} %",
        "comparisons/fer2013",
        ["fer2013_small_grey:scores/accuracy", "fer2013_mobilenet:scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "pictures ({:.1f} to {:.1f}) and MobileNetV2 in 63.3 % ({:.1f} to {:.1f})",
        "comparisons/fer2013",
        [
            f"fer2013_{name}:intervals_95/accuracy/{end}"
            for name in ("small_grey", "mobilenet")
            for end in (0, 1)
        ],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "names 61 % of the clips and this one {:.0f} %",
        "alternatives/voice_long",
        ["savee_shipped/scores/accuracy"],
    ),
    (
        "notebooks/05_voice_2d_cnn.ipynb",
        "The interval above, {:.1f} to {:.1f} %, is bootstrapped over 24 actors",
        "alternatives/voice_2d_cnn",
        ["intervals_95/accuracy/0", "intervals_95/accuracy/1"],
    ),
    (
        "notebooks/10_clip_test.ipynb",
        "A single frame is right in {:.0f} of 100 cases.",
        "comparisons/frames/frames_face",
        ["frame_scores/accuracy"],
    ),
    (
        "notebooks/10_clip_test.ipynb",
        "Why is a clip right in {:.0f}?",
        "comparisons/frames/frames_face",
        ["scores/accuracy"],
    ),
    (
        "notebooks/14_voice_162_features.ipynb",
        "sliding through time, give {:.1f} and {:.1f} %",
        "comparisons/classical_voice",
        ["voice_sequence_cnn:scores/accuracy", "voice_sequence_gru:scores/accuracy"],
    ),
    (
        "notebooks/14_voice_162_features.ipynb",
        "its {:.0f} % and its {:.0f} % on the random split",
        "comparisons/classical_voice/voice_lstm_162",
        ["scores/accuracy", "random_split/scores/accuracy"],
    ),
    (
        "notebooks/17_other_speech_corpora.ipynb",
        "On CREMA-D the 2D CNN names {:.0f} % of what strangers play",
        "comparisons/speech_corpora/crema_d_voice",
        ["scores/accuracy"],
    ),
    (
        "notebooks/17_other_speech_corpora.ipynb",
        "gave +{:.1f}, +{:.1f} and +{:.1f} points with three seeds",
        "comparisons/speech_corpora/voice_pretraining",
        [f"gain/accuracy/gain/{seed}" for seed in range(3)],
    ),
    (
        "notebooks/17_other_speech_corpora.ipynb",
        "The printed one, {:.1f} to {:.1f}, is bootstrapped over the actors judged",
        "comparisons/speech_corpora/voice_pretraining",
        ["gain/accuracy_gain_interval_95/0", "gain/accuracy_gain_interval_95/1"],
    ),
    (
        "notebooks/18_ck_plus.ipynb",
        "{:.0f} and {:.0f} % would be knowing the sequence, {:.0f} and {:.0f} % is knowing",
        "comparisons/ck_plus",
        [
            f"ck_plus_{name}:{way}scores/accuracy"
            for way in ("random_split/", "")
            for name in ("conv1", "conv3")
        ],
    ),
    (
        "notebooks/18_ck_plus.ipynb",
        "with all layers trained on it is in {:.0f}.",
        "comparisons/ck_plus/ck_plus_face",
        ["scores/accuracy"],
    ),
    (
        "notebooks/18_ck_plus.ipynb",
        "Without any training on CK+ it still is right in {:.0f} of 100",
        "comparisons/ck_plus/ck_plus_cross",
        ["scores/accuracy"],
    ),
    (
        "notebooks/20_all_methods.ipynb",
        "it names {:.0f} and {:.0f} % of the clips, the 2D CNN {:.0f}",
        "",
        [
            "comparisons/strangers/end_to_end:left_out/voice/savee/scores/accuracy",
            "comparisons/strangers/end_to_end:left_out/voice/javased/scores/accuracy",
            "alternatives/voice_long:savee_shipped/scores/accuracy",
        ],
    ),
    (
        "docs/results.md",
        "SAVEE's worse ({:.1f} against {:.1f} % of",
        "alternatives/voice_long",
        ["savee/scores/accuracy", "savee_shipped/scores/accuracy"],
    ),
    (
        "docs/results.md",
        "reads every frame's face, is right in {:.1f} % ({:.1f} to {:.1f} over",
        "comparisons/peers",
        ["scores/accuracy", "intervals_95/accuracy/0", "intervals_95/accuracy/1"],
    ),
    (
        "notebooks/04_voice_1d_cnn.ipynb",
        "is right in {:.1f} % of the takes of the four test actors ({:.1f} to {:.1f})",
        "comparisons/reference_voice/reference_voice_1d_augmented",
        ["scores/accuracy", "intervals_95/accuracy/0", "intervals_95/accuracy/1"],
    ),
]


def prose(page: str) -> str:
    """The page's text, or a notebook's Markdown, with every break a space."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return " ".join(text.split())


def value_of(folder: str, way: str) -> float:
    within, _, way = way.rpartition(":")
    file = MODELS / folder / within / "metrics.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    for step in way.split("/"):
        found = found[int(step) if isinstance(found, list) else step]
    return found


@pytest.mark.parametrize(
    ("page", "sentence", "folder", "ways"), CLAIMS, ids=lambda value: str(value)[:40]
)
def test_the_figures_of_a_sentence_are_those_of_its_evidence(page, sentence, folder, ways):
    expected = sentence.format(*(100 * value_of(folder, way) for way in ways))
    assert expected in prose(page)


def test_notebook_24_says_who_speaks_in_the_committed_clips():
    clips = pd.read_csv(MODELS / "comparisons/everybody/clips.csv")
    text, sums = prose("notebooks/24_people.ipynb"), clips.sum(numeric_only=True)
    for sentence in (
        f"Over the {len(clips)} clips of real people",
        f"keeps its number in {100 * sums['kept'] / sums['found']:.1f} % of the frames",
        f"said to speak in {100 * sums['right'] / sums['windows']:.1f} % of the windows",
    ):
        assert sentence in text


def test_notebook_12_says_how_the_worst_read_actor_fares():
    judged = read_predictions(MODELS / "fusion")
    found = 100 * bias.scores_by(judged, judged["speaker"], resamples=1)
    worst = found.sort_values("accuracy").iloc[0]
    text = prose("notebooks/12_errors_and_bias.ipynb")
    assert f"single actors, {worst['accuracy']:.0f} to {found['accuracy'].max():.0f} %" in text
    sure = f"rightly in {worst['accuracy']:.0f} %, it reads with {worst['confidence']:.0f} %"
    assert sure in text


def test_the_demo_says_what_a_stranger_gets():
    judged = read_predictions(MODELS / "comparisons" / "strangers" / "end_to_end")
    value, low, high = (100 * share for share in mean_interval(judged)["accuracy"])
    expected = f"measures: {value:.1f} % right among seven emotions ({low:.1f} to {high:.1f})"
    assert expected in prose("DEMO/ER_FullClip_DEMO.ipynb")


# A figure of a notebook's Markdown that is neither printed by it nor in its evidence: who says it.
ELSEWHERE = {
    "02": {"1.02": "a setting", "1.12": "a setting"},
    "04": {"65.6": "notebook 05 prints it"},
    "05": {
        "60.9": "an exercise's answer, as are the next",
        "65.9": "",
        "68.1": "CLAIMS",
        "77.2": "CLAIMS",
        "65": "reference_voice_2d_augmented/history.csv",
    },
    "06": {"40.8": "the reference project"},
    "07": {
        **dict.fromkeys(("46.8", "49.6", "64.3"), "the reference project"),
        "41.7": "notebook 23 prints it",
    },
    "08": {"2.1": "million parameters at most"},
    "10": {
        "53.8": "the reference project, as are the next",
        "62.5": "",
        "64.3": "",
        "45": "an exercise's answer",
    },
    "14": {"2.5": "seconds that are read of a take"},
    "17": {
        "3.4": "an exercise's answer, as is the next",
        "16.2": "",
        "5.5": "kHz",
        "63.5": "another project",
    },
    "18": {
        "64.5": "another project, as are the next",
        "84.9": "",
        "88.2": "",
        "69": "the package fer, measured once",
    },
    "ER": dict.fromkeys(("48.2", "51.7", "54.8"), "the test above"),
}
CONFIDENCE = {"95"}  # of every interval

FIGURE = re.compile(
    r"(?<![\w.,/-])(\d+\.\d+|\d+(?= %| of (?:every )?100\b| points\b))(?![\d.]*[\w-])"
)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
NOTEBOOKS = sorted([*REPOSITORY.glob("notebooks/*.ipynb"), *REPOSITORY.glob("DEMO/*.ipynb")])


def numbers_of(value) -> Iterator[float]:
    """Every number of a nested entry, also as percent."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers_of(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from (float(value), 100 * float(value))


def known_numbers(notebook: dict) -> list[float]:
    """What a notebook prints, and what the evidence says that it explains."""
    text = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text += output.get("text", []) + data.get("text/html", []) + data.get("text/plain", [])
    known = [float(found.replace(",", "")) for found in NUMBER.findall("\n".join(text))]
    for place in notebook["metadata"].get("emorec", {}).get("models", []):
        files = (MODELS / place).rglob("*.json")
        # Unfinished work is no evidence, and no clone has it.
        for path in (f for f in files if "work" not in f.relative_to(MODELS).parts):
            known += numbers_of(json.loads(path.read_text(encoding="utf-8")))
    return known


def figures_of_nobody(path: Path) -> set[str]:
    """Figures of a notebook's Markdown that nothing bears out."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    known = np.abs(known_numbers(notebook))
    markdown = "".join(
        "".join(cell["source"]) + "\n"
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
    )
    markdown = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$|\]\([^)]*\)", "", markdown, flags=re.S)
    alone = set()
    for figure in FIGURE.findall(markdown):
        digits = len(figure.partition(".")[2])
        # Half up and half to even are both right.
        near = np.abs(known - float(figure)) <= 0.5 * 10**-digits + 1e-9
        if not near.any():
            alone.add(figure)
    return alone


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_figure_of_a_notebook_is_printed_by_it_or_in_its_evidence(path):
    allowed = set(ELSEWHERE.get(path.stem[:2], {}))
    assert figures_of_nobody(path) - CONFIDENCE == allowed
