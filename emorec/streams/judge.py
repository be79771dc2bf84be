"""What the streams say together of one person: calibrated, without the person's bias, and fused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emorec.emotions import COMMON7, fold
from emorec.faces.record import FaceRecord
from emorec.fusion import LogLinearFusion
from emorec.speaker.calibration import Speaker, without_bias
from emorec.streams.details import SeenFaces
from emorec.streams.windows import STREAMS, TIMELINE_HOP_S, Findings, Windows, grid, on_grid

__all__ = ["ANYBODY", "ANY_PURPOSE", "Judge", "Purpose"]


ANYBODY = Speaker()


@dataclass(frozen=True)
class Purpose:
    """Whose clips are judged, and by what.

    Attributes:
        speaker: Whose, see `Recognizer.calibrate`; by default anybody's.
        everybody: See `Recognizer.for_everybody`.
        streams: See `Recognizer.for_streams`.
        embeddings: See `Recognizer.with_embeddings`.
    """

    speaker: Speaker = ANYBODY
    everybody: bool = False
    streams: tuple[str, ...] = STREAMS
    embeddings: bool = False


ANY_PURPOSE = Purpose()
"""Anybody's clips, by all streams, the main face alone."""


class Judge:
    """Joins what the streams say.

    Args:
        fusion: How.
        speaker: Of whom.
    """

    def __init__(self, fusion: LogLinearFusion, speaker: Speaker):
        self.fusion, self.speaker = fusion, speaker

    def of_clip(self, said: Mapping[str, Findings | None], duration_s: float) -> dict[str, Any]:
        """Join what was found in a clip.

        Args:
            said: Stream -> what it found; None for nothing.
            duration_s: Of the clip.

        Returns:
            `posteriors` and `windows` of a result; both are empty where nothing was found.
        """
        found = {s: self._personal_findings(s, f) for s, f in said.items() if f}
        if not found:
            return {"posteriors": {}, "windows": {}}
        return {
            "posteriors": self._joined({s: findings.pooled for s, findings in found.items()}),
            "windows": self._windows(found, duration_s),
        }

    def of_moment(
        self, posteriors: Mapping[str, np.ndarray], classes: Mapping[str, tuple[str, ...]]
    ) -> dict[str, np.ndarray]:
        """Join what the streams say of one moment, or of a whole recording.

        Args:
            posteriors: Stream -> (classes of its network,); an absent stream is left out.
            classes: Stream -> those classes.

        Returns:
            Stream or "fused" -> (7,) float32 over COMMON7; empty where no stream is there.
        """
        personal = {s: self._personal(s, p, classes[s]) for s, p in posteriors.items()}
        return self._joined(personal) if personal else {}

    def of_faces(self, record: FaceRecord, looked_at: Findings | None) -> SeenFaces:
        """Return the faces of a clip with what the face network said of each.

        Args:
            record: The faces.
            looked_at: What was said of those that the network looked at.
        """
        if looked_at is None:
            return SeenFaces(record, Windows(np.zeros(0), np.zeros((0, len(COMMON7))), 0.0))
        said = self._personal("face", looked_at.posteriors, looked_at.classes)
        said = fold(said, self.fusion.classes, COMMON7).astype(np.float32)
        return SeenFaces(record, Windows(looked_at.times_s, said, 0.0), looked_at.embeddings)

    def _personal_findings(self, stream: str, findings: Findings) -> Findings:
        """Apply `_personal` to all that a stream found."""
        return replace(
            findings,
            classes=self.fusion.classes,
            pooled=self._personal(stream, findings.pooled, findings.classes),
            posteriors=self._personal(stream, findings.posteriors, findings.classes),
        )

    def _personal(self, stream: str, posteriors: np.ndarray, classes: tuple) -> np.ndarray:
        """Fold to the classes of the fusion, calibrate, and take a known speaker's bias out."""
        folded = fold(posteriors, classes, self.fusion.classes)
        calibrated = self.fusion.calibrated({stream: folded})[stream]
        bias = self.speaker.biases.get(stream)
        return calibrated if bias is None else without_bias(calibrated, bias)

    def _joined(self, posteriors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Add the fused posterior to those of the streams; from the fusion's classes to COMMON7."""
        folded = {
            stream: fold(posterior, self.fusion.classes, COMMON7).astype(np.float32)
            for stream, posterior in posteriors.items()
        }
        return {**folded, "fused": self._fuse(posteriors)}

    def _windows(self, found: dict[str, Findings], duration_s: float) -> dict[str, Windows]:
        """What each stream says over time, and all of them together on an even grid."""
        windows = {
            stream: Windows(
                findings.times_s,
                fold(findings.posteriors, findings.classes, COMMON7),
                findings.window_s,
            )
            for stream, findings in found.items()
        }
        times_s = grid(list(found.values()), duration_s)
        fused = self._fuse({s: on_grid(findings, times_s) for s, findings in found.items()})
        there = np.isfinite(fused).all(1)
        windows["fused"] = Windows(times_s[there], fused[there], TIMELINE_HOP_S)
        return windows

    def _fuse(self, posteriors: dict[str, np.ndarray]) -> np.ndarray:
        """Join posteriors (..., classes of the fusion) into one (..., 7) over COMMON7."""
        fused = self.fusion.fuse(posteriors)
        return fold(fused, self.fusion.classes, COMMON7).astype(np.float32)
