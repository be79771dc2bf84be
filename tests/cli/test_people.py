"""``emorec calibrate`` and ``--person``: learned once, used by every command."""

import csv
import shutil

import numpy as np
import pytest
from helpers import made_voice, write_clip

from emorec.cli import common, main
from emorec.fusion import LogLinearFusion


@pytest.fixture(scope="module")
def place(models, tmp_path_factory):
    """A folder with clips, and with models whose fusion tells what is said of people at large."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(models, folder / "models")
    file = folder / "models" / "fusion" / "fusion.json"
    fusion = LogLinearFusion.from_json(file)
    usual = {stream: np.log(np.full(7, 1 / 7)) for stream in fusion.calibrations}
    LogLinearFusion(fusion.classes, fusion.calibrations, fusion.weights, usual).to_json(file)
    (folder / "anna").mkdir()
    write_clip(folder / "anna" / "a.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    shutil.copy(folder / "anna" / "a.wav", folder / "b.wav")
    return folder


@pytest.fixture
def run(place, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("EMOREC_PEOPLE", str(tmp_path / "people"))
    monkeypatch.chdir(place)

    def run(*arguments):
        code = main([*arguments])
        return code, *capfd.readouterr()

    return run


WITH = ("--models", "models")


def test_a_person_is_learned_used_listed_and_forgotten(run, tmp_path):
    assert run("calibrate", "--list")[1].startswith("nobody is known in")
    code, out, err = run("calibrate", "Anna Ö", "anna", *WITH)
    assert code == 0 and "Anna Ö is known now, from one clip (voice)" in out
    assert "--person 'Anna Ö'" in out and "calibrated on one clip" in err
    assert run("calibrate", "--list")[:2] == (0, "Anna Ö: one clip (voice)\n")
    rows = {}
    for key, options in {"plain": (), "known": ("--person", "anna ö")}.items():
        table = tmp_path / f"{key}.csv"
        assert run("classify", "b.wav", *WITH, *options, "--csv", str(table))[0] == 0
        with table.open(newline="", encoding="utf-8") as file:
            rows[key] = next(csv.DictReader(file))
    assert rows["known"]["notes"].startswith("judged as Anna Ö, known from one clip")
    assert "judged as" not in rows["plain"]["notes"]
    assert rows["known"]["p_sad"] != rows["plain"]["p_sad"]
    assert run("calibrate", "Anna Ö", "anna", *WITH)[0] == 2
    assert run("calibrate", "Anna Ö", "anna", "gone.wav", "--overwrite", *WITH)[0] == 1
    assert "forgotten:" in run("calibrate", "--forget", "anna ö")[1]
    assert list((tmp_path / "people").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate", "../anna", "anna"], "cannot be a person's name"),
        (["calibrate", "anna", "gone.wav"], "none of its clips can be read"),
        (["calibrate", "--forget", "bob"], "this person is not known"),
        (["classify", "b.wav", "--person", "bob"], "this person is not known"),
        (["annotate", "b.wav", "-o", "b.mp4", "--person", "bob"], "this person is not known"),
        (["live", "--file", "b.wav", "--person", "bob"], "this person is not known"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_remedy(run, arguments, said):
    with_models = () if "--forget" in arguments else WITH
    code, out, err = run(*arguments, *with_models)
    assert (code, out) == (2, "")
    assert said in err and "Remedy" in err and "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["calibrate"],
        ["calibrate", "anna"],
        ["calibrate", "anna", "--list"],
        ["calibrate", "--list", "--forget", "anna"],
        ["classify", "b.wav", "--person", "anna", "--calibrate", "anna"],
    ],
)
def test_wrong_usage(run, arguments):
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == common.EXIT_WRONG_USAGE
