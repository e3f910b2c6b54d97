"""The loop's order of deeds: seen, decided, signed, recorded, and only then sent; and what a broken disk does to it."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames, Outbox
from polystra.app.runtime import run, silent
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.engine import NOTHING, Engine, Step
from polystra.core.ids import MarketId, OrderId
from polystra.core.notes import PositionWatched, ReadingFailed
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Shares, Usd
from polystra.edge.store.errors import LedgerUnavailable
from polystra.edge.store.journal import Journal
from polystra.edge.store.ledger import Ledger
from tests.edge.store_cases import terms
from tests.inbox_cases import NOWHEN, Hands, Patience
from tests.wires import DISK, Book, Paper, Signing, Wire

PAUSED = ev.TradingState.PAUSED


def place(order: int) -> cm.PlaceOrder:
    return cm.PlaceOrder(order=OrderId(order), terms=terms())


def cancel(order: int) -> cm.CancelOrder:
    return cm.CancelOrder(order=OrderId(order))


def ask(number: int) -> ev.OrderNotFound:
    """An event that a test numbers."""
    return ev.OrderNotFound(at=NOWHEN, order=OrderId(number))


def note(why: str) -> ReadingFailed:
    return ReadingFailed(why=why)


class Scripted:
    """In the engine's place: leads a numbered event to a step, and everything else to nothing."""

    def __init__(self, deeds: list[str], steps: dict[int, Step]) -> None:
        self.deeds = deeds
        self.steps = steps
        self.heard: list[ev.AnyEvent] = []
        self.next_wake: Instant | None = None
        self.held: tuple[PositionWatched, ...] = ()

    def handle(self, event: ev.AnyEvent) -> Step:
        self.heard.append(event)
        self.deeds.append("decide")
        return self.steps.get(int(event.order), NOTHING) if isinstance(event, ev.OrderNotFound) else NOTHING

    def positions(self, at: Instant) -> tuple[PositionWatched, ...]:
        return self.held


class Loop:
    """The real loop, inbox and outbox between scripted ends. `before` is called with each told step's number."""

    def __init__(self, steps: dict[int, Step], *fails: int, unsigned: tuple[int, ...] = ()) -> None:
        self.deeds: list[str] = []
        self.engine = Scripted(self.deeds, steps)
        self.hands = Hands()
        self.inbox = Inbox(self.hands, Patience(self.hands))
        self.journal = Paper(self.deeds)
        self.ledger = Book(self.deeds, *fails)
        self.wire = Wire(self.deeds)
        self.unsigned = unsigned

    def play(self, *events: ev.AnyEvent, tell: Callable[[ev.AnyEvent, Step], None] = silent) -> None:
        for event in events:
            self.inbox.put(event)
        outbox = Outbox(self.inbox, Signing(self.deeds, *self.unsigned), OrderNames(), self.wire)
        ends = cast("Engine", self.engine), self.inbox, cast("Journal", self.journal), cast("Ledger", self.ledger)
        asyncio.run(run(*ends, outbox, tell))

    @property
    def sent(self) -> list[cm.AnyCommand]:
        return [one.command for one in self.wire.sent]

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.engine.heard if isinstance(event, kind)]


def test_an_order_is_seen_decided_signed_written_and_then_sent() -> None:
    loop = Loop({1: Step((place(1), cancel(9)), (note("hello"),))})
    loop.play(ask(1), tell=lambda event, step: loop.deeds.append("tell"))
    assert loop.deeds == [
        "saw OrderNotFound",
        "decide",
        "sign o1",
        "decided on 1",
        "flush",
        "record",
        "send PlaceOrder",
        "send CancelOrder",
        "tell",
    ]
    assert loop.ledger.intents == [1]
    assert loop.ledger.notes == [note("hello")]


def test_an_event_that_changes_nothing_is_only_seen() -> None:
    loop = Loop({})
    loop.play(ask(1), tell=lambda event, step: loop.deeds.append("tell"))
    assert loop.deeds == ["saw OrderNotFound", "decide"]


def test_positions_are_told_once_a_minute_and_kept_for_who_asks_later() -> None:
    loop = Loop({2: Step((), (note("two"),))})
    held = PositionWatched(
        market=MarketId("0x01"), outcome=Outcome.UP, shares=Shares(1), entry=None, bid=None, pnl=None, exit="none"
    )
    loop.engine.held = (held,)
    told: list[Step] = []
    loop.play(ask(1), ask(2), tell=lambda event, step: told.append(step))
    assert told == [Step((), (held,)), Step((), (note("two"),))], "both in one minute"
    assert loop.ledger.notes == [held, note("two")]
    assert "PositionWatched" not in str(loop.deeds), "no step has it, so no journal"


def test_how_positions_stand_is_not_kept_by_a_disk_that_is_broken_and_nothing_else_follows() -> None:
    loop = Loop({}, 1)
    loop.engine.held = (note("stands"),)  # type: ignore[assignment]
    loop.play(ask(1), ask(2))
    assert loop.ledger.notes == []
    assert loop.heard(ev.TradingStateSet) == []


def test_every_step_is_written_with_the_number_of_its_event() -> None:
    loop = Loop({2: Step((), (note("two"),)), 3: Step((cancel(1),))})
    loop.play(ask(1), ask(2), ask(3))
    assert [deed for deed in loop.deeds if deed.startswith("decided")] == ["decided on 2", "decided on 3"]


def test_the_engine_is_woken_when_it_asks() -> None:
    loop = Loop({})
    loop.inbox = Inbox(loop.hands, Patience(loop.hands, 5_000))
    loop.engine.next_wake = Instant(5_000)

    def no_more(event: ev.AnyEvent) -> Step:
        loop.engine.heard.append(event)
        if isinstance(event, ev.Woke):
            loop.engine.next_wake = None
        return NOTHING

    loop.engine.handle = no_more  # type: ignore[method-assign]
    loop.play(ask(1))
    assert [(type(event), event.at) for event in loop.engine.heard] == [(ev.OrderNotFound, 1_000), (ev.Woke, 5_000)]


# --- a ledger that cannot be written


def test_no_order_leaves_while_the_ledger_is_broken_and_cancels_do() -> None:
    loop = Loop({1: Step((place(1), cancel(9)))}, 1)
    loop.play(ask(1))
    assert loop.sent == [cancel(9)]
    (told,) = loop.heard(ev.OrderNotSent)
    assert (told.order, told.why) == (1, DISK)


def test_entries_are_paused_before_the_order_is_told_that_it_was_not_sent() -> None:
    """The other way round the engine would try the same entry at once."""
    loop = Loop({1: Step((place(1),))}, 1)
    loop.play(ask(1))
    assert [type(event) for event in loop.engine.heard] == [ev.OrderNotFound, ev.TradingStateSet, ev.OrderNotSent]
    (paused,) = loop.heard(ev.TradingStateSet)
    assert (paused.state, paused.who, paused.why) == (PAUSED, "ledger", DISK)


def test_one_broken_disk_pauses_entries_once() -> None:
    steps = {number: Step((), (note(str(number)),)) for number in (1, 2, 3)}
    loop = Loop(steps, 1, 2, 3)
    loop.play(ask(1), ask(2), ask(3))
    assert len(loop.heard(ev.TradingStateSet)) == 1


def test_what_could_not_be_written_is_written_when_it_works_again_once_and_in_order() -> None:
    steps = {
        1: Step((place(1),), (note("one"),)),
        2: Step((cancel(9),), (note("two"),)),
        3: Step((place(3),), (note("three"),)),
        4: Step((place(4),), (note("four"),)),
    }
    loop = Loop(steps, 1, 2)
    loop.play(ask(1), ask(2), ask(3), ask(4))
    assert loop.ledger.notes == [note(word) for word in ("one", "two", "three", "four")]
    assert loop.ledger.intents == [1, 3, 4]
    assert loop.sent == [cancel(9), place(3), place(4)], "order 1 was told that it was not sent, and is not sent later"


def test_a_second_broken_disk_pauses_entries_again() -> None:
    """Repaired, armed again by a person, and broken again: the second time counts as much as the first."""
    steps = {number: Step((), (note(str(number)),)) for number in (1, 2, 3)}
    loop = Loop(steps, 1, 3)
    armed = ev.TradingStateSet(at=NOWHEN, state=ev.TradingState.ARMED, who="me", why="disk repaired")
    loop.play(ask(1), ask(2), armed, ask(3))
    assert [event.state for event in loop.heard(ev.TradingStateSet)] == [ev.TradingState.ARMED, PAUSED, PAUSED]


@pytest.mark.parametrize("state", [ev.TradingState.STOPPED, ev.TradingState.REDUCE_ONLY])
def test_a_trader_that_a_person_stopped_is_not_let_loose_by_a_broken_disk(state: ev.TradingState) -> None:
    loop = Loop({1: Step((), (note("one"),))}, 1)
    loop.play(ev.TradingStateSet(at=NOWHEN, state=state, who="me", why="stop"), ask(1))
    assert [event.state for event in loop.heard(ev.TradingStateSet)] == [state]


def test_a_trader_that_came_up_stopped_is_not_let_loose_either() -> None:
    loaded = ev.LedgerLoaded(at=NOWHEN, next_order=OrderId(1), cash=Usd(0), state=ev.TradingState.STOPPED)
    loop = Loop({1: Step((), (note("one"),))}, 1)
    loop.play(loaded, ask(1))
    assert loop.heard(ev.TradingStateSet) == []


def test_an_order_neither_signed_nor_recorded_is_told_once() -> None:
    loop = Loop({1: Step((place(1),))}, 1, unsigned=(1,))
    loop.play(ask(1))
    assert [event.why for event in loop.heard(ev.OrderNotSent)] == ["the key is locked"]


def test_what_waits_at_the_end_is_written_at_the_end() -> None:
    loop = Loop({1: Step((place(1),), (note("last"),))}, 1)
    loop.play(ask(1))
    assert loop.ledger.notes == [note("last")]
    assert loop.ledger.intents == [1]


def test_a_ledger_broken_to_the_end_is_not_passed_over_in_silence() -> None:
    loop = Loop({1: Step((), (note("last"),))}, 1, 2)
    with pytest.raises(LedgerUnavailable, match="disk I/O error"):
        loop.play(ask(1))


# --- a journal that cannot be written


@pytest.mark.parametrize("small", [False, True], ids=["noticed at the flush", "noticed at every record"])
def test_a_full_disk_under_the_journal_stops_orders_and_not_the_trader(small: bool) -> None:
    loop = Loop({1: Step((place(1), cancel(9)), (note("one"),)), 2: Step((place(2),), (note("two"),))})
    loop.journal.full, loop.journal.small = True, small

    def repaired(event: ev.AnyEvent, step: Step) -> None:
        loop.journal.full = False

    loop.play(ask(1), ask(2), tell=repaired)
    assert loop.sent == [cancel(9), place(2)]
    assert [event.state for event in loop.heard(ev.TradingStateSet)] == [PAUSED]
    assert [event.order for event in loop.heard(ev.OrderNotSent)] == [1]
    assert loop.ledger.intents == [1, 2]
    assert loop.ledger.notes == [note("one"), note("two")]
    assert [deed for deed in loop.deeds if deed.startswith("decided")] == ["decided on 1", "decided on 2"]


def test_nothing_is_recorded_that_the_journal_does_not_hold() -> None:
    loop = Loop({1: Step((), (note("one"),))})
    loop.journal.full = True
    loop.play(ask(1), tell=lambda event, step: loop.deeds.append(f"recorded {loop.ledger.steps}"))
    assert "recorded 0" in loop.deeds
