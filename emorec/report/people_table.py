"""A verdict and the people of a clip as rows of tables and entries of files."""

from __future__ import annotations

from emorec.emotions import COMMON7
from emorec.result.clip import ClipResult, Judged, Person
from emorec.streams.windows import STREAMS

__all__ = [
    "PEOPLE_COLUMNS",
    "people_rows",
    "person_entry",
    "probabilities",
    "probability_columns",
    "verdict_columns",
]


def verdict_columns(judged: Judged) -> dict:
    """Return emotion, confidence, confidence_word and each stream's own verdict."""
    return {
        "emotion": judged.emotion,
        "confidence": judged.confidence,
        "confidence_word": judged.confidence_word,
        **{stream: judged.verdict(stream) for stream in STREAMS},
    }


def probability_columns(judged: Judged) -> dict:
    """Return the fused probability of each emotion, None where there is no verdict."""
    fused = judged.posteriors.get("fused")
    return {
        f"p_{name}": None if fused is None else float(fused[i]) for i, name in enumerate(COMMON7)
    }


def probabilities(judged: Judged) -> dict:
    """Return stream or "fused" -> emotion -> probability, rounded for a file."""
    return {
        stream: {name: round(float(p), 5) for name, p in zip(COMMON7, posterior, strict=True)}
        for stream, posterior in judged.posteriors.items()
    }


def people_rows(result: ClipResult) -> list[dict]:
    """Return what the CSV file says of the people of a clip: column name -> value, of each.

    Columns: file, person (its number), emotion, confidence (0 to 1), confidence_word, each
    stream's own verdict, the fused probability of each emotion, first_s and last_s (when the face
    is seen first and last), seen_s (for how long), speech_share (of the clip's speech, 0 to 1;
    empty where the voice was not asked for), is_picture, notes.
    """
    return [{"file": result.name, **_row(person)} for person in result.people]


def _row(person: Person) -> dict:
    times_s = person.track.times_s
    return {
        "person": person.number,
        **verdict_columns(person),
        **probability_columns(person),
        "first_s": float(times_s[0]),
        "last_s": float(times_s[-1]),
        "seen_s": person.seen_s,
        "speech_share": person.speech_share,
        "is_picture": person.is_picture,
        "notes": "; ".join(person.notes),
    }


PEOPLE_COLUMNS = (
    "file",
    "person",
    "emotion",
    "confidence",
    "confidence_word",
    *STREAMS,
    *(f"p_{name}" for name in COMMON7),
    "first_s",
    "last_s",
    "seen_s",
    "speech_share",
    "is_picture",
    "notes",
)
"""Head of the CSV file of people."""


def person_entry(person: Person) -> dict:
    """Return what the JSON file says of a person."""
    entry = {
        name: round(value, 5) if isinstance(value, float) else value
        for name, value in _row(person).items()
        if not name.startswith("p_")
    }
    entry["notes"] = person.notes
    entry["probabilities"] = probabilities(person)
    return entry
