"""Generated windows hold together, whatever the seed: book, trades, prices and resolution tell one story."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polystra.app.scenarios import BTC_15M, LIGHT, scenario_files
from polystra.core.book import OrderBook
from polystra.core.events import BookChanged, BookSnapshot, PricePrinted, TickSizeChanged, TradePrinted
from polystra.core.markets import PriceSource, Series
from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Tick, mirror, price, seconds
from polystra.edge.tapes.format import Tape, TapeEvent
from polystra.sim.scenario.chance import Span, chance_of_up, up_wins
from polystra.sim.scenario.path import PricePath
from polystra.sim.scenario.recipes import SCENARIOS as RECIPES

ROOT = Path(__file__).parents[2]
START = Instant(seconds(1_790_586_000))
BTC_5M = Series("BTC", seconds(300))
AGES = seconds(1_000_000)

few = settings(max_examples=15)


def generated(name: str, seed: int, number: int = 0, series: Series = BTC_5M) -> Tape:
    return scenario_files(name, seed=seed, windows=number + 1, start=START, series=series)[number].load()


windows = st.builds(
    generated,
    st.sampled_from(LIGHT),
    st.integers(0, 2**32),
    st.integers(0, 30),
)


def folded(tape: Tape) -> Iterator[tuple[TapeEvent, OrderBook]]:
    """Every row with the book as it stands after it; read it before you go on."""
    book = OrderBook(tape.market.tick, AGES)
    for row in tape.rows:
        match row:
            case BookSnapshot():
                book.replace(row.bids, row.asks, row.at)
            case BookChanged():
                book.change(row)
            case TickSizeChanged():
                book.retick(row.tick)
        yield row, book


@few
@given(tape=windows)
def test_the_book_is_never_crossed_off_its_grid_or_negative_and_states_its_best_prices(tape: Tape) -> None:
    """The core's own book finds no trouble: it compares levels with the grid, and the best prices with those stated.
    A mirrored level is one that Down can have, and the two best bids come to less than 1."""
    assert isinstance(tape.rows[0], BookSnapshot)
    for row, book in folded(tape):
        if not isinstance(row, BookSnapshot | BookChanged):
            continue
        assert book.trouble(row.at) is None
        changed = row.changes if isinstance(row, BookChanged) else ()
        assert all(change.size >= 0 for change in changed)
        assert all(book.tick.holds(mirror(change.price)) for change in changed)
        if book.bid != NO_BID and book.ask != NO_ASK:
            assert book.bid + mirror(book.ask) < MICRO


@few
@given(tape=windows)
def test_moments_never_decrease_and_the_market_is_silent_after_its_end(tape: Tape) -> None:
    times = [row.at for row in tape.rows]
    assert times == sorted(times)
    assert all(isinstance(row, PricePrinted) for row in tape.rows if row.at >= tape.market.end)


@few
@given(tape=windows)
def test_a_trade_is_at_the_best_price_and_takes_what_it_says(tape: Tape) -> None:
    left: tuple[Side, int, int] | None = None
    for row, book in folded(tape):
        if left is not None:
            side, at, size = left
            assert isinstance(row, BookChanged)
            assert [(one.side, one.price, one.size) for one in row.changes] == [(side, at, size)]
            left = None
        if isinstance(row, TradePrinted):
            assert row.taker is not None
            side = row.taker.other
            assert row.price == (book.bid if side is Side.BUY else book.ask)
            assert 0 < row.size <= book.size(side, row.price)
            left = side, row.price, book.size(side, row.price) - row.size


@few
@given(tape=windows)
def test_the_tick_becomes_finer_once_beyond_the_venues_bounds_and_the_whole_book_follows(tape: Tape) -> None:
    last, refined = (NO_BID, NO_ASK), False
    for number, (row, book) in enumerate(folded(tape)):
        if isinstance(row, TickSizeChanged):
            assert not refined
            assert row.tick == Tick(price("0.001"))
            assert last[0] > price("0.96") or last[1] < price("0.04")
            assert isinstance(tape.rows[number + 1], BookSnapshot)
            refined = True
        elif not refined:
            last = (book.bid, book.ask)
    assert refined or (last[0] <= price("0.96") and last[1] >= price("0.04"))


@few
@given(tape=windows)
def test_the_resolution_follows_from_the_prices_that_were_printed(tape: Tape) -> None:
    """Recomputed from the spot prints alone, by the rule of the oracle; a tie is Up."""
    printed: dict[PriceSource, dict[int, int]] = {PriceSource.CHAINLINK_SPOT: {}, PriceSource.CHAINLINK_TWAP_60: {}}
    for row in tape.rows:
        if isinstance(row, PricePrinted):
            printed[row.source][row.stamped_at // 10**9] = row.value
    spot, average = printed[PriceSource.CHAINLINK_SPOT], printed[PriceSource.CHAINLINK_TWAP_60]
    start, end = (at // 10**9 for at in (tape.market.start, tape.market.end))
    for stamp in range(start, end + 1):
        assert average[stamp] == sum(spot[second] for second in range(stamp - 62, stamp - 2)) // 60
    assert tape.strike == average[start]
    assert tape.payout is not None
    assert tape.payout.up == (MICRO if average[end] >= average[start] else 0)


@few
@given(tape=windows)
def test_the_quotes_know_the_outcome_when_the_window_ends(tape: Tape) -> None:
    """The average is known three seconds before the end, and the slow ones are told by the market itself."""
    *_, (_, book) = folded(tape)
    assert tape.payout is not None
    if tape.payout.up:
        assert book.bid > price("0.5")
    else:
        assert book.ask < price("0.5")


@lru_cache
def busy() -> Tape:
    return generated("busy", 7)


@pytest.mark.parametrize(
    "check",
    [
        test_the_book_is_never_crossed_off_its_grid_or_negative_and_states_its_best_prices,
        test_moments_never_decrease_and_the_market_is_silent_after_its_end,
        test_a_trade_is_at_the_best_price_and_takes_what_it_says,
        test_the_tick_becomes_finer_once_beyond_the_venues_bounds_and_the_whole_book_follows,
        test_the_resolution_follows_from_the_prices_that_were_printed,
        test_the_quotes_know_the_outcome_when_the_window_ends,
    ],
)
def test_a_busy_window_holds_together_as_well(check: Any) -> None:
    """One, as it has a hundred times the rows of others."""
    check.hypothesis.inner_test(tape=busy())


def test_a_busy_window_has_augusts_messages_and_trades() -> None:
    """Recorded are 263 to 542 book rows and 12 trades a second."""
    rows = [row for row in busy().rows if busy().market.start <= row.at < busy().market.end]
    assert 250 < sum(isinstance(row, BookChanged) for row in rows) / 300 < 600
    assert 6 < sum(isinstance(row, TradePrinted) for row in rows) / 300 < 24


# --- the end


def two_sided_until(tape: Tape) -> float:
    """Seconds before the end when the book had both sides for the last time."""
    last = Instant(0)
    for row, book in folded(tape):
        if book.bid != NO_BID and book.ask != NO_ASK:
            last = row.at if isinstance(row, BookSnapshot | BookChanged) else last
    return (tape.market.end - last) / 10**9


@pytest.mark.parametrize(("series", "low", "high"), [(BTC_5M, 7.5, 31), (BTC_15M, 40, 162)])
@pytest.mark.parametrize("name", LIGHT)
def test_a_book_loses_a_side_when_all_is_decided(name: str, series: Series, low: float, high: float) -> None:
    """Within half and twice what was recorded: 15 s before the end of 5m windows, 81 s of 15m ones (medians)."""
    ends = sorted(two_sided_until(generated(name, 1, number, series)) for number in range(7))
    assert low < ends[3] < high


def test_a_book_keeps_both_sides_as_long_as_nothing_is_decided() -> None:
    """A window whose outcome has a chance of 0.4 seven seconds before its end."""
    assert two_sided_until(generated("whipsaw", 1, 38)) < 7


# --- the same again, and another


def digests(seed: int) -> str:
    return " ".join(generated(name, seed).digest for name in LIGHT)


def test_the_same_seed_gives_the_same_rows_under_any_hash_seed() -> None:
    program = "from tests.property.test_scenario_coherent import digests; print(digests(7))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("0", "4242")
    }
    assert runs == {digests(7)}


def test_another_seed_another_scenario_and_another_window_are_other_markets() -> None:
    tapes = [generated("calm", 7), generated("calm", 8), generated("thin", 7), generated("calm", 7, 1)]
    assert len({tuple(row.value for row in tape.rows if isinstance(row, PricePrinted)) for tape in tapes}) == 4


# --- how good the prices are


@lru_cache
def at_half_time(name: str) -> list[tuple[float, bool]]:
    """The chance of Up in the middle of 2,000 windows, and whether it came."""
    found = []
    for seed in range(100):
        path = PricePath(RECIPES[name].weather, seed=f"half time {seed}", opening=64_000 * MICRO, length=900)
        for number in range(1, 21):
            window = Span(number * 900, (number + 1) * 900)
            found.append((chance_of_up(path, window, window.start + 450), up_wins(path, window)))
    return found


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("calm", 0.14, 0.18),
        ("volatile", 0.13, 0.18),
        ("busy", 0.13, 0.18),
        ("thin", 0.14, 0.18),
        ("trend", 0.10, 0.15),  # easier to tell: what leads goes on to win
        ("whipsaw", 0.17, 0.23),  # harder: what leads comes back
    ],
)
def test_prices_at_half_time_are_as_good_as_they_should_be(name: str, low: float, high: float) -> None:
    """Recorded 15m windows score 0.134 (n = 359), a walk of even volatility 0.161; 0.25 is knowing nothing."""
    bets = at_half_time(name)
    assert low < sum((chance - won) ** 2 for chance, won in bets) / len(bets) < high
    assert 0.4 < sum(won for _, won in bets) / len(bets) < 0.6


@pytest.mark.parametrize(("name", "series"), [*((name, BTC_15M) for name in LIGHT), ("busy", BTC_5M)])
def test_the_market_quotes_what_up_is_worth(name: str, series: Series) -> None:
    """In the second quarter, before anything is nearly certain: the middle of the book strays by some cents at most."""
    tape, lasts = generated(name, 3, series=series), series.length // 10**9
    path = PricePath(RECIPES[name].weather, seed=f"scenario {name} 3", opening=64_000 * MICRO, length=lasts)
    begin, end = (Instant(tape.market.start + series.length * part // 4) for part in (1, 2))
    astray = []
    for row, book in folded(tape):
        if isinstance(row, BookChanged) and begin < row.at < end and book.bid != NO_BID and book.ask != NO_ASK:
            second = lasts + (row.at - tape.market.start) // 10**9
            astray.append(abs((book.bid + book.ask) / 2 / MICRO - chance_of_up(path, Span(lasts, 2 * lasts), second)))
    assert sum(astray) / len(astray) < 0.04
