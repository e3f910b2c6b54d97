"""Windows have the names that the venue gives them, also in the nights when New York changes its clocks."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.markets import Series
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.polymarket.slugs import expected_slugs, series_of, start_of

MINUTE, HOUR = seconds(60), seconds(3_600)


def utc(text: str) -> Instant:
    return Instant(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9)


def hours(at: str, asset: str = "BTC") -> tuple[str, ...]:
    return expected_slugs(Series(asset, HOUR), utc(at))


@pytest.mark.parametrize(
    ("asset", "length", "names"),
    [
        ("BTC", 5 * MINUTE, ("btc-updown-5m-1795432200", "btc-updown-5m-1795432500")),
        ("ETH", 15 * MINUTE, ("eth-updown-15m-1795431600", "eth-updown-15m-1795432500")),
        ("ZEC", 15 * MINUTE, ("zec-updown-15m-1795431600", "zec-updown-15m-1795432500")),
        ("SOL", 4 * HOUR, ("sol-updown-4h-1795420800", "sol-updown-4h-1795435200")),
    ],
)
def test_the_window_that_is_open_and_the_next_one(asset: str, length: int, names: tuple[str, ...]) -> None:
    assert expected_slugs(Series(asset, Nanos(length)), Instant(1_795_432_241 * 10**9)) == names


def test_a_window_is_open_from_its_first_nanosecond_to_the_one_before_the_next() -> None:
    series, start = Series("BTC", seconds(900)), Instant(1_795_432_500 * 10**9)
    assert expected_slugs(series, start)[0] == "btc-updown-15m-1795432500"
    assert expected_slugs(series, Instant(start - 1))[0] == "btc-updown-15m-1795431600"
    assert expected_slugs(series, Instant(start + seconds(900) - 1))[0] == "btc-updown-15m-1795432500"


@pytest.mark.parametrize(
    "series",
    [Series("BTC", seconds(60)), Series("BTC", seconds(86_400)), Series("PEPE", seconds(300)), Series("ZEC", HOUR)],
    ids=lambda series: series.name,
)
def test_a_series_that_the_venue_does_not_have_has_no_names(series: Series) -> None:
    assert expected_slugs(series, utc("2026-04-20T14:10")) == ()


@pytest.mark.parametrize(
    ("at", "names"),
    [
        ("2026-04-20T14:10", ("april-20-2026-10am", "april-20-2026-11am")),
        ("2026-01-20T14:10", ("january-20-2026-9am", "january-20-2026-10am")),
        ("2026-07-01T03:59:59", ("june-30-2026-11pm", "july-1-2026-12am")),
        ("2026-07-01T16:00", ("july-1-2026-12pm", "july-1-2026-1pm")),
        ("2027-01-01T04:30", ("december-31-2026-11pm", "january-1-2027-12am")),
    ],
)
def test_hours_are_named_by_the_clock_of_new_york(at: str, names: tuple[str, ...]) -> None:
    assert hours(at) == tuple(f"bitcoin-up-or-down-{name}-et" for name in names)
    assert hours(at, "HYPE")[0] == f"hyperliquid-up-or-down-{names[0]}-et"


def test_in_spring_an_hour_is_missing() -> None:
    assert hours("2026-03-08T06:30") == (
        "bitcoin-up-or-down-march-8-2026-1am-et",
        "bitcoin-up-or-down-march-8-2026-3am-et",
    )


def test_in_autumn_two_hours_share_a_name() -> None:
    assert hours("2026-11-01T04:30") == (
        "bitcoin-up-or-down-november-1-2026-12am-et",
        "bitcoin-up-or-down-november-1-2026-1am-et",
    )
    assert hours("2026-11-01T05:30") == ("bitcoin-up-or-down-november-1-2026-1am-et",)
    assert hours("2026-11-01T06:30") == (
        "bitcoin-up-or-down-november-1-2026-1am-et",
        "bitcoin-up-or-down-november-1-2026-2am-et",
    )


COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "HYPE")
LENGTHS = (5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR)
MOMENTS = st.integers(1_600_000_000 * 10**9, 4_000_000_000 * 10**9)


@given(st.sampled_from(COINS), st.sampled_from(LENGTHS), MOMENTS)
def test_every_name_leads_back_to_its_series(asset: str, length: int, at: int) -> None:
    series = Series(asset, Nanos(length))
    names = expected_slugs(series, Instant(at))
    assert {series_of(name) for name in names} == {series}
    if length != HOUR:
        starts = [start_of(name) for name in names]
        assert starts == [at // length * length, at // length * length + length]


def test_names_of_other_lengths_and_coins_are_read_too() -> None:
    assert series_of("pepe-updown-30m-1795432200") == Series("PEPE", seconds(1_800))
    assert series_of("btc-updown-1h-1795432200") == Series("BTC", HOUR)


def test_the_older_name_of_an_hour_has_no_year() -> None:
    assert series_of("ethereum-up-or-down-june-3-2pm-et") == Series("ETH", HOUR)
    assert start_of("ethereum-up-or-down-june-3-2pm-et") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "who-wins",
        "BTC-updown-15m-1795432200",
        "btc-updown-0m-1795432200",
        "btc-updown-15s-1795432200",
        "btc-updown-15m-soon",
        "btc-updown-15m-1795432200\n",
        "btc-updown-15m-1795432200/../x",
        "тест-updown-15m-1795432200",
        "bitcoin-up-or-down-on-april-20",
        "bitcoin-up-or-down-april-20-2026",
        "bitcoin-up-or-down-brumaire-20-2026-10am-et",
        "zcash-up-or-down-april-20-2026-10am-et",
        "bitcoin-up-or-down-april-20-2026-10am-et/x",
    ],
)
def test_what_is_not_the_name_of_a_window(text: str) -> None:
    assert series_of(text) is None
    assert start_of(text) is None
