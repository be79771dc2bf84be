"""The words for confidence, and what they were worth on corpora that were left out."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from emorec.app.about_tab import About
from emorec.app.result_html import render
from emorec.confidence import PROBABLY, VERY_LIKELY, WORDS, word_for
from emorec.emotions import COMMON7
from emorec.evaluation import left_out
from emorec.paths import MODELS

CONFIDENT = {"very likely": 0.9, "probably": 0.6, "unsure": 0.3}


def verdicts(rows) -> pd.DataFrame:
    """A prediction table of (corpus, word, whether it is right)."""
    truth = ["angry" if right else "sad" for _, _, right in rows]
    confidence = np.array([CONFIDENT[word] for _, word, _ in rows])
    rest = np.repeat((1 - confidence)[:, None] / 6, 6, axis=1)
    table = pd.DataFrame(np.column_stack([confidence, rest]), columns=list(COMMON7))
    table.insert(0, "clip_id", [f"clip-{i}" for i in range(len(rows))])
    return table.assign(speaker="s", fold=[corpus for corpus, _, _ in rows], truth=truth)


def test_words_hold_from_their_limit_on_as_percent_is_shown():
    assert [word_for(v) for v in (1.0, VERY_LIKELY, 0.846)] == ["very likely"] * 3
    assert [word_for(v) for v in (0.84, PROBABLY)] == ["probably"] * 2
    assert [word_for(v) for v in (0.49, 1 / 7, 0.0)] == ["unsure"] * 3


def test_corpora_count_alike_however_many_clips_they_have():
    small = [(1, "probably", True)] * 25 + [(1, "unsure", False)] * 75
    large = [(2, "probably", False)] * 250 + [(2, "unsure", True)] * 750
    found = {row["word"]: row for row in left_out.worth_of_words(verdicts(small + large))}
    assert found["probably"]["clips"] == 275
    assert found["probably"]["share"] == 25
    assert found["probably"]["right"] == 50
    assert (found["unsure"]["lowest"], found["unsure"]["highest"]) == (0, 100)
    assert found["very likely"]["right"] is None


def test_a_corpus_with_few_such_clips_sets_no_range():
    rows = [(1, "probably", True)] * 19 + [(2, "probably", False)] * 20
    row = next(r for r in left_out.worth_of_words(verdicts(rows)) if r["word"] == "probably")
    assert (row["lowest"], row["highest"]) == (0, 0)


def test_a_clip_without_a_verdict_is_none_that_was_sure(tmp_path):
    folder = tmp_path / left_out.END_TO_END
    folder.mkdir(parents=True)
    table = verdicts([(1, "very likely", True), (1, "unsure", False)])
    table.loc[1, list(COMMON7)] = np.eye(7)[2]
    table.to_csv(folder / "predictions.csv", index=False)
    assert left_out.left_out_verdicts(tmp_path)["clip_id"].tolist() == ["clip-0"]


def test_the_words_agree_with_the_committed_evidence():
    found = {
        row["word"]: row for row in left_out.worth_of_words(left_out.left_out_verdicts(MODELS))
    }
    assert list(found) == list(WORDS)
    assert found["very likely"]["right"] >= 75
    assert 50 <= found["probably"]["right"] < found["very likely"]["right"]
    assert found["unsure"]["right"] < 50
    assert found["very likely"]["clips"] > 200, "a word that is never said is none"
    committed = left_out.read_worth(MODELS)
    assert committed["words"] == list(found.values()), "run `make results`"


def test_a_second_run_writes_nothing_and_no_evidence_is_no_error(tmp_path):
    left_out.write_worth(tmp_path)
    assert left_out.read_worth(tmp_path) == {}
    shutil.copytree(MODELS / left_out.VOICE, tmp_path / left_out.VOICE)
    (tmp_path / "fusion").mkdir()
    shutil.copy(MODELS / "fusion" / "fusion.json", tmp_path / "fusion")
    left_out.write_worth(tmp_path)
    file = tmp_path / left_out.WORTH_FILE
    written = file.stat().st_mtime_ns
    left_out.write_worth(tmp_path)
    assert file.stat().st_mtime_ns == written


def told(worth: dict) -> str:
    """What the page's About tab tells of the words for confidence."""
    about = About(models=[], deployed="", worth=worth, licences="")
    return render("about.html", about=about, very_likely=0.8, probably=0.5, titles={})


def test_about_tells_what_the_words_were_worth():
    worth = left_out.read_worth(MODELS)
    shown = told(worth)
    for word in worth["words"]:
        assert f"{word['word']}</th>" in shown and f"<strong>{word['right']:.0f}%" in shown
    assert "nothing\n  was trained on" in shown
    assert "did not come" in told({})


def test_about_has_a_dash_where_a_word_was_never_said():
    worth = left_out.read_worth(MODELS) | {"words": left_out.worth_of_words(verdicts(_UNSURE))}
    assert "<strong>–" in told(json.loads(json.dumps(worth)))


_UNSURE = [(1, "unsure", True)]


@pytest.mark.parametrize("word", list(WORDS))
def test_a_result_says_its_word(word):
    from emorec.result.clip import ClipResult

    rest = (1 - CONFIDENT[word]) / 6
    posterior = np.array([CONFIDENT[word], *[rest] * 6], np.float32)
    assert ClipResult("a", "ok", {"fused": posterior}).confidence_word == word
    assert ClipResult.failed("a", "", "").confidence_word is None
