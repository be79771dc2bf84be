"""Another voice model than the shipped one: a forest as ONNX, a network's folder, a wrong name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import made_voice, write_clip
from made_models import make_models

from emorec import ModelError, Recognizer, cli
from emorec.emotions import RAVDESS8
from emorec.engines import OnnxNetwork, load_network, write_model_spec
from emorec.experiments.classical import ship_forest
from emorec.experiments.classical.models import Forest
from emorec.features import voice_classical
from emorec.fusion import Calibration, LogLinearFusion
from emorec.media.reader import read_sound
from emorec.models import voice_models
from emorec.paths import MODELS
from emorec.streams.voice_inputs import means_26_spec

COMMITTED = ship_forest.MODEL_FOLDER


@pytest.fixture(scope="module")
def pipeline():
    rng = np.random.default_rng(0)
    codes = np.arange(160) % 8
    inputs = (100 * rng.standard_normal((160, 26)) + 300 * codes[:, None]).astype(np.float32)
    judge = Forest(10).fit((inputs[:150], codes[:150]), (inputs[150:], codes[150:]), 0, Path())
    return judge.fitted, inputs


@pytest.fixture(scope="module")
def models(pipeline, tmp_path_factory) -> Path:
    """A folder of models with a forest beside the shipped networks."""
    folder = make_models(tmp_path_factory.mktemp("models"))
    forest = folder / "forest"
    forest.mkdir()
    content = ship_forest.to_onnx(pipeline[0], 26).SerializeToString()
    (forest / "model.onnx").write_bytes(content)
    write_model_spec(
        forest,
        stream="voice",
        classes=RAVDESS8,
        inputs=means_26_spec(),
        output=ship_forest.PROBABILITIES,
        engines=["onnx"],
    )
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "tone.wav"
    return write_clip(path, None, made_voice(4.0), audio_codec="pcm_s16le")


def changed_forest(models: Path, tmp_path: Path, **changes) -> Path:
    """A copy of the forest whose description says something else."""
    folder = tmp_path / "changed"
    shutil.copytree(models / "forest", folder)
    spec = json.loads((folder / "model.json").read_text())
    spec["inputs"] |= changes
    (folder / "model.json").write_text(json.dumps(spec))
    return folder


def test_the_exported_forest_judges_as_the_fitted_one_with_its_scaler(pipeline, models):
    fitted, inputs = pipeline
    network = load_network(models / "forest")
    assert network.input_shape == (26,)
    np.testing.assert_allclose(
        network.predict(inputs), fitted.predict_proba(inputs), atol=1e-4, rtol=0
    )


def test_the_voice_stream_feeds_the_forest_26_means_of_windows_without_silence(models, clip):
    recognizer = Recognizer.load(models, voice_model="forest")
    result = recognizer.classify(clip)
    samples = read_sound(clip, voice_classical.SAMPLE_RATE_HZ)[: 3 * voice_classical.SAMPLE_RATE_HZ]
    means = voice_classical.means_26(voice_classical.remove_silence(samples))
    posterior = recognizer.networks["voice"].predict(means[None])[0]
    angry = result.timeline.query("stream == 'voice'")["angry"].iloc[0]
    assert result.status == "ok"
    assert angry == pytest.approx(posterior[0], abs=1e-3)


def test_a_model_without_a_fusion_of_its_own_borrows_and_says_so(models, clip, tmp_path):
    borrowed = Recognizer.load(models, voice_model="forest").classify(clip)
    assert any("forest borrows them" in note for note in borrowed.notes)
    own = tmp_path / "own"
    shutil.copytree(models / "forest", own)
    shutil.copy(models / "fusion" / "fusion.json", own)
    assert not any(
        "borrow" in n for n in Recognizer.load(models, voice_model=own).classify(clip).notes
    )


def test_the_fusion_beside_a_voice_model_is_the_one_that_judges(models, clip, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(models / "forest", own)
    shipped = LogLinearFusion.from_json(models / "fusion" / "fusion.json")
    hot = dict.fromkeys(shipped.calibrations, Calibration(1e6))
    LogLinearFusion(shipped.classes, hot, {}).to_json(own / "fusion.json")
    fused = Recognizer.load(models, voice_model=own).classify(clip).posteriors["fused"]
    np.testing.assert_allclose(fused, 1 / 7, atol=1e-3)


def test_the_shipped_folder_may_be_named_too(models, clip):
    named = Recognizer.load(models, voice_model=models / "voice_encoder").classify(clip)
    plain = Recognizer.load(models).classify(clip)
    assert named.notes == plain.notes
    np.testing.assert_array_equal(named.posteriors["fused"], plain.posteriors["fused"])


def test_workers_use_the_model_too(models, clip):
    recognizer = Recognizer.load(models, voice_model="forest")
    alone = recognizer.classify(clip)
    results = list(recognizer.classify_many([clip, clip], n_jobs=2))
    for result in results:
        np.testing.assert_allclose(result.posteriors["voice"], alone.posteriors["voice"], atol=1e-5)
        assert result.notes == alone.notes


def test_an_unknown_name_lists_those_there_are(models):
    assert voice_models(models) == ["forest", "voice_encoder"]
    with pytest.raises(ModelError, match=r"choose from forest, voice_encoder\."):
        Recognizer.load(models, voice_model="forrest")


def test_evidence_without_weights_is_told_apart(models, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(models, folder)
    (folder / "comparisons/voices/voice_dense_26").mkdir(parents=True)
    (folder / "comparisons/voices/voice_dense_26/metrics.json").write_text("{}")
    with pytest.raises(ModelError, match="its evidence is kept, and no weights"):
        Recognizer.load(folder, voice_model="voice_dense_26")


def test_a_model_of_another_stream_is_refused(models):
    with pytest.raises(ModelError, match="stream 'face', not 'voice'"):
        Recognizer.load(models, voice_model="face_cnn")


def test_an_unknown_kind_of_input_is_refused(models, tmp_path):
    with pytest.raises(
        ModelError, match="reads 'wavelets', and known are log_mel, means_26, whisper_log_mel"
    ):
        Recognizer.load(models, voice_model=changed_forest(models, tmp_path, kind="wavelets"))


def test_features_of_another_version_are_refused(models, tmp_path):
    with pytest.raises(ModelError, match=r"features of version 'voice-features-0'.*Remedy"):
        folder = changed_forest(models, tmp_path, version="voice-features-0")
        Recognizer.load(models, voice_model=folder)


def test_a_forest_runs_in_onnx_whatever_engine_runs_the_networks(models):
    assert isinstance(load_network(models / "forest", "keras"), OnnxNetwork)
    with pytest.raises(ValueError, match="unknown engine"):
        load_network(models / "forest", "abacus")


def test_the_command_line_takes_a_name_and_lists_names(models, clip, capsys):
    arguments = ["classify", str(clip), "--models", str(models), "--voice-model"]
    assert cli.main([*arguments, "forest"]) == cli.common.EXIT_OK
    assert cli.main([*arguments, "oak"]) == cli.common.EXIT_WRONG_USAGE
    assert "choose from forest, voice_encoder" in capsys.readouterr().err


def test_the_committed_forest_is_small_knows_its_version_and_judges(clip):
    if not (COMMITTED / "model.onnx").exists():
        pytest.skip(
            "the forest is not trained yet: python -m emorec.experiments.classical.ship_forest"
        )
    assert (COMMITTED / "model.onnx").stat().st_size < 20e6
    assert not [p for p in COMMITTED.glob("*") if p.suffix in (".pkl", ".joblib", ".pickle")]
    result = Recognizer.load(MODELS, voice_model=COMMITTED.name).classify(clip)
    assert result.status == "ok"
    assert not any("borrow" in note for note in result.notes)


def test_a_network_that_says_no_numbers_is_named_in_the_row(clip, tmp_path):
    import onnx

    folder = make_models(tmp_path / "models")
    path = folder / "voice_encoder" / "model.onnx"
    network = onnx.load(path)
    weights = onnx.numpy_helper.to_array(network.graph.initializer[0]).copy()
    weights[:] = np.nan
    network.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "weights"))
    onnx.save(network, path)
    result = Recognizer.load(folder).classify_safely(clip)
    assert result.status == "failed"
    assert str(path) in result.reason
    assert "not finite" in result.reason


def test_a_distance_that_is_no_number_is_refused(tmp_path):
    folder = make_models(tmp_path / "models")
    spec = folder / "voice_encoder" / "model.json"
    spec.write_text(spec.read_text().replace('"stream"', '"far": NaN, "stream"', 1))
    with pytest.raises(ModelError, match=r"model\.json"):
        Recognizer.load(folder)
