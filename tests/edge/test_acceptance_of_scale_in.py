"""Acceptance conditions of scale-ins: the whole trader over the wire, judged by what the exchange really has."""

from decimal import Decimal
from typing import Any

import pytest

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.commands import CancelOrder
from polystra.core.strategy import ExitPolicy, StopPolicy
from polystra.core.terms import Outcome, Purpose, Side
from polystra.core.units import Nanos, price, seconds, shares, usd
from polystra.edge.tapes.format import TapeEvent
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.addition_cases import Live, bought, estimating, orders_of
from tests.edge.execution_cases import (
    AT_ONCE,
    MARKET,
    PLACE,
    Scheduled,
    Told,
    at_seconds,
    befall,
    befell,
    happened,
    legs,
    total,
)
from tests.edge.wire_stage import Floor, Look, WireOutcomes, WireStage, exchange_truth
from tests.edge.wish_cases import changed
from tests.truth import after, book, printed, steady, tape_file, wish

__all__ = ["exchange_truth"]


def rising(bid: str = "0.85x10", ask: str = "0.87x500", *more: TapeEvent) -> list[TapeEvent]:
    """Up at 0.72 is sold to us at second 30; from second 100 on it has another price."""
    first = steady(MARKET, "0.72x10", "0.74x500", end=100)
    return [*first, *steady(MARKET, bid, ask, begin=100), printed(MARKET, 30, "0.72", "100", Side.SELL), *more]


def met(at: float = 170, size: str = "100") -> TapeEvent:
    """So much is sold at 0.85, where ten of others wait before us."""
    return printed(MARKET, at, "0.85", size, Side.SELL)


ONE = (Told(10, 100, 0, wish(Outcome.UP, "0.72", rests=True)),)
"""5.62 at 0.72 are no whole cents: it rests."""

FIRST, BOTH = shares("5.62"), shares("11.24")


def prepare(stage: WireStage, **changes: dict[str, Any]) -> None:
    """4.05 USD an entry; a scale-in rests, for as much as is held, and nothing is given up."""
    sections: dict[str, dict[str, Any]] = {
        "stakes": {"max_stake_usd": Decimal("4.05")},
        "scale_in": {"multiplier": Decimal(1), "order": "rest"},
        "unfilled": {"cancel_orders": False},
    }
    for name, values in changes.items():
        sections[name] = sections.get(name, {}) | values
    stage.settings = changed(stage.settings, **sections)


def played(
    stage: WireStage, rows: list[TapeEvent], exits: ExitPolicy = AT_ONCE, *, up: int | None = 900_000, **how: Any
) -> WireOutcomes:
    return stage.play_on_wire([tape_file(MARKET, rows)], estimating(Scheduled(ONE, exits), up), **how)


def holding(run: WireOutcomes) -> list[tuple[int, int]]:
    """Shares and what they cost, by the ledger."""
    return run.sql("select shares_micro, paid_micro from positions where outcome = 'UP'")


# --- it becomes part of what is held


@pytest.mark.spec("S6.A1")
def test_a_scale_in_becomes_part_of_the_one_holding(exchange_truth: WireStage) -> None:
    """5.62 @ 0.72 and 5.62 @ 0.85 are 11.24 @ 0.785, at the exchange and in the ledger; it happens once."""
    prepare(exchange_truth)
    run = played(exchange_truth, rising("0.85x10", "0.87x500", met(), met(200), met(250)))
    run.agree()
    parts = legs(run, Side.BUY)
    assert [(leg.price, leg.shares, leg.fee) for leg in parts] == [
        (price("0.72"), FIRST, 0),
        (price("0.85"), FIRST, 0),
    ]
    assert run.held(MARKET, Outcome.UP) == total(parts) == BOTH
    assert holding(run) == [(BOTH, usd("8.8234"))]
    assert usd("8.8234") * 1_000_000 == price("0.785") * BOTH
    assert orders_of(run, Purpose.SCALE_IN) == [(price("0.85"), FIRST, "FILLED")]
    (placed,) = [at for at, terms in run.placed(Side.BUY) if terms.purpose is Purpose.SCALE_IN]
    assert after(150) <= placed <= after(151), "in the last 150 s of 300"


@pytest.mark.spec("S6.A2")
@pytest.mark.parametrize("fault", [Fault.FRAME_TWICE, Fault.FRAME_LATE, Fault.FRAME_LOST])
def test_a_fill_of_a_scale_in_that_is_told_more_than_once_counts_once(exchange_truth: WireStage, fault: Fault) -> None:
    """The account is read every second, and each reading tells the trade again; the stream tells it twice, after
    that, or not at all."""
    prepare(exchange_truth, engine={"reading_every_seconds": 1.0})

    def disturb(floor: Floor) -> None:
        floor.faults.switch_on(Switch(fault=fault, where="user", times=None, delay=Nanos(seconds(8))))

    run = played(exchange_truth, rising("0.85x10", "0.87x500", met()), look=at_seconds((160, disturb)))
    run.agree()
    assert run.floor.hits(fault) >= 2
    told = [one for one in happened(run, ev.OrderFilled) if one.at > after(160) and one.price == price("0.85")]
    assert len(told) >= 2, "told again"
    assert holding(run) == [(BOTH, usd("8.8234"))]
    assert run.sql("select count(*), count(distinct trade) from fills") == [(2, 2)]
    assert run.held(MARKET, Outcome.UP) == BOTH


@pytest.mark.spec("S27.A1")
def test_the_exit_follows_a_scale_in_once_its_shares_have_settled(exchange_truth: WireStage) -> None:
    """The sell of 5.62 stays while 5.62 more settle; then there is one of 11.24 at the target within two seconds. The
    exchange is looked at ten times a second."""
    prepare(exchange_truth)
    often = [book(MARKET, 170 + tenth / 10, "0.85x10", "0.87x500") for tenth in range(1, 200) if tenth % 10]
    live, settled = Live(), []

    def look(floor: Floor) -> None:
        live(floor)
        account = sim.Account(floor.standing.accounts[0].wallet)
        if floor.standing.venue.current().balances(account).of(MARKET.up_token) == BOTH:
            settled.append(floor.now)

    run = played(exchange_truth, rising("0.85x10", "0.87x500", met(), *often), look=look)
    run.agree()
    offered = [(at, [size for side, size in orders if side is Side.SELL]) for at, orders in live.seen]
    sizes = [size for _, size in offered if size]
    assert [one for one, before in zip(sizes, [None, *sizes], strict=False) if one != before] == [[FIRST], [BOTH]]
    since = next(at for at, size in offered if size == [BOTH])
    assert settled[0] < since <= settled[0] + seconds(2)
    begun = next(at for at, size in offered if size)
    assert all(at > settled[0] for at, size in offered if not size and begun < at < after(295)), "the old exit stayed"
    assert {terms.price for _, terms in run.placed(Side.SELL)} == {price("0.99")}


@pytest.mark.spec("C3.A2")
def test_an_exit_filled_in_part_is_replaced_for_what_a_scale_in_leaves(exchange_truth: WireStage) -> None:
    """10 held, of which 6 are sold at 0.90 while a scale-in for 10 waits; it fills: 14 are offered."""
    prepare(exchange_truth, stakes={"max_stake_usd": Decimal("7.20")})
    sold = printed(MARKET, 160, "0.90", "6", Side.BUY)
    live = Live()
    run = played(
        exchange_truth, rising("0.85x10", "0.87x500", sold, met()), ExitPolicy(target=price("0.90")), look=live
    )
    run.agree()
    assert live.at(155) == [(Side.BUY, shares(10)), (Side.SELL, shares(10))]
    assert live.at(165) == [(Side.BUY, shares(10)), (Side.SELL, shares(4))]
    assert live.at(290) == [(Side.SELL, shares(14))]
    assert [terms.shares for _, terms in run.placed(Side.SELL)] == [shares(10), shares(14)]
    assert run.held(MARKET, Outcome.UP) == shares(14)


# --- it does not fill


def take_back(floor: Floor) -> None:
    """Somebody with our key cancels everything."""
    floor.standing.venue.ask(sim.CancelAll(account=sim.Account(floor.standing.accounts[0].wallet)))


@pytest.mark.parametrize("how", ["given up", "taken back"])
def test_what_filled_of_a_scale_in_before_its_end_is_kept_and_no_more_is_asked_for(
    exchange_truth: WireStage, how: str
) -> None:
    """2 of 5.62 are filled. It is given up after 100 s of resting, or by others at once."""
    prepare(exchange_truth, unfilled={"cancel_orders": how == "given up"})
    deeds: list[tuple[float, Look]] = [(180, take_back)] if how == "taken back" else []
    live = Live()
    deed = at_seconds(*deeds)

    def look(floor: Floor) -> None:
        deed(floor)
        live(floor)

    run = played(exchange_truth, rising("0.85x10", "0.87x500", met(170, "12"), met(275)), look=look)
    run.agree()
    assert orders_of(run, Purpose.SCALE_IN) == [(price("0.85"), FIRST, "CANCELLED")]
    assert run.held(MARKET, Outcome.UP) == FIRST + shares(2)
    assert live.at(290) == [(Side.SELL, FIRST + shares(2))]
    assert len(run.notes(nt.EntryGivenUp)) == (how == "given up")


@pytest.mark.parametrize("how", ["refused", "taken back", "nothing left to take"])
def test_a_scale_in_that_came_to_nothing_is_tried_again_after_its_rest(exchange_truth: WireStage, how: str) -> None:
    """One that takes is for whole cents, so for 5.00 at 0.87; there is a new offer at second 160."""
    takes = how == "nothing left to take"
    prepare(exchange_truth, scale_in={"order": "take"} if takes else {})
    rows = rising("0.85x10", "0.87x500", met(200))
    rows += [book(MARKET, 160, "0.85x10", "0.87x400")] if takes else []

    def hinder(floor: Floor) -> None:
        if how == "refused":
            text = "invalid post-only order: order crosses book"
            floor.faults.switch_on(Switch(fault=Fault.ORDER_REFUSED, where=PLACE, text=text))
        elif takes:
            befall(floor, sim.Mishap.BOOK_EMPTIED, only="BUY")

    deeds: list[tuple[float, Look]] = [(160, take_back)] if how == "taken back" else [(149, hinder)]
    run = played(exchange_truth, rows, look=at_seconds(*deeds))
    run.agree()
    first, second = [at for at, terms in run.placed(Side.BUY) if terms.purpose is Purpose.SCALE_IN]
    (rest,) = [note for note in run.notes(nt.SlotSuspended) if note.slot.purpose is Purpose.SCALE_IN]
    assert rest.until is not None
    assert first < rest.until <= second < max(rest.until, after(160)) + seconds(1)
    assert [state for _, _, state in orders_of(run, Purpose.SCALE_IN)][-1] == "FILLED"
    assert run.held(MARKET, Outcome.UP) == FIRST + (shares(5) if takes else FIRST)


@pytest.mark.parametrize(
    ("changes", "up", "limit"),
    [
        ({"scale_in": {"multiplier": Decimal("0.5")}}, 900_000, "scale-in order size"),
        ({"simulation": {"starting_cash_usd": Decimal("8.5")}}, 900_000, "scale-in free cash"),
        ({"limits": {"max_market_usd": Decimal(8)}}, 900_000, "scale-in market exposure"),
        ({"limits": {"min_edge_usd": Decimal("-0.10")}}, 740_000, "scale-in edge"),
        ({}, None, "scale-in chance"),
    ],
)
def test_a_scale_in_that_may_not_be_is_denied_by_name(
    exchange_truth: WireStage, changes: dict[str, dict[str, Any]], up: int | None, limit: str
) -> None:
    """The holding is sold as it is."""
    prepare(exchange_truth, **({"stakes": {"bet_percent": Decimal(100)}} | changes))
    live = Live()
    run = played(exchange_truth, rising("0.85x10", "0.87x500", met()), up=up, look=live)
    run.agree()
    denied = {note.limit for note in run.notes(nt.EntryDenied) if note.limit.startswith("scale-in")}
    assert limit in denied
    assert orders_of(run, Purpose.SCALE_IN) == []
    assert live.at(290) == [(Side.SELL, FIRST)]


def test_nothing_is_added_to_an_entry_that_nobody_filled(exchange_truth: WireStage) -> None:
    prepare(exchange_truth)
    rows = [
        row for row in rising("0.85x10", "0.87x500", met()) if row.at != after(30) or isinstance(row, ev.BookSnapshot)
    ]
    run = played(exchange_truth, rows)
    run.agree()
    assert [terms.purpose for _, terms in run.placed(Side.BUY)] == [Purpose.ENTRY]
    assert [note for note in run.notes(nt.EntryDenied) if note.limit.startswith("scale-in")] == []
    assert run.truth.trades == ()


def test_a_scale_in_that_waits_until_the_end_is_taken_back_before_it(exchange_truth: WireStage) -> None:
    """With less than 15 s left risk lets nothing rest."""
    prepare(exchange_truth)
    live = Live()
    run = played(exchange_truth, rising(), look=live)
    run.agree()
    assert live.at(284) == [(Side.BUY, FIRST), (Side.SELL, FIRST)]
    assert live.at(287) == [(Side.SELL, FIRST)]
    assert orders_of(run, Purpose.SCALE_IN) == [(price("0.85"), FIRST, "CANCELLED")]
    assert run.held(MARKET, Outcome.UP) == FIRST


# --- its parent is sold


@pytest.mark.spec("S6.A3")
@pytest.mark.parametrize("filled", [False, True], ids=["cancelled", "filled just before"])
def test_a_scale_in_does_not_outlive_the_stop_of_what_it_was_for(exchange_truth: WireStage, filled: bool) -> None:
    """Up is at 0.62, where the stop holds as soon as the position is 150 s old; a scale-in waits there since second
    150. It is cancelled, or was filled just before that, which nobody hears for two seconds: then what it bought is put
    up for sale, and stopped when the price falls on."""
    prepare(exchange_truth)
    exits = ExitPolicy(target=price("0.99"), stop=StopPolicy(price=price("0.62"), min_age=seconds(150)))
    rows = [
        *steady(MARKET, "0.72x10", "0.74x500", end=100),
        *steady(MARKET, "0.62x500", "0.64x500", begin=100, end=220),
        *steady(MARKET, "0.40x500", "0.42x500", begin=220),
        printed(MARKET, 30, "0.72", "100", Side.SELL),
    ]

    def before(floor: Floor) -> None:
        if filled:
            befall(floor, sim.Mishap.FILL_AFTER_CANCEL, delay=Nanos(seconds(2)), only="BUY")

    live = Live()
    run = played(exchange_truth, rows, exits, before=before, look=live)
    run.agree()
    assert live.at(175) == [(Side.BUY, FIRST), (Side.SELL, FIRST)]
    (first, *_) = [step for _, step in run.steps if any(isinstance(one, nt.StopTriggered) for one in step.notes)]
    assert sum(isinstance(one, CancelOrder) for one in first.commands) == 2, "target and scale-in, with the stop"
    assert befell(run, sim.Mishap.FILL_AFTER_CANCEL) == filled
    assert len(orders_of(run, Purpose.SCALE_IN)) == 1
    assert run.held(MARKET, Outcome.UP) == 0
    assert total(legs(run, Side.SELL)) == total(bought(run, Outcome.UP)) == (BOTH if filled else FIRST)
    assert live.at(290) == []


@pytest.mark.parametrize("how", ["at its target", "for profit"])
def test_a_scale_in_is_taken_back_once_what_it_was_for_is_sold(exchange_truth: WireStage, how: str) -> None:
    """It waits at 0.85, which is not met before second 220."""
    prepare(exchange_truth)
    taken = printed(MARKET, 200, "0.99", "100", Side.BUY)
    risen = book(MARKET, 200, "0.95x500 0.85x10", "0.97x500")
    rows = [row for row in rising() if row.at < after(200)] + steady(MARKET, "0.85x10", "0.87x500", begin=220)
    rows += [taken] if how == "at its target" else [risen]
    exits = ExitPolicy(target=price("0.99"), profit=None if how == "at its target" else 300_000)
    live = Live()
    run = played(exchange_truth, [*rows, met(230)], exits, look=live)
    run.agree()
    assert (Side.BUY, FIRST) in live.at(199)
    assert live.at(221) == []
    assert [state for _, _, state in orders_of(run, Purpose.SCALE_IN)] == ["CANCELLED"]
    assert total(legs(run, Side.SELL)) == total(bought(run, Outcome.UP)) == FIRST
