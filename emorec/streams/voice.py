"""The voice stream: sliding windows of sound, for a clip and live.

Both forms cut the same windows, leave out those in which nobody speaks, and pool the rest in the
same way, so that a clip played live gets the verdict that it gets as a file. Only posteriors and
loudness are kept, so that an hour takes hardly more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emorec.engines import Network
from emorec.features.speech import SpeechFinder
from emorec.features.voice import (
    WINDOW_HOP_S,
    WINDOW_S,
    SlidingWindows,
    SoundWindow,
    centred,
    is_silent,
    loudness,
)
from emorec.media.sound import Resampler, SoundBlock
from emorec.posteriors import Pooled, log_mean
from emorec.streams.details import HeardWindows
from emorec.streams.voice_inputs import input_of
from emorec.streams.windows import Findings

__all__ = ["LIVE_HOP_S", "NO_SPEECH", "SHORTEST_SOUND_S", "SILENT", "LiveVoice", "VoiceStream"]

SHORTEST_SOUND_S = 0.25
"""Shorter sound is no voice."""

SILENT, NO_SPEECH = "the sound is silent", "there is sound, and no speech in it"
"""Why sound holds no voice."""

UNLIKE = (
    "the voice or its recording is unlike what the network learned from: nobody has measured what "
    "its verdict is worth there"
)
"""Said of a clip that lies further off than 99 % of those of corpora that it never met."""

LIVE_HOP_S = 0.5
"""From one live window to the next; every second one is a window of the clip form."""

_CLIPPED_LEVEL, _CLIPPED_SHARE = 0.999, 0.001
_SHORTEST_LEFT_OUT_S = 0.5
_LIVE_HOPS_PER_WINDOW = round(WINDOW_HOP_S / LIVE_HOP_S)
# A hole in the sound up to a window long is filled with silence; after a longer one, and when
# time runs backwards, it begins anew. Less is the jitter of arrival.
_SHORTEST_HOLE_S, _LONGEST_HOLE_S = 0.5, WINDOW_S


class VoiceStream:
    """Reads the voice of a clip in sliding windows.

    Args:
        network: The voice model; see `emorec.streams.voice_inputs` for what it reads.

    Attributes:
        notes: What a reader of the result should know.
        sample_rate_hz: Rate that the sound is wanted at.
    """

    @staticmethod
    def accepts(network: Network) -> bool:
        """Tell whether a model with this input can serve; raises ValueError on a foreign kind."""
        return network.input_shape == input_of(network.spec).shape

    def __init__(self, network: Network):
        self.notes: list[str] = []
        self._network = network
        self._input = input_of(network.spec)
        self.sample_rate_hz = self._input.sample_rate_hz
        self._begin(None)
        self._heard = self._clipped = 0
        self._has_sounded = False
        self._read_s = 0.0  # how much of the sound lies in windows with speech
        self._pending: list[np.ndarray] = []
        self._times_s: list[float] = []
        self._loudness: list[float] = []
        self._heard_in: list[tuple[float, float, float]] = []  # start, end, share of speech
        self._posteriors: list[np.ndarray] = []
        self._distances: list[np.ndarray] = []
        self._embeddings = [np.zeros((0, 0), np.float32)]

    @property
    def end_s(self) -> float:
        """Time at which the sound ended so far."""
        return (self._start_s or 0.0) + self._since_start / self.sample_rate_hz

    @property
    def loudness(self) -> np.ndarray:
        """(windows,) float64: what each window weighs in the clip's verdict."""
        return np.array(self._loudness)

    @property
    def heard(self) -> HeardWindows:
        """Where the windows lie that were read, and what was heard in them."""
        starts_s, ends_s, shares = np.array(self._heard_in).reshape(-1, 3).T
        embeddings = np.concatenate(self._embeddings[1:] or self._embeddings)
        return HeardWindows(starts_s, ends_s, shares, self.loudness, embeddings)

    def _begin(self, start_s: float | None) -> None:
        """Begin at a time; None: at the first block's."""
        self._cutter = SlidingWindows(self.sample_rate_hz)
        self._speech = SpeechFinder(self.sample_rate_hz)
        self._start_s, self._since_start = start_s, 0
        self._read_to_s = 0.0

    def add(self, block: SoundBlock) -> None:
        """Take the next stretch of sound, at `sample_rate_hz`."""
        if self._start_s is None:
            self._start_s = block.start_s
        elif block.start_s - self.end_s > _LONGEST_HOLE_S:
            self._end_stretch()
            self._begin(block.start_s)
        self._heard += block.samples.size
        self._since_start += block.samples.size
        self._clipped += int(np.count_nonzero(np.abs(block.samples) >= _CLIPPED_LEVEL))
        self._speech.push(block.samples)
        self._take(self._cutter.push(block.samples))
        if not block.has_limit:
            self._clipped = 0

    def finish(self) -> Findings | None:
        """Read what is left; None where no voice was heard, and a note says why."""
        if self._start_s is None:
            self.notes.append("no sound")
            return None
        if self._heard < SHORTEST_SOUND_S * self.sample_rate_hz:
            self.notes.append(f"only {self._heard / self.sample_rate_hz:.2f} s of sound: too short")
            return None
        self._end_stretch()
        self._predict()
        if not self._times_s:
            self.notes.append(NO_SPEECH if self._has_sounded else SILENT)
            return None
        heard_s = self._heard / self.sample_rate_hz
        if heard_s - self._read_s >= _SHORTEST_LEFT_OUT_S:
            left_out = f"{heard_s - self._read_s:.1f} of {heard_s:.1f} s of the sound"
            self.notes.append(f"no speech in {left_out}: left out")
        if self._clipped > _CLIPPED_SHARE * self._heard:
            share = self._clipped / self._heard
            self.notes.append(f"the sound is clipped ({share:.1%} of it at full scale)")
        if np.concatenate(self._distances).mean() > self._network.spec.far:
            self.notes.append(UNLIKE)
        posteriors = np.concatenate(self._posteriors)
        return Findings(
            self._network.spec.classes,
            np.array(self._times_s),
            posteriors,
            log_mean(posteriors, np.array(self._loudness)),
            WINDOW_S,
        )

    def _end_stretch(self) -> None:
        """Read the last window before a hole or the end."""
        if self._since_start >= SHORTEST_SOUND_S * self.sample_rate_hz:
            self._take(self._cutter.finish())

    def _take(self, windows: Iterator[SoundWindow]) -> None:
        for window in map(centred, windows):
            if is_silent(window.samples, self.sample_rate_hz):
                continue
            self._has_sounded = True
            if not self._speech.has_speech(window):
                continue
            end_s = window.start_s + window.samples.size / self.sample_rate_hz
            self._read_s += end_s - max(window.start_s, self._read_to_s)
            self._read_to_s = end_s
            start_s = self._start_s or 0.0
            self._times_s.append(start_s + (window.start_s + end_s) / 2)
            share = self._speech.share(window)
            self._heard_in.append((start_s + window.start_s, start_s + end_s, share))
            self._loudness.append(loudness(window.samples))
            self._pending.append(self._input.make(window.samples))
            if len(self._pending) == self._input.windows_per_batch:
                self._predict()

    def _predict(self) -> None:
        if self._pending:
            batch = np.stack(self._pending).astype(np.float32)
            posteriors, distances, embeddings = self._network.read(batch)
            self._posteriors.append(posteriors)
            self._distances.append(distances)
            self._embeddings.append(embeddings)
        self._pending = []


class LiveVoice:
    """Reads the last three seconds of the sound, twice a second.

    Args:
        network: The voice model, as for `VoiceStream`.

    Attributes:
        posterior: (classes,) of the last window; None before the first and without speech.
        lack: Why the last window holds no voice, None where it does: `SILENT` or `NO_SPEECH`.
        has_sounded: Whether any window so far was more than silence.
        end_s: Time at which the sound ended so far.
        sample_rate_hz: Rate that the model reads; sound may come at any.
    """

    def __init__(self, network: Network):
        self.posterior: np.ndarray | None = None
        self.lack: str | None = None
        self.has_sounded = False
        self.end_s = 0.0
        self._network = network
        self._input = input_of(network.spec)
        self.sample_rate_hz = self._input.sample_rate_hz
        self._pooled = Pooled()
        self._begin(0.0)

    def _begin(self, start_s: float) -> None:
        """Begin at a time, with nothing heard."""
        self._cutter = SlidingWindows(self.sample_rate_hz, hop_s=LIVE_HOP_S)
        self._speech = SpeechFinder(self.sample_rate_hz)
        self._resampler = Resampler(self.sample_rate_hz)
        self._waiting: list[_Heard] = []
        self._start_s, self._heard = start_s, 0
        self._read = self._covered = 0  # where the last window ended, and the last pooled one

    def push(self, samples: np.ndarray, sample_rate_hz: int, time_s: float) -> None:
        """Take the next stretch of sound; the next `predict` reads it.

        Args:
            samples: (n,) float32, mono.
            sample_rate_hz: Its rate.
            time_s: Time of its first sample.
        """
        hole_s = time_s - (self._start_s + self._heard / self.sample_rate_hz)
        if not self._heard or hole_s > _LONGEST_HOLE_S or hole_s < -_SHORTEST_HOLE_S:
            self.predict()
            self._pooled = self._pooled_to_the_end()
            self._begin(time_s)
        elif hole_s > _SHORTEST_HOLE_S:
            self._hear(np.zeros(round(hole_s * self.sample_rate_hz), np.float32))
        self._hear(self._resampler.push(samples, sample_rate_hz))

    def predict(self) -> None:
        """Read the windows that a clip's verdict rests on, and the newest."""
        waiting, self._waiting = self._waiting, []
        for heard in waiting:
            if _is_pooled(heard.window):
                self._pool(heard)
        if waiting and not _is_pooled(waiting[-1].window):
            self._show(waiting[-1])
        is_short = self._heard < WINDOW_S * self.sample_rate_hz
        if is_short and self._heard >= self._read + LIVE_HOP_S * self.sample_rate_hz:
            self._read = self._heard
            self._show(self._told_apart(self._cutter.last()))

    def pooled(self) -> np.ndarray | None:
        """Return what `VoiceStream` says of a clip with all that was heard, (classes,), or None."""
        return self._pooled_to_the_end().posterior

    def _hear(self, samples: np.ndarray) -> None:
        self._heard += samples.size
        self.end_s = self._start_s + self._heard / self.sample_rate_hz
        self._speech.push(samples)
        self._waiting.extend(map(self._told_apart, self._cutter.push(samples)))

    def _told_apart(self, window: SoundWindow) -> _Heard:
        window = centred(window)
        if is_silent(window.samples, self.sample_rate_hz):
            return _Heard(window, SILENT)
        self.has_sounded = True
        return _Heard(window, None if self._speech.has_speech(window) else NO_SPEECH)

    def _pooled_to_the_end(self) -> Pooled:
        """What was pooled, joined with what is heard since: the last window of a clip."""
        if self._heard < max(SHORTEST_SOUND_S * self.sample_rate_hz, self._covered + 1):
            return self._pooled
        heard = self._told_apart(self._cutter.last())
        posterior = self._posterior(heard)
        if posterior is None:
            return self._pooled
        return self._pooled.joined(posterior, loudness(heard.window.samples))

    def _pool(self, heard: _Heard) -> None:
        self._show(heard)
        window = heard.window
        self._covered = round(window.start_s * self.sample_rate_hz) + window.samples.size
        if self.posterior is not None:
            self._pooled = self._pooled.joined(self.posterior, loudness(window.samples))

    def _show(self, heard: _Heard) -> None:
        self.posterior, self.lack = self._posterior(heard), heard.lack

    def _posterior(self, heard: _Heard) -> np.ndarray | None:
        if heard.lack:
            return None
        batch = self._input.make(heard.window.samples)[np.newaxis].astype(np.float32)
        return self._network.predict(batch)[0]


@dataclass(frozen=True)
class _Heard:
    """A window, and why it holds no voice; None where it does."""

    window: SoundWindow
    lack: str | None


def _is_pooled(window: SoundWindow) -> bool:
    """Tell whether the clip form cuts this window too."""
    return round(window.start_s / LIVE_HOP_S) % _LIVE_HOPS_PER_WINDOW == 0
