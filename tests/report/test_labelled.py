"""Evaluations: figures that follow from made judgements, and pages that show them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import made_voice, write_clip

import emorec
from emorec.emotions import COMMON7
from emorec.errors import OutputError
from emorec.evaluation.labels import Label, Labels, LabelsError
from emorec.report.judgement import Judgement, JudgementWriter, judge, read_judgements
from emorec.report.labelled import Evaluation
from emorec.report.labelled_page import link_to
from emorec.report.labelled_text import print_evaluation
from emorec.result.clip import ClipResult
from emorec.streams.windows import Windows


def posterior(emotion: str, probability: float = 0.7) -> np.ndarray:
    rest = (1 - probability) / 6
    return np.array([probability if name == emotion else rest for name in COMMON7])


def made(truth, verdict, sure=0.7, speaker="", name="", voice=None) -> Judgement:
    label = Label(name or f"{truth}-{verdict}-{sure}-{speaker}.mp4", Path("x.mp4"), truth, speaker)
    if verdict is None:
        return Judgement(label, "no verdict", {}, reason="it is mute", remedy="speak")
    said = {"fused": posterior(verdict, sure)}
    return Judgement(label, "ok", said | ({"voice": posterior(voice)} if voice else {}))


def evaluation_of(*judgements: Judgement) -> Evaluation:
    return Evaluation(Labels("labels.csv", tuple(one.label for one in judgements)), judgements)


def six() -> Evaluation:
    return evaluation_of(
        made("happy", "happy", 0.9, "ann", voice="sad"),
        made("happy", "sad", 0.8, "ann", voice="happy"),
        made("sad", "sad", 0.6, "ann"),
        made("sad", "happy", 0.5, "bob"),
        made("sad", "sad", 0.7, "bob"),
        made("sad", None, speaker="bob"),
    )


def test_figures_are_those_of_the_rows_with_a_verdict():
    found = six()
    scores = found.streams["fused"].scores
    assert scores["accuracy"] == found.accuracy == pytest.approx(3 / 5)
    assert scores["unweighted_average_recall"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found.streams["voice"].clips == 2
    assert found.streams["voice"].scores["accuracy"] == 0.5
    assert set(found.streams) == {"fused", "voice"}
    assert found.confusion.loc["happy", "sad"] == 1
    assert [one.confidence for one in found.worst] == pytest.approx([0.8, 0.5])
    assert [one.reason for one in found.not_judged] == ["it is mute"]
    notes = " | ".join(found.notes)
    assert "counted as wrong, 50.0 % are right" in notes
    assert "no clip is labelled angry, disgust, fear, neutral, surprise" in notes


def test_speakers_are_ranked_with_intervals():
    found = six()
    assert found.unit == "speaker" and "over 2 speakers, so few" in " ".join(found.notes)
    assert [(s.speaker, s.clips) for s in found.by_speaker] == [("bob", 2), ("ann", 3)]
    assert all(s.low < s.accuracy < s.high for s in found.by_speaker)
    low, high = found.streams["fused"].intervals_95["accuracy"]
    assert (low, high) == pytest.approx((1 / 2, 2 / 3))


@pytest.mark.parametrize(("speaker", "said"), [("ann", "one speaker is named"), ("", "no speaker")])
def test_fewer_than_two_speakers_leave_intervals_over_clips(speaker, said):
    found = evaluation_of(made("happy", "happy", 0.9, speaker), made("sad", "happy", 0.8, speaker))
    assert found.unit == "clip" and said in " ".join(found.notes)
    assert found.streams["fused"].intervals_95["accuracy"] == [0, 1]
    assert len(found.by_speaker) == bool(speaker)


def test_one_emotion_and_one_clip_have_no_curve_and_no_interval(capsys):
    found = evaluation_of(made("happy", "happy"))
    assert np.isnan(found.streams["fused"].scores["auc"])
    assert not found.streams["fused"].intervals_95
    assert found.summary()["streams"]["fused"]["scores"]["auc"] is None
    print_evaluation(found)
    assert "No verdict is wrong" in found._repr_html_()


def test_nothing_judged_is_an_error_with_the_reason():
    with pytest.raises(LabelsError, match=r"none of its 1 rows.*it is mute. Remedy: speak"):
        evaluation_of(made("sad", None))


def windows(*emotions: str, window_s: float = 0.5) -> Windows:
    times_s = 0.25 + 0.5 * np.arange(len(emotions))
    return Windows(times_s, np.stack([posterior(name) for name in emotions]), window_s)


def made_result(**streams: Windows) -> ClipResult:
    said = {stream: of.posteriors[0].astype(np.float32) for stream, of in streams.items()}
    return ClipResult(Path("a.mp4"), "ok", posteriors=said, windows=streams, duration_s=2.0)


def part(start_s, end_s) -> Label:
    return Label("a.mp4", Path("a.mp4"), "sad", "", start_s, end_s)


def test_seconds_are_judged_from_the_timeline_within_them():
    result = made_result(fused=windows("happy", "happy", "sad", "sad"), voice=windows("fear"))
    assert judge(part(None, None), result).emotion == "happy"
    late = judge(part(1.0, None), result)
    assert late.emotion == "sad" and set(late.posteriors) == {"fused"}
    assert judge(part(0.0, 0.5), result).posteriors["voice"].argmax() == COMMON7.index("fear")
    mixed = judge(part(0.5, 1.5), result).posteriors["fused"]
    np.testing.assert_allclose(mixed[[3, 5]], mixed[3])
    assert mixed.sum() == pytest.approx(1, abs=1e-4)


def test_stretches_are_not_counted_as_clips(capsys):
    result = made_result(fused=windows("happy", "happy", "sad", "sad"))
    found = evaluation_of(judge(part(0.0, 1.0), result), judge(part(1.0, 2.0), result))
    page = found._repr_html_()
    assert "of 2 stretches are named rightly" in page and ">clips<" not in page
    print_evaluation(found, by_speaker=True)
    assert "clips" not in capsys.readouterr().out.partition("Notes")[0]
    assert six().counted == "clips" and "of 5 clips are named" in six()._repr_html_()


def test_seconds_shorter_than_a_step_and_beyond_the_end():
    result = made_result(fused=windows("happy", "happy", "sad", "sad"))
    assert judge(part(1.3, 1.4), result).emotion == "sad"
    beyond = judge(part(5.0, 6.0), result)
    assert beyond.emotion is None
    assert "ends at 2.00 s, before 5 s" in beyond.reason and beyond.remedy


def test_what_is_written_is_read_again_and_scores_the_same(tmp_path):
    first, path = six(), tmp_path / "p.csv"
    with JudgementWriter(path, stamp_of=str) as writer:
        for count, one in enumerate(first.judgements, 1):
            writer.add(one)
            assert path.read_text().count("\n") == count + 1
    found = read_judgements(path, first.labels, str)
    assert Evaluation(first.labels, found.values()).summary() == first.summary()
    assert not read_judgements(path, first.labels, lambda clip: "of another run")
    before = path.read_text()
    with pytest.raises(OutputError, match=r"it holds clips that are not in fewer\.csv"):
        read_judgements(path, Labels("fewer.csv", first.labels.rows[1:]), str)
    assert path.read_text() == before


def test_names_are_shown_as_text_and_linked_by_their_way(tmp_path, capsys):
    odd = "<b>[red]\x1b\n'\".mp4"
    found = evaluation_of(made("sad", "happy", name=odd, speaker="<i>"), made("happy", "happy"))
    page = found._repr_html_()
    assert "<b>[red]" not in page and "<i>" not in page and "\x1b" not in page
    print_evaluation(found, by_speaker=True)
    assert "[red]\\x1b" in capsys.readouterr().out
    clip = tmp_path / "clips" / "a b#1?.mp4"
    assert link_to(clip, tmp_path / "out") == "../clips/a%20b%231%3F.mp4"


def test_the_printed_report_fits_80_columns(capsys):
    rows = [made(t, v, 0.5, f"speaker-{t}") for t in COMMON7 for v in COMMON7]
    print_evaluation(evaluation_of(*rows, made("sad", None)), by_speaker=True)
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    assert any(line.strip().startswith("All together ") for line in shown)


def test_made_clips_are_evaluated_from_python(recognizer, example, tmp_path, monkeypatch):
    read = []
    classify = recognizer.classify
    monkeypatch.setattr(recognizer, "classify", lambda *a: read.append(classify(*a)) or read[-1])
    tone = write_clip(tmp_path / "t.wav", None, made_voice(2.0), audio_codec="pcm_s16le")
    labels = [
        {"path": example, "emotion": "happiness", "speaker": "a"},
        {"path": example, "emotion": "sad", "speaker": "a", "start": 0, "end": 1},
        {"path": tone, "emotion": "anger", "speaker": "b"},
        {"path": tmp_path / "gone.mp4", "emotion": "fear", "speaker": "b"},
    ]
    found = emorec.evaluate(labels, recognizer)
    assert repr(found).startswith("<Evaluation of 'the table of labels': 3 of 4 rows, right ")
    assert [result.path for result in read] == [example, tone]
    for stream, said in read[0].posteriors.items():
        np.testing.assert_allclose(found.judgements[0].posteriors[stream], said, atol=1e-5)
    assert found.judgements[3].reason == "there is no such file"
    assert "clips named as a corpus names its own (2)" in " ".join(found.notes)
    assert found.streams["face"].clips == 2 and found.streams["voice"].clips == 3
    found.write_json(tmp_path / "s.json")
    written = json.loads((tmp_path / "s.json").read_text())
    assert written["judged"] == 3 and written["bootstrapped_over"] == "speaker"
    found.write_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "<script" not in page and "http" not in page and "base64" not in page
    assert page.count("<details>") == 1
    links = re.findall(r"""(?:src|href)=["']([^"'#]+)""", page)
    assert links and all((tmp_path / link).exists() for link in links)
