"""The terminal's table: one line a clip that fits, notes below, what all share said once."""

import csv
import io

import numpy as np
import pytest
from made_results import ALL, VOICE_ONLY, made_result, posterior
from rich.console import Console

from emorec.report import terminal
from emorec.report.table import ResultWriter
from emorec.result.clip import ClipResult
from emorec.streams.windows import Windows

FAILED = ClipResult.failed("clips/b.mp4", "the file is empty", "copy it again")


@pytest.fixture
def shown(monkeypatch):
    """What a terminal of some width shows, line by line."""

    def shown(results, width):
        file = io.StringIO()

        class Narrow(Console):
            def __init__(self, **options):
                super().__init__(**options, width=width, force_terminal=True, color_system=None)

        monkeypatch.setattr("rich.console.Console", Narrow)
        terminal.print_table(results, file)
        return [line.rstrip() for line in file.getvalue().splitlines()]

    return shown


def test_a_line_for_each_clip_and_below_it_what_is_to_be_known(shown):
    result = made_result(ALL, "clips/a.mp4")
    result.notes.append("made up")
    other = made_result(VOICE_ONLY, "clips/sub/c.mp4")
    other.notes[:] = ["made up"]
    lines = shown([result, FAILED, other], 100)
    assert lines[0].split() == [
        "clip",
        *["(in", "clips)", "verdict", "how", "sure", "voice", "face", "geometry"],
    ]
    assert lines[1].split() == ["a.mp4", "happy", "70%", "probably", "sad", "happy", "fear"]
    assert lines[2] == "    no face from 1.0 to 2.0 s"
    assert lines[3].split() == ["b.mp4", "failed"]
    assert lines[4] == "    the file is empty. Remedy: copy it again."
    assert lines[5].split() == ["sub/c.mp4", "sad", "70%", "probably", "sad", "-", "-"]
    assert lines[6:] == ["all clips with a verdict: made up"]


def test_a_note_that_all_bear_is_said_once_of_all(shown):
    results = [made_result(ALL, "a.mp4"), made_result(ALL, "b.mp4")]
    assert shown(results, 80)[3:] == ["all clips: no face from 1.0 to 2.0 s"]
    results.append(ClipResult("c.wav", "no verdict", notes=["no face from 1.0 to 2.0 s"]))
    lines = shown(results, 80)
    assert lines[-2:] == [
        "    no face from 1.0 to 2.0 s",
        "all clips with a verdict: no face from 1.0 to 2.0 s",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ["n" * 200 + ".mp4", "语" * 90 + ".mp4", "deep/" * 30 + "a.mp4"])
def test_no_line_is_wider_than_the_terminal(shown, width, name):
    lines = shown([made_result(ALL, name), made_result(ALL, "/other/b.mp4")], width)
    from rich.cells import cell_len

    assert max(map(cell_len, lines)) <= width
    assert sum("happy" in line and "probably" in line for line in lines) == 2
    assert any(".mp4" in line for line in lines)


def test_the_course_stands_below_a_clip_that_changes(shown):
    result = made_result({"fused": "happy"})
    posteriors = np.repeat([posterior("happy", 0.9), posterior("sad", 0.9)], 6, axis=0)
    result.windows["fused"] = Windows((np.arange(12) + 0.5) / 2, posteriors, 0.5)
    assert "    happy 0:00-0:03, sad 0:03-0:04" in shown([result], 80)


def test_it_takes_odd_names(capsys):
    terminal.print_table([made_result(ALL, "two\nlines [red]\x1b[2J.mp4")])
    shown = capsys.readouterr().out
    assert "two\\nlines [red]\\x1b[2J.mp4" in shown
    assert "70%  probably" in shown


def test_in_a_pipe_names_stay_whole(capsys):
    terminal.print_table([made_result(ALL, "n" * 120 + ".mp4")])
    assert "n" * 120 + ".mp4" in capsys.readouterr().out


def test_a_row_of_the_csv_file_shows_as_its_result_does(tmp_path):
    results = [made_result(ALL, "a.mp4"), FAILED, made_result(VOICE_ONLY, "c.wav")]
    with ResultWriter(csv_path=tmp_path / "rows.csv") as writer:
        for result in results:
            writer.add(result)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        lines = [terminal.Line.of_row(row) for row in csv.DictReader(file)]
    assert lines == [terminal.Line.of(result) for result in results]


def test_nothing_to_show_shows_nothing(capsys):
    terminal.print_table([])
    assert capsys.readouterr().out == ""
