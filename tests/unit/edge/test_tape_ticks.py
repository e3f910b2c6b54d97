"""A tick only gets finer, so the first level off the grid proves the change."""

from polystra.core.events import BookChanged, BookSnapshot, LevelChange, TickSizeChanged
from polystra.core.terms import Side
from polystra.core.units import Instant, Shares, Tick, price
from polystra.edge.tapes.facts import window_market
from polystra.edge.tapes.format import TapeEvent
from polystra.edge.tapes.ticks import with_finer_ticks

MARKET = window_market("btc-updown-5m-1776081600", condition="0xab", tokens={})


def book(at: int, bid: str) -> BookSnapshot:
    return BookSnapshot(at=Instant(at), market=MARKET.id, bids=((price(bid), Shares(1)),), asks=())


def change(at: int, ask: str) -> BookChanged:
    changes = (LevelChange(Side.SELL, price(ask), Shares(0)),)
    return BookChanged(at=Instant(at), market=MARKET.id, changes=changes)


def tick(at: int, size: str) -> TickSizeChanged:
    return TickSizeChanged(at=Instant(at), market=MARKET.id, tick=Tick(price(size)))


def read(*rows: TapeEvent) -> list[TapeEvent]:
    return list(with_finer_ticks(MARKET, rows))


def test_levels_on_the_grid_change_nothing() -> None:
    rows: list[TapeEvent] = [book(1, "0.97"), change(2, "0.99")]
    assert read(*rows) == rows


def test_the_change_comes_before_the_first_level_that_needs_it_and_once() -> None:
    rows: list[TapeEvent] = [book(1, "0.97"), book(2, "0.975"), book(3, "0.97"), book(4, "0.976")]
    assert read(*rows) == [rows[0], tick(2, "0.001"), *rows[1:]]


def test_a_change_of_levels_proves_it_too_and_may_go_finer_still() -> None:
    rows: list[TapeEvent] = [change(1, "0.999"), change(2, "0.9995")]
    assert read(*rows) == [tick(1, "0.001"), rows[0], tick(2, "0.0001"), rows[1]]


def test_a_recorded_change_is_not_repeated() -> None:
    rows: list[TapeEvent] = [tick(1, "0.001"), book(2, "0.975")]
    assert read(*rows) == rows


def test_a_level_on_no_known_grid_is_passed_on_without_a_guess() -> None:
    rows: list[TapeEvent] = [book(1, "0.970001")]
    assert read(*rows) == rows
