import importlib.util
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from emorec.corpora.ravdess import speaker_name
from emorec.emotions import RAVDESS8
from emorec.evaluation import evidence
from emorec.experiments import speech_encoder as training
from emorec.files import StaleCacheError
from emorec.networks import speech_encoder as speech_encoder_networks

HAS_EXTRA = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "safetensors"))
needs_extra = pytest.mark.skipif(
    not HAS_EXTRA, reason="the extra is not installed: pip install 'emorec[pretrained]'"
)
RATE_HZ = speech_encoder_networks.SAMPLE_RATE_HZ


def made_takes(actors=(1, 2, 5, 6), per_class=2):
    """Tones whose pitch and loudness over time tell the class, a little noise on each."""
    rng = np.random.default_rng(0)
    rows, sounds = [], []
    for actor in actors:
        for code, emotion in enumerate(RAVDESS8):
            for take in range(per_class):
                time_s = np.arange(round(rng.uniform(0.15, 0.25) * RATE_HZ)) / RATE_HZ
                tone = np.sin(2 * np.pi * 150 * 1.5**code * time_s)
                noise = rng.normal(0, 0.01, len(time_s))
                sounds.append((0.5 * tone + noise).astype(np.float32))
                rows.append((f"{actor:02d}-{code}-{take}", emotion, speaker_name(actor)))
    table = pd.DataFrame(rows, columns=["clip_id", "emotion", "speaker"])
    return training.Takes(table, sounds)


@pytest.fixture(scope="module")
def tiny():
    import torch

    torch.set_num_threads(1)
    return speech_encoder_networks.tiny_encoder()


@pytest.fixture(scope="module")
def takes(tiny):
    made = made_takes()
    statistics = speech_encoder_networks.encode(tiny, made.sounds)
    return training.Takes(made.table, made.sounds, statistics)


def test_the_modules_import_without_the_extra_and_say_what_is_missing():
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from emorec.errors import run_main\n"
        "from emorec.experiments import speech_encoder\n"
        "run_main(lambda: speech_encoder.main(['--method', 'frozen']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "torch: not installed. Remedy: " in run.stderr
    assert "pip install 'emorec[pretrained]'" in run.stderr
    assert "Traceback" not in run.stderr


@needs_extra
def test_weights_that_are_nowhere_give_one_clear_line(tmp_path, monkeypatch):
    with pytest.raises(
        speech_encoder_networks.EncoderUnavailableError, match=r"no weights.*Remedy"
    ):
        speech_encoder_networks.load_encoder(tmp_path / "absent")


@needs_extra
def test_an_encoder_is_loaded_from_safetensors(tiny, tmp_path):
    import torch
    import transformers

    tiny.network.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path)
    loaded = speech_encoder_networks.load_encoder(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    assert loaded.is_input_standardised
    assert loaded.layers == 3
    sound = torch.randn(1, 8000)
    with torch.inference_mode():
        expected = speech_encoder_networks.layer_statistics(tiny.network, sound)
        found = speech_encoder_networks.layer_statistics(loaded.network, sound)
    torch.testing.assert_close(found, expected)


@needs_extra
def test_a_pickle_is_not_loaded(tiny, tmp_path):
    import torch
    import transformers

    tiny.network.config.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    torch.save(tiny.network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(speech_encoder_networks.EncoderUnavailableError):
        speech_encoder_networks.load_encoder(tmp_path)


@needs_extra
def test_statistics_are_of_every_layer_and_of_odd_sound_too(tiny):
    odd = [np.zeros(0, np.float32), np.ones(100, np.float32), np.zeros(RATE_HZ, np.float32)]
    statistics = speech_encoder_networks.encode(tiny, odd)
    assert statistics.shape == (3, 3, 64)
    assert np.isfinite(statistics).all()


@needs_extra
def test_training_the_head_lowers_the_loss_and_leaves_the_encoder(tiny, takes):
    before = {name: p.clone() for name, p in tiny.network.state_dict().items()}
    classifier = speech_encoder_networks.build_classifier(tiny)
    recipe = training.Recipe(epochs=25, learning_rate=5e-3, label_smoothing=0.0)
    losses = training.train_head(classifier, takes.statistics, takes.codes, recipe)
    assert losses[-1] < 0.6 * losses[0]
    assert all((p == before[name]).all() for name, p in tiny.network.state_dict().items())


@needs_extra
def test_fine_tuning_lowers_the_loss_and_changes_the_top_layers_alone(takes):
    encoder = speech_encoder_networks.tiny_encoder(seed=1)
    before = {name: p.clone() for name, p in encoder.network.state_dict().items()}
    classifier = speech_encoder_networks.build_classifier(encoder)
    recipe = training.Recipe(
        epochs=6,
        batch_size=8,
        learning_rate=5e-3,
        encoder_learning_rate=1e-3,
        top_layers=1,
        window_s=0.2,
        label_smoothing=0.0,
    )
    losses = training.fine_tune(classifier, encoder, takes.sounds, takes.codes, recipe)
    assert losses[-1] < 0.9 * losses[0]
    after = encoder.network.state_dict()
    changed = {name for name, p in after.items() if not (p == before[name]).all()}
    assert changed
    assert all(name.startswith("encoder.layers.1.") for name in changed)


@needs_extra
def test_what_was_trained_is_kept_as_safetensors_and_answers_the_same(tiny, takes, tmp_path):
    classifier = speech_encoder_networks.build_classifier(tiny)
    training.train_head(classifier, takes.statistics, takes.codes, training.Recipe(epochs=2))
    expected = speech_encoder_networks.posteriors(classifier, takes.statistics)
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-6)
    file = tmp_path / "trained.safetensors"
    speech_encoder_networks.save_trained(file, classifier)
    again = speech_encoder_networks.build_classifier(tiny, seed=5)
    speech_encoder_networks.load_trained(file, again)
    found = speech_encoder_networks.posteriors(again, takes.statistics)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    other = speech_encoder_networks.build_classifier(tiny, classes=6)
    with pytest.raises(ValueError, match="another classifier"):
        speech_encoder_networks.load_trained(file, other)


@needs_extra
@pytest.mark.parametrize("method", ["frozen", "fine_tuned"])
def test_blocks_are_judged_by_networks_that_never_heard_them(method, tiny, takes, tmp_path):
    recipe = training.Recipe(epochs=1, batch_size=16, window_s=0.2, top_layers=1)
    blocks = ((1, 2), (5, 6))
    predictions = training.run_blocks(
        tiny, takes, method, tmp_path / "work", recipe=recipe, blocks=blocks
    )
    assert sorted(predictions["clip_id"]) == sorted(takes.table["clip_id"])
    assert predictions.groupby("fold")["speaker"].nunique().tolist() == [2, 2]
    trained = tmp_path / "work" / "fold_1" / "trained.safetensors"
    written = trained.stat().st_mtime_ns
    training.run_blocks(tiny, takes, method, tmp_path / "work", recipe=recipe, blocks=blocks)
    assert trained.stat().st_mtime_ns == written
    metrics = training.write_results(tmp_path / "model", predictions, tiny, method, seed=1)
    assert metrics["units"] == 4
    assert evidence.read_predictions(tmp_path / "model").shape == predictions.shape


@needs_extra
def test_kept_statistics_of_another_encoder_are_refused(tiny, takes, tmp_path):
    found = training.kept_statistics(tiny, takes.sounds[:3], tmp_path)
    np.testing.assert_allclose(found, takes.statistics[:3], atol=1e-5)
    with pytest.raises(StaleCacheError, match="Remedy: delete the file"):
        training.kept_statistics(tiny, takes.sounds[:4], tmp_path)


@needs_extra
@pytest.mark.parametrize("order", ["keras, torch", "torch, keras"])
def test_pytorch_and_tensorflow_share_a_process(order):
    code = (
        f"import {order}\n"
        "import numpy as np\n"
        "from emorec.networks import speech_encoder as p\n"
        "torch.set_num_threads(1)\n"
        "network = keras.Sequential([keras.layers.Dense(2)])\n"
        "print(network(np.ones((1, 3), 'float32')).shape)\n"
        "print(p.encode(p.tiny_encoder(), [np.ones(4000, 'float32')]).shape)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "(1, 3, 64)" in run.stdout
