"""Figures in the prose of pages and notebooks are those of the evidence."""

import json

import pytest

from emorec.paths import MODELS, REPOSITORY

# Page, a sentence with places for figures, and for each the evidence: folder of Models, and the
# way to the value in its metrics.json.
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
]


def prose(page: str) -> str:
    """The page's text, or a notebook's Markdown, with every break a space."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return " ".join(text.split())


def value_of(folder: str, way: str) -> float:
    found = json.loads((MODELS / folder / "metrics.json").read_text(encoding="utf-8"))
    for step in way.split("/"):
        found = found[int(step) if isinstance(found, list) else step]
    return found


@pytest.mark.parametrize(
    ("page", "sentence", "folder", "ways"), CLAIMS, ids=lambda value: str(value)[:40]
)
def test_the_figures_of_a_sentence_are_those_of_its_evidence(page, sentence, folder, ways):
    expected = sentence.format(*(100 * value_of(folder, way) for way in ways))
    assert expected in prose(page)
