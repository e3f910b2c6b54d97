"""The order rules of the venue (`PROTOCOL.md` E), statement by statement, over the wire: what passes, and beside it
what is just too much."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.signing import sign_order
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.answer_cases import posted, signed
from tests.edge.exchange_cases import BOOK, CONDITION, DOWN, FACTS, HOLD, LISTING, START, UP, Running, Trader, terms
from tests.edge.fault_cases import after_hold, bid, next_trade, own, pass_time

FOK, FAK, GTD = TimeInForce.FOK, TimeInForce.FAK, TimeInForce.GTD
TOO_FINE = "invalid amounts, the {} orders maker amount supports a max accuracy of {} decimals, "
GRIDS = {"0.1": 3, "0.01": 4, "0.005": 5, "0.0025": 6, "0.001": 5, "0.0001": 6}
"""Tick, and the decimals of a limit order's money."""


def listed(running: Running, tick: str) -> TokenId:
    """A further market with this tick and nothing in its book; its Up."""
    number = 2 + 2 * list(GRIDS).index(tick)
    token = TokenId(str(int(UP) + number))
    facts = replace(
        FACTS,
        id=MarketId(f"0x{number:064x}"),
        up_token=token,
        down_token=TokenId(str(int(DOWN) + number)),
        tick=price(tick),
    )
    running.feed(replace(LISTING, facts=facts, slug=f"btc-updown-15m-{number}"))
    return token


def placed(trader: Trader, token: TokenId, wanted: OrderTerms, **amounts: int) -> tuple[int, str]:
    """Status and error of an order with amounts that our library may refuse to make."""
    made = trader.sign(replace(wanted, price=price("0.5"), shares=shares("10")), token=token)
    made = sign_order(replace(made.order, **amounts), STANDARD, trader.key)
    status, body = trader.call("POST", "/order", trader.body(wanted, made))
    return status, body.get("error", "").replace(made.id, "{id}")


def limit(trader: Trader, token: TokenId, at: str, size: str) -> tuple[int, str]:
    """A limit BUY as exact as it can be: cash is price times shares."""
    exact = int(price(at)) * int(shares(size))
    assert exact % 1_000_000 == 0
    return placed(trader, token, terms(), maker_amount=exact // 1_000_000, taker_amount=int(shares(size)))


def orders(trader: Trader) -> int:
    count: int = trader.get("/data/orders")["count"]
    return count


# --- E.1 grids and decimals


@pytest.mark.parametrize("tick", GRIDS)
def test_a_price_is_on_the_grid_between_one_tick_and_one_less(running: Running, trader: Trader, tick: str) -> None:
    token = listed(running, tick)
    highest = format(1 - float(tick), f".{len(tick) - 2}f")
    assert limit(trader, token, tick, "100")[0] == 200
    assert limit(trader, token, highest, "10")[0] == 200
    half = int(price(tick)) // 2
    for off in (half, 1_000_000 - half, int(price(tick)) + half):
        status, text = placed(trader, token, terms(), maker_amount=off * 100, taker_amount=100_000_000)
        shown = f"{off / 1_000_000:.6f}".rstrip("0")
        assert (status, text) == (
            400,
            f"order {{id}} is invalid. Price ({shown}) breaks minimum tick size rule: {tick}",
        )


@pytest.mark.parametrize(("tick", "decimals"), GRIDS.items())
def test_a_limit_order_has_two_decimals_of_shares_and_its_grids_of_money(
    running: Running, trader: Trader, tick: str, decimals: int
) -> None:
    token = listed(running, tick)
    assert limit(trader, token, tick, "100.01")[0] == 200
    got = placed(trader, token, terms(), maker_amount=5_001_000, taker_amount=10_002_000)
    assert got == (400, TOO_FINE.format("buy", decimals) + "taker amount a max of 2 decimals")


def test_a_market_buy_has_four_decimals_of_shares_on_a_fine_grid_too(running: Running, trader: Trader) -> None:
    token = listed(running, "0.001")
    got = placed(trader, token, terms(tif=FAK), maker_amount=5_000_000, taker_amount=10_000_010)
    assert got == (400, TOO_FINE.format("market buy", 2) + "taker amount a max of 4 decimals")
    finest = placed(trader, token, terms(tif=FAK), maker_amount=5_000_000, taker_amount=9_999_900)
    assert finest[1].startswith("no orders found to match with FAK order")


def test_a_market_sale_has_four_decimals_of_money_on_a_fine_grid_too(running: Running, trader: Trader) -> None:
    sale = terms(Side.SELL, tif=FAK)
    token = listed(running, "0.001")
    got = placed(trader, token, sale, maker_amount=10_010_000, taker_amount=5_005_010)
    assert got == (400, TOO_FINE.format("sell", 2) + "taker amount a max of 4 decimals")
    assert "balance is not enough" in placed(trader, token, sale, maker_amount=10_010_000, taker_amount=5_005_000)[1]


def test_after_a_finer_tick_what_rests_stays_and_finer_prices_pass(running: Running, trader: Trader) -> None:
    assert limit(trader, UP, "0.405", "10")[0] == 400
    assert trader.place(terms(at="0.40"))[0] == 200
    running.feed(sim.SetTick(market=CONDITION, tick=price("0.001")))
    assert limit(trader, UP, "0.405", "10")[0] == 200
    assert [one["price"] for one in trader.get("/data/orders")["data"]] == ["0.4", "0.405"]
    assert running.get(f"/tick-size?token_id={UP}") == {"minimum_tick_size": 0.001}
    body = json.dumps({"type": "SetTick", "market": CONDITION, "tick": 10_000}).encode()
    assert running.call("POST", f"{running.urls.control}/world", body=body)[0] == 400


# --- E.2 sizes


def test_five_shares_may_rest_and_less_may_not(trader: Trader) -> None:
    assert trader.place(terms(size="5"))[0] == 200
    status, body = trader.place(terms(size="4.99"))
    assert (status, body["error"].partition(". ")[2]) == (400, "Size (4.99) lower than the minimum: 5")


def test_a_resting_buy_that_would_take_needs_a_dollar(running: Running, trader: Trader) -> None:
    text = "invalid amount for a marketable BUY order ($0.95), min size: $1"
    running.feed(sim.SetBook(market=CONDITION, bids=(), asks=((price("0.10"), shares("500")),)))
    assert limit(trader, UP, "0.19", "5") == (400, text)
    assert limit(trader, UP, "0.09", "5")[0] == 200
    assert limit(trader, UP, "0.20", "5")[0] == 200


@pytest.mark.parametrize("tif", [FAK, FOK])
def test_an_immediate_buy_needs_a_dollar_and_a_sale_nothing(trader: Trader, tif: TimeInForce) -> None:
    buy = terms(at="0.51", tif=tif)
    text = "invalid amount for a marketable BUY order ($0.99), min size: $1"
    assert placed(trader, UP, buy, maker_amount=990_000, taker_amount=1_941_100) == (400, text)
    assert placed(trader, UP, buy, maker_amount=1_000_000, taker_amount=1_960_700)[0] == 200
    sale = terms(Side.SELL, "0.49", tif=tif)
    assert placed(trader, UP, sale, maker_amount=10_000, taker_amount=4_900)[0] == 200


# --- E.3 time in force


def test_a_gtd_order_ends_a_minute_before_its_time_and_frees_its_money(still: Running, member: Trader) -> None:
    def until(length: float) -> tuple[int, Any]:
        return member.place(replace(terms(size="2000", tif=GTD), expires_at=Instant(START + seconds(length))))

    assert until(179) == (400, {"error": "invalid expiration"})
    assert until(180)[0] == 200
    stream = own(still, member)
    pass_time(still, 119)
    assert orders(member) == 1
    pass_time(still, 1)
    told = stream.hear()
    assert (told["type"], told["status"]) == ("CANCELLATION", "CANCELED_EXPIRED_ORDER")
    assert (orders(member), member.place(terms(size="2000"))[0]) == (0, 200)


def test_only_a_gtd_order_has_an_expiration(trader: Trader) -> None:
    body = trader.body(terms()).replace(b'"expiration":"0"', b'"expiration":"1999999999"')
    assert trader.call("POST", "/order", body) == (400, {"error": "invalid expiration"})


def test_a_fak_takes_what_is_there_and_nothing_of_it_rests(still: Running, member: Trader) -> None:
    _, body = after_hold(still, member, at="0.51", size="100", tif=FAK)
    assert (body["status"], body["takingAmount"]) == ("matched", "80.5")
    assert orders(member) == 0


def test_a_fok_takes_all_or_nothing(still: Running, member: Trader) -> None:
    assert after_hold(still, member, at="0.51", size="81", tif=FOK)[0] == 400
    assert member.get("/data/trades")["count"] == 0
    assert after_hold(still, member, at="0.51", size="80", tif=FOK)[1]["takingAmount"] == "80"


def test_a_gtc_takes_what_is_there_and_the_rest_rests(still: Running, member: Trader) -> None:
    _, body = after_hold(still, member, at="0.51", size="100")
    assert (body["status"], body["takingAmount"]) == ("matched", "80.5")
    (rest,) = member.get("/data/orders")["data"]
    assert (rest["original_size"], rest["size_matched"]) == ("100", "80.5")


@pytest.mark.parametrize("tif", [FAK, FOK])
def test_what_is_immediate_is_never_post_only(trader: Trader, tif: TimeInForce) -> None:
    body = trader.body(terms(tif=tif)).replace(b'"postOnly":false', b'"postOnly":true')
    assert trader.call("POST", "/order", body) == (400, {"error": "Invalid order payload"})


def test_a_post_only_gtd_order_rests_and_one_that_crosses_does_not(still: Running, member: Trader) -> None:
    lasting = replace(terms(tif=GTD, post_only=True), expires_at=Instant(START + seconds(300)))
    assert member.place(lasting)[1]["status"] == "live"
    crossing = member.place(replace(lasting, price=price("0.51")))
    assert crossing == (400, {"error": "invalid post-only order: order crosses book"})


# --- E.4 the taker hold


def test_a_market_holds_takers_for_150_ms_unless_it_is_told_otherwise() -> None:
    facts = sim.MarketFacts(id=CONDITION, up_token=UP, down_token=DOWN)
    assert (facts.taker_hold, facts.answers_delayed) == (150_000_000, False)


@pytest.mark.parametrize(
    ("change", "http", "text"),
    [
        (sim.SetMode(mode=sim.Mode.CANCEL_ONLY), 503, "Trading is currently cancel-only."),
        (sim.SetMode(mode=sim.Mode.POST_ONLY), 503, "post-only mode"),
        (sim.Restart(), 425, "service not ready"),
        (sim.CloseMarket(market=CONDITION), 400, "the market is not yet ready to process new orders"),
        (sim.Resolve(market=CONDITION, up_payout=usd(1)), 404, "No orderbook exists"),
        (None, 400, "'0x"),
    ],
    ids=["cancel-only", "post-only", "restart", "closed", "resolved", "banned"],
)
def test_an_order_is_checked_again_at_the_end_of_its_hold(
    still: Running, member: Trader, change: sim.Request | None, http: int, text: str
) -> None:
    banned = sim.SetRestriction(account=Account(member.account), restriction=sim.Restriction.BANNED)
    asking = member.start("POST", "/order", member.body(terms(at="0.51")))
    still.feed(change or banned)
    still.control("POST", "/time", {"by": HOLD})
    status, body = asking.result(5)
    assert (status, body["error"][: len(text)]) == (http, text)
    assert member.get("/data/trades")["count"] == 0


def test_money_that_was_bound_during_the_hold_is_missing_at_its_end(still: Running, member: Trader) -> None:
    asking = member.start("POST", "/order", member.body(terms(at="0.52", size="300")))
    assert member.place(terms(size="2000"))[1]["status"] == "live"
    still.control("POST", "/time", {"by": HOLD})
    status, body = asking.result(5)
    assert (status, "sum of active orders: 900000000" in body["error"]) == (400, True)


def test_shares_that_were_offered_during_the_hold_are_missing_at_its_end(still: Running, member: Trader) -> None:
    asking = member.start("POST", "/order", member.body(terms(Side.SELL, "0.49", "40")))
    assert member.place(terms(Side.SELL, "0.60", "30"))[1]["status"] == "live"
    still.control("POST", "/time", {"by": HOLD})
    status, body = asking.result(5)
    assert (status, "sum of active orders: 30000000" in body["error"]) == (400, True)


def test_an_order_in_its_hold_is_swept_by_no_cancel(still: Running, member: Trader) -> None:
    asking = member.start("POST", "/order", member.body(terms(at="0.51")))
    for path, body in (("/cancel-all", b""), ("/cancel-market-orders", json.dumps({"market": CONDITION}).encode())):
        assert member.call("DELETE", path, body)[1] == {"canceled": [], "not_canceled": {}}
    still.control("POST", "/time", {"by": HOLD})
    assert asking.result(5)[1]["status"] == "matched"


def test_an_order_meets_the_book_of_the_end_of_its_hold(still: Running, member: Trader) -> None:
    asking = member.start("POST", "/order", member.body(terms(at="0.51")))
    still.feed(replace(BOOK, asks=((price("0.50"), shares("4")), (price("0.51"), shares("2")))))
    still.control("POST", "/time", {"by": HOLD})
    assert asking.result(5)[1]["makingAmount"] == "3.02"
    assert orders(member) == 1


# --- reservation, and oneself


def test_a_refusal_says_what_is_bound_by_orders_and_by_trades(still: Running, member: Trader) -> None:
    after_hold(still, member, at="0.51")
    member.place(terms(size="1000"))
    _, body = member.place(terms(size="1500"))
    assert body["error"] == (
        "not enough balance / allowance: the balance is not enough -> balance: 950000000, "
        "sum of active orders: 450000000, sum of matched orders: 5274930, order amount: 675000000"
    )
    pass_time(still, 10)
    assert (
        "balance: 944725070, sum of active orders: 450000000, sum of matched orders: 0"
        in member.place(terms(size="1500"))[1]["error"]
    )


def test_shares_that_are_offered_are_not_offered_twice(trader: Trader) -> None:
    sale = terms(Side.SELL, "0.60", "30")
    assert trader.place(sale)[0] == 200
    status, body = trader.place(sale)
    assert (status, "balance: 50000000, sum of active orders: 30000000" in body["error"]) == (400, True)
    assert trader.call("DELETE", "/cancel-all")[0] == 200
    assert trader.place(sale)[0] == 200


def test_nobody_trades_with_itself(still: Running, member: Trader) -> None:
    """Its own resting order in the way is cancelled, and the taker goes on to the next one."""
    _, ask = member.place(terms(Side.SELL, "0.50", "10"))
    stream = own(still, member)
    asking = member.start("POST", "/order", member.body(terms(at="0.51")))
    still.control("POST", "/time", {"by": HOLD})
    assert asking.result(5)[1]["makingAmount"] == "5.1"
    assert [stream.hear()["type"] for _ in range(2)] == ["PLACEMENT", "CANCELLATION"]
    assert next_trade(stream)["maker_orders"][0]["order_id"] != ask["orderID"]
    assert orders(member) == 0


# --- E.7 restarts and modes


def test_all_routes_of_orders_are_shut_and_then_only_post_only_and_cancels_pass(still: Running, member: Trader) -> None:
    first = member.place(terms())[1]["orderID"]
    still.feed(sim.Restart())
    one, market = json.dumps({"orderID": first}).encode(), json.dumps({"market": CONDITION}).encode()
    order = member.body(terms())
    for method, path, body in (
        ("POST", "/order", order),
        ("POST", "/orders", b"[" + order + b"]"),
        ("DELETE", "/order", one),
        ("DELETE", "/orders", json.dumps([first]).encode()),
        ("DELETE", "/cancel-all", b""),
        ("DELETE", "/cancel-market-orders", market),
    ):
        assert signed(member, method, path, body)[0] == 425, path
    pass_time(still, 90)
    assert orders(member) == 1
    assert (posted(member, terms())[0], posted(member, terms(post_only=True))[0]) == (503, 200)
    assert member.call("DELETE", "/order", one)[1]["canceled"] == [first]
    pass_time(still, 119)
    assert posted(member, terms())[0] == 503
    pass_time(still, 1)
    assert posted(member, terms())[0] == 200


# --- E.9 heartbeat


def test_the_heart_is_looked_at_every_five_seconds_ten_after_the_last_beat(still: Running, member: Trader) -> None:
    """Begun 2 s after a look, so gone 13 s later and not a second sooner."""
    pass_time(still, 2)
    member.place(terms())
    member.call("POST", "/v1/heartbeats", b'{"heartbeat_id":""}')
    pass_time(still, 12)
    assert orders(member) == 1
    pass_time(still, 1)
    assert orders(member) == 0


def test_who_never_beat_loses_nothing(still: Running, member: Trader) -> None:
    member.place(terms())
    pass_time(still, 3_600)
    assert orders(member) == 1


# --- E.10 closed-only


def test_a_closed_only_account_sells_what_it_has(still: Running, member: Trader) -> None:
    only = sim.SetRestriction(account=Account(member.account), restriction=sim.Restriction.CLOSED_ONLY)
    still.feed(only, bid("1"))
    assert "closed only mode" in member.place(terms(outcome=Outcome.DOWN))[1]["error"]
    assert member.place(terms(Side.SELL, "0.60", "50"))[0] == 200
    assert "balance is not enough" in member.place(terms(Side.SELL, "0.60", "5"))[1]["error"]
