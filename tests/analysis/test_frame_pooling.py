import numpy as np
import pandas as pd
import pytest

from emorec.analysis import frame_pooling


def frame_table(posteriors_by_clip):
    rows = [
        (clip, "someone", 1, "sad", number, *posterior)
        for clip, posteriors in posteriors_by_clip.items()
        for number, posterior in enumerate(posteriors)
    ]
    columns = ["clip_id", "speaker", "fold", "truth", "frame_number", "happy", "sad"]
    return pd.DataFrame(rows, columns=columns)


# Two frames that lean to sad, one that is sure of happy.
SPLIT = [[0.45, 0.55], [0.45, 0.55], [0.95, 0.05]]


@pytest.mark.parametrize("rule", frame_pooling.RULES)
def test_rules_give_posteriors_and_keep_what_all_frames_agree_on(rule):
    one = np.array([[0.2, 0.8]] * 4)
    pooled = frame_pooling.RULES[rule](one)
    assert pooled.sum() == pytest.approx(1)
    assert pooled.argmax() == 1


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("mean", "happy"),
        ("median", "sad"),
        ("mode", "sad"),
        ("confidence-weighted mean", "happy"),
        ("log-mean", "happy"),
    ],
)
def test_rules_differ_where_a_sure_frame_stands_against_two_unsure_ones(rule, verdict):
    pooled = frame_pooling.pool(frame_table({"a": SPLIT}), rule)
    assert pooled[["happy", "sad"]].idxmax(axis=1).tolist() == [verdict]


def test_few_frames_are_spread_and_shuffled_tables_give_the_same(tmp_path):
    table = frame_table({"a": SPLIT, "b": SPLIT[::-1]})
    pooled = frame_pooling.pool(table, "mean", frames_per_clip=1)
    np.testing.assert_allclose(pooled[["happy", "sad"]], [[0.45, 0.55]] * 2)
    shuffled = table.sample(frac=1, random_state=0)
    for rule in frame_pooling.RULES:
        pd.testing.assert_frame_equal(
            frame_pooling.pool(table, rule), frame_pooling.pool(shuffled, rule)
        )


def test_comparison_counts_frames_and_clips():
    found = frame_pooling.compare(frame_table({"a": SPLIT, "b": SPLIT}))
    assert found.loc["one frame", "top-1"] == pytest.approx(2 / 3)
    assert found.loc["median", "top-1"] == 1
    counts = frame_pooling.by_frames(frame_table({"a": SPLIT}), (1, 3), ("mean",))
    assert counts["mean"].tolist() == [1.0, 0.0]
