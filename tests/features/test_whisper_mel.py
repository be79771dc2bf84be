import numpy as np
import pytest

from emorec.features.whisper_mel import WHISPER, whisper_log_mel


def test_it_is_whispers_own(emorec_data):
    file = emorec_data / "whisper_base" / "reference.npz"
    if not file.exists():
        pytest.skip("no whisper_base/reference.npz under EMOREC_DATA")
    reference = np.load(file)
    found = whisper_log_mel(reference["sound"])
    assert found.shape == (80, 300)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference["log_mel"], atol=1e-3)


def test_it_is_librosas_mel_in_whispers_scale():
    import librosa

    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    power = librosa.feature.melspectrogram(
        y=np.pad(sound, (0, 400)),
        sr=16_000,
        n_fft=400,
        hop_length=160,
        n_mels=80,
        pad_mode="reflect",
    )[:, :100]
    log10 = np.log10(np.maximum(power, 1e-10))
    expected = (np.maximum(log10, log10.max() - 8) + 4) / 4
    np.testing.assert_allclose(whisper_log_mel(sound), expected, atol=1e-4)


@pytest.mark.parametrize("samples", [160, 161, 200, 201, 399, 400, 479])
def test_short_sound_gives_its_frames(samples):
    sound = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    found = whisper_log_mel(sound)
    assert found.shape == (WHISPER.bands, samples // WHISPER.hop)
    assert np.isfinite(found).all()


def test_silence_is_flat_and_finite():
    found = whisper_log_mel(np.zeros(16_000, np.float32))
    assert np.ptp(found) == 0
    assert found[0, 0] == pytest.approx(-1.5)


def test_sound_shorter_than_a_frame_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match="Remedy: pad"):
        whisper_log_mel(np.zeros(159, np.float32))
