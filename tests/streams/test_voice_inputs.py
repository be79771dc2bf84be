"""What the shipped voice hears: Whisper's log-mel of sound of any length, also where it is odd."""

import json
import shutil

import numpy as np
import pytest
from helpers import made_voice

from emorec import ModelError, Recognizer
from emorec.engines import ModelSpec, load_network
from emorec.features.voice import VOICE
from emorec.features.whisper_mel import WHISPER, encoder_input
from emorec.media.sound import SoundBlock
from emorec.streams.voice import LiveVoice, VoiceStream
from emorec.streams.voice_inputs import input_of, whisper_log_mel_spec

RATE_HZ = WHISPER.sample_rate_hz


@pytest.fixture(scope="module")
def network(models):
    return load_network(models / "voice_encoder")


def heard(network, samples: np.ndarray):
    stream = VoiceStream(network)
    stream.add(SoundBlock(0.0, samples.astype(np.float32)))
    return stream.finish()


def test_its_length_is_any_and_windows_go_one_by_one():
    spec = ModelSpec("voice", ("happy", "sad"), inputs=whisper_log_mel_spec())
    assert input_of(spec).shape == (80, None)
    assert input_of(spec).sample_rate_hz == RATE_HZ
    assert input_of(spec).windows_per_batch == 1
    assert input_of(ModelSpec("voice", ("happy", "sad"))).windows_per_batch > 1


def test_each_window_is_heard_alone_whatever_its_length(network):
    noise = np.random.default_rng(0).normal(0, 1e-4, 5 * RATE_HZ)
    noise[RATE_HZ : 2 * RATE_HZ] += made_voice(1.0, sample_rate_hz=RATE_HZ)
    found = heard(network, noise)
    windows = [noise[start : start + 3 * RATE_HZ] for start in range(0, 2 * RATE_HZ + 1, RATE_HZ)]
    inputs = [encoder_input(window.astype(np.float32)) for window in windows]
    assert len({each.shape for each in inputs}) > 1, "windows of several lengths"
    expected = np.concatenate(
        [network.predict(each[None]) for each in inputs[: len(found.times_s)]]
    )
    np.testing.assert_allclose(found.posteriors, expected, atol=1e-6)


@pytest.mark.parametrize("length_s", [0.26, 0.5, 2.9, 3.0, 11.0])
def test_sound_of_any_length_is_heard_live_as_in_a_clip(network, length_s):
    samples = made_voice(length_s, sample_rate_hz=RATE_HZ)
    live = LiveVoice(network)
    for start in range(0, len(samples), 1_600):
        live.push(samples[start : start + 1_600], RATE_HZ, start / RATE_HZ)
        live.predict()
    np.testing.assert_allclose(live.pooled(), heard(network, samples).pooled, atol=1e-5)


def test_silence_is_no_voice(network):
    assert heard(network, np.zeros(4 * RATE_HZ)) is None


@pytest.mark.parametrize("samples", [1, 159, 160, 3_199, 3_200])
def test_less_than_twenty_frames_are_filled_up(samples):
    read = encoder_input(np.full(samples, 0.1, np.float32))
    assert read.shape == (80, 20)
    assert np.isfinite(read).all()


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(48_000), np.full(48_000, np.nan)])
def test_nothing_silence_and_no_numbers_do_not_end_the_work(samples):
    assert encoder_input(samples.astype(np.float32)).shape[0] == 80


@pytest.mark.parametrize(
    ("name", "value"),
    [("sample_rate_hz", 22_050), ("bands", 128), ("n_fft", VOICE.n_fft), ("window_s", 30.0)],
)
def test_a_spectrogram_of_other_sizes_is_refused(models, tmp_path, name, value):
    folder = tmp_path / "other"
    shutil.copytree(models / "voice_encoder", folder)
    spec = json.loads((folder / "model.json").read_text())
    spec["inputs"][name] = value
    (folder / "model.json").write_text(json.dumps(spec))
    with pytest.raises(ModelError, match=rf"{name} = {value}.*Remedy"):
        Recognizer.load(models, voice_model=folder)
