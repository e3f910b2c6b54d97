"""Generated windows as recordings: what can be asked for, and what clients find."""

from itertools import pairwise
from typing import Any

import pytest

from polystra.app.playback import listing_of
from polystra.app.scenarios import (
    BTC_15M,
    MOST_WINDOWS,
    SCENARIOS,
    ScenarioRefused,
    files_of_series,
    scenario_files,
    series_named,
)
from polystra.core.book import OrderBook
from polystra.core.events import BookChanged, BookSnapshot, PricePrinted, TickSizeChanged
from polystra.core.markets import Payout, PriceSource, Series
from polystra.core.units import MICRO, Instant, price, seconds, shares, usd
from polystra.edge.polymarket.slugs import series_of
from polystra.edge.tapes.facts import window_of
from polystra.edge.tapes.format import Tape, TapeFile

START = Instant(seconds(1_790_586_000))
MIDNIGHT = Instant(seconds(1_790_812_800))
"""2026-10-01 00:00 UTC, where a window of every length starts."""

BTC_5M = Series("BTC", seconds(300))
FOUR = "BTC-5m,ETH-15m,SOL-1h,XRP-4h"


def files(**changes: Any) -> list[TapeFile]:
    facts: dict[str, Any] = {"name": "thin", "seed": 1, "windows": 2, "start": START}
    return scenario_files(**(facts | changes))


@pytest.mark.parametrize("series", [BTC_5M, BTC_15M, Series("XRP", seconds(900))])
def test_windows_follow_one_another_under_the_names_that_clients_predict(series: Series) -> None:
    found = [window_of(file.market.slug) for file in files(series=series, windows=3)]
    starts = [Instant(START + number * series.length) for number in range(3)]
    assert found == [(series, start, Instant(start + series.length)) for start in starts]


def test_a_market_has_the_facts_of_todays_windows() -> None:
    (market, _) = (file.market for file in files())
    assert market.tick.size == price("0.01")
    assert market.min_shares == shares(5)
    assert market.fees is not None
    assert (market.fees.rate, market.fees.exponent, market.fees.rebate_rate) == (70_000, 1, 200_000)
    assert market.settlement is PriceSource.CHAINLINK_TWAP_60
    assert market.assumptions == ("prices, quotes, trades and payout: invented by scenario thin, seed 1",)


def test_clients_can_sign_for_every_market_and_no_two_share_an_id() -> None:
    found = [*files(windows=50), *files(seed=2), *files(name="calm")]
    assert all(listing_of(file.market).slug == file.market.slug for file in found)
    for ids in ([file.market.id for file in found], [file.market.up_token for file in found]):
        assert len(set(ids)) == len(found)


def test_the_payout_is_known_before_a_window_is_made() -> None:
    found = files(windows=40)
    assert {file.payout for file in found} == {Payout(usd(1)), Payout(usd(0))}
    assert {file.payout_source for file in found} == {"scenario"}


def test_a_window_begins_with_its_book_three_minutes_before_its_start() -> None:
    tape = files()[1].load()
    assert isinstance(tape.rows[0], BookSnapshot)
    assert tape.first_at == tape.market.start - seconds(180)
    assert tape.last_at < tape.market.end + seconds(3)


def test_a_window_is_the_same_however_many_are_made_and_whichever_first() -> None:
    alone = files(windows=3)[2].load()
    ordered = [file.load() for file in files(windows=6)]
    assert ordered[2].rows == alone.rows
    assert ordered[2].digest == alone.digest


def test_of_two_windows_that_overlap_both_hear_the_same_prices_at_the_same_moments() -> None:
    first, second = (
        [row for row in file.load().rows if isinstance(row, PricePrinted)] for file in files(series=BTC_5M)
    )
    shared = [row for row in first if row.stamped_at >= second[0].stamped_at]
    assert len(shared) == 2 * 181
    assert second[: len(shared)] == shared


def test_prices_go_on_from_window_to_window() -> None:
    """The average that settles one window is the price to beat of the next."""
    tapes = [file.load() for file in files(windows=4)]
    for one, following in pairwise(tapes):
        assert one.official is not None
        assert following.official is not None
        assert one.official.final_price == following.official.price_to_beat


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "storm"}, "'storm': give one of calm, volatile, trend, whipsaw, thin, busy"),
        ({"windows": 0}, "windows 0: give 1 to 3,000"),
        ({"windows": MOST_WINDOWS + 1}, "windows 3001: give 1 to 3,000"),
        ({"series": Series("BTC", seconds(1_800))}, "series btc-30m: give 5m, 15m, 1h or 4h of BTC, ETH"),
        ({"series": Series("PEPE", seconds(900))}, "series pepe-15m: give 5m, 15m, 1h or 4h of BTC, ETH"),
        ({"series": Series("BTC", seconds(14_400))}, "a window of btc-4h starts at a multiple of 14400 s"),
        ({"start": Instant(START + 1)}, f"starts at a multiple of 900 s, give {START}"),
        ({"start": Instant(0)}, "start 0 ns"),
    ],
)
def test_what_cannot_be_generated_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioRefused) as refused:
        files(**changes)
    assert words in str(refused.value)


def test_the_names_are_those_of_the_recipes() -> None:
    assert SCENARIOS == ("calm", "volatile", "trend", "whipsaw", "thin", "busy")


# --- several series at once


def several(names: str = FOUR, *, windows: int = 6, seed: int = 1, start: Instant = MIDNIGHT) -> list[TapeFile]:
    return files_of_series("calm", seed=seed, windows=windows, start=start, series=series_named(names))


def printed(tape: Tape, source: PriceSource) -> dict[int, int]:
    """Values by the second that they are stamped with."""
    rows = (row for row in tape.rows if isinstance(row, PricePrinted) and row.source is source)
    return {row.stamped_at // 10**9: row.value for row in rows}


def test_the_shortest_series_says_how_long_and_the_others_have_the_windows_that_begin_meanwhile() -> None:
    slugs = [file.market.slug for file in several()]
    assert slugs == [
        *(f"btc-updown-5m-{1_790_812_800 + 300 * number}" for number in range(6)),
        "eth-updown-15m-1790812800",
        "eth-updown-15m-1790813700",
        "solana-up-or-down-september-30-2026-8pm-et",
        "xrp-updown-4h-1790812800",
    ]
    assert {series_of(slug) for slug in slugs} == set(series_named(FOUR))
    assert len({file.market.id for file in several()}) == len(slugs)


def test_a_series_beside_others_of_other_coins_is_the_one_that_it_is_alone() -> None:
    alone = files_of_series("calm", seed=1, windows=1, start=MIDNIGHT, series=series_named("ETH-15m"))
    assert several()[6].load().digest == alone[0].load().digest


def test_each_coin_has_a_path_of_its_own_and_all_series_of_a_coin_have_one() -> None:
    five, fifteen = several("BTC-5m,BTC-15m", windows=1)
    short, long = (printed(file.load(), PriceSource.CHAINLINK_SPOT) for file in (five, fifteen))
    assert {second: long[second] for second in short} == short
    btc, eth = (printed(file.load(), PriceSource.CHAINLINK_SPOT) for file in several("BTC-15m,ETH-15m", windows=1))
    alike = [(btc[second + 1] > btc[second]) is (eth[second + 1] > eth[second]) for second in sorted(btc)[:-1]]
    assert 0.4 < sum(alike) / len(alike) < 0.6


def test_an_hour_settles_by_the_open_and_the_close_of_binances_candle_and_is_told_both() -> None:
    hours = several("BTC-1h", windows=5)
    assert {file.payout for file in hours} == {Payout(usd(1)), Payout(usd(0))}
    for file in hours[:2]:
        tape = file.load()
        told = printed(tape, PriceSource.BINANCE_SPOT)
        start, end = (at // 10**9 for at in (tape.market.start, tape.market.end))
        assert tape.market.settlement is PriceSource.BINANCE_CANDLE
        assert tape.strike == told[start]
        assert file.payout == Payout(usd(1) if told[end - 1] >= told[start] else usd(0))


def test_four_hours_settle_by_the_oracles_average_and_nobody_tells_of_binance() -> None:
    (file,) = several("XRP-4h", windows=1)
    tape = file.load()
    average = printed(tape, PriceSource.CHAINLINK_TWAP_60)
    start, end = (at // 10**9 for at in (tape.market.start, tape.market.end))
    assert tape.market.settlement is PriceSource.CHAINLINK_TWAP_60
    assert (tape.strike, end - start) == (average[start], 14_400)
    assert file.payout == Payout(usd(1) if average[end] >= average[start] else usd(0))
    assert printed(tape, PriceSource.BINANCE_SPOT) == {}


def test_the_quotes_of_an_hour_know_the_candle_when_it_ends() -> None:
    for file in several("SOL-1h", windows=2):
        book = OrderBook(file.market.tick, seconds(1_000_000))
        for row in file.load().rows:
            match row:
                case BookSnapshot():
                    book.replace(row.bids, row.asks, row.at)
                case BookChanged():
                    book.change(row)
                case TickSizeChanged():
                    book.retick(row.tick)
        assert file.payout is not None
        assert book.bid > MICRO // 2 if file.payout.up else book.ask < MICRO // 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("BTC", "series 'BTC': give coin and length, such as BTC-5m"),
        ("BTC-5m,", "series '': give coin and length"),
        ("BTC-7m", "series btc-7m: give 5m, 15m, 1h or 4h"),
        ("DOGE-5m", "series doge-5m: give 5m, 15m, 1h or 4h of BTC, ETH, SOL, XRP"),
        ("BTC-5m,btc-5m", "series btc-5m, btc-5m: name each once"),
        ("BTC-60m,BTC-1h", "series btc-1h, btc-1h: name each once"),
    ],
)
def test_series_that_cannot_be_generated_are_refused_by_name(names: str, words: str) -> None:
    with pytest.raises(ScenarioRefused, match=words):
        several(names)


def test_the_two_hours_that_share_a_name_in_autumn_are_refused() -> None:
    autumn = Instant(seconds(1_793_505_600))  # 2026-11-01 04:00 UTC, midnight in New York
    with pytest.raises(ScenarioRefused, match="bitcoin-up-or-down-november-1-2026-1am-et, give fewer"):
        several("BTC-1h", windows=4, start=autumn)
    assert len(several("BTC-1h", windows=2, start=autumn)) == 2
