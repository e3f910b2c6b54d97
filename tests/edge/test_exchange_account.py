"""What a member reads of its own over the wire: orders, trades, balances; and its heartbeat."""

import json
import re
from typing import Any

import pytest

from polystra.core.terms import Outcome, Side
from polystra.core.units import seconds
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.pages import FIRST_CURSOR, LAST_CURSOR, page
from polystra.sim.latency import fixed
from polystra.sim.rules import Rules
from tests.edge.exchange_cases import CONDITION, DOWN, HOLD, UP, Running, Trader, exchange, terms


def test_an_open_order_in_the_venues_form(trader: Trader) -> None:
    placed = trader.place(terms(outcome=Outcome.DOWN))[1]["orderID"]
    page = trader.get("/data/orders")
    assert (page["limit"], page["count"], page["next_cursor"]) == (100, 1, "LTE=")
    (order,) = page["data"]
    created = order.pop("created_at")
    assert isinstance(created, int)
    assert order == {
        "id": placed,
        "status": "LIVE",
        "owner": trader.credentials.api_key,
        "maker_address": trader.account,
        "market": CONDITION,
        "asset_id": DOWN,
        "side": "BUY",
        "original_size": "10",
        "size_matched": "0",
        "price": "0.45",
        "outcome": "Down",
        "expiration": "0",
        "order_type": "GTC",
        "associate_trades": [],
    }
    assert trader.get(f"/data/order/{placed}") == order | {"created_at": created}
    assert trader.get("/data/orders", f"?asset_id={UP}")["data"] == []
    assert trader.get("/data/orders", f"?market={CONDITION}&id={placed}")["count"] == 1


def test_an_order_that_ended_is_not_found(trader: Trader) -> None:
    placed = trader.place(terms())[1]["orderID"]
    trader.call("DELETE", "/cancel-all")
    assert trader.call("GET", f"/data/order/{placed}") == (404, {"error": "Order not found"})


def test_pages_follow_cursors_to_their_end(trader: Trader) -> None:
    trader.running.control("POST", "/limits", {"tier": "none"})
    for _ in range(7):
        trader.call("POST", "/orders", b"[" + b",".join(trader.body(terms(size="5")) for _ in range(15)) + b"]")
    first = trader.get("/data/orders", "?next_cursor=MA==")
    second = trader.get("/data/orders", f"?next_cursor={first['next_cursor']}")
    assert (first["count"], second["count"], second["next_cursor"]) == (100, 5, "LTE=")
    assert len({order["id"] for order in first["data"] + second["data"]}) == 105
    assert trader.call("GET", "/data/orders", query="?next_cursor=LTE=") == (
        400,
        {"error": "next item should be greater than or equal to 0"},
    )
    assert trader.call("GET", "/data/orders", query="?next_cursor=x")[1] == {"error": "invalid order params payload"}


@pytest.mark.parametrize(("rows", "last"), [(0, 0), (99, 0), (100, 0), (101, 1), (200, 1), (201, 2)])
def test_the_last_page_is_the_one_with_the_last_row(rows: int, last: int) -> None:
    found, cursor, turns = 0, FIRST_CURSOR, 0
    while shown := page([{"row": number} for number in range(rows)], cursor, 100):
        found += int(str(shown["count"]))
        cursor = str(shown["next_cursor"])
        if cursor == LAST_CURSOR:
            break
        turns += 1
    assert (found, turns) == (rows, last)


def test_a_trade_is_seen_by_taker_and_maker_with_the_takers_terms_on_top(running: Running, trader: Trader) -> None:
    maker = Trader(running, seed=2)
    running.fund(maker.account)
    resting = maker.place(terms(at="0.50", outcome=Outcome.DOWN))[1]["orderID"]
    taken = trader.place(terms(at="0.50"))[1]
    (own,), (theirs,) = trader.get("/data/trades")["data"], maker.get("/data/trades")["data"]
    assert (own["trader_side"], theirs["trader_side"]) == ("TAKER", "MAKER")
    for trade in (own, theirs):
        assert (trade["id"], trade["taker_order_id"]) == (taken["tradeIDs"][0], taken["orderID"])
        assert (trade["asset_id"], trade["side"], trade["size"], trade["price"]) == (UP, "BUY", "10", "0.5")
        assert trade["owner"] == trader.credentials.api_key
        assert re.fullmatch("TRADE_STATUS_(MATCHED|MINED|CONFIRMED)", trade["status"])
        (inside,) = trade["maker_orders"]
        assert (inside["order_id"], inside["owner"]) == (resting, maker.credentials.api_key)
        assert (inside["asset_id"], inside["side"], inside["outcome"]) == (DOWN, "BUY", "Down")
        assert (inside["matched_amount"], inside["price"]) == ("10", "0.5")


def test_trades_are_asked_for_by_time_market_and_maker(trader: Trader) -> None:
    trader.place(terms(at="0.51"))
    (trade,) = trader.get("/data/trades")["data"]
    at = int(trade["match_time"])
    for query, count in (
        (f"?after={at}", 1),
        (f"?after={at + 1}", 0),
        (f"?before={at}", 1),
        (f"?before={at - 1}", 0),
        (f"?maker_address={trader.account}&market={CONDITION}", 1),
        ("?market=0x1", 0),
        (f"?id={trade['id']}", 1),
    ):
        assert trader.get("/data/trades", query)["count"] == count, query
    assert trader.call("GET", "/data/trades", query="?after=soon") == (
        400,
        {"error": "Invalid trade params payload"},
    )


def test_the_balance_lags_behind_the_match_until_it_is_refreshed() -> None:
    slow = Rules(mined_after=fixed(seconds(2)), balance_lag=fixed(seconds(30)))
    with exchange(rules=slow, stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        query = f"?asset_type=CONDITIONAL&token_id={UP}&signature_type=0"
        posting = trader.start("POST", "/order", trader.body(terms(at="0.51")))
        running.control("POST", "/time", {"by": HOLD})
        assert posting.result(5)[0] == 200
        assert trader.get("/balance-allowance", query)["balance"] == "0"
        sold = terms(Side.SELL, "0.60")
        assert "the balance is not enough -> balance: 0" in trader.place(sold)[1]["error"]
        running.control("POST", "/time", {"by": seconds(3)})
        assert trader.get("/balance-allowance", query)["balance"] == "0"
        assert trader.call("GET", "/balance-allowance/update", query=query) == (200, "")
        shown = trader.get("/balance-allowance", query)
        assert shown["balance"] == "10000000"
        assert shown["allowances"]["0xE111180000d2663C0091e4f400237545B87B996B"] == str(2**256 - 1)
        assert trader.place(sold)[0] == 200


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?asset_type=GOLD", "Invalid asset type"),
        ("?asset_type=COLLATERAL&signature_type=9", "Invalid signature_type"),
        ("?asset_type=CONDITIONAL", "Invalid token id"),
    ],
)
def test_a_balance_of_nothing_known_is_refused(trader: Trader, query: str, text: str) -> None:
    assert trader.call("GET", "/balance-allowance", query=query) == (400, {"error": text})


def test_a_heart_that_stops_loses_its_orders() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        trader.place(terms())
        _, first = trader.call("POST", "/v1/heartbeats", b'{"heartbeat_id":""}')
        assert trader.call("POST", "/v1/heartbeats", b'{"heartbeat_id":"wrong"}') == (
            400,
            {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first["heartbeat_id"]},
        )
        running.control("POST", "/time", {"by": seconds(9)})
        assert trader.call("POST", "/heartbeats") == (200, {"status": "ok"})
        running.control("POST", "/time", {"by": seconds(9)})
        assert trader.get("/data/orders")["count"] == 1
        running.control("POST", "/time", {"by": seconds(6)})
        assert trader.get("/data/orders")["count"] == 0


def test_one_heart_beats_for_all_wallets_of_an_owner() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running, kind=SignatureType.GNOSIS_SAFE)
        running.fund(trader.account)
        trader.place(terms())
        beat: Any = {"heartbeat_id": ""}
        for _ in range(3):
            _, beat = trader.call("POST", "/v1/heartbeats", json.dumps(beat).encode())
            running.control("POST", "/time", {"by": seconds(8)})
        assert trader.get("/data/orders")["count"] == 1
        running.control("POST", "/time", {"by": seconds(8)})
        assert trader.get("/data/orders")["count"] == 0


def test_no_order_scores_while_no_rewards_are_sampled(trader: Trader) -> None:
    placed = trader.place(terms())[1]["orderID"]
    assert trader.get("/order-scoring", f"?order_id={placed}") == {"scoring": False}
    assert trader.call("POST", "/orders-scoring", json.dumps([placed]).encode()) == (200, {placed: False})
