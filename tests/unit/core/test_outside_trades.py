"""Trades of the account that no order of ours made: sold or bought by hand, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.orders import Order
from polystra.core.positions import Adjustment, Holding, position_of
from polystra.core.terms import Liquidity, Outcome, Purpose, Side, TradeStage
from polystra.core.units import Instant, Shares, price, seconds, shares, usd
from tests.core_cases import (
    AT_ONCE,
    CONFIRMED,
    FAILED,
    MATCHED,
    MINED,
    RULES,
    UP_WON,
    Bench,
    Wanting,
    moment,
    wish,
    with_exits,
)
from tests.unit.core.samples import NOON, WINDOW, fill, order, selling, terms
from tests.unit.core.test_engine_restart import restarted, stored, trade

HAND = VenueOrderId("0xhand")
LEAVING = replace(RULES, adopts=False)


def by_hand(bench: Bench, at: float, side: Side, each: str, size: str, **more: Any) -> list[str]:
    """A trade of another hand; one that settles is followed by the reading it asks for."""
    facts: dict[str, Any] = {
        "venue_order": HAND,
        "market": WINDOW.id,
        "outcome": Outcome.UP,
        "side": side,
        "trade": TradeId("h1"),
        "price": price(each),
        "shares": shares(size),
        "liquidity": Liquidity.MAKER,
        "stage": CONFIRMED,
        "traded_at": moment(at),
    }
    said = bench.hear(at, ev.OutsideFilled, **(facts | more))
    if "read account" in said:
        said.remove("read account")
        said += bench.shown(at)
    return said


def holding(rules: Any = RULES) -> Bench:
    """Ten Up of ours from 0.54, and a target for them that rests as o2."""
    bench = Bench(Wanting(wishes=(wish(),), exits=AT_ONCE), rules)
    bench.start(0)
    assert bench.book(60) == ["place o1 entry BUY UP 10 @ 0.54 FAK"]
    assert bench.killed(60.1, 1, "10", "5.4") == []
    assert bench.fill(60.2, 1, "0.54", "10", CONFIRMED) == ["place o2 target SELL UP 10 @ 0.99 GTC"]
    bench.accepted(60.3, 2)
    return bench


# --- sold outside


def test_a_holding_sold_outside_is_closed_and_its_exit_taken_back() -> None:
    bench = holding()
    cash = bench.known.cash
    assert by_hand(bench, 100, Side.SELL, "0.80", "10") == ["cancel o2"]
    assert bench.cancelled(100.1, 2) == []
    assert bench.desk.position.flat
    assert bench.known.cash - cash == usd(8)
    assert bench.known.account.realised_today == bench.desk.position.realised > 0
    assert bench.desk.entries_made == 1
    (seen,) = bench.told(nt.OutsideOrderSeen)
    assert (seen.order, seen.venue_order, seen.terms.purpose) == (OrderId(3), HAND, Purpose.OUTSIDE)
    assert not bench.told(nt.FillBooked)[-1].late
    assert bench.told(nt.MarketHalted) == bench.told(nt.OpeningCorrected) == []


def test_a_part_sold_outside_makes_the_exit_smaller() -> None:
    bench = holding()
    assert by_hand(bench, 100, Side.SELL, "0.80", "4") == ["cancel o2"]
    assert bench.cancelled(100.1, 2) == ["place o4 target SELL UP 6 @ 0.99 GTC"]


def test_an_order_of_somebody_else_is_told_once_whatever_it_trades() -> None:
    """Nobody here knows how large it is: a second trade of it is no overfill."""
    bench = holding()
    by_hand(bench, 100, Side.SELL, "0.80", "4", stage=MATCHED)
    by_hand(bench, 101, Side.SELL, "0.80", "4", stage=CONFIRMED, traded_at=moment(100))
    by_hand(bench, 102, Side.SELL, "0.81", "3", trade=TradeId("h2"))
    assert bench.desk.position.up.shares == shares(3)
    assert len(bench.told(nt.OutsideOrderSeen)) == 1
    assert len(bench.told(nt.FillBooked)) == 3
    assert bench.told(nt.MarketHalted) == []


def test_a_trade_in_a_market_that_nobody_follows_changes_nothing() -> None:
    bench = Bench()
    bench.start(0, listed=False)
    assert by_hand(bench, 1, Side.BUY, "0.50", "10") == []
    assert bench.told(nt.OutsideOrderSeen) == []
    assert bench.known.cash == usd(1_000)


def test_a_purchase_in_a_window_that_is_listed_later_stops_entries_only_until_then() -> None:
    """5 USD left by hand in a window that nobody follows yet; its trade is heard of once the window is."""
    bench = Bench(Wanting(wishes=(wish(),), exits=AT_ONCE))
    bench.start(0, listed=False)
    for at in (10, 41):
        bench.reading(at, "995")
    (drift,) = bench.told(nt.DriftFound)
    assert (drift.ledger, drift.venue) == (usd(1_000), usd(995))
    assert bench.known.why_no_entries == "cash differs from the venue's"
    bench.hear(50, ev.MarketListed, market=bench.market)
    by_hand(bench, 50.1, Side.BUY, "0.50", "10", traded_at=moment(5))
    bench.reading(60, "995", "10")
    assert bench.known.why_no_entries is None
    assert [note.cash for note in bench.told(nt.DriftGone)] == [usd(995)]


# --- bought outside


def test_shares_bought_outside_are_looked_after_and_never_added_to() -> None:
    bench = Bench(Wanting(wishes=(wish(),), exits=AT_ONCE))
    bench.start(0)
    assert by_hand(bench, 50, Side.BUY, "0.50", "10") == ["place o2 target SELL UP 10 @ 0.99 GTC"]
    assert bench.book(60) == []
    denied = bench.told(nt.EntryDenied)[-1]
    assert "bought outside" in f"{denied.value} {denied.allowed}"
    held = bench.desk.position.up
    assert (held.shares, held.adopted, held.cost) == (shares(10), shares(10), usd(5))
    assert bench.desk.entries_made == 0


def test_what_was_bought_outside_is_settled_like_our_own() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    by_hand(bench, 50, Side.BUY, "0.50", "10")
    bench.hear(300, ev.MarketResolved, market=WINDOW.id, payout=UP_WON)
    bench.cancelled(301, 2)
    (settled,) = bench.told(nt.MarketSettled)
    assert (settled.redeemable, settled.pnl) == (usd(10), usd(5))


def test_a_trade_that_fails_gives_its_cash_back() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.start(0)
    by_hand(bench, 50, Side.BUY, "0.50", "10", stage=MATCHED)
    by_hand(bench, 51, Side.BUY, "0.50", "10", stage=FAILED, traded_at=moment(50))
    assert bench.known.cash == usd(1_000)
    assert bench.desk.position.flat


# --- before the first balance


@pytest.mark.parametrize(("traded", "cash"), [(99, 1_000), (100, 995)], ids=["before", "after"])
def test_what_was_traded_before_the_opening_balance_moves_cash_no_more(traded: float, cash: int) -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.hear(100, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(1_000), markets=(WINDOW,), opened_at=moment(100))
    for stage in (MATCHED, MINED, CONFIRMED):
        by_hand(bench, 101, Side.BUY, "0.50", "10", stage=stage, traded_at=moment(traded))
    assert bench.known.cash == usd(cash)
    assert bench.desk.position.up.cost == usd(5)
    assert [note.amount for note in bench.told(nt.OpeningCorrected)] == ([usd(5)] if cash == 1_000 else [])


def test_a_trade_that_failed_before_the_opening_balance_is_no_correction() -> None:
    bench = Bench(with_exits(AT_ONCE))
    bench.hear(100, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(1_000), markets=(WINDOW,), opened_at=moment(100))
    by_hand(bench, 101, Side.BUY, "0.50", "10", stage=FAILED, traded_at=moment(99))
    assert bench.told(nt.OpeningCorrected) == []
    assert bench.known.cash == usd(1_000)


# --- after a restart


def test_an_order_of_somebody_else_keeps_its_number_after_a_restart() -> None:
    hand = replace(stored(2, terms("0.50", "10", purpose=Purpose.OUTSIDE, market=WINDOW.id), ended=True), outside=HAND)
    bench = restarted(orders=(hand,), fills=(trade(2, "0.50", "10", CONFIRMED, "h1"),))
    by_hand(bench, 100, Side.BUY, "0.50", "10", traded_at=moment(60))
    by_hand(bench, 100, Side.BUY, "0.51", "5", trade=TradeId("h2"))
    assert bench.desk.position.up.shares == bench.desk.position.up.adopted == shares(15)
    assert bench.told(nt.OutsideOrderSeen) == []
    assert bench.known.next_order == OrderId(9)


# --- left alone


def test_shares_that_are_left_alone_are_no_part_of_anything() -> None:
    bench = holding(LEAVING)
    assert by_hand(bench, 100, Side.BUY, "0.50", "7") == []
    held = bench.desk.position.up
    assert (held.shares, held.left_alone, held.adopted, held.cost) == (shares(10), shares(7), 0, usd("5.4") + held.fees)
    for at in (101, 140):
        assert bench.reading(at, f"{bench.known.cash / 10**6}", "17", live=(2,)) == []
    assert bench.told(nt.DriftFound) == []
    assert bench.told(nt.OutsideOrderSeen)[0].terms.purpose is Purpose.LEFT_ALONE


def test_a_sale_outside_takes_what_is_left_alone_first() -> None:
    bench = holding(LEAVING)
    by_hand(bench, 100, Side.BUY, "0.50", "7")
    assert by_hand(bench, 101, Side.SELL, "0.80", "7", venue_order=VenueOrderId("0xs"), trade=TradeId("h2")) == []
    assert bench.desk.position.up.realised == 0
    assert by_hand(bench, 102, Side.SELL, "0.80", "4", venue_order=VenueOrderId("0xt"), trade=TradeId("h3")) == [
        "cancel o2"
    ]
    assert (bench.desk.position.up.shares, bench.desk.position.up.left_alone) == (shares(6), 0)
    purposes = [note.terms.purpose for note in bench.told(nt.OutsideOrderSeen)]
    assert purposes == [Purpose.LEFT_ALONE, Purpose.LEFT_ALONE, Purpose.OUTSIDE]


def test_a_balance_that_shows_only_what_is_left_alone_shows_nothing_of_ours() -> None:
    bench = Bench(Wanting(wishes=(wish(),), exits=AT_ONCE), LEAVING)
    bench.start(0)
    by_hand(bench, 50, Side.BUY, "0.50", "10")
    bench.book(60)
    bench.killed(60.1, 2, "10", "5.4")
    said = bench.fill(60.2, 2, "0.54", "10", CONFIRMED, shown=False)
    assert not any(line.startswith("place") for line in said)
    assert bench.reading(61, "989", "20") == ["place o3 target SELL UP 10 @ 0.99 GTC"]


# --- the fold


def at(second: float) -> Instant:
    return Instant(NOON + seconds(second))


def bought(size: str, number: int, when: float, purpose: Purpose = Purpose.ENTRY) -> Order:
    return order(terms("0.50", size, purpose=purpose), number, fills=(fill("0.50", size, at=at(when)),))


def sold(size: str, number: int, when: float, purpose: Purpose = Purpose.TARGET) -> Order:
    return order(selling("0.80", size, purpose=purpose), number, fills=(fill("0.80", size, at=at(when)),))


def held(*orders: Order, vanished: Shares | None = None) -> Holding:
    moves = () if vanished is None else (Adjustment(outcome=Outcome.UP, shares=vanished, at=at(99)),)
    return position_of(orders, moves).up


@pytest.mark.parametrize(
    ("purpose", "size", "adopted"),
    [
        (Purpose.OUTSIDE, "4", "6"),
        (Purpose.OUTSIDE, "15", "0"),
        (Purpose.TARGET, "4", "10"),
        (Purpose.TARGET, "15", "5"),
    ],
)
def test_each_hand_sells_its_own_first(purpose: Purpose, size: str, adopted: str) -> None:
    now = held(bought("10", 1, 0), bought("10", 2, 1, Purpose.OUTSIDE), sold(size, 3, 2, purpose))
    assert now.shares == shares(20) - shares(size)
    assert now.adopted == shares(adopted)


def test_a_sale_beyond_what_is_left_alone_counts_only_what_is_ours() -> None:
    now = held(bought("10", 1, 0), bought("5", 2, 1, Purpose.LEFT_ALONE), sold("9", 3, 2, Purpose.OUTSIDE))
    assert (now.shares, now.left_alone) == (shares(6), 0)
    assert now.realised == usd("1.2"), "four at 0.80 that cost 0.50"
    assert now.cost == usd(3)


def test_a_sale_of_what_is_left_alone_realises_nothing() -> None:
    now = held(bought("5", 2, 1, Purpose.LEFT_ALONE), sold("5", 3, 2, Purpose.LEFT_ALONE))
    assert now == Holding(outcome=Outcome.UP)


@pytest.mark.parametrize(("gone", "shares_left", "alone"), [("-3", "10", "2"), ("-8", "7", "0")])
def test_what_vanishes_is_taken_from_what_is_left_alone_first(gone: str, shares_left: str, alone: str) -> None:
    lost = Shares(-shares(gone.removeprefix("-")))
    now = held(bought("10", 1, 0), bought("5", 2, 1, Purpose.LEFT_ALONE), vanished=lost)
    assert (now.shares, now.left_alone) == (shares(shares_left), shares(alone))


def test_shares_that_vanish_were_adopted_last() -> None:
    now = held(bought("5", 1, 0), bought("5", 2, 1, Purpose.OUTSIDE), vanished=Shares(-shares(7)))
    assert (now.shares, now.adopted) == (shares(3), shares(3))


def test_shares_that_came_back_are_ours() -> None:
    now = held(bought("5", 1, 0), bought("5", 2, 1, Purpose.LEFT_ALONE), vanished=shares(2))
    assert (now.shares, now.left_alone, now.adopted) == (shares(7), shares(5), 0)


def test_a_failed_trade_outside_holds_nothing() -> None:
    failed = order(
        terms("0.50", "5", purpose=Purpose.OUTSIDE), 1, fills=(fill("0.50", "5", TradeStage.FAILED, at=at(0)),)
    )
    assert held(failed) == Holding(outcome=Outcome.UP)
