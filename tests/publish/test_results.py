"""Everything shown of the results follows from the committed predictions."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from emorec import files as files_emorec
from emorec.emotions import COMMON7
from emorec.evaluation import deployed, literature, model_card
from emorec.evaluation import evidence as evidence_evaluation
from emorec.evaluation import scores as evaluation
from emorec.evaluation.evidence import ResultsError, load_evidence, of_seeds
from emorec.evaluation.model_card import BEGIN, END
from emorec.evaluation.scores import prediction_table
from emorec.paths import MODELS, REPOSITORY
from emorec.publish import figures, methods, rebuild, slides
from emorec.publish.slide_layout import LEAST_PT, SIZE_INCHES, Slide
from emorec.training import fusion as fusion_training


@pytest.fixture(scope="module")
def committed():
    return load_evidence(MODELS)


@pytest.fixture
def small_tree(tmp_path):
    """A repository with one model of three classes, judged on four speakers."""
    (tmp_path / "Plots").mkdir()
    (tmp_path / "Models").mkdir()
    (tmp_path / "docs").mkdir()
    for page in ("docs/results.md", "Models/README.md"):
        (tmp_path / page).write_text(f"Before\n{BEGIN}\n{END}\nAfter\n")
    with (tmp_path / "Models" / "README.md").open("a") as page:
        page.write("\n".join(rebuild.marks("folders")))
    add_model(tmp_path, "voice_small", right=0.8)
    rebuild.rebuild_texts(tmp_path)
    return tmp_path


def add_model(tree, name, right):
    rng = np.random.default_rng(0)
    classes = ("angry", "happy", "sad")
    truth = rng.choice(classes, 80)
    posterior = rng.dirichlet(np.ones(3), 80) * (1 - right)
    posterior[np.arange(80), [classes.index(t) for t in truth]] += right
    clips = pd.DataFrame({"clip_id": [f"c{i}" for i in range(80)], "emotion": truth})
    clips["speaker"] = np.repeat(["s1", "s2", "s3", "s4"], 20)
    folder = tree / "Models" / name
    evidence_evaluation.write_evidence(
        folder,
        evidence_evaluation.Measurement(
            prediction_table(clips, posterior, classes, 1),
            "RAVDESS takes, 3 classes: none of them real.",
        ),
        stream=folder.name.split("_")[0],
        command="python -m this",
    )
    model_card.write_card(folder, model_card.CardText(f"Small {name}", "What.", "Whose."))


def test_committed_metrics_and_texts_follow_from_the_committed_predictions(committed, tmp_path):
    files = [
        REPOSITORY / "README.md",
        *(REPOSITORY / "docs").glob("*.md"),
        MODELS / "README.md",
        methods.TIMES_FILE,
    ]
    files += [*(REPOSITORY / "notebooks").glob("*.ipynb"), REPOSITORY / "notebooks" / "README.md"]
    # A search's trials, a study's clips: no model, yet a folder.
    files += (MODELS / "comparisons").glob("*/*.csv")
    files += (MODELS / "comparisons").glob("*/summary.json")
    for model in {evidence.folder for evidence in committed}:
        files += [f for f in model.iterdir() if f.suffix in {".csv", ".json", ".md", ".onnx"}]
    for file in files:
        copy = tmp_path / file.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    rebuild.rebuild_texts(tmp_path)
    for file in files:
        rebuilt = tmp_path / file.relative_to(REPOSITORY)
        assert rebuilt.read_bytes() == file.read_bytes(), f"{file} is stale: run `make results`"


def test_the_committed_plots_are_those_of_the_committed_predictions(committed, tmp_path):
    drawn = figures.rebuild_plots(committed, tmp_path)
    assert len(drawn) > sum(evidence.is_shipped for evidence in committed)
    for path in drawn:
        kept = REPOSITORY / "Plots" / path.name
        assert kept.exists(), f"{kept} is missing: run `make results`"
        assert np.array_equal(imread(kept), imread(path)), f"{kept} is stale: run `make results`"
    assert figures.rebuild_plots(committed[:1], tmp_path / "again"), "an empty folder is filled"


def test_the_committed_fusion_follows_from_its_streams():
    joined = fusion_training.load_ravdess(MODELS)
    fused = fusion_training.fuse_out_of_fold(joined)["log-linear"]
    committed = evidence_evaluation.read_predictions(MODELS / "fusion")
    both = committed.merge(fused, on="clip_id", suffixes=("", " again"))
    assert len(both) == len(committed) == len(fused)
    for name in ("happy", "sad"):
        np.testing.assert_allclose(both[name], both[f"{name} again"], atol=2e-3)


def test_a_new_model_appears_by_itself(small_tree):
    add_model(small_tree, "face_other", right=0.1)
    assert [e.name for e in rebuild.rebuild_texts(small_tree)] == ["voice_small", "face_other"]
    page = (small_tree / "docs" / "results.md").read_text()
    assert page.startswith("Before\n") and page.endswith("\nAfter\n")
    assert "[Small face_other](../Models/face_other/MODEL_CARD.md)" in page
    assert "RAVDESS takes, 3 classes; n = 80, 4 speakers" in page
    assert "humans 62.4" in page, "published figures of the corpus and stream stand beside"


def test_a_model_without_a_card_is_shown_where_its_metrics_say_so(small_tree):
    question = small_tree / "Models" / "comparisons" / "faces"
    for name in ("face_shown", "face_other"):
        add_model(small_tree, f"comparisons/faces/{name}", right=0.1)
        (question / name / "MODEL_CARD.md").unlink()
    file = question / "face_shown" / "metrics.json"
    metrics = json.loads(file.read_text())
    file.write_text(json.dumps(metrics | {"title": "Shown", "in_readme": True}))
    rebuild.rebuild_texts(small_tree)
    page = (small_tree / "docs" / "results.md").read_text()
    assert "[Shown](../Models/comparisons/faces/face_shown/)" in page
    assert "face_other" not in page


def test_a_second_run_writes_nothing(small_tree):
    found = rebuild.rebuild_texts(small_tree)
    assert len(figures.rebuild_plots(found, small_tree / "Plots")) == 2
    before = {f: f.stat().st_mtime_ns for f in small_tree.rglob("*") if f.is_file()}
    found = rebuild.rebuild_texts(small_tree)
    assert figures.rebuild_plots(found, small_tree / "Plots") == []
    assert {f: f.stat().st_mtime_ns for f in small_tree.rglob("*") if f.is_file()} == before


def test_changed_predictions_are_noticed_and_everything_follows(small_tree):
    folder = small_tree / "Models" / "voice_small"
    table = evidence_evaluation.read_predictions(folder)
    table.loc[:39, ["angry", "happy", "sad"]] = [0.0, 0.0, 1.0]
    files_emorec.write_table(folder / "predictions.csv", table)
    (stale,) = load_evidence(small_tree / "Models")
    assert any("/scores/accuracy" in line for line in rebuild.check_metrics(stale))
    (fresh,) = rebuild.rebuild_texts(small_tree)
    assert rebuild.check_metrics(fresh) == []
    value = f"{100 * fresh.metrics['scores']['accuracy']:.1f}"
    assert value != "100.0"
    assert f"| Accuracy | {value} |" in (folder / "MODEL_CARD.md").read_text()
    assert f"**{value}**" in (small_tree / "docs" / "results.md").read_text()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["command"] == "python -m this", "what does not follow stays"


def test_a_model_s_tables_are_written_at_once_and_scored_as_they_are_read_back(small_tree):
    folder = small_tree / "Models" / "voice_small"
    table = evidence_evaluation.read_predictions(folder)
    thirds = table.assign(angry=1 / 3, happy=1 / 3 + 1e-7, sad=1 / 3 - 1e-7)
    found = evidence_evaluation.write_evidence(
        folder,
        evidence_evaluation.Measurement(table, "By day.", facts={"seed": 3}),
        stream="voice",
        command="python -m this",
        parts={
            "night": evidence_evaluation.Measurement(
                thirds, "At night.", "Small, at night", unit="clip_id", facts={"lamps": 2}
            )
        },
    )
    assert json.loads((folder / "metrics.json").read_text()) == found
    assert list(found)[:3] == ["stream", "protocol", "command"]
    assert (found["units"], found["night"]["units"]) == (4, 80)
    assert (found["seed"], found["night"]["lamps"]) == (3, 2)
    assert "title" not in found and found["night"]["title"] == "Small, at night"
    # Five decimals are written: the thirds are equal, so that the first class is the verdict.
    assert sum(row[0] for row in found["night"]["confusion"]) == 80
    evidence = load_evidence(small_tree / "Models")
    assert [(e.key, e.stream, e.unit) for e in evidence] == [
        ("", "voice", "speaker"),
        ("night", "voice", "clip_id"),
    ]
    assert [rebuild.check_metrics(e) for e in evidence] == [[], []]


def test_predictions_without_metrics_are_an_error(small_tree):
    (small_tree / "Models" / "voice_small" / "metrics.json").unlink()
    with pytest.raises(ResultsError, match=r"voice_small.*Remedy"):
        load_evidence(small_tree / "Models")


def test_a_second_table_needs_a_protocol_of_its_own(small_tree):
    folder = small_tree / "Models" / "voice_small"
    shutil.copy(folder / "predictions.csv", folder / "predictions_night.csv")
    found = load_evidence(small_tree / "Models")
    assert [e.name for e in found] == ["voice_small"], "a table without metrics is not shown"
    metrics = json.loads((folder / "metrics.json").read_text())
    files_emorec.write_json(folder / "metrics.json", {**metrics, "night": {"scores": {}}})
    with pytest.raises(ResultsError, match="'night' has no protocol"):
        load_evidence(small_tree / "Models")
    metrics["night"] = {"protocol": "the same, at night", "scores": {}, "confusion": []}
    files_emorec.write_json(folder / "metrics.json", metrics)
    night = rebuild.rebuild_texts(small_tree)[1]
    assert night.name == "voice_small_night" and rebuild.check_metrics(night) == []
    assert "## Scores: night" in (folder / "MODEL_CARD.md").read_text()


def test_a_readme_without_marks_is_an_error(small_tree):
    (small_tree / "docs" / "results.md").write_text("No place.")
    with pytest.raises(ResultsError, match=r"results\.md: no place .*Remedy"):
        rebuild.rebuild_texts(small_tree)


def test_how_often_the_recogniser_is_right_elsewhere_is_told_once_it_is_measured(small_tree):
    models = small_tree / "Models"
    assert deployed.deployed_line(models) == ""
    corpora = {
        name: {"scores": {"accuracy": accuracy}}
        for name, accuracy in (("crema_d", 0.41), ("emovo", 0.55))
    }
    gate = {"corpora": 2, "mean_accuracy": 0.48, "mean_confidence": 0.52}
    metrics = {"classes": list(COMMON7), "left_out": {"fused": corpora}, "gate": gate}
    folder = models / "comparisons" / "strangers" / "end_to_end"
    folder.mkdir(parents=True)
    files_emorec.write_json(folder / "metrics.json", metrics)
    line = deployed.deployed_line(models)
    assert "right in 48 % (mean of 2: CREMA-D 41, EMOVO 55;" in line
    assert "among 7 emotions: 14)" in line and "says 52 % on average" in line


def test_the_published_confusion_gives_the_published_accuracy():
    counts = np.array(literature.REFERENCE_CONFUSION)
    (fused,) = [
        p
        for p in literature.REPORTED
        if p.who == literature.REFERENCE_PROJECT and p.stream == "fusion" and p.corpus == "RAVDESS"
    ]
    assert (counts.sum(1) == 32).all()
    assert 100 * np.trace(counts) / counts.sum() == pytest.approx(fused.percent, abs=0.05)


def test_published_figures_are_those_of_the_corpus_named_first():
    found = literature.reported_for("FER+ votes, pictures of FER-2013", "face")
    assert [p.corpus for p in found] == ["FER+"]
    assert literature.reported_for("SAVEE", "voice") == []


def test_the_slides_are_built_of_the_evidence_and_are_the_same_each_time(tmp_path):
    with slides.drawn() as drawn:
        for slide in drawn:
            check_that_it_can_be_read(slide)
        assert len({slide.title for slide in drawn}) == len(drawn)
        slides.write(drawn, tmp_path / "first.pdf")
    first = (tmp_path / "first.pdf").read_bytes()
    assert 12 <= len(re.findall(rb"/Type /Page\b", first)) <= 18
    assert len(first) < 3e6 and b"CreationDate" not in first
    assert slides.build(path=tmp_path / "second.pdf").read_bytes() == first
    notes = (tmp_path / "first.md").read_text(encoding="utf-8")
    committed = slides.PATH.with_suffix(".md").read_text(encoding="utf-8")
    assert notes == committed, "Remedy: make slides"


def check_that_it_can_be_read(slide: Slide):
    # Bullets that do not fit on their slide raise.
    assert len(slide.notes.split()) >= 20, slide.title
    texts = [t for t in slide.figure.findobj(Text) if t.get_visible() and t.get_text()]
    assert min(text.get_fontsize() for text in texts) >= LEAST_PT, slide.title
    drawn_in = slide.figure.get_tightbbox()
    assert drawn_in.xmin >= 0 and drawn_in.ymin >= 0, slide.title
    assert drawn_in.xmax <= SIZE_INCHES[0] and drawn_in.ymax <= SIZE_INCHES[1], slide.title


def test_every_method_stands_on_one_page_with_what_was_measured_of_it(small_tree):
    add_model(small_tree, "face_other", right=0.1)
    metrics_file = small_tree / "Models" / "face_other" / "metrics.json"
    metrics = json.loads(metrics_file.read_text()) | {"parameters": 12345, "training_minutes": 7}
    metrics["accuracy_of_seeds"] = of_seeds({1: 0.5, 2: 0.625})
    metrics_file.write_text(json.dumps(metrics))
    (small_tree / "Models" / "voice_small" / "model.onnx").write_bytes(b"x" * 2000)
    found = rebuild.rebuild_texts(small_tree)
    page = (small_tree / "Models" / "README.md").read_text()
    assert "| 50.0, 62.5 | 12,345 | 7 | – | – |" in page
    assert page.index("Small voice_small") < page.index("Small face_other"), "the best first"
    table = methods.methods_table(found, {"voice_small": 1.5}).set_index("folder")
    assert table.loc["voice_small", ["ms", "size"]].tolist() == [1.5, 2]


def test_area_under_roc_is_that_of_scikit_learn(committed):
    from sklearn.metrics import roc_auc_score

    predictions = committed[0].predictions
    classes = list(evaluation.classes_of(predictions))
    # Five decimals were written; the library wants sums of one.
    rows = predictions[classes]
    predictions = predictions.assign(**rows.div(rows.sum(axis=1), axis=0))
    expected = roc_auc_score(
        predictions["truth"], predictions[classes], multi_class="ovr", labels=classes
    )
    assert evaluation.roc_auc(predictions) == pytest.approx(expected, abs=1e-3)
