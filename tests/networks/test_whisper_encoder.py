import keras
import numpy as np
import pytest

from emorec.errors import ModelError
from emorec.features.whisper_mel import whisper_log_mel
from emorec.networks.whisper_encoder import STATISTICS, build_encoder, encoder_weights


@pytest.fixture(scope="module")
def folder(emorec_data):
    found = emorec_data / "whisper_base"
    if not found.is_dir():
        pytest.skip("no folder whisper_base under EMOREC_DATA")
    return found


@pytest.fixture(scope="module")
def encoder(folder):
    return build_encoder(encoder_weights(folder / "encoder_3_layers.npz"))


def test_features_are_those_of_the_reference(encoder, folder):
    reference = np.load(folder / "reference.npz")
    found = np.asarray(encoder(whisper_log_mel(reference["sound"])[None]))
    np.testing.assert_allclose(found[0], reference["features"], atol=1e-3)


def test_a_clip_alone_and_in_a_batch_are_heard_alike(encoder):
    rng = np.random.default_rng(0)
    log_mels = np.stack([whisper_log_mel(rng.normal(0, 0.1, 8_000)) for _ in range(3)])
    together = np.asarray(encoder(log_mels))
    alone = np.concatenate([np.asarray(encoder(one[None])) for one in log_mels])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_it_is_saved_in_half_precision_and_loads_in_safe_mode(encoder, tmp_path):
    file = tmp_path / "model.keras"
    encoder.save(file)
    assert file.stat().st_size < 25e6
    again = keras.saving.load_model(file, safe_mode=True)
    log_mel = whisper_log_mel(np.random.default_rng(0).normal(0, 0.1, 16_000))[None]
    np.testing.assert_array_equal(np.asarray(again(log_mel)), np.asarray(encoder(log_mel)))


@pytest.mark.parametrize("frames", [1, 2, 35, 300, 1000])
def test_sound_of_any_length_up_to_ten_seconds(frames):
    encoder = build_encoder()
    found = np.asarray(encoder(np.zeros((1, 80, frames), np.float32)))
    assert found.shape == (1, STATISTICS)
    assert np.isfinite(found).all()


def test_missing_weights_are_named_with_a_remedy(tmp_path):
    with pytest.raises(ModelError, match="Remedy"):
        encoder_weights(tmp_path / "absent.npz")


def test_damaged_weights_are_named_with_a_remedy(tmp_path):
    file = tmp_path / "weights.npz"
    np.savez(file, **{"conv1.weight": np.zeros((512, 80, 3), np.float16)})
    file.write_bytes(file.read_bytes()[:-900])
    with pytest.raises(ModelError, match=r"damaged.*Remedy"):
        encoder_weights(file)


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "weights.npz"
    np.savez(file, **{"conv1.weight": np.zeros((512, 80, 3), np.float16)})
    with pytest.raises(ModelError, match="another network"):
        encoder_weights(file)
