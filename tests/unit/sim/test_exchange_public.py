"""What everybody sees, and only where somebody looks: the book once, then changes; trades; close and resolution."""

from __future__ import annotations

from polystra.core.terms import Outcome, Side
from polystra.core.units import price, shares, usd
from polystra.sim import messages as m
from tests.unit.sim.bench import BOB, MARKET, Bench, of, only

BUY, SELL = Side.BUY, Side.SELL


def changes(outputs: list[m.Output]) -> list[tuple[str, int, int]]:
    return [(change.side.value, change.price, change.size) for change in only(outputs, m.PublicLevels).changes]


def test_nothing_is_published_of_a_market_that_nobody_follows() -> None:
    bench = Bench()
    assert bench.book({"0.50": "10"}, {"0.52": "10"}) == []
    assert bench.trade("0.50", "1") == []
    outputs = bench.buy("0.52", "5")
    assert not of(outputs, m.PublicLevels)
    assert not of(outputs, m.PublicTrade)


def test_following_sends_the_whole_book_and_then_what_changes() -> None:
    bench = Bench()
    bench.book({"0.50": "10", "0.49": "5"}, {"0.52": "10"})
    book = only(bench.tell(m.Publish(market=MARKET)), m.PublicBook)
    assert book.bids == ((500_000, shares(10)), (490_000, shares(5)))
    assert (book.asks, book.tick, book.last_trade) == (((520_000, shares(10)),), 10_000, None)
    outputs = bench.book({"0.50": "10", "0.51": "3"}, {"0.52": "9"})
    levels = only(outputs, m.PublicLevels)
    assert (levels.best_bid, levels.best_ask) == (510_000, 520_000)
    assert changes(outputs) == [
        ("BUY", 510_000, shares(3)),
        ("BUY", 490_000, 0),
        ("SELL", 520_000, shares(9)),
    ]
    assert bench.book({"0.50": "10", "0.51": "3"}, {"0.52": "9"}) == []
    assert bench.tell(m.Publish(market=MARKET, on=False)) == []
    assert bench.book({}, {}) == []


def test_the_published_size_is_background_less_taken_plus_our_own() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    bench.book({"0.50": "10"}, {"0.52": "10"})
    assert changes(bench.buy("0.50", "7")) == [("BUY", 500_000, shares(17))]
    assert changes(bench.take(BUY, "0.52", "4", account=BOB)) == [("SELL", 520_000, shares(6))]
    assert changes(bench.level(BUY, "0.50", "3")) == [("BUY", 500_000, shares(10))]
    assert changes(bench.cancel("o1")) == [("BUY", 500_000, shares(3))]


def test_an_order_of_down_is_published_as_its_mirror() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    assert changes(bench.buy("0.47", "7", outcome=Outcome.DOWN)) == [("SELL", 530_000, shares(7))]
    bench.split("7")
    assert changes(bench.sell("0.50", "7", outcome=Outcome.DOWN)) == [("BUY", 500_000, shares(7))]


def test_a_trade_of_ours_is_printed_in_up_terms_with_the_side_that_took() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    bench.book({"0.53": "10"}, {})
    trade = only(bench.buy("0.47", "10", outcome=Outcome.DOWN), m.PublicTrade)
    assert (trade.price, trade.size, trade.taker) == (530_000, shares(10), SELL)
    bench.buy("0.50", "10")
    trade = only(bench.level(SELL, "0.49", "4"), m.PublicTrade)
    assert (trade.price, trade.size, trade.taker) == (500_000, shares(4), SELL)
    assert bench.exchange.book(MARKET).last_trade == price("0.50")


def test_a_printed_trade_is_passed_on_as_it_was_recorded() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    trade = only(bench.trade("0.456", "219.217767", BUY), m.PublicTrade)
    assert (trade.price, trade.size, trade.taker) == (456_000, 219_217_767, BUY)


def test_close_and_resolution_are_told_whether_followed_or_not() -> None:
    bench = Bench()
    assert only(bench.tell(m.CloseMarket(market=MARKET)), m.PublicClose).market == MARKET
    assert only(bench.tell(m.Resolve(market=MARKET, up_payout=usd(0))), m.PublicResolution).up_payout == 0


def test_resolution_takes_our_orders_out_of_the_published_book() -> None:
    bench = Bench()
    bench.tell(m.Publish(market=MARKET))
    bench.buy("0.50", "7")
    outputs = bench.tell(m.Resolve(market=MARKET, up_payout=usd(0)))
    assert changes(outputs) == [("BUY", 500_000, 0)]
    assert bench.exchange.book(MARKET).bids == ()


def test_a_resolved_market_has_no_book_and_is_followed_on() -> None:
    bench = Bench()
    bench.book({"0.50": "10"}, {"0.52": "10"})
    bench.tell(m.Publish(market=MARKET))
    bench.trade("0.50", "1")
    bench.tell(m.CloseMarket(market=MARKET))
    assert bench.exchange.book(MARKET).bids == ((500_000, shares(10)),), "closed is not resolved"
    assert not of(bench.tell(m.Resolve(market=MARKET, up_payout=usd(1))), m.PublicLevels)
    book = bench.exchange.book(MARKET)
    assert (book.bids, book.asks, book.last_trade) == ((), (), price("0.50"))
    assert changes(bench.book({"0.99": "3"}, {})) == [("BUY", 990_000, shares(3))]
