"""Names that are no file's: addresses, the standard input, none at all; each is told what to do."""

import shutil
from pathlib import Path

import pytest
from helpers import made_voice, write_clip

from emorec import MediaError, Recognizer
from emorec.cli import main
from emorec.media.find import check_name, find_clips
from emorec.report.table import table_row


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "http://localhost:8000/[1].mp4",
        "HTTPS://EXAMPLE.ORG/CLIP.MP4",
        "rtsp://camera.local/1",
        "www.youtube.com/watch?v=a",
        "m.youtube.com/watch?v=a",
        "youtu.be/dQw4w9WgXcQ",
        "https:/example.org/clip.mp4",
    ],
)
def test_an_address_is_called_one_and_keeps_its_strokes(recognizer, address):
    (error,) = find_clips([address])
    assert isinstance(error, MediaError)
    assert error.what == address
    assert "it is an address, and nothing is fetched" in error.reason
    assert "save the recording as a file" in error.remedy
    result = recognizer.classify_safely(address)
    assert table_row(result)["reason"] == error.reason
    assert result.name == address
    with pytest.raises(MediaError, match="address"):
        recognizer.classify(address)


def test_the_address_of_a_file_names_the_file():
    with pytest.raises(MediaError, match=r"name the file: /home/me/my clip\.mp4"):
        check_name("file:///home/me/my%20clip.mp4")
    with pytest.raises(MediaError, match=r"name the file: C:/clips/a\.mp4"):
        check_name("file:///C:/clips/a.mp4")
    assert find_clips(["file:///home/me/my%20clip.mp4"]) == [Path("/home/me/my clip.mp4")]


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_the_standard_input_is_called_so(name):
    (error,) = find_clips([name])
    assert "standard input" in error.reason
    assert "write it to a file first" in error.remedy


@pytest.mark.parametrize("name", ["C:/clips/a.mp4", "a:b.wav", "data: 1.wav", "who is youtube.mp4"])
def test_other_names_are_looked_for(name):
    check_name(name)
    assert find_clips([name]) == [Path(name)]


def test_a_file_that_is_called_like_an_address_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "https:" / "example.org").mkdir(parents=True)
    write_clip(tmp_path / "a.wav", None, made_voice(0.5), audio_codec="pcm_s16le")
    for name in ("https:/example.org/a.wav", "-"):
        shutil.copy("a.wav", name)
    assert find_clips(["https://example.org/a.wav"]) == [Path("https:/example.org/a.wav")]
    check_name("./-")


def test_rows_and_table_keep_the_address(models, tmp_path, capsys):
    address = "https://youtu.be/dQw4w9WgXcQ"
    command = ["classify", address, "--csv", str(tmp_path / "r.csv"), "--models", str(models)]
    assert main(command) == 1
    assert address in capsys.readouterr().out
    assert address in (tmp_path / "r.csv").read_text()
    assert main([*command, "--resume"]) == 1  # what failed is tried again
    assert (tmp_path / "r.csv").read_text().count(address) == 1


def test_annotate_and_live_say_it_too(models, tmp_path, capsys):
    address = "https://youtu.be/dQw4w9WgXcQ"
    assert main(["annotate", address, "-o", str(tmp_path), "--models", str(models)]) == 1
    assert address in capsys.readouterr().out
    assert main(["live", "--file", address, "--models", str(models)]) == 2
    said = capsys.readouterr().err
    assert address in said
    assert "it is an address" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify", ""],
        ["classify", "a.wav", ""],
        ["classify", "a.wav", "--calibrate", ""],
        ["classify", "a.wav", "--csv", ""],
        ["classify", "a.wav", "--json", ""],
        ["classify", "a.wav", "--timeline", ""],
        ["classify", "a.wav", "--plots", ""],
        ["classify", "a.wav", "--models", ""],
        ["annotate", "", "-o", "a.mp4"],
        ["annotate", "a.wav", "-o", ""],
        ["live", "--file", ""],
        ["live", "--record", ""],
        ["data", "--verify", "--to", ""],
        ["app", "--password-file", ""],
    ],
)
def test_an_empty_name_is_wrong_usage(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "must not be empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_name_is_no_folder_for_python_either(models):
    (error,) = find_clips([""])
    assert "the name is empty" in error.reason
    with pytest.raises(MediaError, match="empty"):
        Recognizer.load(models).classify("")
