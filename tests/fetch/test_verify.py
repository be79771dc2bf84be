"""Verifying: each way in which a corpus's folder can be wrong, and what mends it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from archives import Server, archive_bytes, noise
from helpers import made_tone, write_clip

from emorec import cli
from emorec.corpora.registry import corpora
from emorec.fetch.damage import damage_of
from emorec.fetch.verify import verify

BY_NAME = {corpus.name: corpus for corpus in corpora()}


def look(name: str, data: Path):
    return verify(BY_NAME[name], data)


def found(report) -> str:
    return " | ".join(problem.found for problem in report.problems)


@pytest.fixture(scope="module")
def tone(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    return write_clip(path, None, made_tone(0.5), audio_codec="pcm_s16le")


def place(tone: Path, *paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tone, path)


def test_nothing_there(tmp_path):
    report = look("RAVDESS sound", tmp_path)
    assert report.state == "absent"
    assert report.problems[0].remedy.startswith("emorec data ravdess --part sound")


def test_an_empty_folder(tmp_path):
    (tmp_path / "SAVEE").mkdir()
    report = look("SAVEE", tmp_path)
    assert report.state == "to mend"
    assert "empty" in found(report)


def test_some_takes_are_missing(tone, tmp_path):
    place(tone, tmp_path / "RAVDESS" / "Actor_01" / "03-01-01-01-01-01-01.wav")
    report = look("RAVDESS sound", tmp_path)
    assert report.there == 1
    assert "1 of 1,440; missing 01-01-01-01-01-02" in found(report)


@pytest.mark.parametrize("wrapper", ["RAVDESS", "Audio_Speech_Actors_01-24", "a/b c"])
def test_unpacked_too_deep_and_mended_by_the_command(tone, tmp_path, wrapper):
    name = "Actor_01/03-01-01-01-01-01-01.wav"
    place(tone, tmp_path / "RAVDESS" / wrapper / name)
    report = look("RAVDESS sound", tmp_path)
    assert "too deep" in found(report)
    subprocess.run(report.problems[0].remedy, shell=True, check=True)
    assert (tmp_path / "RAVDESS" / name).exists()
    assert "too deep" not in found(look("RAVDESS sound", tmp_path))


def test_too_deep_beside_what_is_right_is_mended_too(tone, tmp_path):
    folder = tmp_path / "RAVDESS"
    right, wrong = "Actor_01/03-01-01-01-01-01-01.wav", "x/Actor_01/03-01-02-01-01-01-01.wav"
    place(tone, folder / right, folder / wrong)
    subprocess.run(look("RAVDESS sound", tmp_path).problems[0].remedy, shell=True, check=True)
    assert len(list(folder.glob("Actor_01/*.wav"))) == 2
    assert not (folder / "x" / "Actor_01").exists()


def test_half_downloaded_and_not_unpacked(tone, tmp_path):
    waiting = tmp_path / ".downloads"
    waiting.mkdir()
    (waiting / "Video_Speech_Actor_02.zip.part").write_bytes(b"half")
    place(tone, tmp_path / "RAVDESS" / "Actor_01" / "01-01-01-01-01-01-01.mp4")
    assert "half-downloaded: Video_Speech_Actor_02" in found(look("RAVDESS video", tmp_path))
    assert "half" not in found(look("RAVDESS sound", tmp_path))
    (tmp_path / "SAVEE").mkdir()
    archive = tmp_path / "SAVEE" / "savee.zip"
    archive.write_bytes(archive_bytes({"DC_a01.wav": tone.read_bytes()}))
    problem = look("SAVEE", tmp_path).problems[0]
    assert "not unpacked" in problem.found
    unzip = problem.remedy.replace("python", sys.executable, 1)
    subprocess.run(unzip, shell=True, check=True)
    assert look("SAVEE", tmp_path).there == 1


def test_foreign_files_are_noted_and_harm_nothing(tone, tmp_path):
    folder = tmp_path / "RAVDESS"
    place(tone, folder / "Actor_01" / "03-01-01-01-01-01-01.wav", folder / "holiday.wav")
    (folder / "README.md").write_text("mine")
    report = look("RAVDESS sound", tmp_path)
    assert report.there == 1
    assert "1 files" in report.notes[0]
    assert "holiday.wav" in report.notes[0]


def test_only_foreign_files(tone, tmp_path):
    place(tone, tmp_path / "CREMA-D" / "song.wav")
    assert "none of the form AudioWAV/" in found(look("CREMA-D", tmp_path))


def test_an_unknown_code_in_a_name_is_told(tone, tmp_path):
    place(tone, tmp_path / "CREMA-D" / "AudioWAV" / "1001_DFA_XYZ_XX.wav")
    assert "XYZ" in found(look("CREMA-D", tmp_path))


def test_damaged_files_are_named(tone, tmp_path):
    folder = tmp_path / "RAVDESS" / "Actor_01"
    names = [f"03-01-01-01-01-01-{n:02d}.wav" for n in range(1, 5)]
    place(tone, *(folder / name for name in names))
    (folder / names[0]).write_bytes(b"")
    (folder / names[1]).write_bytes(tone.read_bytes()[:-1000])
    (folder / names[2]).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    text = found(look("RAVDESS sound", tmp_path))
    assert "3 damaged" in text
    assert "empty" in text
    assert "cut off" in text
    assert "Git LFS" in text


def test_a_movie_that_is_cut_off_is_seen_without_decoding(tmp_path):
    frames = np.full((25, 64, 64), 90, np.uint8)
    path = write_clip(
        tmp_path / "a.mp4", frames, made_tone(1.0), options={"movflags": "+faststart"}
    )
    assert damage_of(path) is None
    path.write_bytes(path.read_bytes()[:-500])
    assert "cut off" in damage_of(path)


def test_pictures_and_packed_tables_are_looked_at(tmp_path):
    picture = tmp_path / "CKplus" / "CK+48" / "anger" / "S010_004_00000017.png"
    picture.parent.mkdir(parents=True)
    cv2.imwrite(str(picture), np.zeros((48, 48), np.uint8))
    assert look("CK+", tmp_path).there == 1
    assert "damaged" not in found(look("CK+", tmp_path))
    picture.write_bytes(b"no picture")
    assert "damaged" in found(look("CK+", tmp_path))
    table = tmp_path / "a.csv.xz"
    table.write_bytes(b"\xfd7zXZ\x00 and no more")
    assert "damaged" in damage_of(table)


def test_the_command_says_what_is_there(tone, tmp_path, capsys):
    place(tone, tmp_path / "SAVEE" / "DC_a01.wav")
    assert cli.main(["data", "--verify", "--to", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "SAVEE: to mend, 1 of 480 clips" in out
    assert f"    in {tmp_path / 'SAVEE'}" in out
    assert "JavaSED: absent" in out
    # Of what is absent too it says where that was looked for.
    absent = [line for line in out.splitlines() if ": absent" in line]
    looked = [line for line in out.splitlines() if f"looked for in {tmp_path}" in line]
    assert len(looked) == len(absent) > 1


def test_a_complete_corpus_is_all_right(tone, tmp_path, capsys):
    from emorec.corpora.savee import planned_clip_ids

    place(tone, *(tmp_path / "SAVEE" / f"{clip_id}.wav" for clip_id in planned_clip_ids()))
    assert cli.main(["data", "--verify", "--to", str(tmp_path)]) == 0
    assert "SAVEE: complete, 480 of 480" in capsys.readouterr().out
    assert cli.main(["data", "savee", "--to", str(tmp_path)]) == 0


def test_what_is_there_is_not_fetched_again(tone, tmp_path, capsys):
    from emorec.corpora.ravdess import planned_clip_ids

    ids = [clip_id for clip_id in planned_clip_ids() if clip_id.endswith("-05")]
    place(tone, *(tmp_path / "RAVDESS" / "Actor_05" / f"01-{clip_id}.mp4" for clip_id in ids))
    wanted = ["--part", "video", "--actors", "5", "--to", str(tmp_path)]
    assert cli.main(["data", "ravdess", *wanted]) == 0
    assert "there already" in capsys.readouterr().err


def test_ctrl_c_keeps_what_arrived(tmp_path):
    server = Server({"Audio_Speech_Actors_01-24.zip": noise(300_000)})
    server.faults = ["stall"]
    command = [sys.executable, "-m", "emorec", "data", "ravdess", "--to", str(tmp_path)]
    environment = os.environ | {"EMOREC_ZENODO_URL": server.url}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    part = tmp_path / ".downloads" / "Audio_Speech_Actors_01-24.zip.part"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    server.close()
    assert process.returncode == 130
    assert "goes on" in errors
    assert part.stat().st_size > 0


def test_the_corpora_at_hand(emorec_data):
    for name in ("RAVDESS sound", "nEMO", "EMOVO"):
        report = look(name, emorec_data)
        assert report.state == "complete"
        # EMOVO's labels lie beside its clips here, in a table that is not the official layout's.
        assert len(report.notes) == (name == "EMOVO")
    assert look("RAVDESS video", emorec_data).there >= 4
