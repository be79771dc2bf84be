"""What a row was read with: a stamp that another version, model, person or clip changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from emorec import __version__
from emorec.media.storage import facts
from emorec.speaker.calibration import Speaker
from emorec.streams.windows import STREAMS

__all__ = ["Stamps"]

_DIGITS = 16


class Stamps:
    """Tells of each clip what its row is read with.

    Args:
        fingerprints: Gives those of the models, see `Recognizer.fingerprints`; called when the
            first stamp is asked for.
        speaker: Whose clips are judged.
        calibrated_on: Clips from which that person is to be learned.
        streams: By which they are judged.
    """

    def __init__(
        self,
        fingerprints: Callable[[], Mapping[str, str]],
        speaker: Speaker | None = None,
        calibrated_on: Sequence[str | Path] = (),
        streams: Sequence[str] = STREAMS,
    ):
        self._streams = tuple(streams)
        self._fingerprints = fingerprints
        self._speaker = speaker or Speaker()
        self._calibrated_on = calibrated_on

    @cached_property
    def run(self) -> str:
        """What all clips share."""
        biases = {stream: bias.tolist() for stream, bias in self._speaker.biases.items()}
        learned = sorted((str(clip), facts(clip)) for clip in self._calibrated_on)
        content = [__version__, dict(self._fingerprints()), biases, learned]
        # What is read by all streams keeps the stamp that it had before one could choose.
        return _digest([*content, sorted(self._streams)] if self._streams != STREAMS else content)

    def of(self, clip: str | Path) -> str:
        """Return a clip's stamp: 16 hexadecimal digits.

        Raises:
            ModelError: When a model cannot be read.
        """
        return _digest([self.run, facts(clip)])


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGITS]
