"""What the running exchange tells our client beside orders and fills, and what is made of answers that are none."""

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.markets import RewardTerms
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Tick, price, seconds, shares, usd
from polystra.edge.polymarket.account_readings import OrderDetails
from polystra.edge.polymarket.market_wire import RestBook, TradingTerms
from polystra.edge.polymarket.order_status import OrderStatus
from polystra.edge.polymarket.outcomes import Cancelled, NotCancelled
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.public import PublicReadings, whereabouts
from polystra.edge.polymarket.quotes_wire import Whereabouts
from polystra.edge.polymarket.venue import NoSuchOrder
from polystra.exchange.faults import Fault, Switch
from tests.edge.client_cases import Truth, account, exchange_truth
from tests.edge.exchange_cases import BOOK, CONDITION, DOWN, LISTING, QUICK, UP, Running, Trader, exchange, terms
from tests.edge.test_exchange_notifications import settle
from tests.edge.test_venue_readings import place_many
from tests.edge.venue_cases import Client, http

__all__ = ["exchange_truth"]

STRANGE = TokenId("12345" * 14)
GONE = VenueOrderId("0x" + "00" * 32)


def public(ours: Client, url: str) -> PublicReadings:
    return PublicReadings(ours.rest, url)


# --- prices ----------------------------------------------------------------------------------------------------------


def test_a_book_comes_with_its_time_and_its_hash_best_first(running: Running, ours: Client) -> None:
    raw = running.get(f"/book?token_id={UP}")
    book = ours.run(public(ours, running.urls.clob).book(UP))
    assert isinstance(book, RestBook)
    assert (book.hash, book.at) == (raw["hash"], int(raw["timestamp"]) * 10**6)
    assert book.bids[0] == (price("0.49"), shares("100"))
    assert book.asks[0] == (price("0.51"), shares("80.5"))


def test_prices_are_told_for_each_outcome(running: Running, ours: Client) -> None:
    running.feed(replace(BOOK, bids=((price("0.60"), shares("5")),), asks=((price("0.63"), shares("5")),)))
    read = public(ours, running.urls.clob)
    assert [ours.run(read.midpoint(token)) for token in (UP, DOWN)] == [price("0.615"), price("0.385")]
    assert [ours.run(read.spread(token)) for token in (UP, DOWN)] == [price("0.03")] * 2
    assert ours.run(read.tick(UP)) == Tick(price("0.01"))


@pytest.mark.spec("S16.A1", pure="two pages of the exchange about one book; both are compared with what it was fed")
@pytest.mark.parametrize("status", [500, 503, 404])
def test_a_midpoint_that_is_not_told_is_the_books_and_the_same(running: Running, ours: Client, status: int) -> None:
    running.feed(replace(BOOK, bids=((price("0.60"), shares("5")),), asks=((price("0.63"), shares("5")),)))
    read = public(ours, running.urls.clob)
    told = ours.run(read.midpoint(UP))
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /midpoint", http=status, times=None))
    assert ours.run(read.midpoint(UP)) == told == price("0.615")
    assert running.faults.hits[Fault.ERROR_BEFORE] == 1
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /book", http=status, times=None))
    assert isinstance(ours.run(read.midpoint(UP)), ReadingFailed)


def test_half_a_book_has_no_middle_and_no_spread(running: Running, ours: Client) -> None:
    running.feed(replace(BOOK, asks=()))
    read = public(ours, running.urls.clob)
    for answer in (ours.run(read.midpoint(UP)), ours.run(read.spread(UP))):
        assert isinstance(answer, ReadingFailed)
    assert isinstance(ours.run(read.midpoint(STRANGE)), ReadingFailed)


def test_liquidity_is_what_taking_would_really_bring(running: Running, trader: Trader, ours: Client) -> None:
    found = ours.run(public(ours, running.urls.clob).liquidity(UP, Side.BUY, shares("100"), limit=price("0.52")))
    assert (found.enough, found.cash) == (True, usd("51.195"))
    status, taken = trader.place(terms(at="0.52", size="100"))
    assert (status, taken["makingAmount"], taken["takingAmount"]) == (200, "51.195", "100")


def test_a_book_that_cannot_be_read_is_not_liquid(running: Running, ours: Client) -> None:
    read = public(ours, running.urls.clob)
    assert not ours.run(read.liquidity(STRANGE, Side.BUY, shares("1"), limit=price("0.99"))).enough
    running.faults.switch_on(Switch(fault=Fault.BOOK_PLACEHOLDER, where="GET /book"))
    wide = ours.run(read.liquidity(UP, Side.BUY, shares("1"), limit=price("0.99"), most_spread=price("0.10")))
    assert not wide.enough


# --- terms and place -------------------------------------------------------------------------------------------------


@pytest.fixture
def rewarding() -> Iterator[Running]:
    """A venue at 50 USD a day for orders of 20 shares within 4.5 cents."""
    facts = replace(
        LISTING.facts,
        reward_min=shares("20"),
        reward_spread=price("0.045"),
        reward_age=seconds(30),
        reward_rate=usd("50"),
    )
    with Running() as running:
        running.feed(replace(LISTING, facts=facts), BOOK)
        yield running


def test_the_terms_say_what_an_order_must_be_and_what_earns(ours: Client) -> None:
    raw = {
        "c": CONDITION,
        "t": [{"t": UP, "o": "Up"}, {"t": DOWN, "o": "Down"}],
        "mts": 0.01,
        "mos": 5,
        "fd": {"r": 0.07, "e": 1, "to": True},
        "r": {"mi": 50, "ma": 4.5, "moas": 30},
    }
    found = ours.run(public(ours, ours.scripted(http(200, json.dumps(raw))).url).trading_terms(CONDITION))
    assert isinstance(found, TradingTerms)
    assert (found.tick, found.min_shares) == (price("0.01"), shares("5"))
    assert found.fees is not None
    assert found.fees.rate == 70_000
    assert found.rewards is not None
    assert (found.rewards.min_shares, found.rewards.max_spread) == (shares("50"), price("0.045"))
    assert found.rewards.min_age == seconds(30)


def test_a_market_of_the_exchange_has_terms_and_an_unknown_one_has_none(running: Running, ours: Client) -> None:
    read = public(ours, running.urls.clob)
    assert isinstance(ours.run(read.trading_terms(CONDITION)), TradingTerms)
    assert isinstance(ours.run(read.trading_terms(type(CONDITION)("0x1"))), ReadingFailed)
    assert ours.run(read.reward_rate(CONDITION)) == 0


def test_a_market_that_rewards_its_makers_says_how_much_and_for_what(rewarding: Running, ours: Client) -> None:
    read = public(ours, rewarding.urls.clob)
    found = ours.run(read.trading_terms(CONDITION))
    assert isinstance(found, TradingTerms)
    assert found.rewards == RewardTerms(min_shares=shares("20"), max_spread=price("0.045"), min_age=seconds(30))
    assert ours.run(read.reward_rate(CONDITION)) == usd("50")


def test_reward_rates_are_added_up(ours: Client) -> None:
    rows = [{"condition_id": CONDITION, "rewards_config": [{"rate_per_day": 50}, {"rate_per_day": "0.5"}]}]
    page = http(200, json.dumps({"data": rows, "next_cursor": "LTE="}))
    assert ours.run(public(ours, ours.scripted(page).url).reward_rate(CONDITION)) == usd("50.5")
    broken = http(200, json.dumps({"data": [{"rewards_config": [{"rate_per_day": -1}]}], "next_cursor": "LTE="}))
    assert isinstance(ours.run(public(ours, ours.scripted(broken).url).reward_rate(CONDITION)), ReadingFailed)


def test_where_we_are_may_be_where_nobody_trades(running: Running, ours: Client) -> None:
    assert ours.run(whereabouts(ours.rest, running.urls.clob)) == Whereabouts(False, "IE", "L")
    running.control("POST", "/geoblock", {"blocked": True, "country": "GB", "region": "ENG"})
    assert ours.run(whereabouts(ours.rest, running.urls.clob)) == Whereabouts(True, "GB", "ENG")
    assert isinstance(ours.run(whereabouts(ours.rest, ours.scripted(http(200, "{}")).url)), ReadingFailed)


@pytest.mark.parametrize(
    "body", ['{"mid":"0"}', '{"mid":"1"}', '{"mid":"-0.1"}', '{"mid":"NaN"}', '{"mid":null}', "{}", "[]", "<html>", ""]
)
def test_a_midpoint_that_is_no_price_is_not_believed(ours: Client, body: str) -> None:
    script = ours.scripted(http(200, body), http(500, ""))
    assert isinstance(ours.run(public(ours, script.url).midpoint(UP)), ReadingFailed)


@pytest.mark.parametrize("body", ['{"minimum_tick_size":0}', '{"minimum_tick_size":0.3}', '{"minimum_tick_size":"x"}'])
def test_a_tick_that_is_no_grid_is_not_believed(ours: Client, body: str) -> None:
    assert isinstance(ours.run(public(ours, ours.scripted(http(200, body)).url).tick(UP)), ReadingFailed)


# --- one order -------------------------------------------------------------------------------------------------------


@pytest.mark.spec("S14.A1")
def test_an_order_filled_to_40_percent_has_trades_that_sum_up_to_it(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    placed = trader.place(terms(at="0.50", size="10"))[1]["orderID"]
    seller = Trader(running, seed=2)
    running.fund(seller.account)
    running.shares(seller.account, "20")
    for size in ("1.5", "2.5"):
        assert seller.place(terms(Side.SELL, at="0.50", size=size, tif=TimeInForce.FAK))[0] == 200
    details = ours.run(account(ours, trader).order(placed))
    assert isinstance(details, OrderDetails)
    row = details.row
    assert row.order.matched == row.order.size * 4 // 10 == details.traded == shares("4")
    assert sorted(fill.shares for fill in details.fills) == [shares("1.5"), shares("2.5")]
    assert (
        {fill.trade for fill in details.fills} == set(row.trades) == {one.id for one in exchange_truth.trades(trader)}
    )
    assert (row.status, row.time_in_force, row.outcome, row.expires_at) == ("LIVE", "GTC", "Up", None)
    assert row.created_at is not None
    assert row.owner == trader.credentials.api_key
    assert ours.run(account(ours, trader).status(placed)) is OrderStatus.LIVE


LEAST = {
    "id": GONE,
    "market": CONDITION,
    "asset_id": UP,
    "maker_address": "0x1",
    "side": "BUY",
    "price": "0.5",
    "original_size": "10",
    "size_matched": "4",
}
MORE = {"status", "owner", "outcome", "expiration", "order_type", "associate_trades", "created_at"}


@pytest.mark.spec("S14.A2", pure="an answer that lacks what the exchange always says")
@pytest.mark.parametrize("null", [False, True])
def test_what_is_missing_of_an_order_is_nothing_to_fail_at(trader: Trader, ours: Client, null: bool) -> None:
    row = LEAST | (dict.fromkeys(MORE) if null else {})
    none = http(200, '{"data":[],"next_cursor":"LTE="}')
    script = ours.scripted(http(200, json.dumps(row)), none)
    details = ours.run(account(ours, trader, script.url).order(GONE))
    assert isinstance(details, OrderDetails)
    assert (details.row.order.matched, details.traded) == (shares("4"), 0)
    assert (details.row.created_at, details.row.expires_at, details.row.trades) == (None, None, ())


@pytest.mark.parametrize("lacking", sorted(LEAST))
def test_an_order_without_what_makes_it_an_order_is_no_reading(trader: Trader, ours: Client, lacking: str) -> None:
    row = {name: value for name, value in LEAST.items() if name != lacking}
    script = ours.scripted(http(200, json.dumps(row)), http(500, ""))
    assert isinstance(ours.run(account(ours, trader, script.url).order(GONE)), ReadingFailed)


def test_the_status_of_an_order_follows_it_to_its_end(running: Running, trader: Trader, ours: Client) -> None:
    read = account(ours, trader)
    taken = trader.place(terms(at="0.51"))[1]["orderID"]
    cancelled = trader.place(terms())[1]["orderID"]
    assert ours.run(read.status(cancelled)) is OrderStatus.LIVE
    trader.call("DELETE", "/cancel-all")
    assert ours.run(read.status(cancelled, size=shares("10"))) is OrderStatus.NOT_FOUND
    assert ours.run(read.status(taken, size=shares("10"))) is OrderStatus.FILLED
    assert ours.run(read.status(taken)) is OrderStatus.MATCHED
    assert ours.run(read.order(taken)) == NoSuchOrder(taken)
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /data/order/{order}", times=None))
    assert ours.run(read.status(taken)) is OrderStatus.ERROR


def test_an_order_of_which_a_trade_failed_is_not_filled(ours: Client) -> None:
    with exchange(rules=replace(QUICK, failure_rate=1.0)) as running:
        trader = Trader(running)
        running.fund(trader.account)
        taken = trader.place(terms(at="0.51"))[1]["orderID"]
        settle(running)
        assert ours.run(account(ours, trader).status(taken, size=shares("10"))) is OrderStatus.MATCHED


def test_scoring_is_asked_for_one_order_and_for_many(running: Running, trader: Trader, ours: Client) -> None:
    read, placed = account(ours, trader), trader.place(terms())[1]["orderID"]
    assert ours.run(read.scoring(placed)) == trader.get("/order-scoring", f"?order_id={placed}")["scoring"]
    assert ours.run(read.scorings([placed, GONE])) == {placed: ours.run(read.scoring(placed)), GONE: False}
    assert isinstance(
        ours.run(account(ours, trader, ours.scripted(http(200, "{}")).url).scoring(placed)), ReadingFailed
    )


# --- several orders --------------------------------------------------------------------------------------------------


@pytest.mark.spec("S11.A1")
def test_of_five_orders_two_that_were_filled_say_so_and_three_are_cancelled(
    trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    filled = [trader.place(terms(at="0.51", size="5"))[1]["orderID"] for _ in range(2)]
    live = [trader.place(terms())[1]["orderID"] for _ in range(3)]
    asked = [live[0], filled[0], live[1], filled[1], live[2]]
    outcomes = ours.run(ours.venue(trader).cancel(asked))
    assert [one.order for one in outcomes] == asked
    assert {one.order for one in outcomes if isinstance(one, Cancelled)} == set(live)
    reasons = {one.order: one.text for one in outcomes if isinstance(one, NotCancelled)}
    assert set(reasons) == set(filled)
    assert all(reasons.values())
    assert exchange_truth.resting(trader) == set()
    again = ours.run(ours.venue(trader).cancel(asked))
    assert [type(one) for one in again] == [NotCancelled] * 5


@pytest.mark.spec("S19.A2")
def test_more_than_100_trades_are_all_read(
    running: Running, trader: Trader, ours: Client, exchange_truth: Truth
) -> None:
    running.feed(replace(BOOK, bids=(), asks=((price("0.20"), shares("5000")),)))
    place_many(trader, 130, at="0.20")
    fills = ours.run(ours.venue(trader).trades())
    assert isinstance(fills, tuple)
    assert {fill.trade for fill in fills} == {trade.id for trade in exchange_truth.trades(trader)}
    assert len(fills) == len({fill.trade for fill in fills}) == 130


def test_trades_are_found_by_market_token_and_id(running: Running, trader: Trader, ours: Client) -> None:
    trader.place(terms(at="0.51"))
    trader.place(terms(at="0.51", outcome=type(terms().outcome).DOWN))
    settle(running)
    venue = ours.venue(trader)
    every = ours.run(venue.trades())
    assert isinstance(every, tuple)
    assert {fill.token for fill in every} == {UP, DOWN}
    assert ours.run(venue.trades(market=CONDITION)) == every
    assert ours.run(venue.trades(market=type(CONDITION)("0x" + "00" * 32))) == ()
    for token in (UP, DOWN):
        assert ours.run(venue.trades(token=token)) == tuple(fill for fill in every if fill.token == token)
    assert ours.run(venue.trades(trade=every[0].trade)) == (every[0],)
