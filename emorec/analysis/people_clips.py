"""Made clips of several people: side by side, taking turns, crossing, leaving, on a poster.

Everything is put together of clips of one person each, so that it is known who is where and who
speaks when. Somebody who listens shows what a clip shows before its voice begins, to and fro, or,
in the hardest scenes, talks without a sound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from emorec.avatar.clip import FRAME_RATE_HZ, write_movie
from emorec.avatar.voice import SAMPLE_RATE_HZ
from emorec.features.speech import FRAME, SPEECH_PROBABILITY, SpeechDetector
from emorec.features.speech import SAMPLE_RATE_HZ as SPEECH_RATE_HZ
from emorec.media.reader import read_frames, read_sound

__all__ = ["NOBODY_SEEN", "SCENES", "Made", "Performer", "Take", "gathered"]

NOBODY_SEEN = "nobody seen"
"""Who speaks where the voice is of somebody who is not in the picture then."""

_SIZE = (360, 320)  # height and width of a person's picture
_SAMPLES = SAMPLE_RATE_HZ // FRAME_RATE_HZ  # of sound to a frame
_LEAST_IDLE = 6  # frames
_LEAST_CONTRAST = 10.0  # grey levels
_LEVEL = 0.08  # root mean square that each take is brought to
_NOISE = 2.0  # grey levels of the camera


@dataclass(frozen=True)
class Take:
    """A clip of one person.

    Attributes:
        frames: (n, 360, 320) uint8, grey, 30 a second.
        sound: (m,) float32 at 48 kHz, as long as the picture.
        speech: (n,) bool, in which frames somebody speaks.
    """

    frames: np.ndarray
    sound: np.ndarray
    speech: np.ndarray

    @classmethod
    def read(cls, path: str | Path, pixel_aspect: float = 1.0) -> Take:
        """Read a clip; the middle of its picture is kept.

        Args:
            path: The clip.
            pixel_aspect: Width of its pixels where their height is one.
        """
        times_s, pictures = [], []
        for batch in read_frames(path):
            times_s += batch.times_s.tolist()
            pictures += [_middle(frame, pixel_aspect) for frame in batch.frames]
        sound = read_sound(path, SAMPLE_RATE_HZ)
        count = min(len(sound) // _SAMPLES, int(times_s[-1] * FRAME_RATE_HZ))
        wanted = np.arange(count) / FRAME_RATE_HZ
        frames = np.stack(pictures)[np.searchsorted(times_s, wanted).clip(max=len(times_s) - 1)]
        sound = sound[: count * _SAMPLES]
        speech = _speech(sound, count)
        loud = np.repeat(speech, _SAMPLES)
        level = np.sqrt(np.mean(sound[loud] ** 2)) if loud.any() else 1.0
        return cls(frames, (sound * (_LEVEL / level)).astype(np.float32), speech)

    @property
    def idle(self) -> np.ndarray:
        """Frames before the voice begins, or after it has ended, whichever are more."""
        frames = self.frames[self._shown]
        spoken = np.flatnonzero(self.speech[self._shown])
        if not len(spoken):
            return frames
        longer = max(frames[: spoken[0]], frames[spoken[-1] + 1 :], key=len)
        return longer if len(longer) >= _LEAST_IDLE else frames[:_LEAST_IDLE]

    @property
    def _shown(self) -> np.ndarray:
        """Which frames show anything: some clips begin with black ones."""
        return self.frames[:, ::8, ::8].std(axis=(1, 2)) > _LEAST_CONTRAST


@dataclass(frozen=True)
class Performer:
    """A person, and takes of them.

    Attributes:
        name: Who it is.
        takes: At least three.
    """

    name: str
    takes: Sequence[Take]

    def listening(self, count: int) -> np.ndarray:
        """Show how the person listens, so many frames: to and fro."""
        idle = min((_calmest(take.idle) for take in self.takes), key=_movement)
        there = [*range(len(idle)), *range(len(idle) - 2, 0, -1)]
        return idle[np.resize(there, count)]


def _movement(frames: np.ndarray) -> float:
    """How much the lower half of the picture changes from frame to frame, in grey levels."""
    lower = frames[:, _SIZE[0] // 2 :: 2, ::2].astype(np.int16)
    return float(np.abs(np.diff(lower, axis=0)).mean())


def _calmest(frames: np.ndarray) -> np.ndarray:
    """The stretch of a few frames in which least moves."""
    starts = range(len(frames) - _LEAST_IDLE + 1)
    return min((frames[i : i + _LEAST_IDLE] for i in starts), key=_movement)


@dataclass
class Made:
    """A made clip and what is true of it.

    Attributes:
        frames: The pictures, (height, width) uint8 each.
        sound: (m,) float32 at 48 kHz.
        boxes: Name -> (n, 4) float64: where about the person's head is in each frame; NaN where
            it cannot be seen.
        speakers: (n,) who speaks in each frame: a name, `NOBODY_SEEN`, or "" in silence.
    """

    frames: list[np.ndarray] = field(default_factory=list)
    sound: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    boxes: dict[str, np.ndarray] = field(default_factory=dict)
    speakers: np.ndarray = field(default_factory=lambda: np.zeros(0, object))

    def write(self, path: Path) -> None:
        """Write it as an mp4 file of H.264 and AAC."""
        height, width = self.frames[0].shape
        pictures = (cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) for frame in self.frames)
        write_movie(path, pictures, self.sound, (width, height))


@dataclass(frozen=True)
class _Played:
    """What each person does, frame by frame, and what is heard."""

    pictures: dict[str, np.ndarray]
    sound: np.ndarray
    speakers: np.ndarray


def _head(left: float) -> np.ndarray:
    """About where the head is in a person's picture that begins at this x: x, y, width, height."""
    return np.array([85.0 + left, 70.0, 150.0, 170.0])


def _middle(frame: np.ndarray, pixel_aspect: float) -> np.ndarray:
    """Scale a frame to the height of a person's picture, and keep the middle of it."""
    height, width = frame.shape
    scale = _SIZE[0] / height
    size = (max(round(width * pixel_aspect * scale), _SIZE[1]), _SIZE[0])
    scaled = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left = (size[0] - _SIZE[1]) // 2
    return scaled[:, left : left + _SIZE[1]]


def _speech(sound: np.ndarray, frames: int) -> np.ndarray:
    """In which frames somebody speaks; short pauses count as speech."""
    heard = SpeechDetector().push(sound[:: SAMPLE_RATE_HZ // SPEECH_RATE_HZ])
    middles_s = (np.arange(len(heard)) + 0.5) * FRAME / SPEECH_RATE_HZ
    found = np.interp(np.arange(frames) / FRAME_RATE_HZ, middles_s, heard) > SPEECH_PROBABILITY
    kernel = np.ones((1, 7), np.uint8)
    closed = cv2.morphologyEx(found.astype(np.uint8)[np.newaxis], cv2.MORPH_CLOSE, kernel)
    return closed[0].astype(bool)


def _turns(performers: Sequence[Performer], muted: bool = False, unseen: int = 0) -> _Played:
    """Have people speak in turn, two takes each; the last `unseen` of them are only heard."""
    seen = performers[: len(performers) - unseen]
    parts: dict[str, list[np.ndarray]] = {person.name: [] for person in seen}
    sounds, speakers = [], []
    for speaker in performers if not unseen else performers[-unseen:]:
        for take in speaker.takes[:2]:
            count = len(take.frames)
            for person in seen:
                if person is speaker:
                    parts[person.name].append(take.frames)
                elif muted:
                    other = np.concatenate([t.frames for t in person.takes[2:]])
                    parts[person.name].append(np.resize(other, (count, *_SIZE)))
                else:
                    parts[person.name].append(person.listening(count))
            sounds.append(take.sound)
            who = speaker.name if speaker in seen else NOBODY_SEEN
            speakers.append(np.where(take.speech, who, ""))
    pictures = {name: np.concatenate(frames) for name, frames in parts.items()}
    return _Played(pictures, np.concatenate(sounds), np.concatenate(speakers).astype(object))


def _made(played: _Played, rng: np.random.Generator, draw: Callable) -> Made:
    """Draw each frame: `draw` returns it and, by name, where the heads are."""
    count = len(played.speakers)
    speakers = played.speakers.copy()
    made = Made(sound=played.sound, speakers=speakers)
    made.boxes = {name: np.full((count, 4), np.nan) for name in played.pictures}
    height = draw(0)[0].shape[0]
    noise = [rng.normal(0, _NOISE, (height, 1280)).astype(np.int16) for _ in range(4)]
    for i in range(count):
        frame, heads = draw(i)
        grain = noise[i % len(noise)][: frame.shape[0], : frame.shape[1]]
        made.frames.append(np.clip(frame + grain, 0, 255).astype(np.uint8))
        for name, box in heads.items():
            made.boxes[name][i] = box
        if speakers[i] and speakers[i] not in heads:
            speakers[i] = NOBODY_SEEN
    return made


def _side_by_side(played: _Played, rng: np.random.Generator) -> Made:
    def draw(i: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        heads = {name: _head(_SIZE[1] * place) for place, name in enumerate(played.pictures)}
        return np.concatenate([frames[i] for frames in played.pictures.values()], 1), heads

    return _made(played, rng, draw)


def _walking(
    played: _Played, rng: np.random.Generator, places: Callable[[int], Sequence[float]]
) -> Made:
    """People cut out before a wall, at x places (of their middle); the first is in front."""
    wall = cv2.resize(rng.uniform(90, 150, (6, 10)).astype(np.float32), (640, 360))
    rows, columns = np.mgrid[: _SIZE[0], : _SIZE[1]]
    oval = np.hypot((columns - 160) / 120, np.minimum(rows - 190, 0) / 165)
    mask = cv2.GaussianBlur((oval < 1).astype(np.float32), (0, 0), 3)

    def draw(i: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        frame, heads = wall.copy(), {}
        at = dict(zip(played.pictures, places(i), strict=True))
        for name in reversed(list(at)):
            left = round(at[name]) - _SIZE[1] // 2
            x0, x1 = max(left, 0), min(left + _SIZE[1], 640)
            if x0 < x1:
                part = slice(x0 - left, x1 - left)
                alpha = mask[:, part]
                picture = played.pictures[name][i][:, part]
                frame[:, x0:x1] += alpha * (picture - frame[:, x0:x1])
            if 60 < at[name] < 580:
                heads[name] = _head(left)
        front = next(iter(at))
        hidden = [n for n in heads if n != front and front in heads and abs(at[n] - at[front]) < 90]
        return frame, {name: box for name, box in heads.items() if name not in hidden}

    return _made(played, rng, draw)


def _crossing(performers: Sequence[Performer], rng: np.random.Generator) -> Made:
    """Two people change places twice, one passing before the other."""
    played = _turns(performers[:2])
    count = len(played.speakers)

    def places(i: int) -> tuple[float, float]:
        turn = 160 * np.cos(2 * np.pi * i / count)
        return 320 - turn, 320 + turn

    return _walking(played, rng, places)


def _leaving(performers: Sequence[Performer], rng: np.random.Generator) -> Made:
    """One of two leaves to one side, a third comes and goes, and the first comes back."""
    played = _turns(performers[:3])
    count = len(played.speakers)

    def places(i: int) -> tuple[float, float, float]:
        share = i / count
        first = np.interp(share, [0, 0.2, 0.3, 0.7, 0.8, 1], [160, 160, -200, -200, 160, 160])
        third = np.interp(share, [0, 0.35, 0.42, 0.58, 0.65, 1], [-200, -200, 160, 160, -200, -200])
        return float(first), 470.0, float(third)

    return _walking(played, rng, places)


def _poster(performers: Sequence[Performer], rng: np.random.Generator) -> Made:
    """One person speaks beside a picture of another, whose mouth is open."""
    played = _turns(performers[:1])
    other = performers[1].takes[0]
    still = other.frames[np.flatnonzero(other.speech)[np.count_nonzero(other.speech) // 2]]
    pictures = {**played.pictures, performers[1].name: np.array([still] * len(played.speakers))}
    return _side_by_side(_Played(pictures, played.sound, played.speakers), rng)


def _cuts(performers: Sequence[Performer], rng: np.random.Generator) -> Made:
    """Shot and reverse shot: whoever speaks fills the picture."""
    played = _turns([performers[0], performers[1]])
    spoken = np.array([str(who) for who in played.speakers])
    # The shot lasts until the other one speaks.
    shown, now = [], performers[0].name
    for who in spoken:
        now = who or now
        shown.append(now)

    def draw(i: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        wall = np.full((360, 640), 60 if shown[i] == performers[0].name else 190, np.uint8)
        left = 100 if shown[i] == performers[0].name else 220
        wall[:, left : left + _SIZE[1]] = played.pictures[shown[i]][i]
        return wall, {shown[i]: _head(left)}

    return _made(played, rng, draw)


SCENES: dict[str, Callable[[Sequence[Performer], np.random.Generator], Made]] = {
    "two in turn": lambda people, rng: _side_by_side(_turns(people[:2]), rng),
    "three in turn": lambda people, rng: _side_by_side(_turns(people[:3]), rng),
    "two, one talks without a sound": lambda people, rng: _side_by_side(
        _turns(people[:2], muted=True), rng
    ),
    "crossing": _crossing,
    "leaving and coming back": _leaving,
    "beside a poster": _poster,
    "cuts between two": _cuts,
    "a voice of nobody seen": lambda people, rng: _side_by_side(_turns(people[:3], unseen=1), rng),
}
"""Name of a scene -> what makes it of three performers and a source of chance."""


def gathered(performers: Sequence[Performer], rng: np.random.Generator) -> Made:
    """Make a clip of up to eight people at once in 1280x720, who speak in turn: a meeting.

    Args:
        performers: Who.
        rng: Source of chance.
    """
    played = _turns(performers)
    wall = cv2.resize(rng.uniform(90, 150, (6, 10)).astype(np.float32), (1280, 720))
    height, width = _SIZE
    corners = {name: (i // 4 * height, i % 4 * width) for i, name in enumerate(played.pictures)}

    def draw(i: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        frame, heads = wall.copy(), {}
        for name, (top, left) in corners.items():
            frame[top : top + height, left : left + width] = played.pictures[name][i]
            heads[name] = _head(left) + np.array([0, top, 0, 0])
        return frame, heads

    return _made(played, rng, draw)
