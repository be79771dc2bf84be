"""How loud a clip is over time, on the clock on which mouths are looked at."""

from __future__ import annotations

from array import array

import numpy as np

from emorec.media.sound import SoundBlock

__all__ = ["MOUTH_RATE_HZ", "SILENT_DB", "Loudness"]

MOUTH_RATE_HZ = 15.0
"""How often a second mouths are looked at, to tell who speaks: syllables come five a second."""

SILENT_DB = -100.0
"""Level of no sound at all."""


class Loudness:
    """Gathers a clip's loudness, `MOUTH_RATE_HZ` values a second, 4 bytes each.

    Args:
        sample_rate_hz: Rate of the sound.
    """

    def __init__(self, sample_rate_hz: int):
        self._rate_hz = sample_rate_hz
        self._levels_db = array("f")
        self._power, self._count = 0.0, 0
        self._heard = 0  # samples from the clip's start on

    def add(self, block: SoundBlock) -> None:
        """Take the next stretch of sound."""
        hole = max(0, round(block.start_s * self._rate_hz) - self._heard)
        if hole > self._rate_hz / MOUTH_RATE_HZ:
            self._pass_over(hole)
        samples = block.samples.astype(np.float64)
        while len(samples):
            end = round((len(self._levels_db) + 1) * self._rate_hz / MOUTH_RATE_HZ)
            part, samples = np.split(samples, [max(end - self._heard, 1)])
            self._power, self._count = self._power + float(part @ part), self._count + len(part)
            self._heard += len(part)
            if self._heard >= end:
                self._end_frame()

    @property
    def levels_db(self) -> np.ndarray:
        """(n,) float32: the level of each `1 / MOUTH_RATE_HZ` seconds from the clip's start on."""
        return np.array(self._levels_db, np.float32)

    def _pass_over(self, samples: int) -> None:
        """Count silence where there is no sound."""
        self._heard += samples
        while (len(self._levels_db) + 1) * self._rate_hz / MOUTH_RATE_HZ <= self._heard:
            self._end_frame()

    def _end_frame(self) -> None:
        power = self._power / max(self._count, 1)
        self._levels_db.append(max(SILENT_DB, 10 * np.log10(power + 1e-12)))
        self._power, self._count = 0.0, 0
