import lzma

import numpy as np
import pandas as pd
import pytest

from emorec.avatar import synthetic
from emorec.corpora import crema_d, fer2013, ravdess
from emorec.corpora.fer2013 import training_rows
from emorec.emotions import COMMON7, FERPLUS8
from emorec.errors import CorpusMissingError


@pytest.mark.parametrize(
    "load",
    [
        crema_d.load_sound_table,
        fer2013.load_fer2013,
        ravdess.load_sound_table,
        ravdess.load_video_table,
        ravdess.load_landmarks,
    ],
)
def test_a_missing_corpus_says_where_it_belongs(load, tmp_path):
    with pytest.raises(CorpusMissingError, match="EMOREC_DATA"):
        load(tmp_path)


def test_an_unknown_emotion_code_is_no_silent_label(tmp_path):
    (tmp_path / "AudioWAV").mkdir()
    (tmp_path / "AudioWAV" / "1001_DFA_XYZ_XX.wav").touch()
    with pytest.raises(ValueError, match="XYZ"):
        crema_d.load_sound_table(tmp_path)


def write_fer2013(folder, labels, usages, votes):
    pixels = " ".join(["7"] * 48 * 48)
    rows = [f"{label},{pixels},{usage}" for label, usage in zip(labels, usages, strict=True)]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    head = (
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    )
    rows = [
        f"{usage},x.png,{','.join(map(str, vote))}"
        for usage, vote in zip(usages, votes, strict=True)
    ]
    (folder / "fer2013new.csv").write_text("\n".join([head, *rows]))


def test_fer_plus_majority_drops_single_votes_and_needs_more_than_half(tmp_path):
    votes = [
        [6, 1, 0, 1, 1, 1, 0, 0, 0, 0],  # clear once the outliers are gone
        [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # a tie
        [0, 0, 0, 0, 2, 0, 0, 0, 8, 0],  # nobody knew
    ]
    write_fer2013(tmp_path, [6, 3, 0], ["Training"] * 3, votes)
    table, pixels = fer2013.load_fer2013(tmp_path)
    assert table["label"].tolist() == ["neutral", "happy", "angry"]
    assert [x if isinstance(x, str) else None for x in table["ferplus_label"]] == [
        "neutral",
        None,
        None,
    ]
    assert pixels.shape == (3, 48, 48)
    targets, trust = fer2013.vote_targets(table)
    np.testing.assert_allclose(targets.sum(1), 1)
    assert targets[0, FERPLUS8.index("neutral")] == 1
    assert trust.tolist() == [1, 1, 1]


def test_a_compressed_fer2013_is_unpacked_once_and_a_changed_one_anew(tmp_path, monkeypatch):
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr(fer2013, "_KEPT_IN", kept)

    def pack(labels):
        write_fer2013(tmp_path, labels, ["Training", "PublicTest"], [[9] + [0] * 9] * 2)
        plain = tmp_path / "fer2013.csv"
        (tmp_path / "fer2013.csv.xz").write_bytes(lzma.compress(plain.read_bytes()))
        expected = fer2013.load_fer2013(tmp_path)
        plain.unlink()
        return expected

    for labels in ([6, 3], [0, 4]):
        table, pixels = pack(labels)
        for _ in range(2):
            found, found_pixels = fer2013.load_fer2013(tmp_path)
            pd.testing.assert_frame_equal(found, table)
            np.testing.assert_array_equal(found_pixels, pixels)
    assert len(list(kept.glob("*.npz"))) == 2


def test_fer2013_with_an_unknown_code_is_refused(tmp_path):
    write_fer2013(tmp_path, [9], ["Training"], [[10] + [0] * 9])
    with pytest.raises(ValueError, match="code"):
        fer2013.load_fer2013(tmp_path)


def test_copies_of_held_out_faces_never_train():
    table, pixels = synthetic.synthetic_faces(40)
    pixels[0] = pixels[4]  # row 4 is PublicTest
    train, validation, test = training_rows(table, pixels)
    assert test[4]
    assert not train[0]
    assert not validation[0]
    assert not (train & validation).any()


def test_made_up_faces_cover_the_classes():
    table, pixels = synthetic.synthetic_faces(30)
    assert set(table["label"]) == set(COMMON7)
    assert pixels.std() > 10
    assert len({picture.tobytes() for picture in pixels}) == 30, "copies would not train"


def test_ravdess_tables_agree(emorec_data):
    sound = ravdess.load_sound_table(emorec_data / "RAVDESS")
    assert len(sound) == 1440
    assert sound.groupby("speaker").size().eq(60).all()
    assert sound["clip_id"].is_unique
    video = ravdess.load_video_table(emorec_data / "RAVDESS")
    assert set(video["clip_id"]) <= set(sound["clip_id"])


def test_crema_d_leaves_out_takes_with_two_labels(emorec_data):
    table = crema_d.load_sound_table(emorec_data / "CREMA-D")
    assert len(table) == 5803 - 6
    assert "1006_TIE_HAP_XX" not in set(table["clip_id"])
    assert table["speaker"].nunique() > 60
