"""Cards of models, made from their metrics."""

import numpy as np
import pandas as pd
import pytest

from emorec.evaluation import model_card, scores
from emorec.paths import MODELS

CLASSES = ("angry", "happy", "sad")


def test_a_card_holds_the_numbers_and_what_a_reader_must_know():
    clips = pd.DataFrame({"clip_id": ["a", "b", "c"], "speaker": ["x", "y", "z"]})
    clips["emotion"] = ["sad", "sad", "happy"]
    verdicts = [[0.98, 0.01, 0.01], [0.01, 0.01, 0.98], [0.01, 0.98, 0.01]]
    table = scores.prediction_table(clips, np.array(verdicts), CLASSES, 1)
    metrics = {
        "protocol": "Held-out speakers.",
        "command": "python -m this",
        "clips": 3,
        "units": 3,
        "bootstrapped_over": "speaker",
        "scores": scores.scores(table),
        "intervals_95": scores.intervals(table, resamples=20),
        "confusion": scores.confusion(table).to_numpy().tolist(),
        "classes": list(CLASSES),
    }
    card = model_card.render_card(model_card.CardText("A title", "What.", "Whose."), metrics)
    for part in ("# A title", "66.7", "| sad | 2 | 50.0", "angry (1)", "CC BY-NC-SA", "decisions"):
        assert part in card


@pytest.mark.parametrize("name", ["fusion", "geometry", "alternatives/voice_2d_cnn"])
def test_committed_cards_say_the_limits_that_the_code_says(name):
    card = (MODELS / name / "MODEL_CARD.md").read_text(encoding="utf-8")
    for limit in model_card.RAVDESS_LIMITS:
        assert f"- {limit}\n" in card
