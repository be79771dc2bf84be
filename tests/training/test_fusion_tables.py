"""What the fusion is fitted on comes from the networks that ship, clip by clip."""

import numpy as np
import pandas as pd
import pytest

from emorec.corpora import javased
from emorec.paths import MODELS
from emorec.training import fusion_groups, fusion_tables


@pytest.fixture(scope="module")
def clip(emorec_data, tmp_path_factory):
    table = javased.load_video_table().iloc[[60]]
    return javased.as_filmed(table, tmp_path_factory.mktemp("filmed"))


def committed(name: str) -> pd.DataFrame:
    table = pd.read_csv(MODELS / name, dtype={"clip_id": str})
    return table.query("corpus == 'javased'") if "corpus" in table else table


def assert_as_committed(found: pd.DataFrame, name: str) -> None:
    (row,) = committed(name).query("clip_id in @found.clip_id").to_dict("records")
    (again,) = found.to_dict("records")
    assert list(again) == list(row)
    for column, value in row.items():
        if isinstance(value, float):
            np.testing.assert_allclose(again[column], value, atol=2e-3, err_msg=column)
        else:
            assert again[column] == value


def test_both_heads_read_a_video_as_committed(clip):
    found = fusion_tables.read_videos(fusion_tables.load_heads(MODELS), MODELS, clip, "javased")
    assert_as_committed(found, f"{fusion_groups.FOLDER}/faces.csv")


def test_streams_are_kept_uncalibrated_with_a_voice_that_never_met_the_corpus(clip):
    assert_as_committed(fusion_tables.uncalibrated(clip, MODELS), fusion_groups.AUDIOVISUAL)
