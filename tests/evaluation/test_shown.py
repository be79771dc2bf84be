"""Tables as notebooks show them."""

import numpy as np
import pandas as pd

from emorec.evaluation.shown import listed, scores_shown, shown


def test_counts_have_no_digits_and_what_is_missing_is_a_dash():
    table = pd.DataFrame(
        {"parameters": [225416.0, np.nan], "share_%": [63.444, 7.0], "seeds": ["50.1", None]},
        index=["cnn", "forest"],
    )
    found = repr(shown(table))
    assert found.split("\n")[0].split() == ["parameters", "share", "%", "seeds"]
    assert "225,416" in found and "63.4" in found and "7.0" in found
    assert found.split("\n")[2].split() == ["forest", "–", "7.0", "–"]
    assert "NaN" not in found and "None" not in found


def test_every_row_is_shown_and_truth_is_said():
    table = pd.DataFrame({"n": range(300), "is_real": [True, False] * 150})
    page = shown(table)._repr_html_()
    assert page.count("<tr") == 301 and "..." not in page
    assert "<td>yes</td>" in page and "<th>0</th>" not in page
    assert repr(shown(table, 2).T).count("\n") == 2


def test_heads_that_occur_twice_or_have_levels_stay():
    table = pd.DataFrame([[1, 2.5]], columns=["from", "from"])
    assert repr(shown(table)).count("from") == 2
    levels = pd.concat({"a_corpus": table}, axis=1)
    assert "a corpus" in shown(levels)._repr_html_()


def test_scores_are_percent_with_intervals():
    lines = repr(scores_shown({"accuracy": 0.5203}, {"accuracy": [0.487, 0.551]})).split("\n")
    assert lines[1].split() == ["accuracy", "(%)", "52.0", "48.7", "55.1"]
    assert "–" in repr(scores_shown({"accuracy": 0.5}))


def test_counts_can_be_said_in_a_line():
    assert listed({"test": 20, "train": 1441}) == "test 20, train 1,441"
