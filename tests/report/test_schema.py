"""The JSON file keeps to its schema: verdicts, none, failures, people."""

import copy
import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from made_results import ALL, VOICE_ONLY, made_result, posterior

from emorec.emotions import COMMON7
from emorec.faces.track import FaceTrack
from emorec.report.table import JSON_VERSION, ResultWriter
from emorec.result.clip import ClipResult, Person
from emorec.streams.windows import STREAMS

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = json.loads((resources.files("emorec.report") / "result.schema.json").read_text("utf-8"))


def written(path, *results):
    with ResultWriter(json_path=path) as writer:
        for result in results:
            writer.add(result)
    return json.loads(path.read_text(encoding="utf-8"))


def problems(content):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


@pytest.fixture
def content(tmp_path):
    track = FaceTrack(np.arange(8) / 15, np.full((8, 4), 0.25, np.float32))
    said = {"face": posterior("happy"), "fused": posterior("happy")}
    people = (
        Person(1, track, 0.4, said, notes=["the face does not move: no geometry"]),
        Person(2, track, is_picture=True),
    )
    return written(
        tmp_path / "all.json",
        made_result(ALL),
        made_result(VOICE_ONLY, name="a\nb.mp4"),
        replace(made_result(ALL), people=people),
        ClipResult(Path("c.mp4"), "no verdict", reason="there is no face", remedy="use another"),
        ClipResult.failed("s3://bucket/d.mp4", "the file is empty", "copy it again"),
    )


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_all_kinds_of_results_keep_to_it(content):
    assert problems(content) == []
    assert content["version"] == JSON_VERSION
    assert [len(clip.get("people", ())) for clip in content["clips"]] == [0, 0, 2, 0, 0]


def test_no_clip_at_all_keeps_to_it(tmp_path):
    assert problems(written(tmp_path / "none.json")) == []


def test_a_real_clip_keeps_to_it(recognizer, example, tmp_path):
    result = recognizer.classify(example)
    assert problems(written(tmp_path / "one.json", result)) == []


@pytest.mark.parametrize(
    "break_it",
    [
        lambda all: all.update(version=2),
        lambda all: all["clips"][0].update(emotion=None),
        lambda all: all["clips"][0].update(confidence=1.5),
        lambda all: all["clips"][0]["probabilities"].pop("fused"),
        lambda all: all["clips"][0].update(people=[]),
        lambda all: all["clips"][2]["people"][0].pop("speech_share"),
        lambda all: all["clips"][3].update(reason=""),
        lambda all: all["clips"][4].update(emotion="happy"),
        lambda all: all["clips"][4].update(more=1),
    ],
)
def test_what_is_wrong_is_found(content, break_it):
    broken = copy.deepcopy(content)
    break_it(broken)
    assert problems(broken)


def test_it_knows_the_emotions_and_streams():
    assert SCHEMA["properties"]["classes"]["const"] == list(COMMON7)
    assert list(SCHEMA["$defs"]["probabilities"]["properties"]) == [*STREAMS, "fused"]


def test_who_speaks_may_be_unknown(content):
    content["clips"][2]["people"][0]["speech_share"] = None
    assert problems(content) == []
