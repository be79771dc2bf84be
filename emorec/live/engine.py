"""The live engine: frames and sound go in as they come, verdicts come out, and it never lags.

Two threads work, one on the picture and one on the voice, and a third where everybody is
followed. What waits for them is bounded: where
they fall behind, the oldest goes and is counted. See `emorec.live.sources` for where frames and
sound come from.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from emorec.emotions import COMMON7
from emorec.live.people import LivePerson, PeopleWorker
from emorec.live.waiting import Waiting
from emorec.streams.picture import LivePicture
from emorec.streams.voice import NO_SPEECH, SILENT, LiveVoice

if TYPE_CHECKING:
    from emorec.recognizer import Recognizer

__all__ = ["LiveCounts", "LiveEngine", "LiveVerdict"]

STALE_S = 1.5
"""A picture or sound that did not arrive for so long counts no more."""

_FRAMES_WAITING, _SOUND_WAITING_S = 8, 6.0
_LONGEST_WAIT_S = 0.1  # of a frame; when more is due than can be done, the newest is done
_TICK_S = 0.05
_LATENCY_BINS_PER_S, _LONGEST_LATENCY_S = 1000, 5


@dataclass(frozen=True)
class LiveVerdict:
    """What is said of one moment, or by `LiveEngine.summary` of all that was taken.

    Attributes:
        time_s: Time of the newest frame or sound that it rests on.
        probabilities: Stream (voice, face, geometry, fused) -> (7,) float32 over COMMON7; absent
            streams are absent, all of them where there is neither a voice nor a face.
        face_box: x, y and side of the face in pixels of the frame pushed, or None.
        notes: What a reader should know, in plain words.
        latency_s: From the arrival of the newest frame to this verdict; NaN without a frame.
        people: Who is there, by number; empty where not everybody is followed.
    """

    time_s: float
    probabilities: dict[str, np.ndarray]
    face_box: tuple[int, int, int] | None = None
    notes: list[str] = field(default_factory=list)
    latency_s: float = float("nan")
    people: tuple[LivePerson, ...] = ()

    @property
    def emotion(self) -> str | None:
        """The likeliest of COMMON7, None where there is neither a voice nor a face."""
        fused = self.probabilities.get("fused")
        return None if fused is None else COMMON7[int(fused.argmax())]

    def __repr__(self) -> str:
        sure = f" {self.probabilities['fused'].max():.0%}" if self.emotion else ""
        return f"<LiveVerdict at {self.time_s:.1f} s: {self.emotion or 'no verdict'}{sure}>"


@dataclass(frozen=True)
class LiveCounts:
    """How much was taken, and how fast.

    Attributes:
        taken: Frames that were looked at.
        dropped: Frames that came too fast, or were damaged.
        sound_taken_s: Length of the sound that was taken.
        sound_dropped_s: Length of the sound that came too fast.
        verdicts: Number of verdicts given.
        latency_median_s: From a frame's arrival to its verdict, over all frames; NaN before
            the first.
        latency_p95_s: Its 95th percentile.
        people_dropped: Frames that came too fast for the thread that follows everybody.
    """

    taken: int
    dropped: int
    sound_taken_s: float
    sound_dropped_s: float
    verdicts: int
    latency_median_s: float
    latency_p95_s: float
    people_dropped: int = 0


class LiveEngine:
    """Reads emotion from frames and sound as they come; a context manager.

    Args:
        recognizer: Whose networks read them; several engines can share one. With that of
            `Recognizer.for_everybody` all faces are followed, too.

    Example:
        >>> with LiveEngine(recognizer) as engine:  # doctest: +SKIP
        ...     engine.push_frame(grey, time_s=0.04)
        ...     engine.push_sound(samples, 48_000, time_s=0.0)
        ...     verdict = engine.verdict()
    """

    def __init__(self, recognizer: Recognizer):
        self._recognizer = recognizer
        self._frames = Waiting(_FRAMES_WAITING)
        self._sound = Waiting(_SOUND_WAITING_S)
        self._voice = LiveVoice(recognizer.networks["voice"])
        self._picture: LivePicture | None = None
        self._voice_lock, self._picture_lock = threading.Lock(), threading.Lock()
        self._publishing = threading.Lock()
        self._told: dict[str, str] = {}
        self._started_s = time.perf_counter()
        self._newest_frame: np.ndarray | None = None
        self._frame_arrived_s = self._sound_arrived_s = -np.inf
        # What the two workers last found, replaced as a whole.
        self._seen: tuple[dict[str, np.ndarray], tuple | None] = {}, None
        self._lack = ["no face"]
        self._heard: dict[str, np.ndarray] = {}
        self._verdict: LiveVerdict | None = None
        self._taken = self._verdicts = 0
        self._given_way = self._passed_over = 0  # frames dropped on arrival, and by the worker
        self._sound_taken_s = self._sound_dropped_s = 0.0
        self._latency_s = float("nan")
        self._latencies = np.zeros(_LATENCY_BINS_PER_S * _LONGEST_LATENCY_S, np.int64)
        is_asked = recognizer.purpose.everybody
        self._people = PeopleWorker(recognizer, self.tell) if is_asked else None
        self._workers = [
            threading.Thread(target=self._work_on_picture, name="live picture", daemon=True),
            threading.Thread(target=self._work_on_voice, name="live voice", daemon=True),
        ]
        for worker in self._workers:
            worker.start()

    def __enter__(self) -> LiveEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def push_frame(self, grey: np.ndarray, time_s: float) -> None:
        """Hand over a frame; returns at once.

        Args:
            grey: (height, width) uint8, full range; it is copied.
            time_s: Its time, on the same clock as the sound's.

        Raises:
            ValueError: When it is no grey frame.
        """
        if grey.dtype != np.uint8 or grey.ndim != 2 or not grey.size:
            raise ValueError(f"a frame is (height, width) uint8, not {grey.shape} {grey.dtype}")
        now_s = time.perf_counter()
        self._frame_arrived_s = now_s
        self._newest_frame = grey = grey.copy()
        self._given_way += int(self._frames.put((now_s, time_s, grey), 1))
        if self._people:
            self._people.push_frame(grey, time_s)

    def push_sound(self, samples: np.ndarray, sample_rate_hz: int, time_s: float) -> None:
        """Hand over a stretch of sound; returns at once.

        Args:
            samples: (n,) float32, mono, in [-1, 1]; it is copied.
            sample_rate_hz: Its rate; where it is the engine's own, nothing is resampled.
            time_s: Time of its first sample, on the same clock as the frames'.

        Raises:
            ValueError: When it is no mono sound.
        """
        samples = np.array(samples, np.float32)
        if samples.ndim != 1 or sample_rate_hz <= 0:
            raise ValueError(f"sound is (n,) float32 at a rate, not {samples.shape}")
        if not samples.size:
            return
        self._sound_arrived_s = time.perf_counter()
        samples = np.nan_to_num(samples, copy=False, posinf=0.0, neginf=0.0)
        length_s = samples.size / sample_rate_hz
        self._sound_dropped_s += self._sound.put((samples, int(sample_rate_hz), time_s), length_s)

    def tell(self, source: str, note: str | None) -> None:
        """Have a note in every verdict until it is taken back: what happened to a source.

        Args:
            source: Whose note it is; a new one replaces the old.
            note: In plain words; None takes it back.
        """
        told = {name: text for name, text in self._told.items() if name != source}
        self._told = {**told, source: note} if note else told

    def verdict(self) -> LiveVerdict | None:
        """Return the newest verdict, None before anything has arrived; costs nothing."""
        return self._verdict

    def now_s(self) -> float:
        """Return the time since the engine started, for sources that have no time of their own."""
        return time.perf_counter() - self._started_s

    @property
    def newest_frame(self) -> np.ndarray | None:
        """The frame that was handed over last, (height, width) uint8, for display."""
        return self._newest_frame

    @property
    def sample_rate_hz(self) -> int:
        """Rate at which sound is read."""
        return self._voice.sample_rate_hz

    @property
    def notes(self) -> list[str]:
        """What a reader should know now, whether or not there is a verdict."""
        notes = list(self._told.values())
        now_s = time.perf_counter()
        if self._is_stale(self._frame_arrived_s, now_s):
            notes.append("no picture")
        elif self._seen[1] is None and not self._seen[0] and self._taken:
            notes += self._lack
        if self._is_stale(self._sound_arrived_s, now_s):
            notes.append("no sound")
        elif self._voice.lack:
            notes.append(self._voice.lack)
        return notes

    @property
    def counts(self) -> LiveCounts:
        """How much was taken so far, and how fast."""
        return LiveCounts(
            self._taken,
            self._given_way + self._passed_over,
            self._sound_taken_s,
            self._sound_dropped_s,
            self._verdicts,
            self._latency_quantile(0.5),
            self._latency_quantile(0.95),
            self._people.dropped if self._people else 0,
        )

    def summary(self) -> LiveVerdict | None:
        """Return the verdict on all that was taken, pooled as a clip's is; None without one.

        When no frame was dropped it is that of `Recognizer.classify` on the same file; beyond a
        minute the windows of the landmarks may lie elsewhere.
        """
        with self._voice_lock:
            voice = self._voice.pooled()
            end_s, lack = self._voice.end_s, NO_SPEECH if self._voice.has_sounded else SILENT
        with self._picture_lock:
            picture = self._picture
            posteriors = picture.pooled() if picture else {}
            seen_s = picture.end_s if picture else -np.inf
            notes = picture.notes if picture and self._taken else ["no picture"]
        if voice is not None:
            posteriors = {"voice": voice, **posteriors}
        else:
            notes = [*notes, lack if self._sound_taken_s else "no sound"]
        if not posteriors:
            return None
        probabilities = self._recognizer.combine(posteriors)
        notes = [*self._told.values(), *notes]
        return LiveVerdict(max(end_s, seen_s), probabilities, None, notes, self._latency_s)

    def drain(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was handed over is read; False where that takes too long."""
        deadline_s = time.perf_counter() + timeout_s
        return all(
            waiting.wait_until_idle(deadline_s - time.perf_counter())
            for waiting in (self._sound, self._frames, self._people)
            if waiting
        )

    def close(self) -> None:
        """End the workers; what is pushed afterwards is ignored."""
        for waiting in (self._frames, self._sound):
            waiting.close()
        for worker in self._workers:
            worker.join()
        if self._people:
            self._people.close()

    def _work_on_picture(self) -> None:
        # Here and not above, for a cascade belongs to the thread that searches with it.
        picture = LivePicture(self._recognizer.networks, self._recognizer.landmarks)
        self._picture = picture
        while not self._frames.is_closed:
            item = self._frames.get(_TICK_S)
            if item is None:
                self._publish()
                continue
            if time.perf_counter() - item[0] > _LONGEST_WAIT_S:
                item, passed_over = self._frames.newest(item)
                self._passed_over += passed_over
            arrived_s, time_s, frame = item
            try:
                with self._picture_lock:
                    box = picture.take(time_s, frame)
                    self._seen = picture.posteriors(), box
                    self._lack = picture.lack
            except Exception as error:  # one odd frame must not end the work on all others
                self._passed_over += 1
                self.tell("picture", f"a frame was passed over ({type(error).__name__}: {error})")
                continue
            self._taken += 1
            self._publish(arrived_s)

    def _work_on_voice(self) -> None:
        while not self._sound.is_closed:
            block = self._sound.get(_TICK_S)
            if block is None:
                continue
            # Of all that waits only the newest moment is read, beside what the summary needs.
            blocks = [block, *self._sound.rest()]
            try:
                with self._voice_lock:
                    for samples, rate_hz, time_s in blocks:
                        self._voice.push(samples, rate_hz, time_s)
                        if self._people:
                            self._people.push_sound(samples, rate_hz, time_s)
                        self._sound_taken_s += samples.size / rate_hz
                    self._voice.predict()
                    posterior = self._voice.posterior
            except Exception as error:  # one odd block must not end the work on all others
                self.tell("voice", f"sound was passed over ({type(error).__name__}: {error})")
                continue
            self._heard = {} if posterior is None else {"voice": posterior}
            self._publish()

    def _publish(self, arrived_s: float | None = None) -> None:
        """Make the verdict on what is known now; `arrived_s` is when its frame came."""
        if not self._taken and not self._sound_taken_s:
            return
        with self._publishing:
            now_s = time.perf_counter()
            has_picture = not self._is_stale(self._frame_arrived_s, now_s)
            has_sound = not self._is_stale(self._sound_arrived_s, now_s)
            posteriors, box = self._seen if has_picture else ({}, None)
            heard = self._heard if has_sound else {}
            probabilities = self._recognizer.combine({**heard, **posteriors})
            if arrived_s is not None:
                self._note_latency(time.perf_counter() - arrived_s)
            seen_s = self._picture.end_s if self._picture else -np.inf
            newest_s = max(self._voice.end_s, seen_s)
            people = self._people.people if self._people and has_picture else ()
            if not heard:  # what is loud is no voice
                people = tuple(replace(person, speaks=False) for person in people)
            told = self.notes, self._latency_s, people
            self._verdict = LiveVerdict(newest_s, probabilities, box, *told)
            self._verdicts += 1

    def _is_stale(self, arrived_s: float, now_s: float) -> bool:
        return now_s - max(arrived_s, self._started_s) > STALE_S

    def _note_latency(self, latency_s: float) -> None:
        self._latency_s = latency_s
        last = len(self._latencies) - 1
        self._latencies[min(int(latency_s * _LATENCY_BINS_PER_S), last)] += 1

    def _latency_quantile(self, share: float) -> float:
        """Upper edge of the bin that holds this quantile; NaN before the first frame."""
        reached = np.cumsum(self._latencies)
        if not reached[-1]:
            return float("nan")
        return (int(np.searchsorted(reached, share * reached[-1])) + 1) / _LATENCY_BINS_PER_S
