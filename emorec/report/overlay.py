"""Draws what was found in a clip around and over its picture, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emorec.emotions import COMMON7
from emorec.media.colour import ColourSpace, Planes
from emorec.report.lettering import Lettering, line_height, text_width
from emorec.report.overlay_layout import Layout, Rect
from emorec.report.overlay_people import PeopleShown, ShownPerson
from emorec.result.clip import ClipResult
from emorec.streams.windows import means_over, posteriors_at
from emorec.style import EMOTION_COLORS, TITLES, readable_on, strength

__all__ = ["Overlay", "clock_text"]

_GROUND, _TRACK, _INK, _SOFT, _FAINT = "#16181c", "#2b2f36", "#f4f4f4", "#aab0ba", "#666c76"
_PLAYHEAD = "#ffffff"
_BLACK = "#000000"


class Overlay:
    """Everything that is drawn around one clip.

    Args:
        result: What was found, with a verdict.
        layout: Where things stand.
        space: What the colours of the frames mean.
    """

    def __init__(self, result: ClipResult, layout: Layout, space: ColourSpace):
        self.layout = layout
        self._result, self._space = result, space
        track = result.face_track
        self._face_track = track.smoothed() if track is not None else None
        self._letters = Lettering(space)
        # Of one person the box of the face that is followed says it all.
        people = result.people if len(result.people) > 1 else ()
        self._people = PeopleShown(people, self._size_of_label) if people else None
        self._colors = [space.yuv(EMOTION_COLORS[name]) for name in COMMON7]
        self._track, self._playhead = space.yuv(_TRACK), space.yuv(_PLAYHEAD)
        self._base = Planes.filled(layout.width, layout.height, space.yuv(_GROUND))
        self._draw_base()

    def draw(
        self,
        canvas: Planes,
        picture: Planes | None,
        time_s: float,
        place: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Draw one frame.

        Args:
            canvas: Planes of the layout's size; all of them are overwritten.
            picture: The clip's picture, None where it has none.
            time_s: Its time.
            place: x, y, width and height of what is shown, where bars are beside it in the picture.
        """
        canvas.copy_from(self._base)
        posteriors = self._posteriors(time_s)
        if picture is not None:
            canvas.paste(picture, *self.layout.picture[:2])
            shown = self._shown(place)
            if self._people is None:
                self._draw_face(canvas, time_s, posteriors.get("fused"), shown)
            else:
                self._draw_people(canvas, self._people.at(time_s, shown, self.layout.picture))
        for stream, posterior in posteriors.items():
            for bar, probability, color in zip(
                self.layout.bars[stream], posterior, self._colors, strict=True
            ):
                length = round(probability * (bar.x1 - bar.x0))
                canvas.fill(bar.x0, bar.y0, bar.x0 + length, bar.y1, color)
        if "fused" in posteriors:
            self._draw_percents(canvas, posteriors["fused"])
        self._draw_time(canvas, time_s)

    def _posteriors(self, time_s: float) -> dict[str, np.ndarray]:
        """What each stream says at a time; streams that say nothing are left out."""
        moment = np.array([time_s])
        values = {
            stream: posteriors_at(windows, moment)[0]
            for stream, windows in self._result.windows.items()
        }
        return {stream: value for stream, value in values.items() if np.isfinite(value[0])}

    def _draw_percents(self, canvas: Planes, posterior: np.ndarray) -> None:
        best = int(posterior.argmax())
        for i, (place, probability) in enumerate(zip(self.layout.percents, posterior, strict=True)):
            ink = _INK if i == best else _SOFT
            self._write(canvas, f"{probability:.0%}", place, ink)

    def _shown(self, place: tuple[int, int, int, int] | None) -> Rect:
        """Where on the canvas the picture is without bars beside it."""
        area = self.layout.picture
        if place is None:
            return area
        x, y, width, height = place
        return Rect(area.x0 + x, area.y0 + y, area.x0 + x + width, area.y0 + y + height)

    def _draw_face(
        self, canvas: Planes, time_s: float, posterior: np.ndarray | None, area: Rect
    ) -> None:
        """Frame the face in the colour of what all streams say now, and name it."""
        box = self._face_track.at(time_s) if self._face_track is not None else None
        if box is None:
            return
        scale = np.tile((area.x1 - area.x0, area.y1 - area.y0), 2)
        x, y, width, height = (box * scale).round().astype(int).tolist()
        frame = Rect(area.x0 + x, area.y0 + y, area.x0 + x + width, area.y0 + y + height)
        best = None if posterior is None else int(posterior.argmax())
        color = self._space.yuv(_SOFT) if best is None else self._colors[best]
        thickness = self._thickness
        self._outline(canvas, frame, thickness + 1, self._space.yuv(_BLACK), grow=1)
        self._outline(canvas, frame, thickness, color)
        if best is not None:
            self._draw_tag(canvas, frame, f"{COMMON7[best]} {posterior[best]:.0%}", best)

    @property
    def _thickness(self) -> int:
        return max(2, round(self.layout.text_px / 7))

    def _draw_people(self, canvas: Planes, people: Sequence[ShownPerson]) -> None:
        """Frame everybody in the colour of what they show; who speaks gets a thicker frame."""
        for one in people:
            color = _SOFT if one.emotion is None else EMOTION_COLORS[COMMON7[one.emotion]]
            thickness = self._thickness * (2 if one.speaks else 1)
            self._outline(canvas, one.frame, thickness + 1, self._space.yuv(_BLACK), grow=1)
            self._outline(canvas, one.frame, thickness, self._space.yuv(color))
        for one in people:
            if one.label is not None:
                color = _SOFT if one.emotion is None else EMOTION_COLORS[COMMON7[one.emotion]]
                plate = self._letters.text(
                    f" {one.text} ", self.layout.text_px, readable_on(color), color
                )
                canvas.paste(plate, one.label.x0, one.label.y0)

    def _size_of_label(self, text: str) -> tuple[int, int]:
        width = text_width(f" {text} ", self.layout.text_px)
        return width + width % 2, line_height(self.layout.text_px)

    def _draw_tag(self, canvas: Planes, frame: Rect, text: str, emotion: int) -> None:
        """Write on a plate over the frame, or inside it where there is no room above."""
        area, px = self.layout.picture, self.layout.text_px
        color = EMOTION_COLORS[COMMON7[emotion]]
        plate = self._letters.text(f" {text} ", px, readable_on(color), color)
        height, width = plate.luma.shape
        x = min(max(frame.x0, area.x0), area.x1 - width)
        y = frame.y0 - height if frame.y0 - height >= area.y0 else frame.y0
        if x >= area.x0 and y + height <= area.y1:
            canvas.paste(plate, x - x % 2, max(y - y % 2, 0))

    def _outline(self, canvas: Planes, frame: Rect, thickness: int, yuv, grow: int = 0) -> None:
        """Draw a frame's four sides as far as they lie in the picture."""
        x0, y0, x1, y1 = frame.x0 - grow, frame.y0 - grow, frame.x1 + grow, frame.y1 + grow
        inside = thickness + grow
        for side in (
            Rect(x0, y0, x1, y0 + inside),
            Rect(x0, y1 - inside, x1, y1),
            Rect(x0, y0, x0 + inside, y1),
            Rect(x1 - inside, y0, x1, y1),
        ):
            area = self.layout.picture
            clipped = Rect(
                max(side.x0, area.x0),
                max(side.y0, area.y0),
                min(side.x1, area.x1),
                min(side.y1, area.y1),
            )
            canvas.fill(*clipped, yuv)

    def _draw_time(self, canvas: Planes, time_s: float) -> None:
        duration_s = self._result.duration_s
        unit = " s" if duration_s < 60 else ""
        text = f"{clock_text(time_s)} / {clock_text(duration_s)}{unit}"
        right, y = self.layout.clock
        x = right - text_width(text, self.layout.text_px)
        self._write(canvas, text, (x - x % 2, y), _INK)
        strips = list(self.layout.strips.values())
        thickness = max(2, round(self.layout.text_px / 8))
        over = max(2, self.layout.text_px // 6)
        span = strips[0].x1 - strips[0].x0 - thickness
        share = min(max(time_s / max(duration_s, 1e-3), 0.0), 1.0)
        x = strips[0].x0 + round(share * span)
        top, bottom = strips[0].y0 - over, strips[-1].y1 + over
        canvas.fill(x - 1, top, x + thickness + 1, bottom, self._space.yuv(_BLACK))
        canvas.fill(x, top, x + thickness, bottom, self._playhead)

    def _draw_base(self) -> None:
        """Draw what stays: the verdict, names, empty bars, the course over time, notes."""
        layout, base = self.layout, self._base
        px, small_px = layout.text_px, layout.small_px
        caption = f"The whole clip: {self._result.confidence_word}"
        self._write(base, caption, layout.caption, _SOFT, small_px)
        self._draw_verdict()
        self._write(base, "Now", layout.now, _SOFT, small_px)
        for name, place in zip(COMMON7, layout.names, strict=True):
            self._write(base, name, place, _INK)
        # Headings over columns are small, those before rows are not.
        is_column = layout.headings["fused"][1] == layout.headings["voice"][1]
        for stream, place in layout.headings.items():
            there = stream in self._result.windows
            ink = (_SOFT if is_column else _INK) if there else _FAINT
            self._write(base, TITLES[stream], place, ink, small_px if is_column else px)
            if there:
                for bar in layout.bars[stream]:
                    base.fill(*bar, self._track)
            else:
                x, y, _, _ = layout.bars[stream][3]
                self._write(base, "none", (x + x % 2, y), _FAINT, small_px)
        for stream, place in layout.strip_labels.items():
            title = TITLES[stream] if len(layout.strips) > 1 else "Over time"
            self._write(base, title, place, _SOFT, small_px)
            self._draw_course(stream, layout.strips[stream])
        self._write_notes()

    def _draw_verdict(self) -> None:
        area, emotion = self.layout.verdict, self._result.emotion
        color = EMOTION_COLORS[emotion]
        plate = self._letters.on_plate(
            f"{emotion} {self._result.confidence:.0%}",
            round(1.35 * self.layout.text_px),
            readable_on(color),
            color,
            (area.x1 - area.x0, area.y1 - area.y0),
        )
        self._base.paste(plate, area.x0, area.y0)

    def _draw_course(self, stream: str, strip: Rect) -> None:
        """Colour a strip by the likeliest emotion over time, the surer the stronger."""
        self._base.fill(*strip, self._track)
        windows = self._result.windows.get(stream)
        if windows is None:
            return
        columns = strip.x1 - strip.x0
        means = means_over(windows, self._result.duration_s, columns)
        track = np.array(self._track, np.float64)
        for column in np.flatnonzero(np.isfinite(means[:, 0])):
            best = int(means[column].argmax())
            share = strength(means[column, best])
            shade = (1 - share) * track + share * np.array(self._colors[best])
            x = strip.x0 + int(column)
            self._base.fill(x, strip.y0, x + 1, strip.y1, tuple(shade.round().astype(int).tolist()))

    def _write_notes(self) -> None:
        area, px = self.layout.notes, self.layout.small_px
        step = line_height(px)
        lines = _wrapped("; ".join(self._result.notes), px, area.x1 - area.x0)
        room = max(1, (area.y1 - area.y0) // step)
        if len(lines) > room:
            lines = [*lines[: room - 1], _cut(f"{lines[room - 1]} …", px, area.x1 - area.x0)]
        for i, line in enumerate(lines):
            self._write(self._base, line, (area.x0, area.y0 + i * step), _SOFT, px)

    def _write(
        self,
        canvas: Planes,
        text: str,
        place: tuple[int, int],
        ink: str,
        size_px: int | None = None,
        ground: str = _GROUND,
    ) -> None:
        canvas.paste(self._letters.text(text, size_px or self.layout.text_px, ink, ground), *place)


def clock_text(time_s: float) -> str:
    """Write a time for a clock that runs.

    >>> clock_text(3.24), clock_text(75.0), clock_text(3725.5)
    ('3.2', '1:15.0', '1:02:05.5')
    """
    tenths = max(0, int(time_s * 10 + 1e-6))
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{tenths / 10:04.1f}"
    return f"{minutes}:{tenths / 10:04.1f}" if minutes else f"{tenths / 10:.1f}"


def _wrapped(text: str, size_px: int, width_px: int) -> list[str]:
    """Break a text between words so that each line fits."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size_px) <= width_px:
            lines[-1] = longer
        else:
            lines.append(_cut(word, size_px, width_px))
    return lines


def _cut(text: str, size_px: int, width_px: int) -> str:
    while len(text) > 1 and text_width(text, size_px) > width_px:
        text = f"{text[:-2]}…"
    return text
