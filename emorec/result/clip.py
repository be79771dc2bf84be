"""What is found out about one clip: verdicts, probabilities, timeline, and how Jupyter shows it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emorec.confidence import word_for
from emorec.emotions import COMMON7
from emorec.faces.track import LONGEST_REACH_S, FaceTrack
from emorec.features.pitch import SAMPLE_RATE_HZ as PITCH_RATE_HZ
from emorec.features.pitch import track_pitch
from emorec.media import storage
from emorec.media.reader import sound_blocks
from emorec.streams.details import (
    VOICE_COLUMNS,
    HeardWindows,
    SeenFaces,
    faces_table,
    with_embeddings,
)
from emorec.streams.face import FaceUsed
from emorec.streams.segments import segments
from emorec.streams.windows import STREAMS, Span, Windows

if TYPE_CHECKING:
    import pandas as pd

    from emorec.streams.everybody import Told
    from emorec.streams.judge import Judge

__all__ = ["ClipResult", "Judged", "Person"]


class Judged:
    """What streams say of a clip or of a person in it: a verdict, and how it came about.

    Attributes:
        posteriors: Stream name or "fused" -> (7,) float32 over COMMON7; only what there is.
        windows: The same over time.
        duration_s: Length of the clip.
    """

    posteriors: dict[str, np.ndarray]
    windows: dict[str, Windows]
    duration_s: float

    def verdict(self, stream: str) -> str | None:
        """Return the likeliest emotion of a stream or "fused", None where it is missing."""
        posterior = self.posteriors.get(stream)
        return None if posterior is None else COMMON7[int(posterior.argmax())]

    @property
    def emotion(self) -> str | None:
        """The verdict, one of COMMON7, or None."""
        return self.verdict("fused")

    @property
    def confidence(self) -> float | None:
        """Probability of the verdict, 0 to 1, or None."""
        posterior = self.posteriors.get("fused")
        return None if posterior is None else float(posterior.max())

    @property
    def confidence_word(self) -> str | None:
        """The confidence in words, "very likely", "probably" or "unsure", or None.

        `emorec.confidence` says what each was worth on corpora that nothing was trained on.
        """
        return None if self.confidence is None else word_for(self.confidence)

    @property
    def probabilities(self) -> pd.DataFrame:
        """Rows voice, face, geometry, fused (only what there is), columns COMMON7."""
        import pandas as pd

        rows = [name for name in (*STREAMS, "fused") if name in self.posteriors]
        values = np.array([self.posteriors[name] for name in rows]).reshape(-1, len(COMMON7))
        return pd.DataFrame(values, index=rows, columns=list(COMMON7))

    @property
    def timeline(self) -> pd.DataFrame:
        """One row for each window of each stream: time_s, stream, one column per emotion."""
        import pandas as pd

        parts: list[pd.DataFrame] = []
        for name in (*STREAMS, "fused"):
            if name in self.windows:
                part = pd.DataFrame(self.windows[name].posteriors, columns=list(COMMON7))
                part.insert(0, "stream", name)
                part.insert(0, "time_s", self.windows[name].times_s)
                parts.append(part)
        columns = ["time_s", "stream", *COMMON7]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    @cached_property
    def segments(self) -> list[Span]:
        """The clip cut into stretches of one emotion, of all together; see `streams.segments`."""
        fused = self.windows.get("fused")
        return [] if fused is None else segments(fused, self.duration_s)


@dataclass(frozen=True)
class Person(Judged):
    """One of the people in a clip.

    Attributes:
        number: From 1, in the order in which they were first seen.
        track: The box of the face in every frame in which it was seen.
        speech_share: How much of the clip's speech is this person's, 0 to 1; None where the voice
            was not asked for.
        posteriors: Stream name or "fused" -> (7,) float32 over COMMON7; only what there is. The
            voice's are of the windows in which this person speaks.
        windows: The same over time.
        is_picture: Whether the face never moved, as a poster's.
        notes: What a reader should know, in plain words.
        duration_s: Length of the clip.
        seen: Every face of this person that was looked at.
        speaks: (n, 2) float64: from when to when this person speaks, in seconds.
    """

    number: int
    track: FaceTrack
    speech_share: float | None = 0.0
    posteriors: dict[str, np.ndarray] = field(default_factory=dict)
    windows: dict[str, Windows] = field(default_factory=dict)
    is_picture: bool = False
    notes: list[str] = field(default_factory=list)
    duration_s: float = 0.0
    seen: SeenFaces | None = None
    speaks: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    @classmethod
    def of(cls, number: int, told: Told, judge: Judge, duration_s: float) -> Person:
        """Tell of one of several people what was seen and heard of them."""
        seen = told.seen
        return cls(
            number,
            seen.track,
            told.speech_share,
            **judge.of_clip(told.findings, duration_s),
            is_picture=seen.mouth is None,
            notes=seen.notes,
            duration_s=duration_s,
            seen=judge.of_faces(seen.record, seen.looked_at),
            speaks=told.speaks,
        )

    def speaks_at(self, time_s: float) -> bool:
        """Whether it is this person who speaks at a time."""
        return bool(((self.speaks[:, 0] <= time_s) & (time_s < self.speaks[:, 1])).any())

    @property
    def seen_s(self) -> float:
        """For about how long the face is seen, in seconds."""
        steps_s = np.diff(self.track.times_s)
        return float(steps_s[steps_s <= LONGEST_REACH_S].sum())

    def __repr__(self) -> str:
        found = f"{self.emotion} {self.confidence:.0%}" if self.emotion else "no verdict"
        speech = f", {self.speech_share:.0%} of the speech" if self.speech_share else ""
        return f"<Person {self.number}: {found}, seen for {self.seen_s:.1f} s{speech}>"


@dataclass(frozen=True)
class ClipResult(Judged):
    """The verdict on one clip, and everything that it rests on.

    Attributes:
        path: The file.
        status: "ok"; "no verdict" when there is neither a voice nor a face; "failed" when the
            file cannot be read.
        posteriors: Stream name or "fused" -> (7,) float32 over COMMON7; only what there is.
        windows: The same over time.
        notes: What a reader should know, in plain words.
        reason: Why there is no verdict, else "".
        remedy: What helps, else "".
        faces_used: A handful of faces, in order of time.
        face_track: Where the followed face was over time, None without a verdict.
        duration_s: Length of what was decoded.
        people: Everybody in it, where that was asked for; see `Recognizer.for_everybody`.
        named: What it was called, where that is no path (an address, bytes); else "".
        seen: Every face that was looked at; `faces` is the table of them.
        heard: Every window of sound that was read; `voice` is the table of them.
    """

    path: Path
    status: str
    posteriors: dict[str, np.ndarray] = field(default_factory=dict)
    windows: dict[str, Windows] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reason: str = ""
    remedy: str = ""
    faces_used: list[FaceUsed] = field(default_factory=list)
    face_track: FaceTrack | None = None
    duration_s: float = 0.0
    people: tuple[Person, ...] = ()
    named: str = ""
    seen: SeenFaces | None = None
    heard: HeardWindows | None = None

    @classmethod
    def failed(cls, path: str | Path, reason: str, remedy: str) -> ClipResult:
        """Make the result of a clip that cannot be read."""
        # A path would lose a stroke of an address.
        named = str(path) if "://" in str(path) else ""
        return cls(Path(path), "failed", reason=reason, remedy=remedy, named=named)

    @property
    def name(self) -> str:
        """What the clip is called in tables: its path, or what was named and is none."""
        return self.named or str(self.path)

    @property
    def truth(self) -> str | None:
        """The acted emotion, one of COMMON7, where the file's name tells it."""
        from emorec.corpora.registry import truth_of

        return truth_of(self.path)

    @property
    def faces(self) -> pd.DataFrame:
        """One row for each face that was looked at, about 15 a second.

        Of everybody, where that was asked for; else of the main face, whose `person` is empty.
        The columns are told by `streams.details.faces_table`. Head poses are computed here, in
        a third of a millisecond each.
        """
        return faces_table(self._seen)

    @property
    def _seen(self) -> list[tuple[int | None, SeenFaces]]:
        """Numbers of people, None where nobody is numbered, and their faces."""
        seen: list[tuple[int | None, SeenFaces]]
        seen = [(person.number, person.seen) for person in self.people if person.seen]
        return [(None, self.seen)] if not seen and self.seen else seen

    @property
    def face_embeddings(self) -> pd.DataFrame:
        """time_s, person, face_000 to face_255 (float32) of each face that its network looked at.

        Without a row unless asked for: see `Recognizer.with_embeddings`.
        """
        import pandas as pd

        tables = [seen.embeddings_table(number) for number, seen in self._seen]
        if not tables:
            return pd.DataFrame(columns=["time_s", "person"])
        return pd.concat(tables).sort_values(["time_s", "person"], ignore_index=True, kind="stable")

    @property
    def voice_embeddings(self) -> pd.DataFrame:
        """start_s, end_s, voice_0000 to voice_3071 (float32) of each row of `voice`.

        Without a row unless asked for: see `Recognizer.with_embeddings`.
        """
        rows = self.voice[["start_s", "end_s"]]
        if self.heard is None or not len(rows):
            return rows
        return with_embeddings(rows, "voice", self.heard.embeddings)

    @property
    def voice(self) -> pd.DataFrame:
        """One row for each window of sound in which somebody speaks; see `HeardWindows.table`.

        `voice_with_pitch` has the pitch, too.
        """
        import pandas as pd

        if self.heard is None or "voice" not in self.windows:
            return pd.DataFrame(columns=list(VOICE_COLUMNS))
        return self.heard.table(self.windows["voice"].posteriors)

    def voice_with_pitch(self) -> pd.DataFrame:
        """Return `voice` with a column `pitch_hz`: the median over a window, NaN without a voice.

        The sound is not kept: it is read again from where the clip lies.

        Raises:
            MediaError: When the clip is there no longer.
        """
        table = self.voice
        if self.heard is None or not len(table):
            return table.assign(pitch_hz=np.zeros(0, np.float32))
        is_elsewhere = storage.is_address(self.named)
        clip = storage.local_copy(self.named) if is_elsewhere else nullcontext(self.path)
        with clip as path:
            track = track_pitch(sound_blocks(path, PITCH_RATE_HZ))
        pitch_hz = track.medians(self.heard.starts_s, self.heard.ends_s)
        table.insert(VOICE_COLUMNS.index("loudness_db") + 1, "pitch_hz", pitch_hz)
        return table

    def __repr__(self) -> str:
        found = f"{self.emotion} {self.confidence:.0%}" if self.emotion else self.reason
        people = f", {len(self.people)} people" if len(self.people) > 1 else ""
        return f"<ClipResult {self.name!r}: {self.status}, {found}{people}>"

    def _repr_html_(self) -> str:
        """What Jupyter shows: a player, bars, the timeline and notes."""
        from emorec.result.html import render

        return render(self)
