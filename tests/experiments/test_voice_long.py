import json
import os
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import made_tone

from emorec.corpora import savee
from emorec.emotions import COMMON7, RAVDESS8, fold
from emorec.errors import ModelError
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import load_evidence, read_predictions
from emorec.experiments import voice_long
from emorec.files import write_table
from emorec.models import find_voice_model, voice_models
from emorec.networks.voice import build_voice_network
from emorec.paths import MODELS, REPOSITORY
from emorec.recognizer import Recognizer
from emorec.training import sounds
from emorec.training import voice as voice_training

LONG = "alternatives/voice_long"
SHORT = "alternatives/voice_2d_cnn"


def synthetic_predictions(seed: int) -> pd.DataFrame:
    """Posteriors of synthetic takes, mostly right."""
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
    return evaluation.prediction_table(
        clips, posterior / posterior.sum(1, keepdims=True), RAVDESS8, folds
    )


def test_both_networks_predict_savee_and_the_fusion_stands_beside(tmp_path, monkeypatch):
    models, corpus = tmp_path / "Models", tmp_path / "data" / "SAVEE"
    corpus.mkdir(parents=True)
    for i, letter in enumerate(("a", "d", "f", "h", "n", "sa", "su")):
        for speaker in ("DC", "JE"):
            soundfile.write(
                corpus / f"{speaker}_{letter}01.wav", made_tone(0.5, 200 + 50 * i), 48_000
            )
    monkeypatch.setenv("EMOREC_DATA", str(tmp_path / "data"))
    for seed, name in enumerate((SHORT, "geometry", LONG)):
        write_table(models / name / "predictions.csv", synthetic_predictions(seed))
    for name in (SHORT, LONG):
        build_voice_network().save(models / name / "model.keras")
    found = voice_long.write_results(synthetic_predictions(2), models)
    assert found["fused"]["scores"]["accuracy"] > found["voice"]["scores"]["accuracy"]
    assert found["savee"]["clips"] == found["savee_shipped"]["clips"] == 14
    judged = read_predictions(models / LONG, "predictions_savee.csv")
    np.testing.assert_allclose(judged[list(COMMON7)].sum(1), 1, atol=1e-3)
    for name in (SHORT, "geometry"):  # of which there are predictions alone here
        shutil.rmtree(models / name)
    assert {evidence.name for evidence in load_evidence(models)} == {
        "voice_long",
        "voice_long_savee",
        "voice_long_savee_shipped",
        "fusion_long",
    }


def test_the_long_trained_voice_can_be_chosen_and_says_another_thing():
    clip = REPOSITORY / "DEMO" / "Examples" / "01-01-03-02-01-01-02.mp4"
    assert "voice_long" in voice_models(MODELS)
    chosen = Recognizer.load(MODELS, voice_model="voice_long").classify(clip)
    assert chosen.status == "ok"
    np.testing.assert_allclose(chosen.posteriors["voice"].sum(), 1, atol=1e-5)
    shipped = Recognizer.load(MODELS).classify(clip)
    assert np.abs(chosen.posteriors["voice"] - shipped.posteriors["voice"]).max() > 1e-3
    assert any("voice_long borrows" in note for note in chosen.notes)


def test_both_2d_cnns_are_fed_alike():
    for name in (SHORT, LONG):
        spec = json.loads((MODELS / name / "model.json").read_text())
        expected = voice_training.voice_spec()
        assert spec["inputs"] == expected["inputs"]
        assert (spec["stream"], tuple(spec["classes"])) == ("voice", expected["classes"])


def test_weights_without_a_description_are_told_from_evidence_alone(tmp_path):
    folder = tmp_path / "alternatives" / "voice_long"
    shutil.copytree(MODELS / LONG, folder)
    (folder / "model.json").unlink()
    with pytest.raises(ModelError, match=r"its weights are there, and no model\.json"):
        find_voice_model("voice_long", tmp_path)
    for name in ("model.onnx", "model.keras"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match="its evidence is kept, and no weights"):
        find_voice_model("voice_long", tmp_path)


def test_savee_s_committed_table_is_the_committed_network_s(emorec_data, monkeypatch):
    monkeypatch.setenv("EMOREC_DATA", os.fspath(emorec_data))
    folder = MODELS / LONG
    network = keras.saving.load_model(folder / "model.keras")
    clips = savee.load_sound_table().iloc[::24]
    posterior = voice_training.clip_posteriors(network, sounds.read_sounds(clips))
    committed = read_predictions(folder, "predictions_savee.csv").set_index("clip_id")
    alike = fold(posterior, RAVDESS8, COMMON7)
    expected = committed.loc[clips["clip_id"], list(COMMON7)].to_numpy()
    np.testing.assert_allclose(alike, expected, atol=5e-3)
