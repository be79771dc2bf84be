"""CK+: folds keep subjects apart, and each training runs through on synthetic faces."""

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from emorec.avatar import synthetic
from emorec.avatar.synthetic import synthetic_ck_plus
from emorec.corpora import ck_plus as ck_plus_corpus
from emorec.emotions import BASIC6, COMMON7
from emorec.evaluation.evidence import load_evidence, read_predictions
from emorec.experiments import ck_plus as ck_plus_experiment
from emorec.experiments import ck_plus_cross
from emorec.paths import MODELS
from emorec.publish import rebuild
from emorec.training.fit import one_hot


def subjects(count=12, seed=0):
    """A table of `count` subjects with three pictures of each of the six emotions."""
    rows = [
        (f"{s}-{e}-{k}", e, f"S{s:03d}") for s in range(count) for e in BASIC6 for k in range(3)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "emotion", "speaker"])
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def write_picture(folder, name, size_px=48):
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.full((size_px, size_px), 90, np.uint8))


def test_folds_of_subjects_keep_subjects_apart_and_test_each_picture_once():
    table = subjects()
    tested = np.zeros(len(table), int)
    for _, train, test in ck_plus_experiment.subject_folds(table, folds=4):
        assert not set(table["speaker"][train]) & set(table["speaker"][test])
        tested += test
    assert (tested == 1).all()


def test_random_folds_show_the_same_subjects_on_both_sides():
    table = subjects()
    _, train, test = next(iter(ck_plus_experiment.picture_folds(table, folds=4)))
    assert set(table["speaker"][test]) <= set(table["speaker"][train])


def test_a_class_that_only_one_fold_holds_is_refused_by_name():
    table = subjects()
    only = (table["emotion"] != "fear") | (table["speaker"] == "S003")
    with pytest.raises(ValueError, match=r"no training picture of fear.*Remedy"):
        list(ck_plus_experiment.subject_folds(table[only].reset_index(drop=True), folds=4))


def test_more_folds_than_subjects_are_refused():
    with pytest.raises(ValueError, match="12 subjects cannot fill 20 folds"):
        next(iter(ck_plus_experiment.subject_folds(subjects(), folds=20)))


def test_a_folder_of_an_unknown_emotion_is_refused_by_name(tmp_path):
    write_picture(tmp_path / "CK+48" / "anger", "S010_004_00000017.png")
    assert list(ck_plus_corpus.load_picture_table(tmp_path)["emotion"]) == ["angry"]
    write_picture(tmp_path / "CK+48" / "boredom", "S010_004_00000018.png")
    with pytest.raises(ValueError, match=r"boredom: no emotion of CK\+.*Remedy"):
        ck_plus_corpus.load_picture_table(tmp_path)


def test_a_picture_of_another_size_is_refused_by_name(tmp_path):
    write_picture(tmp_path / "CK+48" / "anger", "S010_004_00000017.png", size_px=20)
    table = ck_plus_corpus.load_picture_table(tmp_path)
    with pytest.raises(ValueError, match=r"S010_004_00000017\.png: no picture of 48x48"):
        ck_plus_corpus.load_pictures(table)


def test_the_corpus_reads_as_48_pixel_faces(emorec_data):
    table, faces = ck_plus_corpus.load_six()
    assert faces.shape == (len(table), 48, 48) and faces.dtype == np.uint8
    assert set(table["emotion"]) == set(BASIC6)


@pytest.fixture(scope="module")
def avatars():
    return synthetic_ck_plus(80)


def test_ck_plus_is_judged_both_ways_and_not_trained_twice(avatars, tmp_path):
    table, faces = avatars
    folder = tmp_path / "ck_plus_conv1"

    def predict(split):
        return ck_plus_experiment.evaluate_split(
            "conv1", split, table, faces, folder, folds=2, epochs=1
        )

    by_subject, at_random = predict("subject"), predict("random")
    metrics = ck_plus_experiment.write_method(folder, "conv1", by_subject, at_random)
    assert by_subject.groupby("speaker")["fold"].nunique().max() == 1
    assert at_random.groupby("speaker")["fold"].nunique().max() == 2
    stamp = (folder / "work" / "subject" / "fold_1" / "predictions.csv").stat().st_mtime_ns
    pd.testing.assert_frame_equal(predict("subject"), by_subject)
    assert (folder / "work/subject/fold_1/predictions.csv").stat().st_mtime_ns == stamp
    assert "leak" in metrics["random_split"]["protocol"]
    found = load_evidence(tmp_path)
    assert [evidence.key for evidence in found] == ["", "random_split"]
    assert not [line for evidence in found for line in rebuild.check_metrics(evidence)]


def test_our_network_is_fine_tuned_and_answers_with_posteriors(avatars, tmp_path):
    table, faces = avatars
    targets = one_hot(table["emotion"], BASIC6)
    predict = ck_plus_experiment.train_face(faces[:32], targets[:32], tmp_path, 1)
    posterior = predict(faces[:5])
    np.testing.assert_allclose(posterior.sum(1), 1, atol=1e-3)
    np.testing.assert_allclose(predict(faces[:5, :, ::-1]), posterior, atol=0.02)


def test_a_larger_mean_face_is_asked_to_be_shown_smaller():
    y, x = np.mgrid[-1:1:48j, -1:1:48j].astype(np.float32)
    small, large = np.exp(-(x**2 + y**2) * 8), np.exp(-(x**2 + y**2) * 5)
    zoom, shift_px, alike = ck_plus_cross.best_zoom(large, small)
    assert zoom == pytest.approx((5 / 8) ** 0.5, abs=0.03)
    assert shift_px == 0 and alike > 0.99


def test_rare_classes_gain_when_frequencies_are_divided_out():
    posterior = np.array([[0.45, 0.3, 0, 0, 0.25, 0, 0]])
    frequencies = np.array([0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1])
    plain = ck_plus_cross.to_six(posterior, COMMON7, None)
    divided = ck_plus_cross.to_six(posterior, COMMON7, frequencies)
    assert plain.argmax() == BASIC6.index("angry")
    assert divided.argmax() == BASIC6.index("disgust")
    np.testing.assert_allclose(divided.sum(), 1)


def test_another_corpus_is_judged_without_being_trained_on(avatars, tmp_path):
    network = keras.saving.load_model(MODELS / "face_cnn" / "model.keras")
    metrics = ck_plus_cross.run(network, synthetic.synthetic_faces(60), avatars, tmp_path / "cross")
    judged = read_predictions(tmp_path / "cross")
    assert len(judged) == len(avatars[0]) == metrics["clips"]
    comparison = pd.read_csv(tmp_path / "cross" / "comparison.csv")
    assert ck_plus_cross.chosen_row(comparison)["head"] == metrics["head"]
