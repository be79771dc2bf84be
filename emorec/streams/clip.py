"""A clip goes through all streams: decoded once, on a thread of its own, and read meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from emorec.engines import Network
from emorec.faces.landmarks import LandmarkPredictor
from emorec.features.geometry import FRAME_RATE_HZ
from emorec.media.grey import FrameBatch
from emorec.media.pacing import read_ahead
from emorec.media.reader import ClipReader
from emorec.media.recording import RecordingReader
from emorec.streams.everybody import Everybody, Told
from emorec.streams.face import FaceUsed
from emorec.streams.picture import PictureStream
from emorec.streams.voice import VoiceStream
from emorec.streams.windows import STREAMS, Findings

__all__ = ["ReadClip", "read_clip"]

_FRAMES_PER_BATCH = 4
_PIECES_AHEAD = 3


@dataclass(frozen=True)
class ReadClip:
    """A clip that went through the streams.

    Attributes:
        said: Stream -> what it says, None where there is nothing to be read; only those asked for.
        voice: The stream of the voice, finished.
        picture: The streams of the picture, finished.
        faces_used: Of the faces that were read, the most certain ones.
        people: Everybody who was seen, where that was asked for.
        duration_s: Length of the clip.
        is_synthetic: Whether the file says that it is an avatar's clip.
        notes: What a reader of the result should know.
    """

    said: dict[str, Findings | None]
    voice: VoiceStream
    picture: PictureStream
    faces_used: list[FaceUsed]
    people: list[Told]
    duration_s: float
    is_synthetic: bool
    notes: list[str]


def read_clip(
    open_clip: Callable[..., ClipReader | RecordingReader],
    networks: Mapping[str, Network],
    landmarks: LandmarkPredictor,
    *,
    streams: Sequence[str] = STREAMS,
    reads_everybody: bool = False,
    watch: Callable[[float], None] | None = None,
) -> ReadClip:
    """Read a clip.

    Args:
        open_clip: Opens it; called with what `ClipReader` takes beside the file.
        networks: Stream name -> its network.
        landmarks: Finds the landmarks.
        streams: Which are asked for.
        reads_everybody: Whether all faces are followed, beside the main one.
        watch: Called with the seconds read so far, after every piece; what it raises ends the
            work.

    Raises:
        MediaError: When it cannot be read as a clip.
    """
    hears, sees = "voice" in streams, tuple(streams) != ("voice",)
    voice = VoiceStream(networks["voice"])
    reader = open_clip(
        sample_rate_hz=voice.sample_rate_hz,
        frames_per_batch=_FRAMES_PER_BATCH,
        pictures_per_s=np.inf if reads_everybody else FRAME_RATE_HZ,
        kinds=_kinds(hears or reads_everybody, sees or reads_everybody),
    )
    # A thread of this clip's own: clips that are read at once do not wait for each other.
    with ThreadPoolExecutor(1, "predicting faces") as beside:
        picture = PictureStream(networks, landmarks, beside, reader.info.frame_rate_hz)
        everybody = None
        if reads_everybody:
            everybody = Everybody(networks, landmarks, beside, voice.sample_rate_hz)
        for piece in read_ahead(reader, _PIECES_AHEAD):
            if everybody is not None:
                everybody.add(piece)
            if isinstance(piece, FrameBatch):
                if sees:
                    picture.add(piece)
            elif hears:
                voice.add(piece)
            if watch is not None:
                watch(max(voice.end_s, picture.end_s))
        seen, faces_used = picture.finish()
        found = {"voice": voice.finish(), **seen}
        said = {stream: found[stream] for stream in streams}
        people = everybody.finish(said, voice.loudness) if everybody else []
    notes = [
        *reader.notes,
        *(voice.notes if hears else []),
        *(picture.notes_for(streams) if sees else []),
        *(everybody.notes if everybody else []),
    ]
    duration_s = max(voice.end_s, reader.picture_end_s)
    is_synthetic = reader.info.is_synthetic
    return ReadClip(said, voice, picture, faces_used, people, duration_s, is_synthetic, notes)


def _kinds(hears: bool, sees: bool) -> list[str]:
    """What of a clip is decoded."""
    return [kind for kind, is_wanted in (("video", sees), ("audio", hears)) if is_wanted]
