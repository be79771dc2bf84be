"""The geometry network's folds on synthetic tracks: predictions are kept, and read again."""

import pandas as pd
import pytest

from emorec.avatar import synthetic
from emorec.training import geometry


def test_finished_folds_are_read_without_their_networks(tmp_path, monkeypatch):
    takes, tracks = synthetic.synthetic_landmarks(actors=(1, 5, 9), takes_per_emotion=1)
    settings = {"only": [1, 2], "epochs": 1, "rounds": 1}
    predictions, history = geometry.train_folds(takes, tracks, tmp_path, **settings)
    assert predictions.groupby("fold")["speaker"].unique().map(list).to_dict() == {
        1: ["ravdess-01"],
        2: ["ravdess-05"],
    }
    assert history["fold"].tolist() == [1, 2]
    for fold in (1, 2):
        (tmp_path / "work" / f"fold_{fold}" / "trained.keras").unlink()
    monkeypatch.setattr(geometry, "train_geometry_network", lambda *_, **__: pytest.fail("again"))
    again, _ = geometry.train_folds(takes, tracks, tmp_path, **settings)
    pd.testing.assert_frame_equal(predictions, again)
