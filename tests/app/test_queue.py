"""The queue of clips: who is next, how far it is, what is refused, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path

import pytest

from emorec.app.queue import CancelledTicket, QueueFull, ReadingQueue, Stage, State, clip_work
from emorec.app.store import LONGEST_S, Stored
from emorec.errors import MediaError
from emorec.result.clip import ClipResult

_SOON_S = 5.0


class Held:
    """Work that begins, and ends only when it is told to."""

    def __init__(self, answer=None):
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.answer = answer

    def __call__(self, report):
        report(0.25)
        self.begun.set()
        assert self.let_go.wait(_SOON_S)
        report(1.0)
        return self.answer


@pytest.fixture
def one_reader():
    with ReadingQueue(readers=1, most_waiting=6, most_each=4) as queue:
        yield queue


@pytest.fixture
def held(one_reader):
    """What keeps the only reader busy."""
    work = Held("first")
    ticket = one_reader.submit(work, "busy")
    assert work.begun.wait(_SOON_S)
    yield work, ticket
    work.let_go.set()


def test_a_ticket_goes_from_waiting_to_reading_to_done(one_reader, held):
    work, first = held
    second = one_reader.submit(lambda report: "second", "anna")
    assert first.state == State(Stage.READING, share=0.25)
    assert second.state == State(Stage.WAITING, place=1)
    work.let_go.set()
    assert [first.result(_SOON_S), second.result(_SOON_S)] == ["first", "second"]
    assert first.state == second.state == State(Stage.DONE)


def test_owners_take_turns_and_places_say_so(one_reader, held):
    order: list[str] = []
    works = {
        name: (lambda report, name=name: order.append(name)) for name in ("a1", "a2", "a3", "b1")
    }
    annas = one_reader.submit_all([works["a1"], works["a2"], works["a3"]], "anna")
    bens = one_reader.submit(works["b1"], "ben")
    places = [ticket.state.place for ticket in (*annas, bens)]
    held[0].let_go.set()
    annas[-1].result(_SOON_S)
    assert places == [1, 3, 4, 2]
    assert order == ["a1", "b1", "a2", "a3"]


def test_beyond_the_bound_nothing_is_taken_and_all_or_none(one_reader, held):
    one_reader.submit_all([str] * 4, "anna")
    with pytest.raises(QueueFull, match=r"4 clips wait .* try again in about \d+ s"):
        one_reader.submit(str, "anna")
    with pytest.raises(QueueFull) as refused:
        one_reader.submit_all([str] * 3, "ben")
    assert refused.value.retry_after_s >= 1
    assert len(one_reader) == 4
    one_reader.submit_all([str] * 2, "ben")
    with pytest.raises(QueueFull):
        one_reader.check_room("carla")


def test_no_work_at_all_costs_no_reader(one_reader):
    assert one_reader.submit_all([], "anna") == []
    assert one_reader.submit(lambda report: 1, "ben").result(_SOON_S) == 1


def test_a_free_reader_counts_as_room():
    with ReadingQueue(readers=1, most_waiting=0) as queue:
        assert queue.submit(lambda report: 1, "anna").result(_SOON_S) == 1


def test_what_waits_is_cancelled_at_once_and_the_others_move_up(one_reader, held):
    annas, bens = one_reader.submit(str, "anna"), one_reader.submit(str, "ben")
    annas.cancel()
    assert annas.state == State(Stage.CANCELLED)
    assert bens.state.place == 1
    with pytest.raises(CancelledTicket):
        annas.result(0)
    annas.cancel()  # again changes nothing
    assert annas.state.stage is Stage.CANCELLED


def test_what_is_read_ends_at_its_next_report(one_reader, held):
    work, ticket = held
    ticket.cancel()
    assert ticket.state.stage is Stage.READING  # it still holds the reader, and its file
    work.let_go.set()
    with pytest.raises(CancelledTicket):
        ticket.result(_SOON_S)
    assert one_reader.submit(lambda report: "next", "ben").result(_SOON_S) == "next"


def test_a_reading_that_swallows_the_cancelling_is_cancelled_all_the_same(one_reader):
    class Safe:
        def classify_safely(self, path, watch):
            begun.set()
            let_go.wait(_SOON_S)
            try:
                watch(1.0)
            except Exception as error:
                return ClipResult.failed(path, str(error), "")
            return None

    begun, let_go = threading.Event(), threading.Event()
    ticket = one_reader.submit(clip_work(Safe(), _clip(4.0)), "anna")
    assert begun.wait(_SOON_S)
    ticket.cancel()
    let_go.set()
    with pytest.raises(CancelledTicket):
        ticket.result(_SOON_S)


def test_work_that_fails_says_why_and_costs_no_reader(one_reader):
    def fails(report):
        raise MediaError("a.mp4", "it is empty", "record it again")

    ticket = one_reader.submit(fails, "anna")
    with pytest.raises(MediaError, match="it is empty"):
        ticket.result(_SOON_S)
    assert ticket.state == State(Stage.FAILED)
    assert one_reader.submit(lambda report: 2, "anna").result(_SOON_S) == 2


def test_a_clip_reports_its_share_and_ends_where_it_is_too_long(one_reader):
    shares: list[float | None] = []

    class Stub:
        def classify_safely(self, path, watch):
            for read_s in (1.0, 2.0):
                watch(read_s)
                shares.append(ticket.state.share)
            try:
                watch(LONGEST_S + 1)
            except MediaError as error:
                return ClipResult.failed(path, error.reason, error.remedy)

    wait = Held()
    one_reader.submit(wait, "anna")
    ticket = one_reader.submit(clip_work(Stub(), _clip(4.0)), "anna")
    wait.let_go.set()
    result = ticket.result(_SOON_S)
    assert shares == [0.25, 0.5]
    assert "too long" in result.reason


def test_an_owner_who_leaves_has_nothing_left(one_reader, held):
    annas = one_reader.submit_all([str, str], "anna")
    bens = one_reader.submit(lambda report: "ben's", "ben")
    one_reader.cancel_of("anna")
    one_reader.cancel_of("busy")
    held[0].let_go.set()
    assert bens.result(_SOON_S) == "ben's"
    assert {ticket.state.stage for ticket in (*annas, held[1])} == {Stage.CANCELLED}


def test_closing_ends_all_and_takes_nothing_more(held, one_reader):
    waiting = one_reader.submit(str, "anna")
    held[0].let_go.set()
    one_reader.close()
    assert not any(thread.is_alive() for thread in one_reader._threads)
    assert {waiting.state.stage, held[1].state.stage} <= {Stage.CANCELLED, Stage.DONE}
    with pytest.raises(QueueFull):
        one_reader.submit(str, "anna")


def test_the_queue_holds_no_answer_once_it_is_given(one_reader):
    class Answer:
        pass

    ticket = one_reader.submit(lambda report: Answer(), "anna")
    answer = weakref.ref(ticket.result(_SOON_S))
    one_reader.submit(lambda report: None, "anna").result(_SOON_S)
    del ticket
    gc.collect()
    assert answer() is None


def test_a_loop_waits_without_being_blocked_and_leaving_it_cancels_nothing(one_reader, held):
    async def waits() -> tuple[list[Stage], str]:
        work, ticket = held
        patient = asyncio.create_task(ticket.finished())
        hasty = asyncio.create_task(ticket.finished())
        await asyncio.sleep(0)
        hasty.cancel()
        stages = []
        async for state in ticket.states(every_s=0.01):
            stages.append(state.stage)
            work.let_go.set()
        return stages, await patient

    stages, answer = asyncio.run(waits())
    assert stages[0] is Stage.READING and stages[-1] is Stage.DONE
    assert answer == "first"


def _clip(duration_s: float) -> Stored:
    return Stored("token", Path("a.mp4"), "a.mp4", duration_s=duration_s)
