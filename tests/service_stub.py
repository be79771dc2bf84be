"""What the tests of the service share: a recogniser that needs no model, and a sound."""

from __future__ import annotations

import io
import wave
from types import SimpleNamespace
from typing import ClassVar

from page import Reader

from emorec.emotions import COMMON7


class Stub(Reader):
    """Stands in for the recogniser."""

    networks: ClassVar = {"voice": SimpleNamespace(spec=SimpleNamespace(classes=COMMON7))}
    judge = SimpleNamespace(fusion=SimpleNamespace(classes=COMMON7))
    fingerprints: ClassVar = {"voice": "0123", "fusion": "4567"}
    asked: tuple = ()

    def for_streams(self, *streams):
        self.asked += streams
        return self

    def for_everybody(self):
        self.asked += ("people",)
        return self


def tone() -> bytes:
    """A WAV file of a moment."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(250)) * 8)
    return file.getvalue()


TONE = tone()
