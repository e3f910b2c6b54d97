"""Our client reads what the running exchange has of ours: all of it, in our own terms, or nothing."""

import json

import pytest

from polystra.core.ids import TokenId
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import Instant, Shares, Usd, price, seconds, shares, usd
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.private_rest import ReadingFailed, api_credentials, server_time
from polystra.edge.polymarket.venue import UNLIMITED, Balances
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.polymarket.wire import Fill
from polystra.exchange.faults import Fault, Switch
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, DOWN, NEW_UP, UP, Running, Trader, terms
from tests.edge.venue_cases import Client, http

FRESH = SigningKey(bytes([7]) * 32)


def place_many(trader: Trader, count: int, at: str = "0.01") -> None:
    """Orders of 5 shares, in batches of at most 15, whatever the rate limits say."""
    trader.running.control("POST", "/limits", {"tier": "none"})
    for start in range(0, count, 15):
        bodies = [trader.body(terms(at=at, size="5")) for _ in range(min(15, count - start))]
        assert trader.call("POST", "/orders", b"[" + b",".join(bodies) + b"]")[0] == 200


# --- credentials and time --------------------------------------------------------------------------------------------


def test_credentials_are_made_once_and_derived_after(running: Running, ours: Client) -> None:
    relay = ours.relay(running.urls.clob)
    made, derived = (ours.run(api_credentials(ours.rest, relay.url, key=FRESH, clock=WallClock())) for _ in range(2))
    assert isinstance(made, Credentials)
    assert isinstance(derived, Credentials)
    assert (made.api_key, made.secret, made.passphrase) == (derived.api_key, derived.secret, derived.passphrase)
    create, derive = "POST /auth/api-key", "GET /auth/derive-api-key"
    assert relay.requests == [create, create, derive]


def test_credentials_that_cannot_be_had_are_a_failed_reading_without_a_secret(ours: Client) -> None:
    for reply in (http(401, '{"error":"Invalid L1 Request headers"}'), http(200, '{"apiKey":"a","secret":"hush"}')):
        failed = ours.run(api_credentials(ours.rest, ours.scripted(reply).url, key=FRESH, clock=WallClock()))
        assert isinstance(failed, ReadingFailed)
        assert "hush" not in failed.why


def test_the_venues_clock_is_read_to_the_second(running: Running, ours: Client) -> None:
    told = ours.run(server_time(ours.rest, running.urls.clob))
    assert isinstance(told, int)
    assert abs(WallClock().now() - told) < seconds(5)
    assert isinstance(ours.run(server_time(ours.rest, ours.scripted(http(200, '"soon"')).url)), ReadingFailed)


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 100, 101, 205])
def test_open_orders_come_from_every_page(trader: Trader, ours: Client, count: int) -> None:
    place_many(trader, count)
    orders = ours.run(ours.venue(trader).open_orders())
    assert isinstance(orders, tuple)
    assert len({order.id for order in orders}) == len(orders) == count


def test_orders_that_change_between_pages_are_no_reading(trader: Trader, ours: Client) -> None:
    place_many(trader, 101)
    first, second = (trader.get("/data/orders", query) for query in ("", "?next_cursor=MTAw"))
    changed = second | {"data": []}
    script = ours.scripted(*(http(200, json.dumps(page)) for page in (first, second, first, changed)))
    assert isinstance(ours.run(ours.venue(trader, clob=script.url).open_orders()), ReadingFailed)


def test_a_page_that_fails_fails_the_reading(running: Running, trader: Trader, ours: Client) -> None:
    place_many(trader, 101)
    first = http(200, json.dumps(trader.get("/data/orders")))
    for second in (http(500, ""), http(200, "{}"), http(200, '{"data":[{}],"next_cursor":"LTE="}'), first):
        venue = ours.venue(trader, clob=ours.scripted(first, second, first).url)
        assert isinstance(ours.run(venue.open_orders()), ReadingFailed)
    running.faults.switch_on(Switch(fault=Fault.RESET, where="GET /data/orders", times=None))
    assert isinstance(ours.run(ours.venue(trader).open_orders()), ReadingFailed)


def test_pages_that_lead_in_a_circle_are_no_reading(trader: Trader, ours: Client) -> None:
    place_many(trader, 101)
    first = http(200, json.dumps(trader.get("/data/orders")))
    last = http(200, json.dumps(trader.get("/data/orders", "?next_cursor=MTAw")))
    failed = ours.run(ours.venue(trader, clob=ours.scripted(first, first, last, first, last).url).open_orders())
    assert isinstance(failed, ReadingFailed)
    assert "circle" in failed.why


def test_one_broken_connection_does_not_fail_a_reading(running: Running, trader: Trader, ours: Client) -> None:
    running.faults.switch_on(Switch(fault=Fault.RESET, where="GET /data/orders"))
    assert ours.run(ours.venue(trader).open_orders()) == ()
    assert running.faults.hits[Fault.RESET] == 1


@pytest.mark.parametrize(
    "reply",
    [http(404, "<html>no</html>"), http(404, '{"error":"market not found"}'), http(200, "[]"), http(500, "null")],
)
def test_only_the_venues_words_say_that_an_order_is_not_there(trader: Trader, ours: Client, reply: bytes) -> None:
    asked = trader.sign(terms()).id
    assert isinstance(ours.run(ours.venue(trader, clob=ours.scripted(reply).url).order(asked)), ReadingFailed)


def test_an_answer_about_another_order_is_no_reading(trader: Trader, ours: Client) -> None:
    placed = trader.place(terms())[1]["orderID"]
    other = http(200, json.dumps(trader.get(f"/data/order/{placed}")))
    venue = ours.venue(trader, clob=ours.scripted(other).url)
    assert isinstance(ours.run(venue.order(trader.sign(terms()).id)), ReadingFailed)


# --- trades ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_1271])
def test_a_mint_is_read_by_each_side_in_its_own_token_and_price(
    running: Running, ours: Client, kind: SignatureType
) -> None:
    """Up at 0.60 meets Down at 0.40: the row says Up at 0.60 to both."""
    bids, asks = ((price("0.30"), shares("100")),), ((price("0.70"), shares("100")),)
    running.feed(sim.SetBook(market=CONDITION, bids=bids, asks=asks))
    maker, taker = Trader(running, seed=2, kind=kind), Trader(running, seed=3, kind=kind)
    for trader in (maker, taker):
        running.fund(trader.account)
    resting = maker.place(terms(at="0.40", outcome=Outcome.DOWN))[1]["orderID"]
    taken = taker.place(terms(at="0.60"))[1]
    (row,) = maker.get("/data/trades")["data"]
    assert (row["asset_id"], row["price"], row["trader_side"]) == (UP, "0.6", "MAKER")

    theirs, own = (ours.run(ours.venue(trader).trades()) for trader in (taker, maker))
    assert isinstance(theirs, tuple)
    assert isinstance(own, tuple)
    (bought,), (made,) = theirs, own
    assert (made.order, made.token, made.side, made.price, made.shares, made.liquidity) == (
        resting,
        DOWN,
        Side.BUY,
        price("0.40"),
        shares("10"),
        Liquidity.MAKER,
    )
    assert (bought.order, bought.token, bought.side, bought.price, bought.shares, bought.liquidity) == (
        taken["orderID"],
        UP,
        Side.BUY,
        price("0.60"),
        shares("10"),
        Liquidity.TAKER,
    )
    assert made.trade == bought.trade == taken["tradeIDs"][0]
    assert made.stage in (TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED)


def test_trades_come_from_every_page_and_from_a_moment_on(running: Running, trader: Trader, ours: Client) -> None:
    running.feed(sim.SetBook(market=CONDITION, bids=(), asks=((price("0.20"), shares("9000")),)))
    place_many(trader, 101, at="0.20")
    fills = ours.run(ours.venue(trader).trades())
    assert isinstance(fills, tuple)
    assert len({fill.trade for fill in fills}) == len(fills) == 101
    latest = max(fill.matched_at for fill in fills)
    assert _count(ours, trader, latest) >= 1
    assert _count(ours, trader, Instant(latest + seconds(1))) == 0


def _count(ours: Client, trader: Trader, after: Instant) -> int:
    fills = ours.run(ours.venue(trader).trades(after=after))
    assert isinstance(fills, tuple)
    return len(fills)


def test_a_trade_met_on_two_pages_counts_once_as_last_seen(trader: Trader, ours: Client) -> None:
    trader.place(terms(at="0.51"))
    page = trader.get("/data/trades")
    (row,) = page["data"]
    first = page | {"data": [row | {"status": "TRADE_STATUS_MATCHED"}], "next_cursor": "MTAw"}
    second = page | {"data": [row | {"status": "FAILED"}]}
    script = ours.scripted(http(200, json.dumps(first)), http(200, json.dumps(second)))
    fills = ours.run(ours.venue(trader, clob=script.url).trades())
    assert isinstance(fills, tuple)
    assert [(type(fill), fill.stage) for fill in fills] == [(Fill, TradeStage.FAILED)]


# --- balances --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_1271])
def test_balances_are_those_of_the_wallet_that_pays(running: Running, ours: Client, kind: SignatureType) -> None:
    trader = Trader(running, seed=9, kind=kind)
    running.fund(trader.account)
    running.shares(trader.account, "50")
    held = {UP: shares("50"), DOWN: shares("50"), NEW_UP: shares("0")}
    assert ours.run(ours.venue(trader).balances(held)) == Balances(usd("950"), held, UNLIMITED)
    assert ours.run(ours.venue(trader).balances()) == Balances(usd("950"), {}, UNLIMITED)


def test_one_balance_that_fails_fails_all(trader: Trader, ours: Client) -> None:
    fine, bad = http(200, '{"balance":"5"}'), http(200, '{"balance":"-5"}')
    for replies in ((fine, bad), (bad, fine), (fine, http(500, ""))):
        venue = ours.venue(trader, clob=ours.scripted(*replies).url)
        assert isinstance(ours.run(venue.balances([UP])), ReadingFailed)


@pytest.mark.parametrize(
    ("token", "asset"), [(UP, b"asset_type=CONDITIONAL&"), (NEW_UP, b"asset_type=CONDITIONAL-V2&")]
)
def test_shares_are_asked_for_by_the_generation_of_their_token(
    trader: Trader, ours: Client, token: TokenId, asset: bytes
) -> None:
    script = ours.scripted(*[http(200, '{"balance":"5"}')] * 2)
    assert ours.run(ours.venue(trader, clob=script.url).balances([token])) == Balances(Usd(5), {token: Shares(5)})
    assert any(asset in heard for heard in script.heard)
