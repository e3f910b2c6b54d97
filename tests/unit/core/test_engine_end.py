"""How a window ends: closed, resolved, settled once, and booked again when a late trade comes."""

from __future__ import annotations

import pytest

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.ids import OrderId
from polystra.core.markets import Payout
from polystra.core.reasons import CancelReason
from polystra.core.units import shares, usd
from tests.core_cases import (
    AT_ONCE,
    DOWN_WON,
    MATCHED,
    MINED,
    UP_WON,
    VOID,
    Bench,
    Wanting,
    covered,
    holding,
    wish,
    with_exits,
)
from tests.unit.core.samples import WINDOW

COST = usd("5.57388")
"""Ten shares at 0.54 and the fee of taking them."""


def test_a_closed_market_takes_its_orders_back_and_opens_nothing() -> None:
    bench = covered()
    assert bench.hear(900, ev.MarketClosed, market=WINDOW.id) == ["cancel o2"]
    assert bench.cancelled(901, 2, reason=CancelReason.MARKET_RESOLVED) == []
    assert bench.book(902, "0.10", "0.12") == []
    assert bench.pass_to(2_000) == []
    assert bench.told(nt.MarketSettled) == [], "closed is not resolved"


def test_the_user_stream_may_say_that_it_is_resolved_before_the_market_stream_does() -> None:
    bench = covered()
    assert bench.cancelled(900, 2, reason=CancelReason.MARKET_RESOLVED) == []
    assert bench.pass_to(1_000) == []
    assert bench.desk.closed


@pytest.mark.parametrize(
    ("payout", "redeemable"), [(UP_WON, usd(10)), (DOWN_WON, usd(0)), (VOID, usd(5))], ids=["won", "lost", "void"]
)
def test_a_resolved_market_is_settled_once(payout: Payout, redeemable: int) -> None:
    bench = holding()
    bench.pass_to(120)
    bench.accepted(120, 2)
    assert bench.hear(901, ev.MarketResolved, market=WINDOW.id, payout=payout) == ["cancel o2"]
    assert bench.cancelled(902, 2) == ["unfollow"]
    assert bench.hear(903, ev.MarketResolved, market=WINDOW.id, payout=payout) == []
    assert bench.hear(904, ev.MarketClosed, market=WINDOW.id) == []
    (settled,) = bench.told(nt.MarketSettled)
    assert (settled.up_shares, settled.redeemable, settled.pnl) == (shares(10), redeemable, redeemable - COST)
    account = bench.known.account
    assert (account.realised_today, account.redeemable) == (redeemable - COST, redeemable)
    assert (account.cash, account.at_stake, account.open_positions) == (usd("994.42612"), 0, 0), "redeemable is no cash"
    assert bench.engine.next_wake is None


def test_a_market_without_a_position_is_settled_too() -> None:
    bench = Bench()
    bench.start(0)
    assert bench.hear(901, ev.MarketResolved, market=WINDOW.id, payout=UP_WON) == ["unfollow"]
    assert bench.told(nt.MarketSettled)[0].pnl == 0


def test_it_is_not_settled_while_an_order_or_a_trade_may_still_move() -> None:
    bench = holding(with_exits(AT_ONCE), stage=MATCHED)
    assert bench.hear(901, ev.MarketResolved, market=WINDOW.id, payout=UP_WON) == []
    assert bench.told(nt.MarketSettled) == []
    assert bench.fill(902, 1, "0.54", "10", MINED) == ["unfollow"]
    assert len(bench.told(nt.MarketSettled)) == 1


def test_an_unknown_order_of_a_resolved_market_is_asked_about_and_soon_given_up() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(800)
    bench.hear(801, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout")
    bench.pass_to(805)
    bench.hear(805, ev.MarketResolved, market=WINDOW.id, payout=UP_WON)
    bench.pass_to(809)
    assert bench.hear(809, ev.OrderNotFound, order=OrderId(1)) == []
    bench.pass_to(811)
    assert bench.hear(811, ev.OrderNotFound, order=OrderId(1)) == ["unfollow"]


def test_a_cancel_that_fails_in_a_closed_market_is_followed_up() -> None:
    bench = covered()
    bench.hear(900, ev.MarketClosed, market=WINDOW.id)
    assert bench.hear(900.1, ev.CancelOutcomeUnknown, order=OrderId(2), why="timeout") == ["cancel market", "query o2"]
    assert bench.pass_to(901.1) == [(901.1, "query o2")]
    assert bench.hear(901.2, ev.OrderReported, order=OrderId(2), matched=shares(0)) == ["cancel o2"]


def test_a_late_sale_after_settlement_is_booked_again_with_its_profit() -> None:
    bench = covered()
    bench.hear(901, ev.MarketResolved, market=WINDOW.id, payout=DOWN_WON)
    bench.cancelled(902, 2)
    assert bench.known.account.realised_today == -COST
    assert bench.fill(903, 2, "0.99", "10", trade="t2") == []
    assert len(bench.told(nt.MarketSettled)) == 1, "the sale is still on its way"
    assert bench.fill(904, 2, "0.99", "10", MINED, trade="t2") == []
    late = bench.told(nt.MarketSettled)[-1]
    booked = bench.told(nt.FillBooked)[-1]
    assert booked.late
    assert (late.up_shares, late.pnl) == (0, booked.cash - COST)
    assert bench.known.account.realised_today == late.pnl
    assert bench.log.count((902.0, "unfollow")) == 1


def test_a_late_purchase_after_settlement_counts_towards_the_day() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.book(800)
    bench.refused(800, 1)
    bench.hear(800.5, ev.MarketResolved, market=WINDOW.id, payout=UP_WON)
    assert bench.told(nt.MarketSettled)[-1].pnl == 0
    bench.fill(803, 1, "0.54", "10", MINED)
    late = bench.told(nt.MarketSettled)[-1]
    assert late.pnl == usd(10) - COST
    assert bench.known.account.realised_today == late.pnl


def test_a_profit_belongs_to_the_day_it_happens_on() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.accepted(60, 2)
    bench.fill(100, 2, "0.99", "5", trade="noon")
    first = bench.known.account.realised_today
    assert first > 0
    assert bench.fill(43_201, 2, "0.99", "4", trade="after midnight") == []
    second = bench.known.account.realised_today
    assert 0 < second < first


def test_a_payout_that_is_corrected_is_booked_again() -> None:
    bench = holding(Wanting(wishes=(wish(),)))
    bench.pass_to(120)
    bench.cancelled(121, 2, reason=CancelReason.MARKET_RESOLVED)
    bench.hear(901, ev.MarketResolved, market=WINDOW.id, payout=UP_WON)
    bench.hear(950, ev.MarketResolved, market=WINDOW.id, payout=DOWN_WON)
    assert [note.pnl for note in bench.told(nt.MarketSettled)] == [usd(10) - COST, -COST]
    assert bench.known.account.realised_today == -COST


def test_news_of_a_settled_market_is_learned_and_leads_to_nothing() -> None:
    bench = Bench()
    bench.start(0)
    bench.hear(901, ev.MarketResolved, market=WINDOW.id, payout=UP_WON)
    assert bench.book(902) == []
    assert bench.hear(903, ev.StreamLost, stream=ev.Stream.MARKET) == []
    assert bench.reading(904, "1000") == []
