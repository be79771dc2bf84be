"""What a notebook gets: the corpus where it is at hand; elsewhere drawn data, named as such."""

from pathlib import Path

import pandas as pd
import pytest

from emorec.avatar import stand_ins
from emorec.avatar.stand_ins import Source
from emorec.corpora import crema_d, javased, ravdess, registry, savee
from emorec.errors import CorpusMissingError
from emorec.experiments.cross_corpus import CORPORA

SPEECH = ["path", "clip_id", "emotion", "speaker"]


@pytest.fixture
def no_corpora(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOREC_DATA", str(tmp_path))


def test_only_a_whole_run_on_the_corpus_itself_has_no_caveat():
    assert Source("RAVDESS").caveat == "" and not Source("RAVDESS").is_trial
    drawn = Source("made-up faces", is_real=False, is_quick=True)
    assert drawn.caveat == (
        "; MADE-UP FACES: this says nothing about people - a quick run, no result"
    )
    assert Source("RAVDESS", is_quick=True).caveat == " - a quick run, no result"
    assert drawn.is_trial and Source("RAVDESS", is_quick=True).is_trial
    assert f"{drawn}" == "made-up faces"


def test_only_a_whole_run_on_the_corpus_itself_writes_into_the_folder_of_results(tmp_path):
    assert Source("RAVDESS").results_folder(tmp_path) == tmp_path
    for trial in (Source("RAVDESS", is_quick=True), Source("made-up voices", is_real=False)):
        assert trial.results_folder(tmp_path) != tmp_path
        assert trial.results_folder(tmp_path).is_dir()


def test_without_corpora_avatars_speak_and_the_source_says_so(no_corpora):
    with pytest.raises(CorpusMissingError):
        ravdess.load_sound_table()
    table, source = stand_ins.sound_table(True, quick_actors=(1, 17))
    assert not source.is_real and source.name == "made-up voices"
    assert table["speaker"].nunique() == 2 and table["emotion"].nunique() == 8
    assert all(Path(path).exists() for path in table["path"])
    clips, source = stand_ins.clip_table(True, registry.corpora())
    assert len(clips) and not source.is_real


def test_without_corpora_avatars_stand_in_for_four_corpora_of_speech(no_corpora):
    tables, source = stand_ins.speech_tables(True, CORPORA)
    assert list(tables) == [corpus.name for corpus in CORPORA] and source.is_trial
    assert all(list(table) == SPEECH for table in tables.values())


def test_without_corpora_faces_are_drawn(no_corpora):
    table, pixels, source = stand_ins.fer2013_faces(True, quick_count=20)
    assert len(table) == len(pixels) == 20 and not source.is_real
    table, faces, source = stand_ins.ck_plus_faces(True)
    assert len(table) == len(faces) > 50 and "neutral" not in set(table["emotion"])
    table, frames, source = stand_ins.javased_frames(True, ("face", "frame"))
    assert set(frames) == {"face", "frame"} and not source.is_real
    assert set(frames["face"].clip_id) == set(frames["frame"].clip_id) == set(table["clip_id"])
    assert (frames["face"].pixels != frames["frame"].pixels).any(), "one is cropped"


def test_without_corpora_clips_and_tracks_are_drawn(no_corpora):
    assert stand_ins.corpus_videos(True) == {}
    tables, source = stand_ins.videos(True)
    assert list(tables) == [stand_ins.AVATARS] and not source.is_real
    assert all(Path(path).exists() for path in tables[stand_ins.AVATARS]["path"])
    takes, tracks, source = stand_ins.landmark_tracks(True, quick_actors=(1, 2))
    assert len(takes) == len(tracks) and takes["speaker"].nunique() == 2 and not source.is_real


def test_without_committed_posteriors_they_are_drawn(tmp_path):
    frames, source = stand_ins.frame_predictions(tmp_path, quick=False)
    assert not source.is_real and "frame_number" in frames
    voice, source = stand_ins.voice_predictions(tmp_path, frames, quick=False)
    pd.testing.assert_series_equal(voice["truth"], frames["truth"])


def test_where_the_corpora_are_a_quick_run_takes_a_part_of_them(emorec_data):
    table, source = stand_ins.sound_table(True, quick_actors=(1, 17))
    assert source == Source("RAVDESS", is_quick=True)
    assert (table.groupby(["speaker", "emotion"]).size() == 1).all()
    assert table["speaker"].nunique() == 2
    whole, source = stand_ins.sound_table(False)
    assert len(whole) == len(ravdess.load_sound_table()) and source.caveat == ""
    takes, tracks, source = stand_ins.landmark_tracks(True, quick_actors=(1,))
    assert source.is_real and takes["speaker"].unique().tolist() == [ravdess.speaker_name(1)]
    assert len(takes) == len(tracks)
    tables, source = stand_ins.speech_tables(True, CORPORA)
    assert source.is_real
    for name, corpus in {"SAVEE": savee, "CREMA-D": crema_d}.items():
        assert 0 < len(tables[name]) < len(corpus.load_sound_table()) / 4
    faces, pixels, source = stand_ins.fer2013_faces(True, quick_count=10)
    assert len(faces) == len(pixels) and (faces.groupby("usage").size() <= 10).all()
    videos, source = stand_ins.videos(True)
    assert source.is_real and all(len(table) == 1 for table in videos.values())
    assert len(stand_ins.corpus_videos(False)["JavaSED"]) == len(javased.load_video_table())
