"""What the page shows of a clip: words, and where bars, strips and areas lie.

The rest is templates, which escape every name. No style stands in the markup, for the page's policy
allows none: what has a length is drawn as SVG, colours are classes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emorec.confidence import word_for
from emorec.emotions import COMMON7
from emorec.errors import printable
from emorec.result.clip import ClipResult, Judged, Person
from emorec.streams.segments import clock, course
from emorec.streams.windows import STREAMS, Span, at_most, courses, spans
from emorec.style import EMOTION_COLORS, TITLES, bars_of, readable_on, strength

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Shown", "clip_html", "colors_css", "render", "words_for"]

TEMPLATES = Path(__file__).with_name("templates")

_WIDTH, _COURSE_HEIGHT = 1000, 100
_SAYS = {"voice": "the voice", "face": "the face", "geometry": "how the face moves"}
_MOST_TICKS = 6
_MOST_SPANS = 400  # of a stream: ten minutes have more windows than a screen has room for
_LEAST_NAMED = 12.0  # % of the width that an emotion's name needs


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters.update(
        bars=bars_of,
        of_person=_of_person,
        percent=lambda share: f"{share:.0%}",
        sentence=_sentence,
        verdict=_verdict,
        whole=lambda percent: "–" if percent is None else f"{percent:.0f}%",
        words=words_for,
    )
    made.globals.update(titles=TITLES, emotions=COMMON7, nothing=np.zeros(len(COMMON7)))
    return made


def render(template: str, **values: Any) -> str:
    """Fill in one of the page's templates."""
    return _templates().get_template(template).render(values)


def colors_css() -> str:
    """Return the emotions' colours as classes, each with what is read on it."""
    return "".join(
        f".e-{name} {{ --shade: {color}; --on: {readable_on(color)}; }}\n"
        for name, color in EMOTION_COLORS.items()
    )


@dataclass(frozen=True)
class Shown:
    """A clip as its template takes it.

    Attributes:
        result: What was found.
        name: What its owner calls it.
        token: What it is known by, "" where there is no file to play or to draw into.
        address: Where its player finds it, "" for none.
        kind: "video" or "audio".
        is_row: Whether it is one of several, and opens on demand.
    """

    result: ClipResult
    name: str
    token: str = ""
    address: str = ""
    kind: str = "audio"
    is_row: bool = False

    @property
    def duration_s(self) -> float:
        """Length of what is shown, never 0."""
        return round(max(self.result.duration_s, 1e-3), 3)

    @property
    def segments(self) -> list[dict]:
        """Stretches of one emotion, in percent of the width."""
        return _marks(self.result.segments, self.duration_s)

    @property
    def strips(self) -> list[tuple[str, list[dict]]]:
        """Each stream that there is, and its windows in percent of the width."""
        return [
            (stream, _marks(_spans(self.result, stream, self.duration_s), self.duration_s))
            for stream in STREAMS
            if stream in self.result.windows
        ]

    @property
    def areas(self) -> Iterator[dict]:
        """The course of all together: an area for each emotion, corner by corner."""
        scale = _WIDTH / self.duration_s
        for times_s, posteriors in courses(self.result.windows["fused"]):
            places = [f"{min(at_s, self.duration_s) * scale:.1f}" for at_s in times_s]
            tops = _COURSE_HEIGHT * (1 - np.cumsum(posteriors, 1))
            floors = np.concatenate([np.full((len(tops), 1), float(_COURSE_HEIGHT)), tops], 1)
            for i, name in enumerate(COMMON7):
                upper = [f"{x},{y:.1f}" for x, y in zip(places, floors[:, i + 1], strict=True)]
                lower = [f"{x},{y:.1f}" for x, y in zip(places, floors[:, i], strict=True)]
                yield {"emotion": name, "points": " ".join([*upper, *reversed(lower)])}

    @property
    def ticks(self) -> list[dict]:
        """Places and texts of the axis."""
        steps = (0.5, 1, 2, 5, 10, 20, 30, 60, 120)
        step_s = next((s for s in steps if self.duration_s / s < _MOST_TICKS), 300)
        # One at the very end would have no room for its number.
        times_s = np.arange(0, 0.94 * self.duration_s, step_s)
        write = clock if self.duration_s > 60 else lambda at_s: f"{at_s:g} s"
        return [{"x": f"{100 * t / self.duration_s:.2f}", "text": write(t)} for t in times_s]

    @property
    def said(self) -> str:
        """JSON: title of a stream -> [[from_s, to_s, emotion, percent], ...]."""
        order = ("fused", *STREAMS)
        return json.dumps(
            {
                TITLES[stream]: [
                    [round(s.start_s, 2), round(s.end_s, 2), s.emotion, round(100 * s.confidence)]
                    for s in _spans(self.result, stream, self.duration_s)
                ]
                for stream in order
                if stream in self.result.windows
            }
        )

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody in the clip, where there are several."""
        return self.result.people if len(self.result.people) > 1 else ()

    def course_of(self, person: Person) -> list[dict]:
        """What is said of a person over time, in percent of the width."""
        return _marks(_spans(person, "fused", self.duration_s), self.duration_s)


def clip_html(shown: Shown) -> str:
    """Return a clip's result: an article, or a row that opens."""
    return render("clip.html", clip=shown)


def words_for(result: Judged) -> str:
    """Say a verdict in words.

    Example:
        >>> posterior = np.array([0, 0, 0, 0.95, 0, 0, 0.05], np.float32)
        >>> words_for(ClipResult("a", "ok", {"voice": posterior, "fused": posterior}))
        'Very likely happy, next surprise. The voice says happy.'
    """
    fused = result.posteriors["fused"]
    first, second = (COMMON7[i] for i in np.argsort(fused)[::-1][:2])
    word = word_for(float(fused.max()))
    sure = "Unsure, perhaps" if word == "unsure" else word.capitalize()
    says = {stream: result.verdict(stream) for stream in STREAMS if result.verdict(stream)}
    agree = len(set(says.values())) == 1
    if agree and len(says) > 1:
        everyone = "both" if len(says) == 2 else "all"
        common = next(iter(says.values()))
        reasons = f"{_listed([_SAYS[s] for s in says])} {everyone} say {common}"
    else:
        reasons = _listed([f"{_SAYS[stream]} says {said}" for stream, said in says.items()])
    told = course(result.segments) if isinstance(result, ClipResult) else ""
    over_time = f" Over time: {told}." if told else ""
    return f"{sure} {first}, next {second}. {reasons[:1].upper()}{reasons[1:]}.{over_time}"


def _of_person(person: Person) -> str:
    seen = f"seen for {person.seen_s:.0f} s"
    if len(person.track.times_s):
        first_s, last_s = person.track.times_s[[0, -1]]
        seen += f" ({clock(first_s)} to {clock(last_s)})"
    told = [seen]
    if person.is_picture:
        told.append("a picture, perhaps")
    elif person.speech_share is not None:
        share = person.speech_share
        told.append(f"has {share:.0%} of the speech" if share else "is silent")
    return "; ".join([*told, *person.notes])


def _spans(result: Judged, stream: str, duration_s: float) -> list[Span]:
    return spans(at_most(result.windows[stream], _MOST_SPANS, duration_s), duration_s)


def _marks(found: Sequence[Span], duration_s: float) -> list[dict]:
    scale = 100 / duration_s
    return [
        {
            "emotion": span.emotion,
            "x": f"{span.start_s * scale:.2f}",
            "width": f"{(span.end_s - span.start_s) * scale:.2f}",
            "has_room": (span.end_s - span.start_s) * scale >= _LEAST_NAMED,
            "opacity": f"{strength(span.confidence):.2f}",
        }
        for span in found
    ]


def _verdict(posterior: np.ndarray | None) -> str:
    """The likeliest emotion and its share; "" where nothing is said."""
    if posterior is None or not np.any(posterior):
        return ""
    return f"{COMMON7[int(posterior.argmax())]} {posterior.max():.0%}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _sentence(text: str) -> str:
    text = printable(text)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
