"""A window is found by its slug: a whole market, or none, and what nobody said stays unknown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.fees import FeeSchedule
from polystra.core.markets import Generation, Market, Payout, PriceSource, RewardTerms, Series
from polystra.core.units import Price, Tick, Usd, price, seconds, shares, usd
from polystra.edge.polymarket.catalogue import NotListed
from polystra.edge.polymarket.market_wire import MarketState
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.sim import messages as sim
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


REWARDS = RewardTerms(min_shares=shares(50), max_spread=price("0.045"), min_age=seconds(30))


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
        rewards=REWARDS,
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


@pytest.mark.parametrize(
    ("gamma", "clob", "rewards"),
    [
        ({}, {}, REWARDS),
        ({"clobRewards": [{"rewardsDailyRate": 50}]}, {}, replace(REWARDS, daily=usd(50))),
        (
            {"clobRewards": [{"rewardsDailyRate": 50}, {"rewardsDailyRate": "0.5"}]},
            {},
            replace(REWARDS, daily=usd("50.5")),
        ),
        ({"clobRewards": [{"rewardsDailyRate": 50}, {}]}, {}, REWARDS),
        ({"clobRewards": [{"rewardsDailyRate": None}]}, {}, REWARDS),
        ({"clobRewards": None}, {}, REWARDS),
        ({"clobRewards": [{"rewardsDailyRate": 50}]}, {"r": ...}, None),
        ({}, {"r": {"mi": 50, "ma": 0}}, None),
    ],
)
def test_rewards_are_what_both_services_say_or_unknown(
    running: Running, ours: Client, gamma: dict[str, Any], clob: dict[str, Any], rewards: RewardTerms | None
) -> None:
    """Size, distance and age are the CLOB's, the daily rate is the catalogue's: all of its programmes."""
    assert told(running, ours, gamma, clob).rewards == rewards


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
        ({"endDate": "2026-11-23T11:15:00Z"}, {}),
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


# --- its end ---------------------------------------------------------------------------------------------------------


def stated(ours: Client, url: str, slug: str = SLUG) -> MarketState | NotListed | ReadingFailed:
    return ours.run(ours.catalogue(url, url).state(slug))


def ended(running: Running, ours: Client, **new: object) -> MarketState | NotListed | ReadingFailed:
    """What is made of the running exchange's form of a closed market with some fields changed."""
    _, entry = running.call("GET", f"{running.urls.gamma}/markets/slug/{SLUG}")
    closed = {
        "closed": True,
        "acceptingOrders": False,
        "outcomePrices": '["1", "0"]',
        "umaResolutionStatus": "resolved",
    }
    return stated(ours, ours.scripted(http(200, json.dumps(changed(entry, closed | new)))).url)


@pytest.mark.parametrize("up", [1_000_000, 0, 500_000])
def test_a_market_trades_then_closes_then_pays(ours: Client, up: int) -> None:
    open_ = MarketState(market=CONDITION, slug=SLUG, accepting=True, closed=False, payout=None)
    with exchange() as running:
        assert stated(ours, running.urls.gamma) == open_
        running.feed(sim.CloseMarket(market=CONDITION))
        assert stated(ours, running.urls.gamma) == replace(open_, accepting=False)
        running.feed(sim.Resolve(market=CONDITION, up_payout=Usd(up)))
        over = replace(open_, accepting=False, closed=True, payout=Payout(Usd(up)))
        assert stated(ours, running.urls.gamma) == over


def test_the_state_of_a_window_is_one_request(running: Running, ours: Client) -> None:
    relay = ours.relay(running.urls.clob)
    stated(ours, f"{relay.url}/gamma")
    assert relay.requests == [f"GET /gamma/markets/slug/{SLUG}"]


def test_a_window_that_is_not_listed_has_no_state(running: Running, ours: Client) -> None:
    assert isinstance(stated(ours, running.urls.gamma, "btc-updown-15m-1795433100"), NotListed)
    assert isinstance(stated(ours, running.urls.gamma, "who-wins"), ReadingFailed)


@pytest.mark.parametrize("status", ["resolved", "", None, ...])
def test_a_winner_is_certain_without_the_word(running: Running, ours: Client, status: object) -> None:
    state = ended(running, ours, outcomePrices='["0", "1"]', umaResolutionStatus=status)
    assert isinstance(state, MarketState)
    assert state.payout == Payout(Usd(0))


def test_the_payout_is_that_of_up_wherever_up_stands(running: Running, ours: Client) -> None:
    state = ended(running, ours, outcomes='["Down", "Up"]')
    assert isinstance(state, MarketState)
    assert state.payout == Payout(Usd(0))


@pytest.mark.parametrize("status", ["", None, ..., "proposed"])
def test_half_and_half_without_the_word_may_be_a_market_that_nobody_traded(
    running: Running, ours: Client, status: object
) -> None:
    state = ended(running, ours, outcomePrices='["0.5", "0.5"]', umaResolutionStatus=status)
    assert isinstance(state, MarketState)
    assert (state.closed, state.payout) == (True, None)


@pytest.mark.parametrize("status", ["proposed", "disputed"])
def test_a_winner_that_is_still_disputed_is_no_payout(running: Running, ours: Client, status: str) -> None:
    state = ended(running, ours, umaResolutionStatus=status)
    assert isinstance(state, MarketState)
    assert (state.closed, state.payout) == (True, None)


def test_an_open_market_pays_nothing_whatever_its_prices_look_like(running: Running, ours: Client) -> None:
    state = ended(running, ours, closed=False, acceptingOrders=True)
    assert isinstance(state, MarketState)
    assert (state.accepting, state.closed, state.payout) == (True, False, None)


@pytest.mark.parametrize(
    "new",
    [
        {"outcomePrices": '["0.9995", "0.0005"]'},
        {"outcomePrices": '["1", "1"]'},
        {"outcomePrices": '["0.6", "0.4"]'},
        {"outcomePrices": '["1"]'},
        {"outcomePrices": '["won", "lost"]'},
        {"outcomePrices": "[1, 0]"},
        {"outcomePrices": ...},
        {"outcomes": '["Yes", "No"]'},
        {"outcomes": '["Up", "Up"]'},
        {"outcomes": ...},
        {"slug": "btc-updown-15m-1795433100"},
        {"conditionId": ...},
        {"closed": "yes"},
        {"closed": False, "acceptingOrders": ...},
    ],
)
def test_an_end_that_cannot_be_is_no_state(running: Running, ours: Client, new: dict[str, Any]) -> None:
    assert isinstance(ended(running, ours, **new), ReadingFailed)
