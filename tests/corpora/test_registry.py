"""Corpora are found by themselves and say all that is asked; their tables are up to date."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emorec.corpora import crema_d, emovo, javased, nemo, ravdess, savee
from emorec.corpora.registry import corpora, keys, truth_of
from emorec.emotions import COMMON7, VOCABULARIES
from emorec.evaluation.evidence import ResultsError
from emorec.paths import REPOSITORY
from emorec.publish.corpora_tables import between_marks, rebuild_corpora

BY_NAME = {corpus.name: corpus for corpus in corpora()}


def test_keys_are_those_of_the_corpora():
    assert set(keys()) == {corpus.key for corpus in corpora()}
    assert len(BY_NAME) == len(corpora())


@pytest.mark.parametrize("corpus", corpora(), ids=list(BY_NAME))
def test_a_corpus_says_where_it_is_got_and_how_it_lies(corpus):
    assert corpus.holds and corpus.source and corpus.terms
    assert Path(corpus.example).match(corpus.layout.removeprefix("**/"))
    assert list(corpus.classes) == sorted(set(corpus.classes))
    known = {name for classes in VOCABULARIES.values() for name in classes}
    assert set(corpus.classes) <= known
    assert all("{folder}" in "".join(corpus.how) for _ in corpus.how), "told where to put it"


NAMED = [corpus for corpus in corpora() if corpus.parse_name and corpus.medium != "landmarks"]


@pytest.mark.parametrize("corpus", NAMED, ids=lambda corpus: corpus.name)
def test_an_example_is_read_and_a_foreign_name_is_not(corpus):
    facts = corpus.parse_name(corpus.example)
    assert facts["emotion"] in corpus.classes
    assert facts["speaker"].startswith(f"{corpus.key}-")
    assert facts["clip_id"] in Path(corpus.example).stem
    for name in ("holiday.mp4", "2024-05-01_12.mp4", "a-b-c.wav", "IMG_0001.jpg"):
        assert corpus.parse_name(name) is None


@pytest.mark.parametrize("module", [crema_d, emovo, javased, nemo, ravdess, savee])
def test_planned_speakers_are_those_of_the_names(module):
    corpus = module.CORPUS
    for clip_id in (corpus.planned() if corpus.planned else [])[::97]:
        facts = corpus.parse_name(f"03-{clip_id}.wav" if module is ravdess else f"{clip_id}.wav")
        assert facts["clip_id"] == clip_id
        assert facts["speaker"] == f"{corpus.key}-{corpus.speaker_code(clip_id)}"


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("Actor_05/01-01-02-01-01-01-05.mp4", "neutral"),
        ("03-01-06-02-01-01-12.wav", "fear"),
        ("AudioWAV/1001_DFA_ANG_XX.wav", "angry"),
        ("AudioData/DC/sa03.wav", None),
        ("01-04-06_01.mp4", None),
        ("samples/WR0_surprised_64.wav", "surprise"),
        ("gio-f1-b1.opus", "happy"),
        ("CK+48/contempt/S138_008_00000009.png", None),
        ("1001_DFA_XYZ_XX.wav", None),
        ("21-12-03_01.mp4", None),
        ("me.mp4", None),
    ],
)
def test_the_truth_comes_from_a_corpus_s_name_alone(name, truth):
    assert truth_of(name) == truth
    assert truth is None or truth in COMMON7


def test_asking_for_keys_or_a_truth_imports_nothing_heavy():
    code = (
        "import sys; from emorec.corpora import registry; registry.keys();"
        "assert 'numpy' not in sys.modules;"
        "assert registry.truth_of('1001_DFA_ANG_XX.wav') == 'angry';"
        "assert not {'pandas', 'cv2', 'av', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_the_committed_tables_are_up_to_date(tmp_path):
    for name in ("Datasets/README.md", "LICENSE.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    rebuild_corpora(tmp_path)
    for name in ("Datasets/README.md", "LICENSE.md"):
        assert (tmp_path / name).read_bytes() == (REPOSITORY / name).read_bytes()


def test_without_its_marks_a_text_is_refused():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb"
    assert "old" not in between_marks(text, "x", "new")
    with pytest.raises(ResultsError, match="x:begin"):
        between_marks(text.replace("x:end", "y:end"), "x", "new")


@pytest.mark.parametrize(
    ("name", "clips", "speakers"), [("CFEE", 1899, 174), ("SFEW", 857, None), ("CK+", 675, 78)]
)
def test_pictures_at_hand(name, clips, speakers, emorec_data):
    corpus = BY_NAME[name]
    table = corpus.load(emorec_data / corpus.folder)
    assert len(table) == clips
    assert table["clip_id"].is_unique
    assert speakers is None or table["speaker"].nunique() == speakers
    assert set(table["emotion"].dropna()) <= set(corpus.classes)


def test_of_cfee_at_hand_the_compound_ones_have_no_emotion(emorec_data):
    from emorec.corpora import cfee

    table = cfee.load_picture_table(emorec_data / "CFEE")
    assert table["expression"].nunique() == 22
    assert table["emotion"].notna().sum() == 604
    pictures = cfee.load_pictures(table[:3])
    assert (pictures.shape, pictures.dtype) == ((3, 96, 96), np.uint8)


def test_every_picture_of_sfew_at_hand_is_read(emorec_data):
    from emorec.corpora import sfew

    pictures = sfew.load_pictures(sfew.load_picture_table(emorec_data / "SFEW"))
    assert (pictures.shape, pictures.dtype) == ((857, 122, 96), np.uint8)
