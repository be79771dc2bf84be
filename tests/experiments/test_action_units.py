import numpy as np
import pandas as pd
import pytest

from emorec.corpora import ravdess
from emorec.errors import CorpusMissingError
from emorec.evaluation import scores as evaluation
from emorec.experiments import action_units


def test_units_are_read_by_name_with_their_takes(tmp_path):
    table = pd.DataFrame(
        {
            "AU01_r": [0.5, 1.5],
            "AU01_c": [0.0, 1.0],
            "speech": ["a", "b"],
            "name": ["01-01-06-01-01-01-02", "01-01-03-02-01-02-01"],
        }
    )
    file = tmp_path / "units.csv"
    table.to_csv(file, sep=";", index=False)
    takes, units = ravdess.load_action_units(file)
    assert takes["emotion"].tolist() == ["happy", "fear"]
    assert takes["clip_id"].tolist() == ["01-03-02-01-02-01", "01-06-01-01-01-02"]
    np.testing.assert_array_equal(units, np.array([[1.5, 1.0], [0.5, 0.0]], np.float32))


def test_a_missing_table_says_so(tmp_path):
    with pytest.raises(CorpusMissingError, match="action units"):
        ravdess.load_action_units(tmp_path / "none.csv")


def test_real_units_tell_emotions_of_strangers(emorec_data, tmp_path):
    takes, units = ravdess.load_action_units(emorec_data / "RAVDESS_face" / "openface_au_mean.csv")
    assert units.shape == (1440, 35)
    assert sorted(takes["clip_id"]) == sorted(ravdess.planned_clip_ids())
    predicted = action_units.train_folds(takes, units, tmp_path)
    assert evaluation.scores(predicted)["accuracy"] > 0.55
