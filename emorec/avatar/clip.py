"""Write talking avatars as clips, in RAVDESS's layout and under RAVDESS's names."""

import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import av
import cv2
import numpy as np
from joblib import Parallel, delayed
from rich.progress import track

from emorec.avatar.actor import Actor, make_actor
from emorec.avatar.expression import EXPRESSIONS, INTENSITY_SCALE, Pose
from emorec.avatar.face import REFERENCE_SIZE, draw_face
from emorec.avatar.voice import HOP_S, SAMPLE_RATE_HZ, Speech, synthesise_voice
from emorec.corpora import ravdess
from emorec.files import write_atomically
from emorec.media.reader import SYNTHETIC_COMMENT

FRAME_RATE_HZ = 30
EMOTION_CODES: dict[str, int] = {name: int(code) for code, name in ravdess.EMOTION_CODES.items()}
"""RAVDESS's numbers for the emotions."""

# Emotion, actor and statement of the seven clips of DEMO/Examples.
_EXAMPLES = (
    ("neutral", 7, 1),
    ("happy", 2, 1),
    ("sad", 9, 2),
    ("angry", 5, 2),
    ("fear", 6, 1),
    ("disgust", 3, 2),
    ("surprise", 4, 1),
)
_SPEECH_OPENING = 15.0  # pixels at an eye distance of 140, for a wide vowel
_SPEECH_ROUNDING = 9.0


@dataclass(frozen=True)
class Take:
    """One take: what is said, how, and which repetition it is.

    Attributes:
        emotion: One of EMOTION_CODES.
        intensity: 1 normal, 2 strong; neutral has normal only, as in RAVDESS.
        statement: 1 or 2.
        repetition: 1, 2, ...
    """

    emotion: str
    intensity: int = 2
    statement: int = 1
    repetition: int = 1


def all_takes() -> list[Take]:
    """List the 60 speech takes that every actor of RAVDESS plays.

    Examples:
        >>> len(all_takes())
        60
    """
    return [
        Take(emotion, intensity, statement, repetition)
        for emotion, intensity, statement, repetition in product(
            EMOTION_CODES, (1, 2), (1, 2), (1, 2)
        )
        if not (emotion == "neutral" and intensity == 2)
    ]


def take_path(actor: int, take: Take) -> Path:
    """Name the clip of a take as RAVDESS does.

    Args:
        actor: Actor number.
        take: The take.

    Returns:
        ``Actor_NN/01-01-EE-II-SS-RR-NN.mp4``: picture and sound, speech, emotion,
        intensity, statement, repetition, actor.

    Raises:
        ValueError: If the emotion is unknown or the intensity is not 1 or 2.

    Examples:
        >>> take_path(4, Take("happy", intensity=1, statement=2)).as_posix()
        'Actor_04/01-01-03-01-02-01-04.mp4'
    """
    if take.emotion not in EMOTION_CODES:
        raise ValueError(
            f"unknown emotion {take.emotion!r}: choose from {', '.join(EMOTION_CODES)}"
        )
    if take.intensity not in INTENSITY_SCALE:
        raise ValueError(f"intensity {take.intensity} is neither 1 (normal) nor 2 (strong)")
    numbers = (1, 1, EMOTION_CODES[take.emotion], take.intensity, take.statement)
    name = "-".join(f"{number:02d}" for number in (*numbers, take.repetition, actor))
    return Path(f"Actor_{actor:02d}") / f"{name}.mp4"


def _seed(actor: Actor, take: Take) -> list[int]:
    return [
        actor.number,
        EMOTION_CODES[take.emotion],
        take.intensity,
        take.statement,
        take.repetition,
    ]


def _speak(actor: Actor, take: Take) -> Speech:
    return synthesise_voice(actor, take.emotion, take.intensity, take.statement, take.repetition)


def _sway(rng: np.random.Generator, seconds: np.ndarray, size: float) -> np.ndarray:
    """Make a slow random movement: two sines of drawn rates and phases."""
    rates_hz = rng.uniform((0.2, 0.5), (0.45, 1.0))
    phases = rng.uniform(0, 2 * np.pi, 2)
    waves = np.sin(2 * np.pi * rates_hz[:, None] * seconds + phases[:, None])
    return size * (0.7 * waves[0] + 0.3 * waves[1])


def _blinks(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Close the eyes for about 0.2 s once or twice a clip: 0 open to 1 shut."""
    moments_s = np.cumsum(rng.uniform((0.3, 1.4), (1.2, 2.6)))
    return np.max([np.exp(-(((seconds - m) / 0.06) ** 2)) for m in moments_s], axis=0)


def take_frames(
    actor: Actor, take: Take, speech: Speech, size: tuple[int, int] = REFERENCE_SIZE
) -> Iterator[np.ndarray]:
    """Draw the frames of a take, one after the other.

    The face starts at rest, takes on its expression before the voice begins, and lets it
    fade a little at the end, as actors do. Small movements of the head, blinks, light and
    camera noise are drawn from the take's own seed.

    Args:
        actor: Who plays.
        take: What is played.
        speech: What is said in this take.
        size: Width and height of the picture.

    Yields:
        uint8 (height, width, 3), blue, green, red, at FRAME_RATE_HZ, as long as the sound.
    """
    rng = np.random.default_rng(_seed(actor, take))
    n_frames = round(len(speech.sound) / SAMPLE_RATE_HZ * FRAME_RATE_HZ)
    seconds = np.arange(n_frames) / FRAME_RATE_HZ
    hops = np.arange(len(speech.opening)) * HOP_S
    # Loud voices go with wide mouths.
    wide = _SPEECH_OPENING * {"angry": 1.5, "calm": 0.8, "sad": 0.75}.get(take.emotion, 1.0)
    opening = wide * np.interp(seconds, hops, speech.opening)
    rounding = _SPEECH_ROUNDING * np.interp(seconds, hops, speech.rounding)
    fade_in = np.clip((seconds - 0.15) / 0.45, 0, 1)
    fade_out = np.clip((seconds - speech.end_s - 0.1) / 0.6, 0, 1)
    shown = (3 * fade_in**2 - 2 * fade_in**3) * (1 - 0.35 * fade_out)
    shown = shown * INTENSITY_SCALE[take.intensity]
    lively = 1.4 if take.emotion in ("happy", "angry", "surprise") else 1.0
    sways = {"x": 7, "y": 4, "yaw": 6, "pitch": 3, "roll_deg": 1.6, "gaze": 1.2}
    moves = {name: _sway(rng, seconds, lively * span) for name, span in sways.items()}
    moves["pitch"] = moves["pitch"] + 0.12 * opening
    blinks = _blinks(rng, seconds)
    light = rng.uniform(0.92, 1.04) + _sway(rng, seconds, 0.006)
    grains = _grains(rng, size)
    face = EXPRESSIONS[take.emotion]
    for index in range(n_frames):
        pose = Pose(
            **{name: float(move[index]) for name, move in moves.items()},
            blink=float(blinks[index]),
            speech_open=float(opening[index]),
            speech_round=float(rounding[index]),
        )
        frame = draw_face(actor, face.scaled(float(shown[index])), pose, size)
        yield _film(frame, float(light[index]), grains[index % len(grains)])


def _grains(rng: np.random.Generator, size: tuple[int, int]) -> list[np.ndarray]:
    """Make a few sheets of camera noise, int16 (height, width, 3), the same in all colours."""
    sheets = rng.normal(0, 1.3, (4, size[1], size[0])).round().astype(np.int16)
    return [cv2.merge([sheet] * 3) for sheet in sheets]


def _film(frame: np.ndarray, light: float, grain: np.ndarray) -> np.ndarray:
    """Apply the light of the room and the noise of the camera."""
    return cv2.add(cv2.convertScaleAbs(frame, alpha=light), grain, dtype=cv2.CV_8U)


def write_movie(path: Path, frames: Iterator[np.ndarray], sound: np.ndarray, size) -> None:
    """Encode H.264 and AAC into an MP4 file that says that it is made up."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as movie:
        movie.metadata["comment"] = SYNTHETIC_COMMENT
        options = {"crf": "24", "preset": "veryfast"}
        video = movie.add_stream("libx264", rate=FRAME_RATE_HZ, options=options)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        audio = movie.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        audio.bit_rate = 96_000
        for image in frames:
            movie.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        movie.mux(video.encode())
        block = 1024
        for start in range(0, len(sound), block):
            part = np.ascontiguousarray(sound[None, start : start + block])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            frame.pts = start
            movie.mux(audio.encode(frame))
        movie.mux(audio.encode())


def _finish(path: Path, write) -> Path:
    """Write a file under another name, then give it its own: never half a file."""
    write_atomically(path, lambda name: write(Path(name)))
    return path


def write_clip(
    path: Path | str, actor: int, take: Take, size: tuple[int, int] = REFERENCE_SIZE
) -> Path:
    """Make one clip with picture and sound.

    Args:
        path: The MP4 file to write; its folder is made where it is missing.
        actor: Actor number, which decides looks and voice.
        take: What the actor plays.
        size: Width and height of the picture, both even.

    Returns:
        The path. The file appears only when it is complete.

    Raises:
        ValueError: If the size is odd, or actor or take do not exist.
    """
    return write_scene(path, actor, [take], size)


def write_scene(
    path: Path | str, actor: int, takes: Iterable[Take], size: tuple[int, int] = REFERENCE_SIZE
) -> Path:
    """Make one clip of several takes of one actor, played one after the other.

    Args:
        path: The MP4 file to write; its folder is made where it is missing.
        actor: Actor number, which decides looks and voice.
        takes: What the actor plays.
        size: Width and height of the picture, both even.

    Returns:
        The path. The file appears only when it is complete.

    Raises:
        ValueError: If the size is odd, or actor or take do not exist.
    """
    if size[0] % 2 or size[1] % 2:
        raise ValueError(f"size {size[0]}x{size[1]} is odd: H.264 needs even width and height")
    takes = list(takes)
    for take in takes:
        take_path(actor, take)  # raises where the take does not exist
    person = make_actor(actor)
    speeches = [_speak(person, take) for take in takes]
    parts = zip(takes, speeches, strict=True)
    frames = (frame for take, speech in parts for frame in take_frames(person, take, speech, size))
    sound = np.concatenate([speech.sound for speech in speeches])
    return _finish(Path(path), lambda part: write_movie(part, frames, sound, size))


def write_sound(path: Path | str, actor: int, take: Take) -> Path:
    """Make the sound of a take alone, as 48 kHz 16-bit mono WAV like RAVDESS's 03-01 files.

    Args:
        path: The WAV file to write.
        actor: Actor number.
        take: What the actor plays.

    Returns:
        The path.
    """

    def write(part: Path) -> None:
        with wave.open(str(part), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE_HZ)
            samples = np.clip(_speak(make_actor(actor), take).sound, -1, 1) * 32767
            file.writeframes(samples.round().astype("<i2").tobytes())

    return _finish(Path(path), write)


def _sound_path(actor: int, take: Take) -> Path:
    clip = take_path(actor, take)
    return clip.with_name("03" + clip.stem[2:] + ".wav")


def _make_missing(jobs: list[tuple], n_jobs: int, label: str) -> list[Path]:
    """Run (function, path, actor, take) for each path that is not there yet."""
    missing = [job for job in jobs if not job[1].exists()]
    work = (delayed(function)(path, actor, take) for function, path, actor, take in missing)
    done = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    for _ in track(done, description=label, total=len(missing)):
        pass
    return [path for _, path, _, _ in jobs]


def make_corpus(
    folder: Path | str,
    actors: Iterable[int] = range(1, 25),
    takes: Iterable[Take] | None = None,
    n_jobs: int = 1,
) -> list[Path]:
    """Make a corpus of avatars with RAVDESS's folders and names.

    Clips that exist are kept, so a run that was broken off goes on where it stopped.

    Args:
        folder: Where the ``Actor_NN`` folders go.
        actors: Actor numbers; RAVDESS has 1 to 24, more are fine.
        takes: What each actor plays: all 60 takes of RAVDESS where nothing is given.
        n_jobs: Processes to use, -1 for one per core.

    Returns:
        The paths of all clips, made now or before.
    """
    plan = list(product(actors, all_takes() if takes is None else list(takes)))
    jobs = [(write_clip, Path(folder) / take_path(a, t), a, t) for a, t in plan]
    return _make_missing(jobs, n_jobs, "Drawing avatars")


def make_sound_corpus(
    folder: Path | str,
    actors: Iterable[int] = range(1, 25),
    takes: Iterable[Take] | None = None,
    n_jobs: int = 1,
) -> list[Path]:
    """Make the sound-only files (03-01-...wav) of a corpus of avatars; see make_corpus."""
    plan = list(product(actors, all_takes() if takes is None else list(takes)))
    jobs = [(write_sound, Path(folder) / _sound_path(a, t), a, t) for a, t in plan]
    return _make_missing(jobs, n_jobs, "Speaking avatars")


def make_examples(folder: Path | str) -> list[Path]:
    """Make the seven clips of DEMO/Examples: one for each emotion, each another avatar.

    Args:
        folder: Where the clips go, without ``Actor_NN`` folders. Existing ones are kept.

    Returns:
        Their paths.
    """
    plan = [
        (actor, Take(emotion, 1 if emotion == "neutral" else 2, statement))
        for emotion, actor, statement in _EXAMPLES
    ]
    jobs = [(write_clip, Path(folder) / take_path(a, t).name, a, t) for a, t in plan]
    return _make_missing(jobs, 1, "Drawing examples")
