"""Our place in line, pessimistic: what was there before us goes first, and only trades are known to move the line."""

from __future__ import annotations

import pytest

from polystra.core.terms import Side
from polystra.core.units import price, shares
from polystra.sim import messages as m
from tests.unit.sim.bench import BOB, MARKET, Bench, fills, of

BUY, SELL = Side.BUY, Side.SELL


def joined(ahead: str = "30") -> Bench:
    """We bid 10 at 0.50 behind `ahead` of the background."""
    bench = Bench()
    bench.book({"0.50": ahead}, {"0.55": "50"})
    bench.buy("0.50", "10")
    return bench


def filled(bench: Bench, at: str, size: str, taker: Side | None = SELL) -> int:
    return sum(fill[3] for fill in fills(bench.trade(at, size, taker)))


def test_trades_at_our_level_first_serve_what_was_ahead() -> None:
    bench = joined()
    assert filled(bench, "0.50", "29") == 0
    assert filled(bench, "0.50", "4") == shares(3)
    assert filled(bench, "0.50", "100") == shares(7)
    assert filled(bench, "0.50", "100") == 0


def test_what_joins_behind_us_does_not_delay_us() -> None:
    bench = joined("30")
    bench.level(BUY, "0.50", "500")
    assert filled(bench, "0.50", "35") == shares(5)


def test_a_smaller_statement_caps_what_is_ahead_and_a_larger_one_does_not_raise_it() -> None:
    bench = joined("30")
    bench.level(BUY, "0.50", "12")
    bench.level(BUY, "0.50", "80")
    assert filled(bench, "0.50", "12") == 0
    assert filled(bench, "0.50", "1") == shares(1)


def test_a_level_that_is_stated_empty_puts_us_first() -> None:
    bench = joined("30")
    bench.book({}, {"0.55": "50"})
    bench.book({"0.50": "30"}, {"0.55": "50"})
    assert filled(bench, "0.50", "4") == shares(4)


def test_a_trade_through_our_price_fills_us_up_to_its_size() -> None:
    bench = joined("30")
    assert filled(bench, "0.49", "4") == shares(4)
    assert filled(bench, "0.50", "2") == shares(2)
    assert filled(bench, "0.48", "100") == shares(4)


def test_a_trade_that_took_the_other_side_or_a_better_price_is_not_ours() -> None:
    bench = joined("0.01")
    assert filled(bench, "0.50", "100", BUY) == 0
    assert filled(bench, "0.51", "100", SELL) == 0
    assert filled(bench, "0.51", "100", None) == 0


@pytest.mark.parametrize("taker", [None, BUY])
def test_an_ask_of_ours_is_served_by_buyers_and_by_takers_unknown(taker: Side | None) -> None:
    bench = Bench()
    bench.split("20")
    bench.book({"0.50": "10"}, {"0.55": "5"})
    bench.sell("0.55", "10")
    assert filled(bench, "0.55", "7", taker) == shares(2)
    assert filled(bench, "0.56", "100", taker) == shares(8)


def test_what_our_own_taker_took_ahead_of_us_moves_the_line() -> None:
    bench = joined("30")
    bench.split("50", account=BOB)
    bench.sell("0.50", "25", account=BOB)
    assert filled(bench, "0.50", "6") == shares(1)


def test_two_of_us_at_a_level_share_a_trade_in_order() -> None:
    bench = Bench()
    bench.book({"0.50": "10"}, {})
    bench.buy("0.50", "10")
    bench.level(BUY, "0.50", "15")
    bench.buy("0.50", "10", account=BOB)
    outputs = bench.trade("0.50", "21", SELL)
    assert fills(outputs) == [("BUY", "UP", 500_000, shares(10))]
    assert fills(outputs, BOB) == []
    outputs = bench.trade("0.50", "9", SELL)
    assert fills(outputs, BOB) == [("BUY", "UP", 500_000, shares(5))]


def test_a_trade_goes_to_the_better_of_us_first_and_then_down_the_line() -> None:
    bench = Bench()
    bench.book({"0.50": "10"}, {})
    bench.buy("0.50", "10")
    bench.buy("0.51", "10", account=BOB)
    outputs = bench.trade("0.50", "25", SELL)
    assert fills(outputs, BOB) == [("BUY", "UP", 510_000, shares(10))]
    assert fills(outputs) == [("BUY", "UP", 500_000, shares(5))]


def test_a_printed_trade_never_changes_the_background() -> None:
    bench = joined("30")
    bench.tell(m.Publish(market=MARKET))
    outputs = bench.trade("0.50", "35", SELL)
    print_ = of(outputs, m.PublicTrade)
    assert [(trade.price, trade.size, trade.taker) for trade in print_] == [(500_000, shares(35), SELL)]
    assert bench.bids() == {price("0.50"): shares(30 + 5)}
    assert bench.exchange.book(MARKET).last_trade == 500_000
