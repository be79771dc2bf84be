import json

import keras
import numpy as np
import pandas as pd
import pytest

from emorec import train_voice, train_voice_long
from emorec.emotions import COMMON7, RAVDESS8
from emorec.evaluation import prediction_table
from emorec.evidence import load_evidence


def made_up_judgement(seed: int) -> pd.DataFrame:
    """Posteriors of made-up takes, mostly right."""
    rng = np.random.default_rng(seed)
    truth = np.tile(np.arange(8), 24)
    clips = pd.DataFrame(
        {
            "clip_id": [f"take-{i}" for i in range(192)],
            "speaker": [f"ravdess-{1 + i // 8:02d}" for i in range(192)],
            "emotion": [RAVDESS8[i] for i in truth],
        }
    )
    posterior = rng.dirichlet(np.ones(8), 192) + 0.5 * np.eye(8)[truth]
    folds = np.repeat(np.arange(1, 7), 32)
    return prediction_table(clips, posterior / posterior.sum(1, keepdims=True), RAVDESS8, folds)


def test_savee_is_judged_in_the_common_classes_and_stands_beside(tmp_path, monkeypatch):
    for name in ("voice_2d_cnn", "geometry", "voice_long"):
        (tmp_path / name).mkdir()
    made_up_judgement(1).to_csv(tmp_path / "geometry" / "predictions.csv", index=False)
    made_up_judgement(2).to_csv(tmp_path / "voice_2d_cnn" / "predictions.csv", index=False)
    clips = pd.DataFrame(
        {
            "path": ["a.wav", "b.wav"] * 7,
            "clip_id": [f"clip-{i}" for i in range(14)],
            "speaker": ["savee-DC", "savee-JE"] * 7,
            "emotion": np.repeat(COMMON7, 2),
        }
    )
    sure = np.full((14, 8), 0.02)
    sure[:, RAVDESS8.index("calm")] = 0.86
    monkeypatch.setattr(train_voice_long.savee, "load_sound_table", lambda: clips)
    monkeypatch.setattr(train_voice, "read_sounds", lambda table: [None] * len(table))
    monkeypatch.setattr(train_voice, "clip_posteriors", lambda network, sounds: sure)
    monkeypatch.setattr(keras.saving, "load_model", lambda path: None)
    monkeypatch.setattr(train_voice, "fold_histories", lambda work: pd.DataFrame({"epoch": [0]}))
    monkeypatch.setattr(train_voice_long, "train", lambda models, folds: made_up_judgement(3))
    train_voice_long.main([], tmp_path)
    metrics = json.loads((tmp_path / "voice_long" / "metrics.json").read_text())
    assert metrics["savee"]["scores"]["accuracy"] == pytest.approx(1 / 7), "calm counts as neutral"
    fused = json.loads((tmp_path / "fusion_long" / "metrics.json").read_text())
    assert fused["scores"]["accuracy"] > metrics["scores"]["accuracy"]
    named = {"voice_long", "voice_long_savee", "voice_long_savee_shipped", "fusion_long"}
    for name in ("voice_2d_cnn", "geometry"):
        (tmp_path / name / "predictions.csv").unlink()
    assert {evidence.name for evidence in load_evidence(tmp_path)} == named
