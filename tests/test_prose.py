"""Figures in the prose of pages and notebooks are those of the evidence."""

import json

import pytest

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
        "the best rung is right in **{:.1f} %** (95 % interval over actors: {:.1f} to {:.1f})",
        "comparisons/reference_voice/reference_voice_1d_augmented",
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
        "MobileNetV2 learns to be right in {:.0f} of 100 faces",
        "comparisons/fer2013/fer2013_mobilenet",
        ["scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "small grey network in four minutes in {:.0f},",
        "comparisons/fer2013/fer2013_small_grey",
        ["scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "MobileNetV2 as trained here ({:.1f} against {:.1f} %)",
        "comparisons/fer2013",
        ["fer2013_small_grey:scores/accuracy", "fer2013_mobilenet:scores/accuracy"],
    ),
    (
        "notebooks/19_fer2013_mobilenet.ipynb",
        "the intervals over pictures, {:.1f} to {:.1f} and {:.1f} to {:.1f}, lie far apart",
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
        "sliding through time, give {:.0f} to {:.0f} %",
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
