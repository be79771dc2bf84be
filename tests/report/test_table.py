"""Reports: tables, files and the picture of a clip, from results made by hand."""

import csv
import io

import pytest
from made_results import ALL, VOICE_ONLY, made_result

from emorec.emotions import COMMON7
from emorec.report import figure as figure_report
from emorec.report import table as table_report
from emorec.result.clip import ClipResult
from emorec.style import EMOTION_COLORS


def test_the_table_sets_verdict_and_truth_side_by_side():
    failed = ClipResult.failed("b.mp4", "the file is empty", "copy it again")
    table = table_report.to_table([made_result(ALL), failed])
    first, second = table.to_dict("records")
    assert (first["truth"], first["emotion"], first["voice"]) == ("happy", "happy", "sad")
    assert first["confidence"] == pytest.approx(0.7)
    assert first["confidence_word"] == "probably"
    assert first["p_happy"] == pytest.approx(0.7)
    assert second["status"] == "failed"
    assert second["reason"] == "the file is empty"
    assert table["emotion"].isna().tolist() == [False, True]


def test_no_result_gives_an_empty_table():
    assert len(table_report.to_table([])) == 0


def test_a_missing_stream_is_absent_from_probabilities_and_timeline():
    result = made_result(VOICE_ONLY)
    assert list(result.probabilities.index) == ["voice", "fused"]
    assert set(result.timeline["stream"]) == {"voice", "fused"}
    failed = ClipResult.failed("b.mp4", "reason", "remedy")
    assert failed.probabilities.shape == (0, 7)
    assert len(failed.timeline) == 0


def test_the_timeline_file_holds_what_the_timeline_says(tmp_path):
    result = made_result(ALL)
    table_report.write_timeline(result, tmp_path / "t.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert len(rows) == len(result.timeline) == 32
    assert float(rows[0]["time_s"]) == 0.25
    assert float(rows[0]["sad"]) == pytest.approx(0.7)


def test_rows_are_there_before_the_work_ends(tmp_path):
    path = tmp_path / "rows.csv"
    with table_report.ResultWriter(csv_path=path) as writer:
        assert path.read_text().startswith("file,status,emotion,confidence")
        writer.add(made_result(ALL))
        assert path.read_text().count("\n") == 2


def texts(figure) -> set[str]:
    found = {text.get_text() for text in figure.texts}
    for axes in figure.axes:
        found |= {text.get_text() for text in axes.texts}
        found |= {axes.get_title(loc="left"), axes.get_xlabel()}
    return found


def test_the_picture_names_clip_verdict_and_streams(tmp_path):
    figure = figure_report.plot_clip(made_result(ALL))
    shown = texts(figure)
    assert {
        "01-01-03-02-01-01-02.mp4",
        "happy  70%",
        "probably",
        "Voice",
        "Face",
        "Geometry",
    } <= shown
    assert "time [s]" in shown
    assert any("acted: happy" in text and "no face from 1.0" in text for text in shown)
    assert sum(text == "1.0 s  happy" for axes in figure.axes for text in [axes.get_xlabel()]) == 3
    figure.savefig(tmp_path / "clip.png")
    assert (tmp_path / "clip.png").stat().st_size > 10_000


def test_the_picture_says_which_streams_are_not_there():
    figure = figure_report.plot_clip(made_result(VOICE_ONLY, "a.wav"))
    missing = [axes for axes in figure.axes if "not there" in {t.get_text() for t in axes.texts}]
    assert [axes.get_title(loc="left") for axes in missing] == ["Face", "Geometry"]


def test_a_clip_without_a_verdict_has_no_picture():
    with pytest.raises(ValueError, match="no verdict"):
        figure_report.plot_clip(ClipResult.failed("b.mp4", "it is empty", "copy it"))


def test_every_emotion_has_a_colour_of_its_own():
    assert set(EMOTION_COLORS) == set(COMMON7)
    assert len(set(EMOTION_COLORS.values())) == len(COMMON7)
