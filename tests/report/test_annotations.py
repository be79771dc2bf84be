"""TextGrid and ELAN files: what other programs read of a clip's stretches."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from made_results import ALL, made_result, posterior

from emorec.cli import main
from emorec.report import annotations
from emorec.report.table import ResultWriter
from emorec.streams.windows import STREAMS, Windows

TURNS = [("happy", 4), ("sad", 3), ("happy", 1)]


@pytest.fixture
def result():
    """Four seconds in which the voice changes, with a hole before its last window."""
    result = made_result(ALL, name="clip with 'quotes' & ümlaut.mp4")
    said = np.stack([posterior(emotion) for emotion, count in TURNS for _ in range(count)])
    times_s = np.array([0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.85])
    result.windows["voice"] = Windows(times_s, said, 0.3)
    return result


def test_windows_of_one_emotion_are_joined(result):
    tiers = annotations.tiers(result)
    assert list(tiers) == ["fused", *STREAMS]
    voice = tiers["voice"]
    assert [s.emotion for s in voice] == ["happy"] * 4 + ["sad"] * 3 + [
        "happy"
    ]  # they do not touch
    result.windows["voice"] = Windows(
        np.arange(8) / 2 + 0.25, result.windows["voice"].posteriors, 3
    )
    joined = annotations.tiers(result)["voice"]
    assert [(s.start_s, s.end_s, s.emotion) for s in joined] == [
        (0.0, 2.0, "happy"),
        (2.0, 3.5, "sad"),
        (3.5, 4.0, "happy"),
    ]
    assert joined[0].confidence == pytest.approx(0.7)


def test_a_textgrid_holds_every_tier_to_the_end(result, tmp_path):
    praat = pytest.importorskip("pympi.Praat")
    annotations.write_textgrid(result, tmp_path / "a.TextGrid")
    grid = praat.TextGrid(str(tmp_path / "a.TextGrid"))
    assert [name for _, name in grid.get_tier_name_num()] == ["fused", *STREAMS]
    assert grid.xmax == 4.0
    assert list(grid.get_tier("fused").get_intervals()) == [(0.0, 4.0, "happy")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.TextGrid"]


def test_an_elan_file_links_to_the_clip(result, tmp_path):
    pytest.importorskip("pympi")
    annotations.write_elan(result, tmp_path / "out.eaf")
    root = ElementTree.parse(tmp_path / "out.eaf").getroot()
    assert [tier.get("TIER_ID") for tier in root.iter("TIER")] == ["fused", *STREAMS]
    assert next(root.iter("ANNOTATION_VALUE")).text == "happy"
    media = next(root.iter("MEDIA_DESCRIPTOR"))
    assert media.get("MEDIA_URL").startswith("file:///") and media.get("MIME_TYPE") == "video/mp4"
    assert media.get("RELATIVE_MEDIA_URL").endswith("ümlaut.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["out.eaf"]


def test_both_are_written_with_the_rest(result, tmp_path):
    pytest.importorskip("pympi")
    folders = {kind: tmp_path / kind for kind in ("textgrid", "elan", "subtitles", "timeline")}
    with ResultWriter(folders=folders) as writer:
        writer.add(result)
    assert writer.spoiled == 0
    assert {next(folder.iterdir()).suffix for folder in folders.values()} == {
        ".TextGrid",
        ".eaf",
        ".vtt",
        ".csv",
    }


@pytest.mark.parametrize("option", ["--textgrid", "--elan"])
def test_without_pympi_it_says_what_to_install(option, example, tmp_path, monkeypatch, capfd):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda n, *more: None if n == "pympi" else real(n, *more)
    )
    assert main(["classify", str(example), option, str(tmp_path / "out")]) == 2
    assert "pip install 'emorec[annotations]'" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
