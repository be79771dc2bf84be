"""Which frames of a clip to look at."""

import numpy as np


class Pace:
    """Tells which frames to look at, so that about `rate_hz` of them are.

    Args:
        rate_hz: Frames a second; the mean rate is kept where there are enough frames.

    >>> pace = Pace(10)
    >>> [pace.is_due(time_s) for time_s in (0.0, 0.04, 0.12, 0.16, 0.2)]
    [True, False, True, False, True]
    """

    def __init__(self, rate_hz: float):
        self._period_s = 1 / rate_hz
        self._due_s = -np.inf

    def is_due(self, time_s: float) -> bool:
        """Tell whether the next frame, which stands at `time_s`, is to be looked at."""
        if time_s < self._due_s:
            return False
        # A millisecond off, lest rounded time stamps fall just short of being due.
        earliest_s = time_s + self._period_s / 2 - 0.001
        self._due_s = max(self._due_s + self._period_s, earliest_s)
        return True
