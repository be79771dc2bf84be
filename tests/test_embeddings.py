"""Embeddings: what the last layers read, on request, in both engines and in tables."""

import json

import numpy as np
import pandas as pd
import pytest
from made_models import make_models

from emorec import ModelError, Recognizer
from emorec.cli import common, main
from emorec.models import MODEL_FOLDERS
from emorec.paths import MODELS
from emorec.training.own_networks import read_head

EMBEDDED = ("voice", "face")


def values(result, stream: str) -> np.ndarray:
    return getattr(result, f"{stream}_embeddings").iloc[:, 2:].to_numpy()


def test_both_engines_hand_out_what_the_shipped_heads_read(example):
    found = {}
    for engine in ("onnx", "keras"):
        asked = Recognizer.load(MODELS, engine).with_embeddings()
        found[engine] = result = asked.classify(example)
        read = result.faces.dropna(subset="happy")["time_s"].tolist()
        assert result.face_embeddings["time_s"].tolist() == read
        for stream, size in zip(EMBEDDED, (3072, 256), strict=True):
            network = asked.networks[stream]
            batch = np.random.default_rng(0).random((2, *(n or 300 for n in network.input_shape)))
            posterior, _, embedding = network.embedding.read(batch.astype(np.float32))
            head = read_head(MODELS / MODEL_FOLDERS[stream])
            np.testing.assert_allclose(head.predict(embedding), posterior, atol=1e-3)
            np.testing.assert_array_equal(posterior, network.predict(batch.astype(np.float32)))
            assert values(result, stream).shape[1] == embedding.shape[1] == size
            assert values(result, stream).dtype == np.float32
    onnx, keras = ([values(found[engine], s) for s in EMBEDDED] for engine in found)
    np.testing.assert_allclose(onnx[1], keras[1], atol=1e-4)
    # The voice's ONNX form is in 8 bits; see tests/test_shipped_voices.py.
    lengths = np.linalg.norm(onnx[0], axis=1) * np.linalg.norm(keras[0], axis=1)
    assert ((onnx[0] * keras[0]).sum(1) / lengths).min() > 0.999


def test_nothing_is_kept_unasked_and_the_verdict_is_the_same(recognizer, example):
    asked, plain = (one.classify(example) for one in (recognizer.with_embeddings(), recognizer))
    assert (len(plain.voice_embeddings), len(plain.face_embeddings)) == (0, 0)
    assert len(asked.voice_embeddings) == len(asked.voice) > 0
    np.testing.assert_array_equal(asked.posteriors["fused"], plain.posteriors["fused"])


def test_of_everybody_and_of_a_picture_they_are_numbered(recognizer, example, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(example)) as clip:
        next(clip.decode(video=0)).to_image().save(tmp_path / "a.png")
    asked = recognizer.with_embeddings().for_everybody()
    for result in asked.classify(example), asked.classify(tmp_path / "a.png"):
        assert set(result.face_embeddings["person"]) == {1}
        assert np.isfinite(values(result, "face")).all()


@pytest.mark.parametrize("form", [".csv", ".parquet"])
def test_the_command_writes_two_more_tables(form, recognizer, example, tmp_path, monkeypatch):
    if form == ".parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(common, "load_recognizer", lambda _: recognizer)
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    clips, out = [str(tmp_path / "broken.wav"), str(example)], str(tmp_path / f"a{form}")
    assert main(["features", *clips, "--embeddings", "-o", out, "--quiet"]) == 1
    result = recognizer.with_embeddings().classify(example)
    read = pd.read_csv if form == ".csv" else pd.read_parquet
    for stream in EMBEDDED:
        table = read(tmp_path / f"a_{stream}_embeddings{form}")
        assert list(table.columns) == ["file", *getattr(result, f"{stream}_embeddings").columns]
        assert set(table["file"]) == {str(example)}
        np.testing.assert_allclose(table.iloc[:, 3:], values(result, stream), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("embedding", [{}, {"onnx": "nowhere"}])
def test_a_network_without_any_is_one_line_with_the_remedy(embedding, example, tmp_path, capfd):
    folder = make_models(tmp_path / "models")
    file = folder / "voice_encoder" / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "embedding": embedding}))
    recognizer = Recognizer.load(folder)
    with pytest.raises(ModelError, match=r"hands out no embeddings.*ask for no embeddings"):
        recognizer.with_embeddings()
    assert len(recognizer.for_streams("face").with_embeddings().classify(example).face_embeddings)
    command = ["features", str(example), "--embeddings", "--models", str(folder), "--quiet"]
    assert main([*command, "-o", str(tmp_path / "a.csv")]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.glob("a*"))
