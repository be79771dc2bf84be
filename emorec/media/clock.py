"""One time line for a file whose time stamps jump, start again or lie.

Most files need nothing of this, and their time stamps stay as they are. Recordings that were joined
start again at zero in the middle; broken ones jump ahead by days. Believed, the first would be lost
and the second would take a day to draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import av

__all__ = ["LONGEST_PAUSE_S", "Clock"]

LONGEST_PAUSE_S = 600.0
"""Longest pause in a track that is believed where no other track has gone on meanwhile."""

# Packets are stored in the order of decoding, in which time does not run backwards. Where a file
# tells only when a frame is shown, it does, by a few frames.
_LONGEST_STEP_BACK_S, _LONGEST_REORDERING_S = 0.5, 5.0
_CLOSE_S = 1.0
_SAME_MOMENT_S = 60.0  # tracks that lie so far apart in the file's order may belong together
_LONGEST_DELAY_S = 60.0  # from a frame's decoding to its being shown
_USUAL_STEP_S, _LONGEST_STEP_S = 0.04, 10.0
_MOST_OFFSETS, _MOST_NOTES = 8, 3


@dataclass
class _Track:
    """Where one track has got to.

    Attributes:
        offset_s: What is added to its time stamps now.
        last_s: Time of its last packet; None before the first.
        next_s: When the next packet is to be expected.
        shown_s: When the frame after those so far is to be shown.
        step_s: How long its packets usually last.
    """

    offset_s: float = 0.0
    last_s: float | None = None
    next_s: float = 0.0
    shown_s: float = 0.0
    step_s: float = _USUAL_STEP_S


class Clock:
    """Lays the packets of all tracks of a file on one time line.

    Args:
        start_s: Time stamp at which the file starts.

    Attributes:
        stated_end_s: The latest end of a packet as the file states it; None before the first.
    """

    def __init__(self, start_s: float):
        self.stated_end_s: float | None = None
        self._start_s = start_s
        self._tracks: dict[int, _Track] = {}
        self._offsets_s = [0.0]
        self._jumps: list[str] = []
        self._lies = 0

    @property
    def notes(self) -> list[str]:
        """What was wrong with the time stamps."""
        told = self._jumps[:_MOST_NOTES]
        if len(self._jumps) > _MOST_NOTES:
            told.append(f"the time stamps jump {len(self._jumps) - _MOST_NOTES} times more")
        if self._lies:
            told.append(f"{self._lies} time stamps cannot be and were not believed")
        return told

    def place(self, packet: av.Packet) -> None:
        """Move a packet's time stamps to where it belongs, if it does not stand there."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or not packet.time_base:
            return
        unit_s = float(packet.time_base)
        self._remember_end(packet, unit_s)
        if packet.stream_index not in self._tracks:
            self._tracks[packet.stream_index] = _Track(self._offsets_s[-1])
        track, time_s = self._tracks[packet.stream_index], stamp * unit_s
        if not self._goes_on(track, time_s, packet.dts is not None):
            track.offset_s = self._offset_for(track, time_s)
        if track.offset_s:
            ticks = round(track.offset_s / unit_s)
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        self._advance(track, packet, unit_s)

    def _remember_end(self, packet: av.Packet, unit_s: float) -> None:
        shown = packet.dts if packet.pts is None else packet.pts
        end_s = (shown + (packet.duration or 0)) * unit_s
        if self.stated_end_s is None or end_s > self.stated_end_s:
            self.stated_end_s = end_s

    def _goes_on(self, track: _Track, time_s: float, is_decoding_time: bool) -> bool:
        """Tell whether a packet may stand where its time stamp puts it."""
        here_s = time_s + track.offset_s
        ahead_s = here_s - self._expected_s(track)
        is_old = track.offset_s != self._offsets_s[-1]
        back_s = _LONGEST_STEP_BACK_S if is_decoding_time else _LONGEST_REORDERING_S
        if is_old and is_decoding_time and track.last_s is not None:
            back_s = min(back_s, track.next_s - track.last_s)  # others have started again
        if track.last_s is None:  # some files hold seconds of one track before the other begins
            back_s += self._expected_s(track) - self._start_s
        if -back_s <= ahead_s <= LONGEST_PAUSE_S:
            # After one time stamp that lied, the old offset fits better than a pause.
            return ahead_s <= _CLOSE_S or self._close_offset(track, time_s) is None
        # Where another track stands at that time too, it is this one's past that was wrong.
        reach_s = min(_SAME_MOMENT_S, abs(ahead_s) / 2)
        others = (other for other in self._tracks.values() if other is not track)
        return any(
            other.last_s is not None and abs(here_s - other.next_s) <= reach_s for other in others
        )

    def _close_offset(self, track: _Track, time_s: float) -> float | None:
        """Find an offset with which a packet follows on: its own of before, or another track's."""
        expected_s = self._expected_s(track)
        fitting = (
            offset_s
            for offset_s in reversed(self._offsets_s)
            if -_LONGEST_STEP_BACK_S <= time_s + offset_s - expected_s <= _CLOSE_S
        )
        return next(fitting, None)

    def _offset_for(self, track: _Track, time_s: float) -> float:
        """Choose what brings a packet that jumps to where it belongs."""
        close_s = self._close_offset(track, time_s)
        if close_s is not None:
            return close_s
        expected_s = self._expected_s(track)
        newest_s = self._offsets_s[-1]
        ahead_s = time_s + newest_s - expected_s
        if newest_s != track.offset_s and -_LONGEST_STEP_BACK_S <= ahead_s <= LONGEST_PAUSE_S:
            return newest_s
        jump_s = time_s + track.offset_s - expected_s
        if jump_s < 0:  # a recording behind another: all tracks begin again behind the longest
            expected_s = self._furthest_s(expected_s)
        elif track.last_s is None:
            expected_s, jump_s = self._start_s, time_s - self._start_s
        offset_s = expected_s - time_s
        self._offsets_s = [*self._offsets_s, offset_s][-_MOST_OFFSETS:]
        at = f"{expected_s - self._start_s:.1f} s"
        if jump_s < 0:
            self._jumps.append(f"the time starts again at {at}: what follows is laid behind")
        else:
            told = f"the time stamps jump ahead by {jump_s:,.0f} s at {at}"
            self._jumps.append(f"{told}: what follows is read as if they did not")
        return offset_s

    def _advance(self, track: _Track, packet: av.Packet, unit_s: float) -> None:
        """Remember where a placed packet leaves its track; mend what cannot be."""
        duration_s = (packet.duration or 0) * unit_s
        if duration_s > LONGEST_PAUSE_S:
            packet.duration = max(1, round(track.step_s / unit_s))
        if 0 < duration_s <= _LONGEST_STEP_S:
            track.step_s = duration_s
        time_s = (packet.pts if packet.dts is None else packet.dts) * unit_s
        track.last_s, track.next_s = time_s, time_s + track.step_s
        if packet.pts is None:
            return
        if packet.dts is not None and abs(packet.pts - packet.dts) * unit_s > _LONGEST_DELAY_S:
            packet.pts = max(packet.dts, round(track.shown_s / unit_s))
            self._lies += 1
        track.shown_s = max(track.shown_s, packet.pts * unit_s + track.step_s)

    def _expected_s(self, track: _Track) -> float:
        return self._furthest_s(self._start_s) if track.last_s is None else track.next_s

    def _furthest_s(self, least_s: float) -> float:
        ends_s = (track.next_s for track in self._tracks.values() if track.last_s is not None)
        return max(ends_s, default=least_s)
