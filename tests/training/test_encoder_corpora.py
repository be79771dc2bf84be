"""Corpora as the frozen encoder hears them, and how far a clip lies from those that trained."""

import numpy as np
import onnx
import pandas as pd
import pytest
from helpers import made_voice, write_clip
from onnx import TensorProto, helper, numpy_helper

from emorec.errors import CorpusMissingError
from emorec.evaluation.left_out import CORPORA_NAMES
from emorec.features.whisper_mel import WHISPER
from emorec.networks import whisper_encoder
from emorec.training import encoder_features, heard
from emorec.training.familiarity import COMPONENTS, fit_familiarity
from emorec.training.heard import Heard

RATE_HZ = WHISPER.sample_rate_hz


def made_heard(clips=600, width=80, shift=0.0, corpus="a"):
    """Clips whose statistics vary along many directions; `shift` deviations off in each."""
    rng = np.random.default_rng(len(corpus) + round(shift))
    table = pd.DataFrame({"clip_id": [f"{corpus}{n}" for n in range(clips)], "corpus": corpus})
    table["speaker"] = [f"{corpus}-{n % 6}" for n in range(clips)]
    table["emotion"] = np.array(["happy", "sad"])[np.arange(clips) % 2]
    statistics = rng.normal(shift, 1, (clips, width)).astype(np.float32) * np.linspace(1, 9, width)
    segments = np.zeros((clips, 8, 2), np.float16)
    return Heard(table, statistics.astype(np.float32), segments)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A folder with a network of chance in the encoder's place, with its inputs and outputs."""
    folder = tmp_path_factory.mktemp("encoder")
    width, blocks = whisper_encoder.WIDTH, whisper_encoder.BLOCKS
    weights = np.random.default_rng(0).normal(size=(WHISPER.bands, width)).astype(np.float32)
    names = [f"block_{index}" for index in range(blocks)]
    nodes = [
        helper.make_node("Transpose", ["log_mel"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["frames", "weights"], ["sequence"]),
        *(helper.make_node("Identity", ["sequence"], [name]) for name in names),
        helper.make_node("ReduceMean", ["sequence"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Concat", ["mean"] * (2 * blocks), ["statistics"], axis=1),
    ]
    shapes = {"statistics": ["batch", whisper_encoder.STATISTICS]}
    shapes |= {name: ["batch", "length", width] for name in names}
    inputs = {"log_mel": ["batch", WHISPER.bands, "length"]}
    values = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in of.items()]
        for of in (inputs, shapes)
    ]
    graph = helper.make_graph(
        nodes, "chance", *values, [numpy_helper.from_array(weights, "weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "encoder.onnx")
    return folder


@pytest.fixture
def clips(tmp_path):
    """Three short clips of a made-up voice, and their table."""
    rows = []
    for number, length_s in enumerate((0.8, 1.5, 1.1)):
        path = tmp_path / f"{number}.wav"
        sound = made_voice(length_s, sample_rate_hz=RATE_HZ)
        write_clip(path, sound=sound, sample_rate_hz=RATE_HZ, audio_codec="pcm_s16le")
        rows.append({"path": str(path), "clip_id": f"clip-{number}"})
    return pd.DataFrame(rows)


def test_a_clip_gives_statistics_and_segments_that_do_not_depend_on_the_others(untrained, clips):
    statistics, segments = encoder_features.clip_features(clips, untrained / "three")
    assert statistics.shape == (3, whisper_encoder.STATISTICS) and statistics.dtype == np.float32
    assert segments.shape == (3, encoder_features.SEGMENTS, 1536) and segments.dtype == np.float16
    assert np.isfinite(statistics).all()
    alone, _ = encoder_features.clip_features(clips.iloc[1:2], untrained / "one")
    np.testing.assert_array_equal(alone[0], statistics[1])


def test_a_cut_run_goes_on_and_hears_no_clip_again(untrained, clips, monkeypatch):
    monkeypatch.setattr(encoder_features, "CHUNK", 1)
    folder, heard_now = untrained / "cut", []

    def hearing(sound):
        if len(heard_now) == 2:
            raise KeyboardInterrupt
        heard_now.append(len(sound))
        return encoder_features.plainly(sound)

    with pytest.raises(KeyboardInterrupt):
        encoder_features.clip_features(clips, folder, hearing)
    assert len(list(folder.glob("*.npz"))) == 2, "what was heard is kept"
    heard_now.clear()
    found, _ = encoder_features.clip_features(clips, folder, hearing)
    assert len(heard_now) == 1
    whole, _ = encoder_features.clip_features(clips, untrained / "whole")
    np.testing.assert_array_equal(found, whole)
    other = clips.assign(clip_id=["x", "y", "z"])
    with pytest.raises(ValueError, match=r"other clips.*Remedy"):
        encoder_features.clip_features(other, folder)


def test_a_copy_differs_from_its_clip_and_is_the_same_each_time():
    sound = made_voice(1.5, sample_rate_hz=RATE_HZ)
    first, again = (encoder_features.as_copy(1)(sound) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for other in (encoder_features.as_copy(2)(sound), encoder_features.plainly(sound)):
        assert other.shape != first.shape or not np.allclose(other, first, atol=0.01)


def test_the_corpora_are_those_of_the_tables_in_the_same_order():
    assert list(heard.LOADERS) == list(CORPORA_NAMES)


def test_a_corpus_that_is_absent_is_named_and_left_out(untrained, clips, monkeypatch, capsys):
    def load(corpus):
        if corpus == "savee":
            raise CorpusMissingError("SAVEE", untrained / "SAVEE")
        return clips.assign(emotion="sad", speaker=f"{corpus}-1", corpus=corpus)

    monkeypatch.setattr(heard, "load_table", load)
    found = heard.hear(["emovo", "savee", "javased"], untrained)
    assert found.table["corpus"].unique().tolist() == ["emovo", "javased"]
    assert "SAVEE" in capsys.readouterr().out
    (copies,) = found.copies
    pd.testing.assert_frame_equal(copies.table, found.table)
    assert len(found.with_copies().statistics) == 12


def test_copies_follow_their_clips():
    plain = made_heard(6)
    copies = plain.of(np.array([True, False, True, False, True, False]))
    whole = Heard(plain.table, plain.statistics, plain.segments, (copies,))
    part = whole.of(np.array([True, True, False, False, False, False]))
    assert part.copies[0].table["clip_id"].tolist() == ["a0"]
    assert part.with_copies().table["clip_id"].tolist() == ["a0", "a1", "a0"]


def test_what_is_like_the_training_clips_lies_at_one_and_the_rest_further():
    train = made_heard()
    familiarity = fit_familiarity(train)
    assert familiarity.kernel.shape == (80, COMPONENTS)
    own = familiarity.distance(train.statistics)
    assert np.sqrt((own**2).mean()) == pytest.approx(1, abs=0.05)
    fresh = familiarity.distance(made_heard(corpus="bb").statistics)
    assert fresh.mean() == pytest.approx(1, abs=0.1)
    far = familiarity.distance(made_heard(shift=3.0).statistics)
    assert far.min() > np.percentile(own, 99)
