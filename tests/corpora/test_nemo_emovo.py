"""nEMO and EMOVO: both layouts, people, odd names, and the copies at hand."""

import pytest

from emorec.corpora import emovo, nemo
from emorec.errors import CorpusMissingError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("suffix", ["wav", "opus"])
def test_nemo_reads_names_and_people(suffix, tmp_path):
    touch(tmp_path, f"samples/WR0_surprised_64.{suffix}", f"samples/EB0_anger_1.{suffix}")
    touch(tmp_path, f"samples/holiday.{suffix}")
    (tmp_path / "data.tsv").write_text(
        "file_id\temotion\tspeaker_id\tgender\tage\n"
        "WR0_surprised_64.wav\tsurprised\t        WR0\tmale\t23\n"
    )
    table = nemo.load_sound_table(tmp_path)
    assert table["clip_id"].tolist() == ["EB0_anger_1", "WR0_surprised_64"]
    assert table["emotion"].tolist() == ["angry", "surprise"]
    assert table["speaker"].tolist() == ["nemo-EB0", "nemo-WR0"]
    assert table["statement"].tolist() == [1, 64]
    last = table.iloc[1]
    assert (last["gender"], last["age"]) == ("male", 23)
    assert table["gender"].isna().tolist() == [True, False]


def test_nemo_needs_no_table_of_people(tmp_path):
    touch(tmp_path, "samples/EB0_anger_1.wav")
    assert nemo.load_sound_table(tmp_path)["gender"].isna().all()


@pytest.mark.parametrize("folder", ["", "f1/", "EMOVO/f1/"])
def test_emovo_reads_the_official_folders_and_flat_ones(folder, tmp_path):
    touch(tmp_path, f"{folder}gio-f1-b1.wav", f"{folder}rab-f1-n5.wav", "labels.csv")
    table = emovo.load_sound_table(tmp_path)
    assert table["emotion"].tolist() == ["happy", "angry"]
    assert set(table["speaker"]) == {"emovo-f1"}
    assert set(table["gender"]) == {"female"}
    assert table["statement"].tolist() == ["b1", "n5"]


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (nemo.load_sound_table, "samples/EB0_boredom_1.wav"),
        (emovo.load_sound_table, "xyz-f1-b1.wav"),
    ],
)
def test_an_unknown_emotion_is_no_silent_label(load, name, tmp_path):
    touch(tmp_path, name)
    with pytest.raises(ValueError, match="unknown emotion"):
        load(tmp_path)


@pytest.mark.parametrize("load", [nemo.load_sound_table, emovo.load_sound_table])
def test_without_a_clip_the_corpus_is_missing(load, tmp_path):
    with pytest.raises(CorpusMissingError, match="EMOREC_DATA"):
        load(tmp_path)


def test_nemo_at_hand(emorec_data):
    table = nemo.load_sound_table(emorec_data / "nEMO")
    assert len(table) == 4481
    assert table["clip_id"].is_unique
    assert table["speaker"].nunique() == 9
    assert sorted(table["emotion"].unique()) == list(nemo.CLASSES)
    genders = table.groupby("speaker")["gender"].first().value_counts()
    assert genders.to_dict() == {"male": 5, "female": 4}


def test_emovo_at_hand(emorec_data):
    table = emovo.load_sound_table(emorec_data / "EMOVO")
    assert sorted(table["clip_id"]) == sorted(emovo.planned_clip_ids())
    assert table.groupby("speaker").size().eq(98).all()
    assert sorted(table["emotion"].unique()) == list(emovo.CLASSES)
