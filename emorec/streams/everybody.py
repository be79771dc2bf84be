"""Everybody in a clip: what each person's face says, and the voice where that person speaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np

from emorec.engines import Network
from emorec.faces.landmarks import LandmarkPredictor
from emorec.features.loudness import Loudness
from emorec.media.grey import FrameBatch
from emorec.media.sound import SoundBlock
from emorec.streams.people import PeopleStream, Seen
from emorec.streams.speaking import shares_of_windows, stretches_of, voice_of, who_speaks
from emorec.streams.windows import Findings

__all__ = ["Everybody", "Told"]

_LEAST_NOTED = 0.1  # of the speech, for a note that it is nobody's who is seen


@dataclass(frozen=True)
class Told:
    """One of the people.

    Attributes:
        seen: What was seen of them.
        findings: Stream -> what it says of them; only what there is.
        speech_share: How much of the clip's speech is theirs, 0 to 1; None where nobody listened.
        speaks: (n, 2) float64: from when to when they speak, in seconds.
    """

    seen: Seen
    findings: dict[str, Findings]
    speech_share: float | None
    speaks: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))


class Everybody:
    """Reads everybody in a clip, beside what reads the clip as a whole.

    Args:
        networks: Stream name -> its network.
        landmarks: Finds the landmarks.
        beside: Where the face network runs; see `FaceStream`.
        sample_rate_hz: Rate of the sound.

    Attributes:
        notes: What a reader of the result should know; complete after `finish`.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        landmarks: LandmarkPredictor,
        beside: Executor,
        sample_rate_hz: int,
    ):
        self.notes: list[str] = []
        self._people = PeopleStream(networks, landmarks, beside)
        self._loudness = Loudness(sample_rate_hz)

    def add(self, piece: FrameBatch | SoundBlock) -> None:
        """Take the next frames, or the next stretch of sound."""
        if isinstance(piece, FrameBatch):
            self._people.add(piece)
        else:
            self._loudness.add(piece)

    def finish(self, said: Mapping[str, Findings | None], loudness: np.ndarray) -> list[Told]:
        """Return the people of whom there is something to say, in the order of being seen.

        Args:
            said: What those of the clip's streams say that are asked for; face and geometry count
                where there is one person.
            loudness: (windows,) what each window of the voice weighs.
        """
        people, voice = self._people.finish(), said.get("voice")
        if len(people) == 1:
            same = {s: found for s, found in said.items() if found and s != "voice"}
            people = [replace(people[0], findings=same or people[0].findings, notes=[])]
        people = [replace(one, findings=_some(one.findings, said)) for one in people]
        self.notes = self._people.notes
        if voice is None:
            share = 0.0 if "voice" in said else None
            return [Told(seen, seen.findings, share) for seen in people if seen.findings]
        levels_db = self._loudness.levels_db
        speakers = who_speaks([seen.mouth for seen in people], levels_db)
        shares = shares_of_windows(voice, speakers, levels_db, len(people))
        of_each = np.average(shares, axis=0, weights=loudness)
        nobodys = 1 - float(of_each.sum())
        if people and nobodys >= _LEAST_NOTED:
            self.notes.append(f"{nobodys:.0%} of the speech is of nobody who is seen")
        told = []
        for i, (seen, spoken, own) in enumerate(zip(people, of_each, shares.T, strict=True)):
            heard = voice_of(voice, loudness, own)
            findings = {"voice": heard, **seen.findings} if heard else seen.findings
            told.append(Told(seen, findings, float(spoken), stretches_of(i, speakers)))
        return [one for one in told if one.findings]


def _some(findings: Mapping[str, Findings], streams: Iterable[str]) -> dict[str, Findings]:
    return {stream: findings[stream] for stream in streams if stream in findings}
