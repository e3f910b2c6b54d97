"""What a size would meet in a book, and when that is too little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.terms import Side
from polystra.core.units import Instant, Price, Shares, price, shares, usd
from polystra.edge.polymarket.liquidity import NOTHING_THERE, liquidity_of
from polystra.edge.polymarket.market_wire import RestBook
from tests.edge.exchange_cases import CONDITION, UP

Levels = tuple[tuple[Price, Shares], ...]


def book(bids: Levels, asks: Levels) -> RestBook:
    return RestBook(market=CONDITION, token=UP, bids=bids, asks=asks, at=Instant(0), hash="")


def levels(*pairs: tuple[str, str]) -> Levels:
    return tuple((price(at), shares(size)) for at, size in pairs)


BOOK = book(levels(("0.49", "100"), ("0.48", "50")), levels(("0.51", "10"), ("0.53", "20")))


def test_what_is_bought_costs_the_average_of_its_levels_rounded_up() -> None:
    found = liquidity_of(BOOK, Side.BUY, shares("15"), limit=price("0.53"))
    assert (found.shares, found.cash, found.average) == (shares("15"), usd("7.75"), price("0.516667"))
    assert found.spread == price("0.02")
    assert found.enough


def test_what_is_sold_brings_the_average_of_its_levels_rounded_down() -> None:
    found = liquidity_of(BOOK, Side.SELL, shares("130"), limit=price("0.48"))
    assert (found.shares, found.cash, found.average) == (shares("130"), usd("63.4"), price("0.487692"))
    assert found.enough


@pytest.mark.parametrize(
    ("side", "size", "limit", "there"),
    [
        (Side.BUY, "15", "0.52", "10"),
        (Side.BUY, "31", "0.60", "30"),
        (Side.BUY, "5", "0.50", "0"),
        (Side.SELL, "101", "0.49", "100"),
        (Side.SELL, "1", "0.50", "0"),
    ],
)
def test_less_than_the_size_within_the_limit_is_not_enough(side: Side, size: str, limit: str, there: str) -> None:
    found = liquidity_of(BOOK, side, shares(size), limit=price(limit))
    assert found.shares == shares(there)
    assert not found.enough
    assert (found.average is None) == (there == "0")


def test_a_spread_wider_than_allowed_is_not_liquid() -> None:
    assert liquidity_of(BOOK, Side.BUY, shares("5"), limit=price("0.6"), most_spread=price("0.02")).enough
    assert not liquidity_of(BOOK, Side.BUY, shares("5"), limit=price("0.6"), most_spread=price("0.019")).enough


def test_what_is_unknown_or_one_sided_is_not_liquid() -> None:
    assert liquidity_of(None, Side.BUY, shares("5"), limit=price("0.6")) == NOTHING_THERE
    one_sided = liquidity_of(book((), BOOK.asks), Side.BUY, shares("5"), limit=price("0.6"))
    assert (one_sided.shares, one_sided.spread, one_sided.enough) == (shares("5"), None, False)
    assert not liquidity_of(BOOK, Side.BUY, Shares(0), limit=price("0.6")).enough


@given(
    sizes=st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
    size=st.integers(1, 5 * 10**9),
    buys=st.booleans(),
)
def test_the_average_lies_within_the_levels_and_never_flatters(sizes: list[int], size: int, buys: bool) -> None:
    asks = tuple((Price(510_000 + 10_000 * nth), Shares(there)) for nth, there in enumerate(sizes))
    bids = tuple((Price(490_000 - 10_000 * nth), Shares(there)) for nth, there in enumerate(sizes))
    side = Side.BUY if buys else Side.SELL
    found = liquidity_of(book(bids, asks), side, Shares(size), limit=Price(900_000 if buys else 100_000))
    assert found.shares == min(size, sum(sizes))
    assert found.average is not None
    if buys:
        assert asks[0][0] <= found.average <= asks[-1][0]
        assert found.average * found.shares >= (found.cash - 1) * 1_000_000
    else:
        assert bids[-1][0] <= found.average <= bids[0][0]
        assert found.average * found.shares <= (found.cash + 1) * 1_000_000
