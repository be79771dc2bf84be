"""The voices that come with the recogniser: the encoder that ships, and the 2D CNN beside it."""

import os

import numpy as np
import pytest
from helpers import EXAMPLES

from emorec import Recognizer
from emorec.corpora import crema_d, javased, ravdess, savee
from emorec.emotions import COMMON7
from emorec.engines import load_network
from emorec.features.voice import SlidingWindows, is_silent
from emorec.features.whisper_mel import WHISPER, encoder_input
from emorec.fusion import LogLinearFusion
from emorec.media.reader import read_sound
from emorec.models import MODEL_FOLDERS
from emorec.paths import MODELS
from emorec.streams.voice_inputs import whisper_log_mel_spec

SHIPPED = MODELS / MODEL_FOLDERS["voice"]
RATE_HZ = WHISPER.sample_rate_hz
CLIPS_PER_CORPUS, WINDOWS_PER_CLIP = 12, 3
SAID_BY_2D_CNN = {
    "01-01-03-02-01-01-02": (
        (0.33765, 0.01811, 0.11357, 0.46584, 0.01671, 0.0254, 0.02272),
        (0.06636, 0.00215, 0.03396, 0.86611, 0.00765, 0.00658, 0.01719),
    ),
    "01-01-07-02-02-01-03": (
        (0.12467, 0.28388, 0.12611, 0.07712, 0.07624, 0.28799, 0.02401),
        (0.03969, 0.8672, 0.02372, 0.00282, 0.00708, 0.05713, 0.00236),
    ),
}
"""In the order of COMMON7: the voice of made-up clips, uncalibrated, read once a second; and
fused with the face and the geometry that ship."""


@pytest.fixture(scope="module")
def shipped():
    if not (SHIPPED / "model.onnx").is_file():
        pytest.skip("the voice encoder is not trained yet")
    return load_network(SHIPPED)


@pytest.fixture(scope="module")
def windows(emorec_data) -> list[np.ndarray]:
    """What the network reads of real windows: English and Javanese, of four corpora."""
    os.environ["EMOREC_DATA"] = os.fspath(emorec_data)
    tables = (
        ravdess.load_sound_table(),
        crema_d.load_sound_table(),
        savee.load_sound_table(),
        javased.load_video_table(),
    )
    inputs = []
    for table in tables:
        for path in table["path"].iloc[:: max(1, len(table) // CLIPS_PER_CORPUS)]:
            cutter = SlidingWindows(RATE_HZ, hop_s=0.5)
            cut = [*cutter.push(read_sound(path, RATE_HZ)), *cutter.finish()]
            spoken = [window.samples for window in cut if not is_silent(window.samples, RATE_HZ)]
            inputs += [encoder_input(samples) for samples in spoken[:WINDOWS_PER_CLIP]]
    return inputs


def test_it_says_what_it_reads(shipped):
    assert shipped.spec.inputs == whisper_log_mel_spec()
    assert shipped.spec.classes == COMMON7
    assert shipped.input_shape == (WHISPER.bands, None)


def test_both_forms_are_light(shipped):
    for name in ("model.keras", "model.onnx"):
        assert (SHIPPED / name).stat().st_size < 25e6


def test_the_quantised_form_says_of_real_windows_what_the_keras_form_says(shipped, windows):
    exact = load_network(SHIPPED, "keras")
    assert exact.input_shape == shipped.input_shape
    assert len(windows) >= 100
    expected, found = (
        np.concatenate([network.predict(window[None]) for window in windows])
        for network in (exact, shipped)
    )
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.99


def test_the_2d_cnn_can_be_chosen_and_says_what_it_said_when_it_shipped():
    recognizer = Recognizer.load(MODELS, voice_model="voice_2d_cnn")
    own = LogLinearFusion.from_json(MODELS / "alternatives" / "voice_2d_cnn" / "fusion.json")
    temperature = own.calibrations["voice"].temperature
    examples = {path.stem: path for path in EXAMPLES}
    for name, (voice, fused) in SAID_BY_2D_CNN.items():
        result = recognizer.classify(examples[name])
        uncalibrated = result.posteriors["voice"].astype(float) ** temperature
        np.testing.assert_allclose(uncalibrated / uncalibrated.sum(), voice, atol=1e-4)
        np.testing.assert_allclose(result.posteriors["fused"], fused, atol=1e-4)
        assert not any("borrow" in note for note in result.notes)
