"""Fixtures that several test files use: the real corpora, and small made clips."""

import gc
import os
import signal
from pathlib import Path

import pytest
from helpers import EXAMPLES
from made_models import untrained_models

from emorec import Recognizer
from emorec.live.engine import LiveEngine

# A grammar of addresses that takes five seconds to import; where it is absent, `jsonschema`, on
# which all notebooks rest, does without it. sys.modules.setdefault("rfc3987_syntax", None) Hundreds
# of modules are imported, of which nothing is garbage; to look for it costs as long as them.
# gc.disable()

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that
# they start; tests of Ctrl-C need it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # which nohup has ignored, and so have all processes that are started
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
