"""Small clips of twelve containers, and what is left of them after damage that a seed draws."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from helpers import made_voice, write_clip

from emorec.avatar import EXPRESSIONS, Pose, draw_face, make_actor

SECONDS, FRAME_RATE_HZ = 0.8, 15
CODECS = {
    "mp4": {},
    "mov": {"video_codec": "mjpeg", "audio_codec": "pcm_s16le", "pixel_format": "yuvj420p"},
    "mkv": {"video_codec": "mpeg4", "audio_codec": "flac"},
    "webm": {"video_codec": "libvpx", "audio_codec": "libopus"},
    "avi": {"video_codec": "mpeg4", "audio_codec": "libmp3lame"},
    "flv": {"video_codec": "flv", "audio_codec": "aac"},
    "ts": {"video_codec": "mpeg2video", "audio_codec": "mp2"},
    "ogg": {"audio_codec": "libopus"},
    "wav": {"audio_codec": "pcm_s16le"},
    "mp3": {"audio_codec": "libmp3lame"},
    "flac": {"audio_codec": "flac"},
    "gif": {"video_codec": "gif", "pixel_format": "rgb8"},
}
"""Container, by its suffix, -> what `write_clip` makes it of."""
ONLY_SOUND, ONLY_PICTURE = ("ogg", "wav", "mp3", "flac"), ("gif",)
_FIELD_BYTES = 4
_MOST_DAMAGES = 3


def made_clips(folder: Path) -> dict[str, bytes]:
    """Make a clip of each container with a face that speaks; returns suffix -> content."""
    person, happy = make_actor(4), EXPRESSIONS["happy"]
    drawn = [draw_face(person, happy, Pose(speech_open=o), (320, 180)) for o in (0.0, 8.0)]
    count = round(SECONDS * FRAME_RATE_HZ)
    frames = np.stack([drawn[index // 3 % 2][..., ::-1] for index in range(count)])
    voice = made_voice(SECONDS)
    found = {}
    for suffix, codecs in CODECS.items():
        path = write_clip(
            folder / f"whole.{suffix}",
            None if suffix in ONLY_SOUND else frames,
            None if suffix in ONLY_PICTURE else voice,
            frame_rate_hz=FRAME_RATE_HZ,
            **codecs,
        )
        found[suffix] = path.read_bytes()
    return found


def mutant(whole: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Return name and content of a damaged clip; the same for the same seed and number."""
    rng = np.random.default_rng([seed, number])
    suffix = list(whole)[number % len(whole)]
    content, done = bytearray(whole[suffix]), []
    for _ in range(rng.integers(1, _MOST_DAMAGES + 1)):
        name = str(rng.choice(list(DAMAGES)))
        content = DAMAGES[name](rng, content)
        done.append(name)
    return f"{number:06d}-{'-'.join(done)}.{suffix}", bytes(content)


def _place(rng: np.random.Generator, content: bytearray) -> int:
    """Draw where to damage; half of the times near the beginning, where headers lie."""
    last = max(1, len(content))
    return int(rng.integers(min(last, 2048) if rng.random() < 0.5 else last))


def _block(rng: np.random.Generator, content: bytearray) -> slice:
    start = _place(rng, content)
    return slice(start, start + int(2 ** rng.uniform(0, 13)))


def _flipped(rng: np.random.Generator, content: bytearray) -> bytearray:
    for _ in range(int(2 ** rng.uniform(0, 7))):
        if content:
            content[_place(rng, content)] ^= 1 << int(rng.integers(8))
    return content


def _cut(rng: np.random.Generator, content: bytearray) -> bytearray:
    return content[: _place(rng, content)]


def _without_start(rng: np.random.Generator, content: bytearray) -> bytearray:
    return content[_place(rng, content) :]


def _repeated(rng: np.random.Generator, content: bytearray) -> bytearray:
    block = _block(rng, content)
    content[block.start : block.start] = content[block] * int(rng.integers(1, 5))
    return content


def _swapped(rng: np.random.Generator, content: bytearray) -> bytearray:
    start, middle, end = sorted(_place(rng, content) for _ in range(3))
    content[start:end] = content[middle:end] + content[start:middle]
    return content


def _other_length(rng: np.random.Generator, content: bytearray) -> bytearray:
    """Change a field whose value could be a length: one that is no more than the file is long."""
    order = str(rng.choice(["big", "little"]))
    for _ in range(200):
        start = _place(rng, content)
        field = slice(start, start + _FIELD_BYTES)
        value = int.from_bytes(content[field], order)
        if start + _FIELD_BYTES <= len(content) and 0 < value <= len(content):
            lies = (0, 1, value - 1, value + 1, 2 * value, 2**31 - 1, 2**32 - 1)
            lie = int(rng.choice([*lies, int(rng.integers(2**32))]))
            content[field] = lie.to_bytes(_FIELD_BYTES, order)
            break
    return content


def _with_garbage(rng: np.random.Generator, content: bytearray) -> bytearray:
    block = _block(rng, content)
    content[block.start : block.start] = rng.bytes(block.stop - block.start)
    return content


def _zeroed(rng: np.random.Generator, content: bytearray) -> bytearray:
    block = _block(rng, content)
    content[block] = bytes(len(content[block]))
    return content


def _overwritten(rng: np.random.Generator, content: bytearray) -> bytearray:
    block = _block(rng, content)
    content[block] = rng.bytes(len(content[block]))
    return content


DAMAGES: dict[str, Callable[[np.random.Generator, bytearray], bytearray]] = {
    "flipped": _flipped,
    "cut": _cut,
    "headless": _without_start,
    "repeated": _repeated,
    "swapped": _swapped,
    "length": _other_length,
    "garbage": _with_garbage,
    "zeroed": _zeroed,
    "overwritten": _overwritten,
}
