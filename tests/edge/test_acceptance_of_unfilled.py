"""Acceptance conditions of entries that nobody fills, on the exchange's truth: given up, tried again, or in part."""

import json
from decimal import Decimal
from itertools import pairwise

import pytest

from polystra.app.settings import Settings
from polystra.core import notes as nt
from polystra.core.events import PricePrinted
from polystra.core.ids import OrderId
from polystra.core.markets import PriceSource, Series
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Purpose, Side, TimeInForce
from polystra.core.unfilled import Why
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.tapes.format import TapeEvent
from polystra.exchange.faults import Fault
from tests.edge.execution_cases import (
    AT_ONCE,
    CANCEL,
    PLACE,
    Scheduled,
    Told,
    at_seconds,
    ends_of,
    kind,
    legs,
    logged,
    noted,
    staking,
    total,
)
from tests.edge.wire_stage import Floor, WireOutcomes, WireStage, exchange_truth
from tests.truth import START, after, printed, steady, tape_file, window, wish

__all__ = ["exchange_truth"]

LENGTH = seconds(900)
MARKET = window(
    series=Series("BTC", LENGTH),
    slug=f"btc-updown-15m-{START // 10**9}",
    end=Instant(START + LENGTH),
    settlement=PriceSource.CHAINLINK_TWAP_60,
)
"""A window of 15 minutes, in which an entry may rest for 300 s."""

STRIKE = 100_000_000_000
CALM = ("0.49x500", "0.51x500")


def spot(second: float, value: int) -> TapeEvent:
    """The price that the window settles by."""
    at = after(second)
    return PricePrinted(at=at, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=value, stamped_at=at)


def day(underlying: int, *then: tuple[int, str, str]) -> list[TapeEvent]:
    """Calm, and another book from each of these seconds on; the underlying goes from the strike to `underlying`."""
    edges = [(-5, *CALM), *then, (900, "", "")]
    rows: list[TapeEvent] = [spot(0, STRIKE), *(spot(second, underlying) for second in range(1, 900))]
    for (begin, bids, asks), (end, _, _) in pairwise(edges):
        rows += steady(MARKET, bids, asks, begin=begin, end=end)
    return rows


def bidding(at: str = "0.48", exits: ExitPolicy | None = None, *more: Told) -> Scheduled:
    """One bid for Up from second 20 on, wished for to the end, whatever fills."""
    bid = kind(at, TimeInForce.GTC)
    return Scheduled((*(Told(20, 900, made, bid) for made in range(3)), *more), exits or ExitPolicy())


def _hash_of(run: WireOutcomes, order: int) -> str:
    """The venue's name of one of our orders."""
    ((name,),) = run.sql("select venue_order from orders where id = ?", order)
    return str(name)


def cancels(run: WireOutcomes) -> list[int]:
    """When the exchange was asked to cancel, each."""
    return [one["at"] for one in logged(run, "asked", "Cancel")]


@pytest.mark.spec("S15.A1")
def test_an_entry_that_rests_for_301_s_on_the_losing_side_is_cancelled_once_and_its_cash_is_free(
    exchange_truth: WireStage,
) -> None:
    """A stake is half of what is free. 40 of 80 USD rest in a bid for Up, so 20 are bid for Down; once the cancel is
    known, 40 are."""
    told = exchange_truth.settings.model_dump()
    told["simulation"]["starting_cash_usd"] = 80
    told["stakes"]["bet_percent"] = 100
    exchange_truth.settings = Settings.model_validate(told)
    down = Told(30, 900, 0, wish(Outcome.DOWN, "0.48", rests=True))
    tape = tape_file(MARKET, day(STRIKE - 1), "0")
    run = exchange_truth.play_on_wire([tape], bidding("0.48", None, down))
    run.agree()
    first, small, last = run.placed(Side.BUY)
    age = cancels(run)[0] - first[0]
    assert seconds(300) < age < seconds(301.5), "live for 301 s"
    of_first = [one for one in logged(run, "asked", "Cancel") if _hash_of(run, 1) in one["orders"]]
    assert len(of_first) == 1, "cancelled once"
    assert ends_of(run, 1) == "CANCELLED"
    (given_up, *_) = run.notes(nt.EntryGivenUp)
    assert (given_up.order, given_up.why) == (1, Why.AGED)
    denied = [(note.limit, note.value) for note in run.notes(nt.EntryDenied)]
    assert ("second try", "losing side") in denied
    assert [terms.outcome for _, terms in (first, small, last)] == [Outcome.UP, Outcome.DOWN, Outcome.DOWN]
    assert first[1].shares == shares("83.33")
    assert small[1].shares == shares("41.66"), "what rests is not staked again"
    assert cancels(run)[0] < last[0] < cancels(run)[0] + seconds(1.5)
    assert last[1].shares == first[1].shares, "the cash is free"
    assert run.truth.trades == ()


@pytest.mark.spec("S15.A2")
def test_an_entry_that_would_have_won_is_tried_again_once_at_the_market_and_linked(exchange_truth: WireStage) -> None:
    """The middle goes from 0.50 to 0.56, 12 % more, and the underlying is above the strike. The answer to the second
    order takes 30 s: it is not the first one's age that it is judged by."""

    def before(floor: Floor) -> None:
        floor.fail(Fault.REPLY_LATE, PLACE, delay=0)

    def late(floor: Floor) -> None:
        floor.fail(Fault.REPLY_LATE, PLACE, delay=30)

    tape = tape_file(MARKET, day(STRIKE + 1, (250, "0.55x500", "0.57x500")))
    run = exchange_truth.play_on_wire([tape], bidding(), before=before, look=at_seconds((310, late)))
    run.agree()
    assert run.floor.hits(Fault.REPLY_LATE) == 2
    (_, first), (again_at, second) = run.placed(Side.BUY)
    assert (first.time_in_force, first.price) == (TimeInForce.GTC, price("0.48"))
    assert (second.time_in_force, second.price) == (TimeInForce.FAK, price("0.57"))
    assert second.spend <= usd(50) < second.spend + usd(1), "the stake at the new price"
    assert after(320) < again_at < after(322)
    assert len(cancels(run)) == 1
    ((body,),) = run.sql("select body from notes where kind = 'EntryRetried'")
    assert {key: json.loads(body)[key] for key in ("first", "second")} == {"first": 1, "second": 2}
    assert (ends_of(run, 1), ends_of(run, 2)) == ("CANCELLED", "FILLED")
    assert total(legs(run, Side.BUY)) == run.held(MARKET, Outcome.UP) > 0
    began = run.sql("select at from order_steps where order_id = 2 and after = 'SUBMITTING'")
    assert began == [(again_at,)], "its own timer"


@pytest.mark.parametrize(
    ("underlying", "ask", "least_edge", "why"),
    [
        (STRIKE - 1, "0.57", "-0.99", "second try"),
        (STRIKE + 1, "0.55", "-0.99", "second try"),
        (STRIKE + 1, "0.57", "0.50", "edge"),
    ],
    ids=["losing", "+8 %", "no value left"],
)
def test_an_entry_that_lacks_one_of_these_is_not_tried_again(
    exchange_truth: WireStage, underlying: int, ask: str, least_edge: str, why: str
) -> None:
    exchange_truth.settings = staking(exchange_truth.settings, min_edge_usd=Decimal(least_edge))
    bid = f"{Decimal(ask) - Decimal('0.02')}"
    tape = tape_file(MARKET, day(underlying, (250, f"{bid}x500", f"{ask}x500")))
    run = exchange_truth.play_on_wire([tape], bidding())
    run.agree()
    assert len(run.placed(Side.BUY)) == len(cancels(run)) == 1
    assert why in {note.limit for at, note in noted(run, nt.EntryDenied) if at > after(300)}
    assert run.truth.trades == ()


@pytest.mark.spec("S15.A3")
def test_of_an_entry_that_was_filled_to_40_percent_that_part_is_sold_and_the_rest_cancelled(
    exchange_truth: WireStage,
) -> None:
    """Of 100 shares at 0.50 another seller takes 40; the rest is cancelled by its age, and 40 are on offer at 0.99."""
    offered: list[tuple[int, ...]] = []

    def look(floor: Floor) -> None:
        offered.append(tuple(sorted(order.size for order in floor.truth().orders)))

    rows = [*day(STRIKE + 1), printed(MARKET, 100, "0.50", "40", Side.SELL)]
    run = exchange_truth.play_on_wire(
        [tape_file(MARKET, rows)], bidding("0.50", AT_ONCE), look=at_seconds((300, look), (400, look))
    )
    run.agree()
    (bought,) = legs(run, Side.BUY)
    assert bought.shares == shares(40)
    ((_, entry),) = run.placed(Side.BUY)
    assert entry.shares == shares(100)
    assert offered == [(shares(40), shares(100)), (shares(40),)], "40 % managed, 60 % cancelled"
    assert [terms.purpose for _, terms in run.placed(Side.SELL)] == [Purpose.TARGET]
    assert len(cancels(run)) == 1
    assert ends_of(run, 1) == "CANCELLED"
    assert run.notes(nt.EntryRetried) == []
    assert run.held(MARKET, Outcome.UP) == shares(40)


def test_a_fill_while_the_cancel_is_on_its_way_counts_and_is_sold(exchange_truth: WireStage) -> None:
    """The cancel arrives 5 s late; 2 s before that another seller takes the whole bid."""

    def before(floor: Floor) -> None:
        floor.fail(Fault.REQUEST_LATE, CANCEL, delay=5)

    rows = [*day(STRIKE + 1), printed(MARKET, 323, "0.48", "5000", Side.SELL)]
    run = exchange_truth.play_on_wire([tape_file(MARKET, rows)], bidding("0.48", AT_ONCE), before=before)
    run.agree()
    assert run.floor.hits(Fault.REQUEST_LATE) == 1
    assert ends_of(run, OrderId(1)) == "FILLED"
    assert run.notes(nt.EntryRetried) == []
    assert [terms.purpose for _, terms in run.placed(Side.SELL)] == [Purpose.TARGET]
    assert total(legs(run, Side.BUY)) == run.placed(Side.SELL)[0][1].shares


def test_an_entry_whose_token_falls_by_the_threshold_is_cancelled_at_once(exchange_truth: WireStage) -> None:
    """From a middle of 0.50 to 0.42, above our bid still; and that it comes back changes nothing."""
    tape = tape_file(MARKET, day(STRIKE + 1, (60, "0.41x500", "0.43x500"), (70, *CALM)))
    run = exchange_truth.play_on_wire([tape], bidding("0.30"))
    run.agree()
    assert len(run.placed(Side.BUY)) == 1
    (cancelled,) = cancels(run)
    assert after(60) < cancelled < after(61)
    (given_up,) = run.notes(nt.EntryGivenUp)
    assert (given_up.why, given_up.change) == (Why.FELL, -160_000)


def test_with_the_switch_off_it_rests_to_the_end(exchange_truth: WireStage) -> None:
    own = exchange_truth.settings.unfilled.model_copy(update={"cancel_orders": False})
    exchange_truth.settings = exchange_truth.settings.model_copy(update={"unfilled": own})
    tape = tape_file(MARKET, day(STRIKE - 1, (60, "0.41x500", "0.43x500")), "0")
    run = exchange_truth.play_on_wire([tape], bidding("0.30"))
    run.agree()
    assert all(at > after(880) for at in cancels(run))
    assert run.notes(nt.EntryGivenUp) == []
