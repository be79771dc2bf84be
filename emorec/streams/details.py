"""What was seen and heard on the way to a verdict: faces and windows of sound, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from emorec.emotions import COMMON7
from emorec.faces.pose import head_pose
from emorec.faces.record import FaceRecord
from emorec.streams.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FACE_COLUMNS",
    "VOICE_COLUMNS",
    "HeardWindows",
    "SeenFaces",
    "faces_table",
    "with_embeddings",
]

_POINT_NAMES = [f"{axis}{i}" for i in range(68) for axis in "xy"]

FACE_COLUMNS = (
    *("time_s", "person", "x", "y", "width", "height", "yaw_deg", "pitch_deg", "roll_deg"),
    *COMMON7,
    *_POINT_NAMES,
)
"""Head of a table of faces."""

VOICE_COLUMNS = ("start_s", "end_s", "speech_share", "loudness_db", *COMMON7)
"""Head of a table of windows of the voice."""

_QUIETEST_DB = -100.0


def _none() -> np.ndarray:
    return np.zeros((0, 0), np.float32)


def with_embeddings(rows: pd.DataFrame, stream: str, values: np.ndarray) -> pd.DataFrame:
    """Put embeddings beside what tells whose they are.

    Args:
        rows: A row for each.
        stream: "voice" or "face"; columns are called voice_0000 and so on.
        values: (n, d) float32; where d is 0, none were asked for, and there are no rows.
    """
    import pandas as pd

    count = values.shape[1]
    names = [f"{stream}_{i:0{len(str(count - 1))}}" for i in range(count)]
    rows = rows if count else rows[:0]
    values = values if count else _none()
    return pd.concat([rows, pd.DataFrame(values, index=rows.index, columns=names)], axis=1)


@dataclass(frozen=True)
class SeenFaces:
    """Every face of somebody that the streams looked at.

    Attributes:
        record: Where they were, and their landmarks.
        said: What the face network said of those that it looked at.
        embeddings: (n, d) float32, of the same ones; d is 0 where they were not asked for.
    """

    record: FaceRecord
    said: Windows
    embeddings: np.ndarray = field(default_factory=_none)

    def __repr__(self) -> str:
        return f"<SeenFaces: {len(self.record.times_s)}, of which {len(self.said.times_s)} read>"

    def embeddings_table(self, person: int | None = None) -> pd.DataFrame:
        """Return time_s, person and the embedding of each face that the network looked at."""
        import pandas as pd

        times_s = self.said.times_s
        number = pd.array([person] * len(times_s), dtype="Int64")
        rows = pd.DataFrame({"time_s": times_s, "person": number})
        return with_embeddings(rows, "face", self.embeddings)

    def table(self, person: int | None = None) -> pd.DataFrame:
        """Return a row for each face; see `faces_table`."""
        import pandas as pd

        record = self.record
        count, points = len(record.times_s), record.points
        posteriors = np.full((count, len(COMMON7)), np.nan, np.float32)
        posteriors[record.rows_at(self.said.times_s)] = self.said.posteriors
        values = [record.boxes, head_pose(points, record.sizes), posteriors]
        values.append(points.reshape(count, len(_POINT_NAMES)))
        table = pd.DataFrame(np.concatenate(values, axis=1), columns=list(FACE_COLUMNS[2:]))
        number = pd.array([person] * count, dtype="Int64")
        ends = pd.DataFrame({"time_s": record.times_s, "person": number})
        return pd.concat([ends, table], axis=1)


def faces_table(faces: Sequence[tuple[int | None, SeenFaces]]) -> pd.DataFrame:
    """Join the faces of some people into one table, in the order of time.

    Args:
        faces: Numbers of people, None where nobody is numbered, and their faces.

    Returns:
        Columns `FACE_COLUMNS`: time_s; person; x, y, width, height of the box; head pose in
        degrees, see `faces.pose.head_pose`; the probability of each emotion, NaN where the face
        network did not look; x0, y0 to x67, y67, the landmarks. In pixels of the upright picture.
    """
    import pandas as pd

    parts = [seen.table(number) for number, seen in faces]
    if not parts:
        return pd.DataFrame(columns=list(FACE_COLUMNS))
    return pd.concat(parts).sort_values(["time_s", "person"], ignore_index=True, kind="stable")


@dataclass(frozen=True)
class HeardWindows:
    """The windows of sound that the voice was read from.

    Attributes:
        starts_s: (n,) float64, seconds from the start of the clip.
        ends_s: (n,) float64.
        speech_shares: (n,) float64: how much of each is speech, 0 to 1.
        loudness: (n,) float64: root mean square; 1 is full scale.
        embeddings: (n, d) float32; d is 0 where they were not asked for.
    """

    starts_s: np.ndarray
    ends_s: np.ndarray
    speech_shares: np.ndarray
    loudness: np.ndarray
    embeddings: np.ndarray = field(default_factory=_none)

    def __repr__(self) -> str:
        return f"<HeardWindows: {len(self.starts_s)}>"

    def table(self, posteriors: np.ndarray) -> pd.DataFrame:
        """Return a row for each window.

        Args:
            posteriors: (n, 7) what the voice says in each.

        Returns:
            Columns `VOICE_COLUMNS`: start_s, end_s, speech_share, loudness_db (decibel of full
            scale), the probability of each emotion.
        """
        import pandas as pd

        level_db = 20 * np.log10(np.maximum(self.loudness, 10 ** (_QUIETEST_DB / 20)))
        ends = [self.starts_s, self.ends_s, self.speech_shares, level_db]
        table = pd.DataFrame(np.column_stack([*ends, posteriors]), columns=list(VOICE_COLUMNS))
        return table.astype(dict.fromkeys(VOICE_COLUMNS[2:], np.float32))
