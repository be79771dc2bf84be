"""People who are known: what is kept of them, where, and for which models."""

import json
import stat
import sys

import numpy as np
import pytest

from emorec.emotions import COMMON7
from emorec.errors import CalibrationError
from emorec.fusion import LogLinearFusion
from emorec.paths import people_folder
from emorec.recognizer import Recognizer
from emorec.result.clip import ClipResult
from emorec.speaker import people
from emorec.speaker.calibration import Speaker

MODELS = {"voice": "0123", "fusion": "4567"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREC_PEOPLE", str(tmp_path / "people"))
    return tmp_path / "people"


def profile(name="Anna", **changed) -> people.Profile:
    speaker = Speaker({"voice": np.linspace(-0.3, 0.3, 7)}, ("a warning",), 8)
    facts = {"speaker": speaker, "clips": 8, "models": MODELS, "classes": COMMON7}
    return people.Profile(name, **(facts | changed))


def test_it_is_kept_as_a_few_numbers_and_read_again(folder):
    path = people.save(profile())
    assert path == folder / "anna.json" and path.stat().st_size < 2000
    content = json.loads(path.read_text())
    assert set(content) == {"format", "name", "clips", "classes", "models", "biases", "notes"}
    found = people.load("ANNA")
    assert (found.name, found.clips, found.classes, found.models) == ("Anna", 8, COMMON7, MODELS)
    np.testing.assert_allclose(found.speaker.biases["voice"], np.linspace(-0.3, 0.3, 7), atol=1e-6)
    assert found.known().notes == ("judged as Anna, known from 8 clips", "a warning")
    assert repr(found) == "<Profile of 'Anna': 8 clips, voice>"
    if sys.platform != "win32":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_folder_is_the_stated_one(monkeypatch, tmp_path, folder):
    assert people_folder() == folder
    monkeypatch.delenv("EMOREC_PEOPLE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert people_folder() == tmp_path / "emorec" / "people"
    for none in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", none)
        assert people_folder().parts[-4:] == (".local", "share", "emorec", "people")


@pytest.mark.parametrize(
    "name", ["Anna", "anna-maria o'neil", "张伟", "Zoë", "7", "a.b", "x" * 100]
)
def test_names_that_people_have_are_taken(name, folder):
    path = people.save(profile(name))
    assert path.parent == folder
    assert people.load(name).name == name
    assert list(people.known_people()) == [name]


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../anna", "a/b", "a\\b", "/etc/passwd", "-anna", ".anna", "anna.", "a\0b",
     "a\nb", "con", "NUL", "com1.x", "a:b", "x" * 121, "\udcff"],
)  # fmt: skip
def test_names_that_could_be_anything_else_are_not(name, folder):
    with pytest.raises(people.PersonError, match=r"cannot be a person's name.*Remedy"):
        people.save(profile(name))
    with pytest.raises(people.PersonError):
        people.load(name)
    assert not folder.exists()


def test_nobody_is_written_over_without_a_word():
    people.save(profile())
    with pytest.raises(people.PersonError, match=r"known already.*--overwrite"):
        people.save(profile("anna", clips=3))
    assert people.load("anna").clips == 8
    people.save(profile("anna", clips=3), overwrite=True)
    assert people.load("anna").clips == 3


def test_whoever_is_forgotten_is_gone(folder):
    people.save(profile())
    assert people.forget(" anna ") == folder / "anna.json"
    assert list(folder.iterdir()) == []
    for ask in (people.forget, people.load):
        with pytest.raises(people.PersonError, match=r"not known; known in .*people: nobody"):
            ask("anna")


def test_who_is_known_instead_is_said():
    people.save(profile("Bob"))
    with pytest.raises(people.PersonError, match=r"people: Bob. Remedy: .*emorec calibrate Anna"):
        people.load("Anna")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "it is of format 2, and this version reads 1"),
        ({"biases": {}}, "no profile"),
        ({"biases": {"voice": [0.1]}}, "no profile"),
        ({"biases": {"voice": [float("nan")] * 7}}, "no profile"),
        ({"classes": 3}, "no profile"),
        ({"name": "../x"}, "cannot be a person's name"),
        (None, "no profile"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_and_listed(change, said):
    path = people.save(profile())
    people.save(profile("Bob"))
    content = json.loads(path.read_text())
    path.write_text("[1" if change is None else json.dumps(content | change))
    with pytest.raises(people.PersonError, match=said):
        people.load("anna")
    found = people.known_people()
    assert isinstance(found["anna"], people.PersonError) and found["Bob"].clips == 8


def test_another_version_of_the_models_is_refused_with_the_remedy():
    profile().check_models(MODELS)
    with pytest.raises(people.PersonError) as error:
        profile().check_models(MODELS | {"voice": "89ab"})
    assert "another version of the voice" in str(error.value)
    assert "emorec calibrate --overwrite Anna CLIPS" in error.value.remedy


@pytest.fixture(scope="module")
def knowing(models, tmp_path_factory) -> Recognizer:
    """The untrained recogniser with a fusion that tells what is said of people at large."""
    import shutil

    folder = tmp_path_factory.mktemp("knowing") / "models"
    shutil.copytree(models, folder)
    file = folder / "fusion" / "fusion.json"
    fusion = LogLinearFusion.from_json(file)
    usual = {stream: np.log(np.full(7, 1 / 7)) for stream in fusion.calibrations}
    LogLinearFusion(fusion.classes, fusion.calibrations, fusion.weights, usual).to_json(file)
    return Recognizer.load(folder)


def calibrated(recognizer: Recognizer) -> Recognizer:
    rng = np.random.default_rng(0)
    said = [{"voice": p, "fused": p} for p in rng.dirichlet(np.ones(7), 4)]
    return recognizer.calibrated_on([ClipResult("x", "ok", posteriors=p) for p in said])


def test_a_kept_person_is_judged_as_when_calibrated(knowing):
    personal = calibrated(knowing)
    personal.keep_person("anna")
    again = knowing.for_person("Anna")
    heard = {"voice": np.full(7, 1 / 7, np.float32)}
    np.testing.assert_allclose(
        again.combine(heard)["fused"], personal.combine(heard)["fused"], atol=1e-5
    )
    assert abs(knowing.combine(heard)["fused"] - again.combine(heard)["fused"]).max() > 1e-2
    assert again.speaker.notes == ("judged as anna, known from 4 clips",)


def test_other_models_refuse_the_person(knowing, recognizer):
    calibrated(knowing).keep_person("anna")
    assert {*knowing.fingerprints} == {"voice", "face", "geometry", "fusion"}
    with pytest.raises(people.PersonError, match="another version of the fusion"):
        recognizer.for_person("anna")


def test_only_a_calibrated_recogniser_knows_somebody(knowing, folder):
    with pytest.raises(CalibrationError, match="knows no person"):
        knowing.keep_person("anna")
    assert not folder.exists()
