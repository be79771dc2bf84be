"""The out-of-fold loop: nobody on both sides, finished folds are read, a cut run goes on."""

import numpy as np
import pandas as pd
import pytest

from emorec.evaluation.splits import SpeakerLeakError
from emorec.files import StaleCacheError
from emorec.training.folds import LEAKING, held_out, out_of_fold, take

CLASSES = ("angry", "happy", "sad")


@pytest.fixture
def table():
    """Twelve clips of four speakers, who take turns."""
    return pd.DataFrame(
        {
            "clip_id": [f"c{i}" for i in range(12)],
            "speaker": [f"s{i % 4}" for i in range(12)],
            "emotion": [CLASSES[i % 3] for i in range(12)],
        }
    )


def folds_of(table, blocks=(("s0", "s1"), ("s2", "s3"))):
    for number, block in enumerate(blocks, 1):
        test = table["speaker"].isin(block).to_numpy()
        yield number, ~test, test


class Counter:
    """Predicts each clip's row number as the first class's share; counts what it is asked."""

    def __init__(self, cut_at=None):
        self.asked, self._cut_at = [], cut_at

    def __call__(self, train, test, folder):
        if len(self.asked) + 1 == self._cut_at:
            self._cut_at = None
            raise KeyboardInterrupt
        self.asked.append((train.copy(), test.copy(), folder))
        share = np.flatnonzero(test) / 100
        return np.stack([share, 1 - share, 0 * share], 1)


def test_rows_stand_fold_by_fold_in_the_order_of_the_table(table, tmp_path):
    found = out_of_fold(table, folds_of(table), Counter(), tmp_path, CLASSES)
    assert found["clip_id"].tolist() == [f"c{i}" for i in (0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11)]
    assert found["fold"].tolist() == [1] * 6 + [2] * 6
    assert list(found.columns) == ["clip_id", "speaker", "fold", "truth", *CLASSES]
    by_clip = found.set_index("clip_id")
    np.testing.assert_allclose(by_clip.loc[table["clip_id"], "angry"], np.arange(12) / 100)
    assert (by_clip.loc[table["clip_id"], "truth"].to_numpy() == table["emotion"]).all()


def test_each_fold_is_asked_for_its_own_rows_and_folder(table, tmp_path):
    predict = Counter()
    out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)
    for (number, train, test), asked in zip(folds_of(table), predict.asked, strict=True):
        np.testing.assert_array_equal(asked[0], train)
        np.testing.assert_array_equal(asked[1], test)
        assert asked[2] == tmp_path / f"fold_{number}"


def test_some_folds_alone_are_predicted_so_that_processes_share_the_work(table, tmp_path):
    predict = Counter()
    found = out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES, only=[2])
    assert set(found["fold"]) == {2} and len(predict.asked) == 1
    assert len(out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)) == 12
    assert len(predict.asked) == 2


def test_a_speaker_on_both_sides_is_refused_before_anything_is_trained(table, tmp_path):
    predict, half = Counter(), np.arange(12) < 6
    with pytest.raises(SpeakerLeakError, match="s0"):
        out_of_fold(table, [(1, ~half, half)], predict, tmp_path, CLASSES)
    assert predict.asked == [] and not list(tmp_path.iterdir())


def test_a_finished_fold_of_a_leaking_split_is_refused_too(table, tmp_path):
    half = np.arange(12) < 6
    out_of_fold(table, [(1, ~half, half)], Counter(), tmp_path, CLASSES, apart=LEAKING)
    with pytest.raises(SpeakerLeakError):
        out_of_fold(table, [(1, ~half, half)], Counter(), tmp_path, CLASSES)


def test_a_leaking_split_says_so_and_still_keeps_rows_apart(table, tmp_path):
    half = np.arange(12) < 6
    found = out_of_fold(table, [(1, ~half, half)], Counter(), tmp_path, CLASSES, apart=LEAKING)
    assert len(found) == 6
    with pytest.raises(SpeakerLeakError, match="c0"):
        out_of_fold(table, [(2, half, half)], Counter(), tmp_path, CLASSES, apart=LEAKING)


def test_a_second_run_predicts_nothing_and_gives_the_same(table, tmp_path):
    predict = Counter()
    first = out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)
    again = out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)
    assert len(predict.asked) == 2
    pd.testing.assert_frame_equal(first, again)


def test_a_cut_run_goes_on_at_the_fold_in_which_it_was_cut(table, tmp_path):
    predict = Counter(cut_at=2)
    with pytest.raises(KeyboardInterrupt):
        out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)
    assert not list((tmp_path / "fold_2").glob("*")), "nothing half written is left"
    found = out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)
    assert [folder.name for _, _, folder in predict.asked] == ["fold_1", "fold_2"]
    assert len(found) == 12


def test_finished_predictions_of_other_clips_are_refused(table, tmp_path):
    out_of_fold(table, folds_of(table), Counter(), tmp_path, CLASSES)
    other = table.assign(clip_id="other-" + table["clip_id"])
    with pytest.raises(StaleCacheError, match=r"fold_1.*Remedy"):
        out_of_fold(other, folds_of(other), Counter(), tmp_path, CLASSES)


def test_a_clip_that_could_not_be_predicted_is_left_out(table, tmp_path):
    def predict(train, test, folder):
        posterior = Counter()(train, test, folder)
        posterior[1] = np.nan
        return posterior

    found = out_of_fold(table, folds_of(table), predict, tmp_path, CLASSES)
    assert set(table["clip_id"]) - set(found["clip_id"]) == {"c1", "c3"}


def test_a_posterior_of_another_number_of_clips_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match="5 rows for 6 clips"):
        out_of_fold(table, folds_of(table), lambda *_: np.ones((5, 3)) / 3, tmp_path, CLASSES)


def test_one_side_alone_is_held_out_and_resumes_like_a_fold(table, tmp_path):
    test = table["speaker"] == "s3"
    sides, calls = (table[~test], table[test]), []

    def predict():
        calls.append(1)
        return np.full((3, 3), 1 / 3)

    found = held_out(*sides, predict, tmp_path, CLASSES, fold="one side")
    again = held_out(*sides, predict, tmp_path, CLASSES, fold="one side")
    pd.testing.assert_frame_equal(found, again)
    assert len(calls) == 1 and set(found["fold"]) == {"one side"}
    with pytest.raises(SpeakerLeakError):
        held_out(table, table[test], predict, tmp_path, CLASSES, fold="one side")


def test_take_keeps_what_the_mask_chooses_in_order():
    assert take(["a", "b", "c"], np.array([True, False, True])) == ["a", "c"]
    with pytest.raises(ValueError):
        take(["a", "b"], np.array([True]))


def test_finished_predictions_of_fewer_clips_are_refused(table, tmp_path):
    few = table[table["clip_id"] != "c0"].reset_index(drop=True)
    out_of_fold(few, folds_of(few), Counter(), tmp_path, CLASSES)
    with pytest.raises(StaleCacheError, match="other clips"):
        out_of_fold(table, folds_of(table), Counter(), tmp_path, CLASSES)


def test_what_another_recipe_has_left_is_refused(table, tmp_path):
    ((_, train, test), *_) = folds_of(table)

    def judged(recipe):
        sides = table[train], table[test]
        even = np.full((test.sum(), 3), 1 / 3)
        return held_out(*sides, lambda: even, tmp_path, CLASSES, 1, recipe=recipe)

    first = judged("until 8 epochs are no better")
    pd.testing.assert_frame_equal(judged("until 8 epochs are no better"), first)
    pd.testing.assert_frame_equal(judged(""), first)
    with pytest.raises(StaleCacheError, match=r"6 at most.*delete the folder"):
        judged("6 at most")


def test_what_another_recipe_has_begun_is_not_gone_on_with(table, tmp_path):
    ((_, train, test), *_) = folds_of(table)
    sides = table[train], table[test]

    def cut():
        (tmp_path / "backup").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        held_out(*sides, cut, tmp_path, CLASSES, 1, recipe="1 epoch")
    with pytest.raises(StaleCacheError, match="3 epochs"):
        held_out(*sides, cut, tmp_path, CLASSES, 1, recipe="3 epochs")
    even = np.full((test.sum(), 3), 1 / 3)
    assert len(held_out(*sides, lambda: even, tmp_path, CLASSES, 1, recipe="1 epoch"))


def test_what_was_left_before_recipes_were_kept_is_refused(table, tmp_path):
    ((_, train, test), *_) = folds_of(table)
    sides = table[train], table[test]
    held_out(*sides, lambda: np.full((test.sum(), 3), 1 / 3), tmp_path, CLASSES, 1)
    with pytest.raises(StaleCacheError, match="not trained as is asked"):
        held_out(*sides, None, tmp_path, CLASSES, 1, recipe="120 epochs")
