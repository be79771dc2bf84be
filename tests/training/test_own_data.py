"""From labels to a models' folder that the recogniser takes, whatever is wrong with them."""

import csv
import json
import shutil

import numpy as np
import pytest
from helpers import made_voice, write_clip

from emorec import Recognizer
from emorec.cli import main
from emorec.emotions import COMMON7
from emorec.engines import OnnxNetwork, read_model_spec
from emorec.errors import OutputError
from emorec.evaluation.labels import LabelsError, labels_of_table, read_labels
from emorec.fusion import LogLinearFusion
from emorec.paths import MODELS
from emorec.posteriors import softmax
from emorec.training import own_data, own_fit, own_reading
from emorec.training.linear_head import LinearHead
from emorec.training.own_clips import labelled_clips
from emorec.training.own_data import train, work_folder
from emorec.training.own_fit import Models, judge, raw_posteriors
from emorec.training.own_networks import ObservedNetwork, read_head, write_with_head

SPEAKERS = ("ann", "bob", "cyd")
EMOTIONS = ("joy", "sad")


@pytest.fixture(scope="module", autouse=True)
def few_strengths():
    """Two are enough to choose between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_fit, "STRENGTHS", (0.1, 0.01))
        yield


@pytest.fixture(scope="module")
def reading(example, tmp_path_factory):
    return next(own_reading.read_clips([example], MODELS, tmp_path_factory.mktemp("read")))


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """Two emotions of three speakers: who is happy speaks higher."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = ["path,emotion,speaker"]
    for number, speaker in enumerate(SPEAKERS):
        for emotion, pitch in zip(EMOTIONS, (1.6, 1.0), strict=True):
            for take in range(3):
                name = f"{speaker}_{emotion}_{take}.wav"
                sound = made_voice(1.2)[:: 1 if pitch == 1 else 2]
                noise = np.random.default_rng([number, take]).normal(0, 0.01, len(sound))
                sound = (sound * (0.6 + 0.1 * take) + noise).astype(np.float32)
                write_clip(folder / name, None, sound, audio_codec="pcm_s16le")
                rows.append(f"{name},{emotion},{speaker}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def trained(labels, models, tmp_path_factory):
    return train(read_labels(labels), tmp_path_factory.mktemp("out") / "own", models)


def test_the_folder_is_taken_by_the_recogniser_and_says_what_was_learned(trained, labels):
    own, clips = trained.own.models, trained.comparison.clips
    assert "voice" in trained.own.strengths
    said = judge(own.fusion, raw_posteriors(own, clips))["fused"]
    recognizer = Recognizer.load(trained.folder)
    for row in (0, 9, 17):
        found = recognizer.classify(clips.labels[row].path)
        np.testing.assert_allclose(found.posteriors["fused"], said[row], atol=1e-5)
        assert found.emotion == clips.labels[row].emotion


def test_predictions_scores_and_card_stand_beside_what_was_there_before(trained):
    rows = list(csv.DictReader((trained.folder / "predictions.csv").open()))
    assert len(rows) == 18 and {row["speaker"] for row in rows} == set(SPEAKERS)
    # Each speaker is a fold: judged by models that met neither voice nor labels of the speaker.
    assert len({(row["speaker"], row["fold"]) for row in rows}) == 3
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert metrics["scores"]["accuracy"] > metrics["shipped"]["scores"]["accuracy"] + 0.2
    gain, low, high = metrics["gains"]["fused"]["accuracy"]
    assert low <= gain <= high and gain == pytest.approx(
        metrics["scores"]["accuracy"] - metrics["shipped"]["scores"]["accuracy"]
    )
    assert [one["speaker"] for one in metrics["by_speaker"]] == list(SPEAKERS)
    card = (trained.folder / "MODEL_CARD.md").read_text()
    assert "3 speakers, fewer than 5" in card and "no clip is labelled angry" in card
    assert "| ann | 6 |" in card and "emorec classify CLIP --models" in card
    assert (trained.folder / "voice_encoder" / "predictions.csv").exists()
    assert not list(trained.folder.glob("**/work")) and not list(trained.folder.parent.glob(".p*"))


def test_a_run_that_was_ended_goes_on_and_reads_nothing_twice(
    labels, models, tmp_path, monkeypatch
):
    read, reader = [], own_reading._Reader.read

    def ended(self, path):
        if len(read) == 14:
            raise KeyboardInterrupt
        read.append(path.name)
        return reader(self, path)

    monkeypatch.setattr(own_reading._Reader, "read", ended)
    command = ["train", str(labels), "--out", str(tmp_path / "own"), "--models", str(models)]
    assert main([*command, "--jobs", "1"]) == 130
    assert not (tmp_path / "own").exists() and len(read) == 14
    damaged = next(iter((tmp_path / "own.work" / "clips").iterdir()))
    damaged.write_bytes(b"cut off")
    monkeypatch.setattr(
        own_reading._Reader, "read", lambda self, path: read.append(path.name) or reader(self, path)
    )
    assert main([*command, "--jobs", "1"]) == 0
    assert len(read) == 19  # the 14, the one whose file was damaged, and the four that were left
    # One that is there is not written over.
    before = (tmp_path / "own" / "fusion" / "fusion.json").read_bytes()
    assert main(command) == 2
    assert (tmp_path / "own" / "fusion" / "fusion.json").read_bytes() == before


def test_clips_that_cannot_be_read_are_listed_and_the_others_go_on(labels, models, tmp_path, capfd):
    folder = tmp_path / "clips"
    shutil.copytree(labels.parent, folder)
    (folder / "ann_joy_0.wav").write_bytes(b"")
    with (folder / "labels.csv").open("a") as file:
        file.write("bob_sad_0.wav,sad,bob\n")
    out = tmp_path / "own"
    assert main(["train", str(folder / "labels.csv"), "-o", str(out), "--models", str(models)]) == 1
    printed = capfd.readouterr()
    assert "17 of 18 rows" in printed.out and "ann_joy_0.wav: the file is empty" in printed.out
    assert "before" in printed.out and "difference" in printed.out
    assert "emorec classify CLIP --models" in printed.err


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a.wav,sad,x", "b.wav,joy,y"], "it has 2 rows, and of fewer than 10"),
        ([f"{i}.wav,sad,x" for i in range(12)], "all of them sad: there is nothing to tell apart"),
        (
            [f"{i}.wav,{('sad', 'joy')[i % 2]},x" for i in range(12)],
            "clips that are not there (12)",
        ),
        (["a.wav,bored,x", "b.wav,joy,y"], "'bored' (1)"),
    ],
)
def test_labels_of_which_nothing_can_be_learned_are_one_line(rows, said, tmp_path, capfd):
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(["path,emotion,speaker", *rows]) + "\n")
    assert main(["train", str(file), "--out", str(tmp_path / "own")]) == 2
    printed = capfd.readouterr()
    assert said in printed.err and "Remedy" in printed.err and printed.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv"]


def test_an_output_without_a_folder_to_lie_in_is_refused(labels, models, tmp_path):
    with pytest.raises(OutputError, match="there is no folder"):
        train(read_labels(labels), tmp_path / "none" / "own", models)


def test_clips_in_which_nobody_is_heard_or_seen_are_said(models, tmp_path):
    silence = write_clip(
        tmp_path / "s.wav", None, np.zeros(24_000, np.float32), audio_codec="pcm_s16le"
    )
    for number in range(12):
        shutil.copy(silence, tmp_path / f"{number}.wav")
    rows = [
        {"path": str(tmp_path / f"{i}.wav"), "emotion": ("sad", "joy")[i % 2]} for i in range(12)
    ]
    with pytest.raises(LabelsError, match="0 of 12 rows have a voice or a face"):
        train(labels_of_table(rows), tmp_path / "own", models)


def warned(rows, own):
    """Warnings of rows that are not read, as if each had a voice."""
    labels = labels_of_table(rows)
    heard = own_reading.Reading(np.array(1.0), np.ones((1, 4), np.float32), *[np.ones(1)] * 3)
    classes = {"voice": COMMON7, "face": COMMON7}
    clips = labelled_clips(labels.rows, [heard] * len(rows), classes)
    return " / ".join(own_data.warnings_of(labels, clips, own))


def test_without_speakers_it_is_warned(trained):
    said = warned([{"path": f"{i}.wav", "emotion": "sad"} for i in range(3)], trained.own)
    assert "no speaker is named: folds are by clip" in said
    assert "fewer than 10 clips of sad (3)" in said and "corpus" not in said


def test_names_of_corpora_are_warned_of(trained):
    names = ("03-01-03-01-01-01-07.wav", "my/SAVEE/DC_a01.wav", "dis-f1-b1.wav", "dis-f2-b1.wav")
    rows = [
        {"path": name, "emotion": "sad", "speaker": speaker}
        for name, speaker in zip(names, ("1", "1", "f1", "f2"), strict=True)
    ]
    said = warned(rows, trained.own)
    assert "clips named as a corpus names its own (4)" in said
    assert "two corpora count as one person: 1 (RAVDESS and SAVEE); if they are two" in said


def test_of_some_seconds_what_lies_in_them_counts(example, reading):
    rows = labels_of_table(
        [
            {"path": example, "emotion": "sad", "start": "0", "end": "1"},
            {"path": example, "emotion": "joy", "start": "1", "end": ""},
        ]
    ).rows
    clips = labelled_clips(rows, [reading] * 2, {"voice": COMMON7, "face": COMMON7})
    counts = [len(faces) for faces in clips.heads["face"].faces]
    assert sum(counts) == len(reading.faces) and min(counts) > 2
    assert clips.names[0].endswith(" 0-1 s") and len(set(clips.apart)) == 1


def test_what_is_read_gives_the_verdict_of_the_recogniser(example, reading):
    rows = labels_of_table([{"path": example, "emotion": "happy"}]).rows
    clips = labelled_clips(rows, [reading], {"voice": COMMON7, "face": COMMON7})
    heads = {"voice": read_head(MODELS / "voice_encoder"), "face": read_head(MODELS / "face_cnn")}
    fusion = LogLinearFusion.from_json(MODELS / "fusion" / "fusion.json")
    said = judge(fusion, raw_posteriors(Models(heads, fusion), clips))
    found = Recognizer.load().classify(example).posteriors
    assert set(found) == {"voice", "face", "geometry", "fused"}
    for stream, posterior in found.items():
        np.testing.assert_allclose(said[stream][0], posterior, atol=1e-5)


@pytest.mark.parametrize("name", ["voice_encoder", "face_cnn"])
def test_a_head_is_replaced_in_what_ships_in_both_forms(name, tmp_path):
    source, target = MODELS / name, tmp_path / name
    old = read_head(source)
    head = LinearHead(old.kernel[:, ::-1].copy(), old.bias + np.arange(7, dtype=np.float32) / 4)
    write_with_head(source, target, head, far=2.5 if name == "voice_encoder" else None)
    assert not (target / "metrics.json").exists()
    spec = read_model_spec(target)
    shape = (2, 80, 120) if spec.stream == "voice" else (2, 48, 48, 1)
    batch = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    observed = ObservedNetwork(source)
    before = observed.predict(batch)
    ((features, _),) = observed.taken()
    np.testing.assert_allclose(before, softmax(features @ old.kernel + old.bias), atol=2e-3)
    now = OnnxNetwork(target, spec).predict(batch)
    np.testing.assert_allclose(now, softmax(features @ head.kernel + head.bias), atol=2e-3)
    assert np.abs(now - before).max() > 0.05
    if spec.stream == "voice":
        assert spec.far == 2.5
        return  # the other is the same in Keras, and loads in a tenth of the time
    keras = pytest.importorskip("keras")
    network = keras.saving.load_model(target / "model.keras", compile=False)
    np.testing.assert_allclose(np.asarray(network(batch)["fer"]), now, atol=1e-3)


def test_the_work_folder_lies_beside_the_output(tmp_path):
    assert work_folder(tmp_path / "own.v2").name == "own.v2.work"
