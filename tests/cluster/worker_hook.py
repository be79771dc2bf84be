"""What the tests' workers preload: clips of some names kill the process, or take their time."""

import os
import signal
import time
from pathlib import Path

from emorec.recognizer import Recognizer


def _hooked(read):
    def read_or_die(self, path, watch=None):
        name = Path(path).name
        if "poison" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in name:
            time.sleep(0.3)
        return read(self, path, watch)

    return read_or_die


def dask_setup(worker):
    """Called in a worker that preloads this file; who merely imports it reads clips as ever."""
    Recognizer.classify_safely = _hooked(Recognizer.classify_safely)
