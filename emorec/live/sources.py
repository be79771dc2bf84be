"""Where a live engine's frames and sound come from: a file at its own speed, camera, microphone.

Each source works on a thread of its own. What happens to it stands in the notes of the verdicts;
a device that is absent or stops is tried again every few seconds, and the others go on meanwhile.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from emorec.errors import MediaError, SourceError
from emorec.live.engine import LiveEngine
from emorec.media.grey import FrameBatch
from emorec.media.pacing import FALLBACK_FRAME_RATE_HZ, read_ahead
from emorec.media.reader import SYNTHETIC_COMMENT, ClipReader, probe
from emorec.media.sound import Mixer, SoundBlock

__all__ = ["CameraSource", "FileSource", "MicrophoneSource", "Source", "in_order"]

RETRY_S = 3.0
"""Time from one attempt to open a device to the next."""

_LONGEST_GOODBYE_S = 5.0
_PIECES_AHEAD = 3
_FRAMES_PER_BATCH = 8
_SOUND_PIECE_S = 0.1
_MOST_ASIDE_S = 1.0  # how far a file's picture and sound may lie apart from each other
_LONGEST_LAG_S = 1.0  # after a longer one, as when the process was halted, play goes on from there
_LONGEST_PAUSE_S = 2.0  # of a microphone that is taken for present


class Source(ABC):
    """Something that frames or sound come from; a context manager that works inside its block.

    Args:
        engine: What they go to.
        name: What the notes call it.

    Attributes:
        problem: Why it gives nothing now; None while it does.
    """

    def __init__(self, engine: LiveEngine, name: str):
        self.problem: str | None = None
        self._engine, self._name = engine, name
        self._stopped, self._tried, self._ended = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._run_to_the_end, name=name, daemon=True)

    def __enter__(self) -> Source:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        # A driver may sleep on a camera that is gone; what it brings later is ignored.
        self._thread.join(_LONGEST_GOODBYE_S)

    @property
    def has_ended(self) -> bool:
        """Whether all has been played."""
        return self._ended.is_set()

    def wait_until_tried(self, timeout_s: float) -> bool:
        """Wait until it gives something or has a problem; False where that takes too long."""
        return self._tried.wait(timeout_s)

    def _run_to_the_end(self) -> None:
        try:
            self._run()
        finally:
            self._tried.set()
            self._ended.set()

    def _run(self) -> None:
        """Play, and play again, until the source is closed."""
        while not self._stopped.is_set():
            try:
                self._play()
            except SourceError as error:
                self._say(str(error))
            except Exception as error:  # drivers raise whatever they stumble on
                self._say(f"{self._name}: an unforeseen error, {type(error).__name__}: {error}")
            self._stopped.wait(RETRY_S)

    @abstractmethod
    def _play(self) -> None:
        """Hand over what comes until the source is closed; raise SourceError when it stops."""

    def _say(self, problem: str | None) -> None:
        """Tell of a problem, or that there is none."""
        if problem != self.problem or not self._tried.is_set():
            self.problem = problem
            self._engine.tell(self._name, problem)
            self._tried.set()


class FileSource(Source):
    """Plays a file at its own speed.

    Args:
        engine: What frames and sound go to.
        path: The file.
        times: How often it is played; infinity plays it until the source is closed.

    Raises:
        MediaError: When the file cannot be read as a clip.
    """

    def __init__(self, engine: LiveEngine, path: str | Path, times: float = 1):
        probe(path)
        super().__init__(engine, "file")
        self._path, self._left = Path(path), times
        self._clock_s: float | None = None  # when the file's time was zero
        self._offset_s = 0.0

    def _run(self) -> None:
        while self._left > 0 and not self._stopped.is_set():
            try:
                self._play()
            except MediaError as error:
                self._say(str(error))
                self._stopped.wait(RETRY_S)
            except Exception as error:  # one odd file must not end the view without a word
                self._say(f"file: an unforeseen error, {type(error).__name__}: {error}")
                self._stopped.wait(RETRY_S)
            self._left -= 1

    def _play(self) -> None:
        reader = ClipReader(
            self._path,
            sample_rate_hz=self._engine.sample_rate_hz,
            frames_per_batch=_FRAMES_PER_BATCH,
        )
        self._say(None)
        self._engine.tell("origin", SYNTHETIC_COMMENT if reader.info.is_synthetic else None)
        kinds = reader.info.has_picture, reader.info.has_sound
        pieces = read_ahead(reader, _PIECES_AHEAD)
        end_s = 0.0
        try:
            for due_s, piece in in_order(pieces, *kinds, self._engine.sample_rate_hz):
                end_s = due_s
                if not self._wait_until(self._offset_s + due_s):
                    return
                self._hand_over(piece)
        finally:
            pieces.close()
        # The next round begins a frame's length after the last frame.
        self._offset_s += end_s + 1 / (reader.info.frame_rate_hz or FALLBACK_FRAME_RATE_HZ)
        if reader.notes:
            self._say(f"file: {'; '.join(reader.notes)}")

    def _hand_over(self, piece: FrameBatch | SoundBlock) -> None:
        if isinstance(piece, FrameBatch):
            self._engine.push_frame(piece.frames[0], self._offset_s + float(piece.times_s[0]))
        else:
            rate_hz = self._engine.sample_rate_hz
            self._engine.push_sound(piece.samples, rate_hz, self._offset_s + piece.start_s)

    def _wait_until(self, time_s: float) -> bool:
        """Wait until it is time; False when the source is closed meanwhile."""
        now_s = time.monotonic()
        if self._clock_s is None or now_s - self._clock_s - time_s > _LONGEST_LAG_S:
            self._clock_s = now_s - time_s
        return not self._stopped.wait(max(0.0, self._clock_s + time_s - now_s))


class CameraSource(Source):
    """Takes frames from a camera through OpenCV.

    Args:
        engine: What the frames go to.
        number: Which camera; 0 is the first.
    """

    def __init__(self, engine: LiveEngine, number: int = 0):
        super().__init__(engine, f"camera {number}")
        self._number = number
        # OpenCV's warnings would run through the terminal view; the notes say what is wrong.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def _play(self) -> None:
        capture = cv2.VideoCapture(self._number)
        try:
            if not capture.isOpened():
                raise SourceError(self._name, *self._why_closed())
            # The newest frame, not one that waited in the driver.
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            while not self._stopped.is_set():
                there, frame = capture.read()
                if not there:
                    raise SourceError(
                        self._name,
                        "it stopped",
                        "plug it in again; it is tried again every few seconds",
                    )
                grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                self._engine.push_frame(grey, self._engine.now_s())
                self._say(None)
        finally:
            capture.release()

    def _why_closed(self) -> tuple[str, str]:
        device = Path(f"/dev/video{self._number}")
        try:
            with device.open("rb"):
                return "it cannot be opened", "close the program that uses it"
        except PermissionError:
            return "you are not allowed to use it", "ask for the right to read it (group video)"
        except OSError:
            return (
                "there is no such camera, or its use is not permitted",
                "plug it in, permit it, or name another with --camera",
            )


class MicrophoneSource(Source):
    """Takes sound from a microphone through PortAudio.

    Args:
        engine: What the sound goes to.
        device: Name, part of a name, or number of the microphone; None for the system's own.
    """

    def __init__(self, engine: LiveEngine, device: str | None = None):
        super().__init__(engine, "microphone")
        self._device = int(device) if device and device.isdigit() else device
        self._mixer = Mixer()
        self._heard_s = 0.0

    def _play(self) -> None:
        sounddevice = self._library()
        try:
            device = sounddevice.query_devices(self._device, "input")
        except (ValueError, sounddevice.PortAudioError) as error:
            remedy = "plug it in, permit it, or name another: python -m sounddevice lists all"
            raise SourceError(self._name, f"none was found ({error})", remedy) from error
        rate_hz = round(device["default_samplerate"])
        try:
            with sounddevice.InputStream(
                device=device["index"],
                samplerate=rate_hz,
                channels=min(2, device["max_input_channels"]),
                blocksize=rate_hz // 20,
                dtype="float32",
                callback=lambda block, *_: self._hear(block, rate_hz),
            ):
                self._listen()
        except sounddevice.PortAudioError as error:
            remedy = "permit its use, or close the program that uses it"
            raise SourceError(self._name, f"it cannot be used ({error})", remedy) from error

    def _listen(self) -> None:
        """Wait while sound comes."""
        self._heard_s = time.monotonic()
        while not self._stopped.wait(0.2):
            if time.monotonic() - self._heard_s > _LONGEST_PAUSE_S:
                raise SourceError(
                    self._name, "it stopped", "plug it in again; it is tried every few seconds"
                )

    def _hear(self, block: np.ndarray, rate_hz: int) -> None:
        """Take a block (n, channels) on PortAudio's thread."""
        self._heard_s = time.monotonic()
        mono = self._mixer.mix(block.T)
        self._engine.push_sound(mono, rate_hz, self._engine.now_s() - mono.size / rate_hz)
        self._say(None)

    def _library(self) -> ModuleType:
        """Import PortAudio's library, or say what it lacks."""
        try:
            import sounddevice
        except ImportError as error:
            remedy = "pip install 'emorec[live]'"
            raise SourceError(self._name, "sounddevice is not installed", remedy) from error
        except OSError as error:
            remedy = "install it (apt install libportaudio2, or brew install portaudio)"
            raise SourceError(self._name, "the PortAudio library is missing", remedy) from error
        if self.problem:
            # PortAudio lists the devices once; one that was plugged in since is not among them.
            sounddevice._terminate()
            sounddevice._initialize()
        return sounddevice


def in_order(
    pieces: Iterable[FrameBatch | SoundBlock],
    has_picture: bool,
    has_sound: bool,
    sample_rate_hz: int,
) -> Iterator[tuple[float, FrameBatch | SoundBlock]]:
    """Put single frames and short stretches of sound in the order in which they are due.

    Args:
        pieces: Of a `ClipReader`.
        has_picture: Whether frames are to be waited for.
        has_sound: Whether sound is.
        sample_rate_hz: Rate of the sound.

    Yields:
        When each is due, seconds from the start of the clip, and a batch of one frame or a block
        of sound; a frame is due at its time, sound at its end, as it is from a microphone.
    """
    ends_s: dict[type, float] = {FrameBatch: -np.inf} if has_picture else {}
    ends_s |= {SoundBlock: -np.inf} if has_sound else {}
    waiting: list[tuple[float, int, FrameBatch | SoundBlock]] = []
    number = itertools.count()
    for piece in pieces:
        for due_s, part in _parts(piece, sample_rate_hz):
            heapq.heappush(waiting, (due_s, next(number), part))
            ends_s[type(piece)] = due_s
        ready_s = max(min(ends_s.values()), max(ends_s.values()) - _MOST_ASIDE_S)
        while waiting and waiting[0][0] <= ready_s:
            due_s, _, part = heapq.heappop(waiting)
            yield due_s, part
    for due_s, _, part in sorted(waiting):
        yield due_s, part


def _parts(
    piece: FrameBatch | SoundBlock, sample_rate_hz: int
) -> Iterator[tuple[float, FrameBatch | SoundBlock]]:
    if isinstance(piece, FrameBatch):
        for i, time_s in enumerate(piece.times_s.tolist()):
            yield time_s, FrameBatch(piece.times_s[i : i + 1], piece.frames[i : i + 1])
        return
    step = round(_SOUND_PIECE_S * sample_rate_hz)
    for first in range(0, piece.samples.size, step):
        samples = piece.samples[first : first + step]
        start_s = piece.start_s + first / sample_rate_hz
        yield start_s + samples.size / sample_rate_hz, SoundBlock(start_s, samples)
