"""Generated windows as recordings: what can be asked for, and what clients find."""

from itertools import pairwise
from typing import Any

import pytest

from polystra.app.playback import listing_of
from polystra.app.scenarios import BTC_15M, MOST_WINDOWS, SCENARIOS, ScenarioRefused, scenario_files
from polystra.core.events import BookSnapshot, PricePrinted
from polystra.core.markets import Payout, PriceSource, Series
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.tapes.facts import window_of
from polystra.edge.tapes.format import TapeFile

START = Instant(seconds(1_790_586_000))
BTC_5M = Series("BTC", seconds(300))


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
        ({"name": "storm"}, "'storm': give one of calm, volatile, trend, whipsaw, thin"),
        ({"windows": 0}, "windows 0: give 1 to 3,000"),
        ({"windows": MOST_WINDOWS + 1}, "windows 3001: give 1 to 3,000"),
        ({"series": Series("BTC", seconds(3_600))}, "series btc-1h: give 5m or 15m of BTC, ETH"),
        ({"series": Series("PEPE", seconds(900))}, "series pepe-15m: give 5m or 15m of BTC, ETH"),
        ({"start": Instant(START + 1)}, f"starts at a multiple of 900 s, give {START}"),
        ({"start": Instant(0)}, "start 0 ns"),
    ],
)
def test_what_cannot_be_generated_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioRefused) as refused:
        files(**changes)
    assert words in str(refused.value)


def test_the_names_are_those_of_the_recipes() -> None:
    assert SCENARIOS == ("calm", "volatile", "trend", "whipsaw", "thin")
