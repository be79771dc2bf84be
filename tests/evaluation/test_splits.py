"""Speaker-disjoint splits."""

import numpy as np
import pandas as pd
import pytest

from emorec.corpora import ravdess
from emorec.evaluation import splits


@pytest.mark.parametrize("blocks", [splits.RAVDESS_BLOCKS, splits.LUNA_FOLDS])
def test_every_actor_is_tested_once_and_never_trained_on_then(blocks):
    speakers = pd.Series([ravdess.speaker_name(a) for a in range(1, 25)] * 3)
    tested = np.zeros(len(speakers), int)
    for _, train, test in splits.speaker_folds(speakers, blocks):
        assert not set(speakers[train]) & set(speakers[test])
        assert (train ^ test).all()
        tested += test
    assert (tested == 1).all()


def test_a_speaker_in_two_blocks_is_an_error():
    speakers = pd.Series([ravdess.speaker_name(a) for a in (1, 2, 3)])
    with pytest.raises(splits.SpeakerLeakError, match="ravdess-02"):
        list(splits.speaker_folds(speakers, [(1, 2), (2, 3)]))


def test_a_leak_between_any_two_of_three_sides_is_named():
    with pytest.raises(splits.SpeakerLeakError, match="validation and test: b"):
        splits.check_disjoint(train=["a"], validation=["b"], test=["c", "b"])
    splits.check_disjoint(train=["a", "a"], validation=["b"], test=["c"])
