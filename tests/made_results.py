"""Results made by hand, for what shows them."""

from pathlib import Path

import numpy as np

from emorec.emotions import COMMON7
from emorec.result.clip import ClipResult
from emorec.streams.face import FaceUsed
from emorec.streams.windows import Windows


def posterior(emotion: str, probability: float = 0.7) -> np.ndarray:
    rest = (1 - probability) / (len(COMMON7) - 1)
    return np.array([probability if name == emotion else rest for name in COMMON7], np.float32)


def made_result(streams: dict[str, str], name: str = "01-01-03-02-01-01-02.mp4") -> ClipResult:
    """A result of 4 s in which each stream says one emotion throughout."""
    windows = {
        stream: Windows(np.arange(0.25, 4, 0.5), np.tile(posterior(emotion), (8, 1)), 0.5)
        for stream, emotion in streams.items()
    }
    face = FaceUsed(1.0, np.full((112, 112), 90, np.uint8), "happy", 0.8)
    return ClipResult(
        Path(name),
        "ok",
        posteriors={stream: posterior(emotion) for stream, emotion in streams.items()},
        windows=windows,
        notes=["no face from 1.0 to 2.0 s"],
        faces_used=[face] * 3 if "face" in streams else [],
        duration_s=4.0,
    )


ALL = {"voice": "sad", "face": "happy", "geometry": "fear", "fused": "happy"}
VOICE_ONLY = {"voice": "sad", "fused": "sad"}
