"""Those who quote and those who take in a generated market."""

from random import Random
from typing import Any

import pytest

from polystra.core.terms import Side
from polystra.core.units import NO_ASK, NO_BID, Price, Shares, Tick, price, shares
from polystra.sim.messages import LevelChange
from polystra.sim.scenario.flow import Flow, Taken, Takers
from polystra.sim.scenario.makers import Maker, MakerKind
from polystra.sim.scenario.quotes import MakerId, Quotes

CENT, FINE = Tick(price("0.01")), Tick(price("0.001"))
ANN, BOB = MakerId(1), MakerId(2)
SURE = Flow(rate=1.0, size=10.0, spread_of_sizes=0.0, alert=1.0, edge=0.01, informed_size=100.0)


def ladder(**levels: str) -> dict[Price, Shares]:
    """`ladder(p50="10")`: ten shares at 0.50."""
    return {price(f"0.{at[1:]}"): shares(size) for at, size in levels.items()}


def quoting(bids: dict[Price, Shares], asks: dict[Price, Shares]) -> Quotes:
    quotes = Quotes()
    quotes.quote(ANN, Side.BUY, bids)
    quotes.quote(ANN, Side.SELL, asks)
    quotes.changes()
    return quotes


def maker(who: MakerId = BOB, **changes: Any) -> Maker:
    facts: dict[str, Any] = {"every": 1.0, "half_width": price("0.01"), "levels": 3, "size": 50, "error": 0.0}
    return Maker(who, MakerKind(**(facts | changes)), Random(1))


def best(quotes: Quotes) -> tuple[Price, Price]:
    return quotes.best(Side.BUY), quotes.best(Side.SELL)


# --- the book


def test_quotes_of_two_makers_at_one_price_add_up() -> None:
    quotes = quoting(ladder(p50="10", p49="20"), ladder(p52="5"))
    quotes.quote(BOB, Side.BUY, ladder(p50="7"))
    assert quotes.changes() == (LevelChange(Side.BUY, price("0.50"), shares(17)),)
    quotes.quote(BOB, Side.BUY, {})
    assert quotes.levels(Side.BUY) == ((price("0.50"), shares(10)), (price("0.49"), shares(20)))
    assert quotes.levels(Side.SELL) == ((price("0.52"), shares(5)),)


@pytest.mark.parametrize(("side", "at"), [(Side.BUY, "52"), (Side.BUY, "60"), (Side.SELL, "50"), (Side.SELL, "40")])
def test_a_quote_that_would_cross_is_refused_and_nothing_happens(side: Side, at: str) -> None:
    quotes = quoting(ladder(p50="10"), ladder(p52="5"))
    with pytest.raises(ValueError, match=r"maker 2: .* would cross"):
        quotes.quote(BOB, side, ladder(**{f"p{at}": "1"}))
    assert quotes.changes() == ()
    assert best(quotes) == (price("0.50"), price("0.52"))


def test_what_is_said_again_unchanged_is_no_change() -> None:
    quotes = quoting(ladder(p50="10"), ladder(p52="5"))
    quotes.quote(ANN, Side.BUY, ladder(p50="10"))
    assert quotes.changes() == ()


def test_a_taker_gets_what_is_there_from_one_maker_after_the_other() -> None:
    quotes = quoting(ladder(p50="10"), {})
    quotes.quote(BOB, Side.BUY, ladder(p50="7"))
    assert quotes.take(Side.BUY, price("0.50"), shares(12)) == shares(12)
    assert quotes.of(ANN, Side.BUY) == {}
    assert quotes.of(BOB, Side.BUY) == ladder(p50="5")
    assert quotes.take(Side.BUY, price("0.50"), shares(12)) == shares(5)
    assert quotes.take(Side.BUY, price("0.50"), shares(12)) == 0
    assert best(quotes) == (NO_BID, NO_ASK)


# --- makers


def test_a_maker_quotes_around_its_opinion_on_the_grid() -> None:
    quotes = Quotes()
    maker().look(0.5, quotes, CENT)
    assert [at for at, _ in quotes.levels(Side.BUY)] == [price(at) for at in ("0.49", "0.48", "0.47")]
    assert [at for at, _ in quotes.levels(Side.SELL)] == [price(at) for at in ("0.51", "0.52", "0.53")]


def test_a_maker_quotes_behind_what_another_forgot_to_take_away() -> None:
    quotes = quoting({}, ladder(p40="10"))
    maker().look(0.5, quotes, CENT)
    assert quotes.best(Side.BUY) == price("0.39")
    assert quotes.size(Side.SELL, price("0.40")) == shares(10)
    quotes = quoting(ladder(p60="10"), {})
    maker().look(0.5, quotes, CENT)
    assert quotes.best(Side.SELL) == price("0.61")


def test_a_makers_own_old_quotes_are_not_in_its_way() -> None:
    quotes, ann = Quotes(), maker(ANN)
    ann.look(0.4, quotes, CENT)
    ann.look(0.6, quotes, CENT)
    assert best(quotes) == (price("0.59"), price("0.61"))


def test_a_maker_fills_up_what_was_taken_and_leaves_alone_what_is_right() -> None:
    quotes, ann = Quotes(), maker(ANN, restless=0.0)
    ann.look(0.5, quotes, CENT)
    quotes.changes()
    ann.look(0.5, quotes, CENT)
    assert quotes.changes() == ()
    quotes.take(Side.SELL, price("0.51"), Shares(quotes.size(Side.SELL, price("0.51")) - shares(1)))
    ann.look(0.5, quotes, CENT)
    assert quotes.size(Side.SELL, price("0.51")) > shares(1)


def test_a_restless_maker_says_another_size_at_the_same_prices() -> None:
    quotes, ann = Quotes(), maker(ANN, restless=1.0)
    ann.look(0.5, quotes, CENT)
    quotes.changes()
    ann.look(0.5, quotes, CENT)
    assert len(quotes.changes()) == 1
    assert best(quotes) == (price("0.49"), price("0.51"))


def test_as_long_as_there_is_time_even_what_is_all_but_sure_has_two_sides() -> None:
    quotes, ann = Quotes(), maker(ANN, restless=1.0)
    for _ in range(20):
        ann.look(1.0, quotes, FINE, gone=0.5)
    assert best(quotes) == (price("0.997"), price("0.999"))
    for _ in range(20):
        ann.look(0.0, quotes, FINE, gone=0.5)
    assert best(quotes) == (price("0.001"), price("0.003"))


def test_near_the_end_nobody_offers_what_is_sure_to_win() -> None:
    quotes, ann = Quotes(), maker(ANN, restless=1.0, leaves=0.9)
    for _ in range(20):
        ann.look(1.0, quotes, FINE, gone=0.9)
    assert best(quotes) == (price("0.997"), NO_ASK)
    for _ in range(20):
        ann.look(0.0, quotes, FINE, gone=0.9)
    assert best(quotes) == (NO_BID, price("0.003"))


@pytest.mark.parametrize(("chance", "gone"), [(0.98, 0.95), (0.02, 0.95), (1.0, 0.89)])
def test_a_maker_stays_while_all_is_open_or_the_end_is_far(chance: float, gone: float) -> None:
    quotes = Quotes()
    maker(leaves=0.9).look(chance, quotes, FINE, gone=gone)
    assert NO_BID < quotes.best(Side.BUY) < quotes.best(Side.SELL) < NO_ASK


def test_a_maker_who_left_comes_back_when_all_is_open_again() -> None:
    quotes, ann = Quotes(), maker(ANN, leaves=0.9)
    ann.look(1.0, quotes, CENT, gone=0.95)
    ann.look(0.9, quotes, CENT, gone=0.96)
    assert quotes.best(Side.SELL) == price("0.91")


def test_a_maker_looks_more_rarely_before_the_window_starts() -> None:
    assert maker(early=10.0).pause(-0.1) == pytest.approx(10 * maker(early=10.0).pause(0.0))


@pytest.mark.parametrize("chance", [0.0, 1.0])
@pytest.mark.parametrize("tick", [CENT, FINE])
def test_at_the_ends_of_the_grid_a_maker_is_not_in_its_own_way(chance: float, tick: Tick) -> None:
    quotes = Quotes()
    maker(half_width=price("0.001")).look(chance, quotes, tick)
    assert best(quotes) in {(tick.size, 2 * tick.size), (price("1") - 2 * tick.size, price("1") - tick.size)}


def test_a_ladder_ends_where_the_grid_does() -> None:
    quotes = Quotes()
    maker(levels=9, apart=2).look(0.06, quotes, CENT)
    assert quotes.levels(Side.BUY)[-1][0] == price("0.01")


# --- takers


def test_one_who_knows_takes_a_stale_offer_and_no_more_than_pays_after_the_fee() -> None:
    quotes = quoting(ladder(p40="10"), ladder(p45="10", p47="10", p48="10"))
    trades = list(Takers(SURE, Random(1)).pick_off(quotes, 0.5))
    assert trades == [
        Taken(price("0.45"), shares(10), Side.BUY),
        Taken(price("0.47"), shares(10), Side.BUY),
    ]  # 0.48 + 0.0175 fee + 0.01 is more than it is worth


def test_one_who_knows_sells_to_a_stale_bid() -> None:
    quotes = quoting(ladder(p60="10"), ladder(p62="10"))
    assert [trade.taker for trade in Takers(SURE, Random(1)).pick_off(quotes, 0.5)] == [Side.SELL]


def test_quotes_that_are_right_are_left_alone() -> None:
    quotes = quoting(ladder(p49="10"), ladder(p51="10"))
    assert list(Takers(SURE, Random(1)).pick_off(quotes, 0.5)) == []


def test_nobody_looks_when_nobody_is_alert() -> None:
    quotes = quoting({}, ladder(p10="10"))
    blind = Flow(rate=1.0, size=10.0, alert=0.0)
    assert list(Takers(blind, Random(1)).pick_off(quotes, 0.9)) == []


def test_one_order_walks_through_three_prices_at_most() -> None:
    quotes = quoting({}, ladder(p10="1", p11="1", p12="1", p13="1"))
    assert len(list(Takers(SURE, Random(1)).pick_off(quotes, 0.9))) == 3


def test_trades_without_a_reason_come_on_both_sides_and_on_none_that_is_empty() -> None:
    takers = Takers(SURE, Random(1))
    quotes = quoting(ladder(p40="9999"), ladder(p45="9999"))
    trades = [trade for _ in range(40) for trade in takers.trade(quotes)]
    assert {trade.taker for trade in trades} == set(Side)
    assert {trade.size for trade in trades} == {shares(10)}
    assert [trade for _ in range(40) for trade in takers.trade(Quotes())] == []


def test_it_gets_busier_towards_the_end() -> None:
    takers = Takers(SURE, Random(1))
    before, begin, end = (sum(takers.pause(gone) for _ in range(500)) for gone in (-1, 0, 1))
    assert before > 2 * begin > 2 * end
