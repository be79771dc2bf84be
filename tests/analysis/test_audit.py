"""The tidy table, and the audit: each odd thing is planted and has to be found."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers import made_tone, write_clip

from emorec.analysis import audit
from emorec.corpora import crema_d, savee
from emorec.corpora.registry import COLUMNS, corpora, list_corpora, list_corpus
from emorec.errors import CorpusMissingError

BY_NAME = {corpus.name: corpus for corpus in corpora()}


def write_wav(path, sound, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"sample_rate_hz": 16_000, "audio_codec": "pcm_s16le"} | options
    return write_clip(path, None, sound, **options)


def voice(seed: int, seconds: float = 3.2) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """RAVDESS with one odd take of each kind, and CREMA-D with a recording under two labels."""
    folder = tmp_path_factory.mktemp("data")
    takes = folder / "RAVDESS" / "Actor_01"
    for n in range(4):
        write_wav(takes / f"03-01-0{n + 1}-01-01-01-01.wav", voice(n))
    write_wav(takes / "03-01-05-01-01-01-01.wav", np.stack([voice(5), voice(6)]), layout="stereo")
    write_wav(takes / "03-01-06-01-01-01-01.wav", np.zeros(51_200, np.float32))
    write_wav(takes / "03-01-07-01-01-01-01.wav", voice(7, seconds=1.5))
    (takes / "03-01-08-01-01-01-01.wav").write_bytes(b"RIFF and nothing else")
    crema = folder / "CREMA-D" / "AudioWAV"
    tone = write_wav(crema / "1006_TIE_HAP_XX.wav", made_tone(3.2, 16_000))
    shutil.copy(tone, crema / "1006_TIE_NEU_XX.wav")
    shutil.copy(tone, crema / "1007_TIE_NEU_X.wav")
    return folder


@pytest.fixture(scope="module")
def measured(data):
    return audit.measure(list_corpora(data), n_jobs=1)


@pytest.fixture(scope="module")
def findings(measured):
    return audit.find_odd(measured)


def test_the_table_is_tidy(data):
    table = list_corpora(data)
    assert set(COLUMNS) <= set(table)
    assert table["corpus"].value_counts().to_dict() == {"RAVDESS sound": 8, "CREMA-D": 3}
    row = table[table["corpus"] == "RAVDESS sound"].iloc[0]
    assert (row["emotion"], row["speaker"], row["gender"]) == ("neutral", "ravdess-01", "male")
    assert row["statement"] == 1


def test_without_any_corpus_it_says_where_they_belong(tmp_path):
    with pytest.raises(CorpusMissingError, match="EMOREC_DATA"):
        list_corpora(tmp_path)


def test_every_corpus_has_a_plan_of_the_right_size():
    for corpus in corpora():
        if corpus.planned is not None:
            planned = corpus.planned()
            assert len(set(planned)) == len(planned)
            assert len(planned) - corpus.planned_count in (0, 20)  # 20 of CREMA-D never came


@pytest.mark.parametrize(
    ("finding", "clip_id"),
    [
        ("other format", "01-05-01-01-01-01"),
        ("silent", "01-06-01-01-01-01"),
        ("short", "01-07-01-01-01-01"),
        ("unreadable", "01-08-01-01-01-01"),
        ("missing", "01-01-01-01-02-01"),
        ("two labels", "1006_TIE_HAP_XX"),
        ("two labels", "1006_TIE_NEU_XX"),
        ("unplanned name", "1007_TIE_NEU_X"),
    ],
)
def test_the_audit_finds(findings, finding, clip_id):
    assert clip_id in set(findings.loc[findings["finding"] == finding, "clip_id"])


def test_what_is_well_is_left_alone(findings):
    odd = findings[findings["finding"] != "missing"]
    assert not set(odd["clip_id"]) & {f"01-0{n}-01-01-01-01" for n in range(1, 5)}
    assert len(findings[findings["finding"] == "other format"]) == 1


def test_status_sums_a_clip_up(measured, findings):
    tidy = audit.with_status(measured, findings).set_index("clip_id")["status"]
    assert tidy["01-01-01-01-01-01"] == "ok"
    assert tidy["01-07-01-01-01-01"] == "short"
    assert tidy["1007_TIE_NEU_X"] == "two labels, unplanned name"


def test_lengths_and_formats_are_measured(measured):
    row = measured.set_index("clip_id").loc["01-05-01-01-01-01"]
    assert row["duration_s"] == pytest.approx(3.2, abs=0.01)
    assert (row["channels"], row["sample_rate_hz"]) == (2, 16_000)
    assert row["bandwidth_hz"] == 8_000


def test_a_band_limited_corpus_is_told(data, findings):
    reasons = findings.loc[findings["finding"] == "band-limited", ["corpus", "clip_id"]]
    assert reasons["corpus"].tolist() == ["CREMA-D"]
    assert reasons["clip_id"].isna().all()


def test_pictures_that_stand_there_twice(tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    for name in ("anger/S010_004_00000017", "fear/S010_004_00000018", "happy/S011_001_00000003"):
        path = tmp_path / "CKplus" / "CK+48" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), grey if "S010" in name else grey + 1)
    found = audit.find_odd(audit.measure(list_corpus(BY_NAME["CK+"], tmp_path), n_jobs=1))
    two = found[found["finding"] == "two labels"]
    assert sorted(two["clip_id"]) == ["S010_004_00000017", "S010_004_00000018"]
    assert "angry and fear" in two["detail"].iloc[0]


def test_a_table_without_findings_has_an_empty_summary():
    empty = pd.DataFrame(columns=["corpus", "finding", "clip_id", "detail"])
    assert audit.summarise(empty).empty


def test_savee_is_read_in_both_layouts(tmp_path):
    write_wav(tmp_path / "DC_a01.wav", voice(0, 0.2))
    write_wav(tmp_path / "AudioData" / "KL" / "su15.wav", voice(1, 0.2))
    table = savee.load_sound_table(tmp_path)
    assert sorted(table["clip_id"]) == ["DC_a01", "KL_su15"]
    assert set(table["emotion"]) == {"angry", "surprise"}


def test_crema_d_takes_the_genders_from_the_corpus(data, tmp_path):
    shutil.copytree(data / "CREMA-D", tmp_path / "CREMA-D")
    file = tmp_path / "CREMA-D" / crema_d.DEMOGRAPHICS
    file.write_text("ActorID,Age,Sex\n1006,58,Female\n")
    table = crema_d.load_all_recordings(tmp_path / "CREMA-D").set_index("clip_id")
    assert table.at["1006_TIE_HAP_XX", "gender"] == "female"
    assert pd.isna(table.at["1007_TIE_NEU_X", "gender"])


def test_the_known_oddities_of_the_corpora_are_found(emorec_data):
    table = list_corpus(BY_NAME["CREMA-D"], emorec_data)
    part = table[table["clip_id"].str.contains("^10(?:06_TIE|13_WSI|17_IWW|40_ITH)")]
    found = audit.find_odd(audit.measure(part, n_jobs=1))
    two = set(found.loc[found["finding"] == "two labels", "clip_id"])
    assert two == {f"{clip_id}" for clip_id in crema_d._TWO_LABELS}
    assert "1040_ITH_SAD_X" in set(found.loc[found["finding"] == "unplanned name", "clip_id"])
    assert "band-limited" in set(found["finding"])
