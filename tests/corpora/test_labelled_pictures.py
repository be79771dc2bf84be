"""CFEE and SFEW: faces with their labels in a table."""

import cv2
import numpy as np
import pytest

from emorec.corpora import cfee, sfew
from emorec.errors import CorpusMissingError

HEADS = {cfee: "file,label,emotion,person", sfew: "file,emotion,film"}
SHAPES_PX = {cfee: (96, 96), sfew: (122, 96)}


def write_corpus(folder, module, *rows):
    (folder / "faces").mkdir(exist_ok=True)
    (folder / "labels.csv").write_text("\n".join([HEADS[module], *rows]))
    for row in rows:
        picture = np.full(SHAPES_PX[module], 90, np.uint8)
        cv2.imwrite(str(folder / "faces" / row.split(",")[0]), picture)


def test_a_compound_expression_of_cfee_has_no_emotion(tmp_path):
    write_corpus(tmp_path, cfee, "0001.jpg,Neutral,neutral,111", "0002.jpg,Happily surprised,,007")
    table = cfee.load_picture_table(tmp_path)
    assert table["expression"].tolist() == ["neutral", "happily surprised"]
    assert table["emotion"].tolist() == ["neutral", None]
    assert table["speaker"].tolist() == ["cfee-111", "cfee-007"]
    assert cfee.load_pictures(table).shape == (2, 96, 96)


def test_sfew_stays_together_by_film(tmp_path):
    write_corpus(tmp_path, sfew, "a_1.jpg,angry,Airheads", "b_1.jpg,sad,Airheads")
    table = sfew.load_picture_table(tmp_path)
    assert table["speaker"].tolist() == ["sfew-Airheads"] * 2
    assert table["clip_id"].tolist() == ["a_1", "b_1"]
    assert sfew.load_pictures(table).shape == (2, 122, 96)


def test_a_picture_that_is_not_there_is_left_out(tmp_path):
    write_corpus(tmp_path, sfew, "a_1.jpg,angry,Airheads", "b_1.jpg,sad,Airheads")
    (tmp_path / "faces" / "a_1.jpg").unlink()
    assert sfew.load_picture_table(tmp_path)["clip_id"].tolist() == ["b_1"]


@pytest.mark.parametrize("module", [cfee, sfew])
def test_without_labels_or_faces_the_corpus_is_missing(module, tmp_path):
    with pytest.raises(CorpusMissingError, match=r"labels\.csv"):
        module.load_picture_table(tmp_path)
    write_corpus(tmp_path, module)
    with pytest.raises(CorpusMissingError, match="faces"):
        module.load_picture_table(tmp_path)


def test_a_foreign_table_is_refused(tmp_path):
    write_corpus(tmp_path, sfew, "a_1.jpg,bored,Airheads")
    with pytest.raises(ValueError, match="unknown emotion 'bored'"):
        sfew.load_picture_table(tmp_path)
    with pytest.raises(ValueError, match="lacks the column label"):
        cfee.load_picture_table(tmp_path)


def test_a_picture_of_another_size_is_told(tmp_path):
    write_corpus(tmp_path, sfew, "a_1.jpg,angry,Airheads")
    cv2.imwrite(str(tmp_path / "faces" / "a_1.jpg"), np.zeros((40, 96), np.uint8))
    with pytest.raises(ValueError, match="96x122"):
        sfew.load_pictures(sfew.load_picture_table(tmp_path))
