"""Acceptance conditions of orders on their way: kinds of orders, market sales, and cancels that go wrong.

The whole trader runs against the exchange behind its own wire, in lock step. What counts is what the exchange has.
"""

from itertools import pairwise

import pytest

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Purpose, Side, TimeInForce
from polystra.core.units import price, seconds, shares
from polystra.exchange.faults import Fault
from polystra.sim import messages as sim
from tests.edge.execution_cases import (
    AT_ONCE,
    CANCEL,
    MARKET,
    STOP,
    Scheduled,
    Told,
    at_seconds,
    befall,
    befell,
    brought,
    commanded,
    ends_of,
    happened,
    kind,
    legs,
    logged,
    noted,
    resting,
    sold_into,
    taking,
    then,
    total,
)
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.edge.wish_cases import changed
from tests.truth import after, book, steady, tape_file

__all__ = ["exchange_truth"]

QUIET = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x100"))


# --- kinds of orders


@pytest.mark.spec("S9.A1")
@pytest.mark.spec("S9.A2")
def test_a_gtc_larger_than_the_book_takes_what_is_there_and_rests(exchange_truth: WireStage) -> None:
    """The target is met already when it is put up: 8 of 20 are bid for, 12 stay on offer at the exchange."""
    rows = then(12, "0.60x8", "0.62x500", before=("0.50x500", "0.52x20"))
    live: list[tuple[int, int]] = []

    def look(floor: Floor) -> None:
        live.extend((order.size, order.matched) for order in floor.truth().orders if order.side is Side.SELL)

    run = exchange_truth.play_on_wire(
        [
            tape_file(
                MARKET, [row for row in rows if row.at < after(13)] + steady(MARKET, "0.10x8", "0.62x500", 25, 300)
            )
        ],
        taking(ExitPolicy(target=price("0.60"))),
        look=at_seconds((100, look)),
    )
    assert live == [(shares("20"), shares("8"))]
    assert total(legs(run, Side.SELL)) == shares("8")
    run.agree()


@pytest.mark.spec("S9.A1")
@pytest.mark.spec("S9.A2")
@pytest.mark.parametrize(
    ("how", "gets"), [(TimeInForce.FOK, "0"), (TimeInForce.FAK, "10")], ids=["FOK nothing", "FAK what is there"]
)
def test_half_of_the_book_is_gone_when_an_immediate_order_arrives(
    exchange_truth: WireStage, how: TimeInForce, gets: str
) -> None:
    """It asked for the 20 that were on offer. Nothing of it stays in the book."""
    rows = steady(MARKET, "0.50x500", "0.52x20")
    live: list[object] = []
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, rows)],
        Scheduled((Told(10, 11, 0, kind("0.52", how)),)),
        before=lambda floor: befall(floor, sim.Mishap.BOOK_THINNED, times=None),
        look=at_seconds((11, lambda floor: live.extend(floor.truth().orders))),
    )
    assert befell(run, sim.Mishap.BOOK_THINNED) == 1
    assert live == []
    assert [terms.shares for _, terms in run.placed(Side.BUY)] == [shares("20")]
    assert total(legs(run, Side.BUY)) == run.held(MARKET, Outcome.UP) == shares(gets)
    assert ends_of(run, 1) in ("CANCELLED", "REFUSED")
    run.agree()


@pytest.mark.spec("S9.A1")
@pytest.mark.spec("S9.A2")
def test_a_gtd_is_filled_in_part_and_gone_at_its_expiry(exchange_truth: WireStage) -> None:
    """Wished for 200 s of the venue's clock, of which the venue takes a minute off: 20 + 140 s."""
    exchange_truth.settings = changed(exchange_truth.settings, unfilled={"cancel_orders": False})
    live: list[list[tuple[int, int]]] = []

    def look(floor: Floor) -> None:
        live.append([(order.size, order.matched) for order in floor.truth().orders])

    for_200 = kind("0.50", TimeInForce.GTD, 200)
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, [*steady(MARKET, "0.50x100", "0.52x100"), *sold_into(100)])],
        Scheduled((Told(20, 160.5, 0, for_200), Told(20, 160.5, 1, for_200))),
        look=at_seconds((99, look), (159, look), (162, look)),
    )
    assert live == [[(shares("100"), 0)], [(shares("100"), shares("50"))], []]
    assert [update["status"] for update in logged(run, "did", "OrderUpdated")][-1] == "CANCELED_EXPIRED_ORDER"
    assert ends_of(run, 1) == "EXPIRED"
    assert total(legs(run, Side.BUY)) == run.held(MARKET, Outcome.UP) == shares("50")
    run.agree()


# --- sales at the market


@pytest.mark.spec("S10.A1")
def test_a_stop_sells_what_is_bid_for_and_the_rest_stays_open(exchange_truth: WireStage) -> None:
    """Holding 20; 8 are bid for at 0.30 and 5 at 0.25, and then nobody bids: 13 sold at 0.2808 on average, 7 left."""
    rows = [
        *steady(MARKET, "0.50x500", "0.52x20", end=100),
        *steady(MARKET, "0.30x8 0.25x5", "0.32x500", begin=100, end=101),
        *steady(MARKET, "", "0.32x500", begin=101),
    ]
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows, payout_up="0")], taking(STOP))
    sold = legs(run, Side.SELL)
    assert [(leg.price, leg.shares) for leg in sold] == [
        (price("0.30"), shares("8")),
        (price("0.25"), shares("5")),
    ]
    assert round(sum(leg.cash for leg in sold) * 10_000 / total(sold)) == 2_808
    ((held, paid, received),) = run.sql("select shares_micro, paid_micro, received_micro from positions")
    assert held == run.held(MARKET, Outcome.UP) == shares("7")
    assert received == brought(sold)
    (settled,) = run.notes(nt.MarketSettled)
    assert settled.pnl == received - paid
    run.agree()


@pytest.mark.spec("S10.A2")
def test_a_stop_sells_nothing_below_its_bound(exchange_truth: WireStage) -> None:
    """8 at 0.30, and 500 one cent below the bound of 0.25: the order that saw 0.30 sells the 8 alone."""
    rows = [
        *steady(MARKET, "0.50x500", "0.52x20", end=100),
        *steady(MARKET, "0.30x8 0.24x500", "0.32x500", begin=100),
    ]
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], taking(STOP))
    stops = [one for one in logged(run, "did", "OrderAccepted") if one["making"] and one["order"] in _sells(run)]
    assert [one["making"] for one in stops[:1]] == [shares("8")]
    _all_within_bound(run)
    run.agree()


@pytest.mark.spec("S10.A2")
def test_a_bid_that_is_gone_when_the_stop_arrives_is_not_chased_by_the_same_order(exchange_truth: WireStage) -> None:
    """The book that it saw is emptied down to 0.20, which is below its bound: it is killed, and the next one, which
    saw 0.20, sells."""
    rows = [
        *steady(MARKET, "0.50x500", "0.52x20", end=100),
        *steady(MARKET, "0.30x20 0.20x500", "0.32x500", begin=100, end=101),
        *steady(MARKET, "0.20x500", "0.32x500", begin=101),
    ]

    def thin(floor: Floor) -> None:
        befall(floor, sim.Mishap.BOOK_EMPTIED, only="SELL")

    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], taking(STOP), look=at_seconds((90, thin)))
    assert befell(run, sim.Mishap.BOOK_EMPTIED) == 1
    prices = [terms.price for _, terms in run.placed(Side.SELL) if terms.purpose is Purpose.STOP]
    assert prices == [price("0.25"), price("0.15")]
    assert [(leg.price, leg.shares) for leg in legs(run, Side.SELL)] == [(price("0.20"), shares("20"))]
    _all_within_bound(run)
    run.agree()


def _sells(run: WireOutcomes) -> set[str]:
    return {one["order"] for one in logged(run, "asked", "Submit") if one["side"] == "SELL"}


def _all_within_bound(run: WireOutcomes) -> None:
    """No sell at the exchange below its own limit."""
    limits = {
        one["order"]: one["taker_amount"] * 1_000_000 // one["maker_amount"] for one in logged(run, "asked", "Submit")
    }
    for leg in legs(run, Side.SELL):
        assert leg.price >= limits[leg.order]


@pytest.mark.spec("S10.A3")
def test_nobody_bids_and_nothing_is_sent(exchange_truth: WireStage) -> None:
    """No order can do anything in an empty book; a person hears of it once, and the first bid is taken."""
    rows = [
        *steady(MARKET, "0.50x500", "0.52x20", end=100),
        *steady(MARKET, "", "0.32x500", begin=100, end=200),
        *steady(MARKET, "0.10x500", "0.32x500", begin=200),
    ]
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], taking(STOP))
    stops = [at for at, terms in run.placed(Side.SELL) if terms.purpose is Purpose.STOP]
    assert len(stops) == 1
    assert after(200) <= stops[0] <= after(202)
    alerts = [at for at, note in noted(run, nt.ExitUncovered) if note.why == "no stop: nobody bids"]
    assert len(alerts) == 1
    assert after(100) <= alerts[0] <= after(101)
    assert total(legs(run, Side.SELL)) == shares("20")
    run.agree()


@pytest.mark.spec("S10.A3")
def test_bids_that_are_always_gone_are_tried_for_at_growing_distances(exchange_truth: WireStage) -> None:
    """The stream shows bids, and each order finds none: after 1, 2, 4 ... 32 s, and a person hears of each rest."""
    rows = steady(MARKET, "0.50x500", "0.52x20", end=100)
    rows += [book(MARKET, second, f"0.20x{10 * second}", "0.32x500") for second in range(100, 300)]

    def empty(floor: Floor) -> None:
        befall(floor, sim.Mishap.BOOK_EMPTIED, times=None, only="SELL")

    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], taking(STOP), look=at_seconds((90, empty)))
    stops = [at for at, terms in run.placed(Side.SELL) if terms.purpose is Purpose.STOP]
    assert befell(run, sim.Mishap.BOOK_EMPTIED) == len(stops)
    gaps = [round((later - at) / 1e9) for at, later in pairwise(stops)]
    assert gaps[:6] == [1, 2, 4, 8, 16, 32]
    assert all(gap >= 32 for gap in gaps[5:])
    assert len([note for _, note in noted(run, nt.SlotSuspended) if note.slot.purpose is Purpose.STOP]) == len(stops)
    assert run.held(MARKET, Outcome.UP) == shares("20")
    run.agree()


# --- cancels that go wrong


@pytest.mark.spec("S29.A1")
def test_an_order_that_was_gone_by_a_cancel_counts_as_cancelled(exchange_truth: WireStage) -> None:
    """Somebody with our key takes it back, and the stream does not tell: our own cancel finds nothing."""

    def take_back(floor: Floor) -> None:
        (order,) = floor.truth().orders
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)
        floor.standing.venue.ask(sim.CancelAll(account=order.account))

    run = exchange_truth.play_on_wire([QUIET], resting(until=70), look=at_seconds((65, take_back)))
    assert run.floor.hits(Fault.STREAM_FROZEN) > 0
    (refused,) = happened(run, ev.CancelRefused)
    assert after(70) < refused.at < after(71)
    assert ends_of(run, 1) == "CANCELLED"
    assert legs(run, Side.BUY) == []
    assert len(commanded(run, cm.CancelOrder)) == 1
    run.agree()


@pytest.mark.spec("S29.A2")
def test_an_order_that_was_gone_by_a_fill_is_booked_as_filled(exchange_truth: WireStage) -> None:
    """The stream did not tell of the fill: our cancel finds nothing, and the question why finds the trade."""

    def freeze(floor: Floor) -> None:
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)

    rows = [*steady(MARKET, "0.50x100", "0.52x100"), *sold_into(66, 67)]
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], resting(until=70), look=at_seconds((65, freeze)))
    assert run.floor.hits(Fault.STREAM_FROZEN) > 0
    assert len(happened(run, ev.CancelRefused)) == 1
    booked = [(at, note.shares) for at, note in noted(run, nt.FillBooked)]
    assert sum(size for _, size in booked) == total(legs(run, Side.BUY)) == shares("100")
    assert all(after(70) < at < after(71) for at, _ in booked)
    assert ends_of(run, 1) == "FILLED"
    run.agree()


@pytest.mark.spec("S29.A3")
@pytest.mark.parametrize(
    ("fault", "cancels"),
    [
        pytest.param(Fault.REPLY_LATE, 1, id="done, and answered too late"),
        pytest.param(Fault.REQUEST_LATE, 2, id="heard far too late"),
    ],
)
def test_a_cancel_without_an_answer_is_unknown_until_the_order_is_read_again(
    exchange_truth: WireStage, fault: Fault, cancels: int
) -> None:
    """The stream is silent too. The order stays in doubt until the exchange has said what became of it."""

    def break_cancel(floor: Floor) -> None:
        floor.fail(Fault.STREAM_FROZEN, "user", times=None)
        floor.fail(fault, CANCEL, delay=30)

    run = exchange_truth.play_on_wire([QUIET], resting(until=70), look=at_seconds((65, break_cancel)))
    assert run.floor.hits(fault) == 1
    doubts = happened(run, ev.CancelOutcomeUnknown)
    assert len(doubts) == 1
    asked = [at for at in commanded(run, cm.QueryOrder) if at >= doubts[0].at]
    assert asked[0] == doubts[0].at
    ended = [at for at, note in noted(run, nt.OrderMoved) if note.order == 1 and note.after == "CANCELLED"]
    assert doubts[0].at < ended[0] < after(75)
    assert len(commanded(run, cm.CancelOrder)) == cancels
    run.agree()


@pytest.mark.spec("L4.A1")
def test_a_cancel_that_always_fails_is_tried_four_times_and_then_once_a_period(exchange_truth: WireStage) -> None:
    """After 1, 2 and 4 s, then every 60 s as the account is read."""

    def before(floor: Floor) -> None:
        floor.fail(Fault.ERROR_BEFORE, CANCEL, times=100)

    run = exchange_truth.play_on_wire([QUIET], resting(until=70), before=before)
    tried = [at for at in commanded(run, cm.CancelOrder) if at < MARKET.end]
    gaps = [(later - at) / 1e9 for at, later in pairwise(tried)]
    assert [round(gap) for gap in gaps] == [1, 2, 4, 60, 60, 60]
    assert run.floor.hits(Fault.ERROR_BEFORE) == len(commanded(run, cm.CancelOrder))
    run.agree()


@pytest.mark.spec("L4.A2")
def test_an_order_that_could_not_be_cancelled_and_is_filled_later_is_managed(exchange_truth: WireStage) -> None:
    """Given up at 77 s, filled at 137 s: its shares are held, and put up for sale."""

    def before(floor: Floor) -> None:
        floor.fail(Fault.ERROR_BEFORE, CANCEL, times=None)

    offered: list[int] = []

    def look(floor: Floor) -> None:
        offered.extend(order.size for order in floor.truth().orders if order.side is Side.SELL)

    rows = [*steady(MARKET, "0.50x100", "0.52x100"), *sold_into(137, size="300")]
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, rows)], resting(until=70, exits=AT_ONCE), before=before, look=at_seconds((160, look))
    )
    assert run.floor.hits(Fault.ERROR_BEFORE) >= 4
    bought = total(legs(run, Side.BUY))
    assert bought == shares("100")
    assert offered == [bought]
    assert all(after(137) < at < after(139) for at, _ in noted(run, nt.FillBooked))
    assert ends_of(run, 1) == "FILLED"
    run.agree()


@pytest.mark.spec("L4.A3")
def test_an_order_that_could_not_be_cancelled_goes_with_its_window(exchange_truth: WireStage) -> None:
    """The market itself takes orders for another 54 s: one cancel of everything in it, and nothing of ours is left."""

    def before(floor: Floor) -> None:
        floor.fail(Fault.ERROR_BEFORE, CANCEL, times=None)

    live: list[int] = []

    def look(floor: Floor) -> None:
        live.append(len(floor.truth().orders))

    tape = tape_file(MARKET, steady(MARKET, "0.50x100", "0.52x100", end=310))
    deeds = at_seconds((299, look), (302, look))
    run = exchange_truth.play_on_wire([tape], resting(until=70), before=before, look=deeds)
    assert run.floor.hits(Fault.ERROR_BEFORE) >= 4
    (swept,) = logged(run, "asked", "CancelMarket")
    assert swept["market"] == MARKET.id
    assert MARKET.end <= swept["at"] <= MARKET.end + seconds(1)
    assert len(commanded(run, cm.CancelMarket)) == 1
    assert live == [1, 0]
    assert ends_of(run, 1) == "CANCELLED"
    run.agree()
