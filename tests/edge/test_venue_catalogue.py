"""A window is found by its slug: a whole market, or none, and what nobody said stays unknown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from polystra.core.fees import FeeSchedule
from polystra.core.markets import Generation, Market, PriceSource, Series
from polystra.core.units import Price, Tick, seconds, shares
from polystra.edge.polymarket.catalogue import NotListed
from polystra.edge.polymarket.private_rest import ReadingFailed
from tests.edge.exchange_cases import (
    CONDITION,
    DOWN,
    FACTS,
    LISTING,
    NEW_CONDITION,
    NEW_LISTING,
    NEW_UP,
    UP,
    Running,
    exchange,
)
from tests.edge.venue_cases import Client, http

SLUG = LISTING.slug


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with exchange() as running:
        yield running


def discovered(running: Running, ours: Client, slug: str) -> Market | NotListed | ReadingFailed:
    return ours.run(ours.catalogue(running.urls.gamma, running.urls.clob).market(slug))


def told(running: Running, ours: Client, gamma: dict[str, Any], clob: dict[str, Any]) -> Any:
    """What is made of the running exchange's two forms with some fields changed; `...` leaves a field out."""
    _, entry = running.call("GET", f"{running.urls.gamma}/markets/slug/{SLUG}")
    terms = running.get(f"/clob-markets/{CONDITION}")
    urls = [
        ours.scripted(http(200, json.dumps(changed(form, new)))).url for form, new in ((entry, gamma), (terms, clob))
    ]
    return ours.run(ours.catalogue(*urls).market(SLUG))


def changed(form: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (form | new).items() if value is not ...}


def test_a_window_with_all_that_the_venue_says_of_it(running: Running, ours: Client) -> None:
    assert discovered(running, ours, SLUG) == Market(
        id=CONDITION,
        slug=SLUG,
        series=Series("BTC", seconds(900)),
        up_token=UP,
        down_token=DOWN,
        start=FACTS.start,
        end=FACTS.end,
        tick=Tick(Price(10_000)),
        min_shares=shares("5"),
        fees=FeeSchedule(rate=70_000, exponent=1, rebate_rate=200_000),
        generation=Generation.CLOB_V2,
        settlement=PriceSource.CHAINLINK_TWAP_60,
        assumptions=("settlement: chainlink-twap-60, by date (PROTOCOL.md G)",),
    )


def test_a_window_of_the_new_contracts(running: Running, ours: Client) -> None:
    market = discovered(running, ours, NEW_LISTING.slug)
    assert isinstance(market, Market)
    assert (market.id, market.up_token, market.generation) == (NEW_CONDITION, NEW_UP, Generation.PROTOCOL_V2)
    assert (market.series, market.settlement) == (Series("ETH", seconds(900)), None)


@pytest.mark.parametrize("slug", ["btc-updown-15m-1795433100", "bitcoin-up-or-down-april-20-2026-10am-et"])
def test_a_window_that_is_not_listed_yet(running: Running, ours: Client, slug: str) -> None:
    assert isinstance(discovered(running, ours, slug), NotListed)


def test_a_window_that_only_the_catalogue_knows(running: Running, ours: Client) -> None:
    assert isinstance(told(running, ours, {"conditionId": "0x" + "11" * 32}, {}), ReadingFailed)
    assert isinstance(told(running, ours, {"clobTokenIds": ..., "outcomes": ...}, {}), NotListed)
    assert isinstance(told(running, ours, {}, {"t": []}), NotListed)


@pytest.mark.parametrize(
    "slug", ["", "who-wins", "btc-updown-15m-1795432200/../x", "doge coin", "тест-updown-15m-1795432200"]
)
def test_a_slug_of_no_window_is_not_even_asked_for(ours: Client, slug: str) -> None:
    script = ours.scripted()
    assert isinstance(ours.run(ours.catalogue(script.url, script.url).market(slug)), ReadingFailed)
    assert script.heard == []


FREE = {"fd": ...}
NO_FEES = {"feesEnabled": False, "feeSchedule": ..., "feeType": ...}


@pytest.mark.parametrize(
    ("gamma", "clob", "fees"),
    [
        ({"feeSchedule": ...}, {}, FeeSchedule(rate=70_000)),
        (NO_FEES, FREE, FeeSchedule(rate=0)),
        ({}, FREE, None),
        ({"feesEnabled": ..., "feeSchedule": ...}, FREE, None),
        (NO_FEES, {}, None),
        ({}, {"fd": {"r": 0.05, "e": 1, "to": True}}, None),
        ({}, {"fd": {"r": 0.07, "e": 1, "to": False}}, None),
        ({"feeSchedule": ...}, {"fd": {"r": 0.07, "e": 1.5, "to": True}}, None),
        ({"feeSchedule": ...}, {"fd": {"r": 0.07, "e": 3, "to": True}}, None),
        ({"feeSchedule": ...}, {"fd": {"r": 0.25, "e": 2, "to": True}}, FeeSchedule(rate=250_000, exponent=2)),
    ],
)
def test_fees_are_the_markets_own_or_unknown(
    running: Running, ours: Client, gamma: dict[str, Any], clob: dict[str, Any], fees: FeeSchedule | None
) -> None:
    assert told(running, ours, gamma, clob).fees == fees


@pytest.mark.parametrize(
    ("gamma", "clob", "generation"),
    [
        ({}, {"v": ...}, Generation.CLOB_V2),
        ({"version": ...}, {}, Generation.CLOB_V2),
        ({"version": ...}, {"v": ...}, Generation.UNKNOWN),
        ({"version": "v2"}, {}, Generation.UNKNOWN),
        ({"version": "v3"}, {"v": "v3"}, Generation.UNKNOWN),
        ({"negRisk": True}, {"nr": True}, Generation.UNKNOWN),
    ],
)
def test_contracts_that_are_not_known_for_sure_are_unknown(
    running: Running, ours: Client, gamma: dict[str, Any], clob: dict[str, Any], generation: Generation
) -> None:
    assert told(running, ours, gamma, clob).generation is generation


@pytest.mark.parametrize(
    ("source", "settlement"),
    [
        ("https://www.binance.com/en/trade/BTC_USDT", PriceSource.BINANCE_CANDLE),
        ("https://data.chain.link/streams/btc-usd-twap-60s", PriceSource.CHAINLINK_TWAP_60),
        ("https://example.org/btc", None),
        (..., None),
    ],
)
def test_the_settlement_price_is_read_from_its_source(
    running: Running, ours: Client, source: object, settlement: PriceSource | None
) -> None:
    market = told(running, ours, {"resolutionSource": source}, {})
    assert (market.settlement, market.assumptions) == (settlement, ())


@pytest.mark.parametrize(
    ("gamma", "clob"),
    [
        ({"slug": "btc-updown-15m-1795433100"}, {}),
        ({}, {"c": NEW_CONDITION}),
        ({"conditionId": "../../x"}, {}),
        ({"clobTokenIds": f'["{DOWN}", "{UP}"]'}, {}),
        ({"clobTokenIds": f'["{UP}"]'}, {}),
        ({"clobTokenIds": f'["{UP}", "{UP}"]'}, {}),
        ({"clobTokenIds": '["x", "y"]'}, {"t": [{"t": "x", "o": "Up"}, {"t": "y", "o": "Down"}]}),
        ({"outcomes": '["Yes", "No"]'}, {"t": [{"t": UP, "o": "Yes"}, {"t": DOWN, "o": "No"}]}),
        ({"outcomes": "Up, Down"}, {}),
        ({"eventStartTime": "2026-11-23T00:00:00Z"}, {}),
        ({"eventStartTime": "soon"}, {}),
        ({"endDate": ...}, {}),
        ({"endDate": "2026-01-01T00:00:00Z"}, {}),
        ({}, {"mts": 0.03}),
        ({}, {"mts": 0}),
        ({}, {"mos": -5}),
        ({}, {"mts": ...}),
        ({}, {"fd": {"r": "NaN", "e": 1, "to": True}}),
        ({}, {"fd": {"r": 0.07, "e": "1E+999999", "to": True}}),
    ],
)
def test_descriptions_that_contradict_each_other_or_themselves_are_no_market(
    running: Running, ours: Client, gamma: dict[str, Any], clob: dict[str, Any]
) -> None:
    assert isinstance(told(running, ours, gamma, clob), ReadingFailed)
