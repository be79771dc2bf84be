"""Fixtures that several test files use: the real corpora, and small made clips."""

import gc
import os
import signal
import sys
from pathlib import Path

import pytest
from helpers import EXAMPLES
from made_models import untrained_models

from emorec import Recognizer
from emorec.live.engine import LiveEngine

# A grammar of addresses that takes five seconds to import; `jsonschema`, on which all notebooks
# rest, does without it where it is absent.
sys.modules.setdefault("rfc3987_syntax", None)
# Hundreds of modules are imported, and nothing of them is garbage that is worth a search.
gc.disable()

# What takes over twenty seconds: last, it would keep one core busy while the others wait.
LONGEST = (
    "test_app.py", "test_engine.py", "test_workers.py", "test_wheel.py", "test_outputs.py",
    "test_voice_sequence.py", "test_avatar.py", "test_cluster.py", "test_calibrate.py",
    "test_calibration.py", "test_ck_plus.py", "test_stand_ins.py", "test_shipped_voices.py",
    "test_networks.py", "test_second_look.py", "test_fuzz.py", "test_quantize.py",
    "test_results.py", "test_recognizer.py", "test_bad_input.py", "test_clip_inputs.py",
    "test_video.py", "test_follower.py", "test_everybody.py", "test_engines.py",
    "test_fer2013_mobilenet.py", "test_frame_sets.py", "test_verify.py", "test_voice_search.py",
)  # fmt: skip

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that
# they start; tests of Ctrl-C need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # which nohup has ignored, and so have all processes that are started
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def emorec_data() -> Path:
    """The folder with the real corpora; tests that need it are skipped without it."""
    folder = os.environ.get("EMOREC_DATA")
    if not folder:
        pytest.skip("EMOREC_DATA is not set: it names the folder with the corpora")
    if not Path(folder).is_dir():
        pytest.skip(f"EMOREC_DATA names {folder}, which is no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """A folder of networks with the weights that chance gave them."""
    return untrained_models(tmp_path_factory)


@pytest.fixture(scope="session")
def recognizer(models) -> Recognizer:
    return Recognizer.load(models)


@pytest.fixture(scope="session")
def example() -> Path:
    """A made-up clip with picture and sound."""
    if not EXAMPLES:
        pytest.skip("DEMO/Examples holds no clip")
    return EXAMPLES[0]


@pytest.fixture
def engine(recognizer):
    with LiveEngine(recognizer) as engine:
        yield engine
