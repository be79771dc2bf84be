"""Clips and results at addresses: read by a copy, listed, written, and told of in plain words."""

import pandas as pd
import pytest
from helpers import made_voice, write_clip

from emorec import MediaError, classify_to_parquet
from emorec.errors import OutputError
from emorec.media import storage
from emorec.media.find import find_clips
from emorec.paths import REPOSITORY
from emorec.report.table import table_row

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket(tmp_path):
    """A store in memory with two clips and what is none."""
    clip = write_clip(tmp_path / "a.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    files = fsspec.filesystem("memory")
    for name in ("a.wav", "deep/b.WAV"):
        files.pipe_file(f"/bucket/clips/{name}", clip.read_bytes())
    files.pipe_file("/bucket/clips/notes.txt", b"none")
    yield "memory://bucket"
    files.rm("/bucket", recursive=True)


def test_a_folder_a_pattern_and_a_clip_at_an_address_are_found(bucket):
    both = [f"{bucket}/clips/a.wav", f"{bucket}/clips/deep/b.WAV"]
    assert find_clips([f"{bucket}/clips"]) == find_clips([*both, f"{bucket}/clips/"])
    assert [str(clip).replace(":///", "://") for clip in find_clips([f"{bucket}/clips"])] == both
    (one,) = find_clips([f"{bucket}/clips/*.wav"])
    assert one.endswith("clips/a.wav")
    (error,) = find_clips([f"{bucket}/clips/*.mp4"])
    assert "no clip at this address" in error.reason


def test_a_clip_at_an_address_is_read_as_a_local_one_and_nothing_stays(
    bucket, recognizer, tmp_path, monkeypatch
):
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path / "room"))
    (tmp_path / "room").mkdir()
    here = table_row(recognizer.classify(tmp_path / "a.wav"))
    there = table_row(recognizer.classify(f"{bucket}/clips/a.wav"))
    assert there.pop("file") == f"{bucket}/clips/a.wav"
    assert here.pop("file") and here == there
    assert list((tmp_path / "room").iterdir()) == []
    file = (tmp_path / "a.wav").as_uri()
    assert table_row(recognizer.classify(file))["p_sad"] == here["p_sad"]


def test_what_is_not_there_or_has_no_room_is_a_line(bucket, recognizer, monkeypatch):
    with pytest.raises(MediaError, match=r"bucket/clips/x.wav: there is no such file"):
        recognizer.classify(f"{bucket}/clips/x.wav")
    monkeypatch.setattr(storage, "_SPARE_BYTES", 10**18)
    result = recognizer.classify_safely(f"{bucket}/clips/a.wav")
    assert result.status == "failed" and "no room for a local copy" in result.reason


def test_a_store_whose_package_is_missing_is_named(recognizer, monkeypatch):
    def url_to_fs(address):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", url_to_fs)
    (error,) = find_clips(["s3://bucket/clip.mp4"])
    assert "Install s3fs" in error.reason and "emorec[cluster]" in error.remedy
    assert "Install s3fs" in recognizer.classify_safely("s3://bucket/clip.mp4").reason
    with pytest.raises(Exception, match="Install s3fs"):
        storage.Folder("s3://bucket/out")


def test_results_go_to_an_address_and_are_gone_on_with(bucket, recognizer):
    out = f"{bucket}/out"
    assert classify_to_parquet([f"{bucket}/clips"], out, recognizer).read == 2
    with pytest.raises(OutputError, match="holds something already"):
        classify_to_parquet([f"{bucket}/clips"], out, recognizer)
    with fsspec.open(f"{bucket}/clips/deep/b.WAV", "ab") as file:
        file.write(b"more")  # another clip now
    tally = classify_to_parquet([f"{bucket}/clips"], out, recognizer, resume=True)
    assert (tally.kept, tally.read) == (1, 1)
    parts = fsspec.filesystem("memory").glob("/bucket/out/clips/part-*.parquet")
    rows = pd.concat([pd.read_parquet(f"memory://{part}") for part in parts])
    assert sorted(rows["status"]) == ["ok", "ok"]


def test_local_paths_need_no_fsspec(recognizer, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_files_at", None)
    clip = write_clip(tmp_path / "a.wav", None, made_voice(1.0), audio_codec="pcm_s16le")
    assert classify_to_parquet([clip], tmp_path / "out", recognizer).without_verdict == 0
    assert storage.facts(REPOSITORY / "README.md")
