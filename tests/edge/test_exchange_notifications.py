"""What the venue tells an account of its orders and markets, and how it is dropped."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Usd, usd
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange import notices
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, DOWN, LISTING, QUICK, UP, Running, Trader, exchange, terms

CANCELLATION, FILL, RESOLVED, FAILED = 1, 2, 4, 8


def told(trader: Trader, query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = trader.get("/notifications", query)
    return rows


def settle(running: Running) -> None:
    """Waits until every trade has been mined."""
    while running.on_loop(running.venue.next_due) is not None:
        running.on_loop(running.venue.advance)


def test_a_cancelled_order_is_told_with_what_is_left_of_it(trader: Trader) -> None:
    placed = trader.place(terms())[1]["orderID"]
    assert told(trader) == []
    trader.call("DELETE", "/cancel-all")
    (row,) = told(trader)
    assert (row["id"], row["type"], row["owner"]) == (1, CANCELLATION, trader.credentials.api_key)
    assert row["payload"] == {
        "asset_id": UP,
        "market": CONDITION,
        "order_id": placed,
        "side": "BUY",
        "type": "GTC",
        "price": "0.45",
        "original_size": "10",
        "matched_size": "0",
        "remaining_size": "0",
        "outcome": "Up",
        "outcome_index": 0,
        "question": LISTING.question,
        "market_slug": LISTING.slug,
        "icon": "",
        "image": "",
        "eventSlug": LISTING.slug,
        "seriesSlug": "",
        "transaction_hash": "",
        "trade_id": "",
    }


def test_a_fill_is_told_to_both_sides_once_it_was_mined(running: Running, trader: Trader) -> None:
    maker = Trader(running, seed=2)
    running.fund(maker.account)
    maker.place(terms(at="0.50", size="10"))
    running.shares(trader.account, "20")
    sold = trader.place(terms(Side.SELL, at="0.50", size="10", tif=TimeInForce.FAK))[1]
    settle(running)
    for one in (trader, maker):
        (row,) = told(one)
        payload = row["payload"]
        assert (row["type"], payload["trade_id"], payload["matched_size"]) == (FILL, sold["tradeIDs"][0], "10")
        assert payload["transaction_hash"].startswith("0x")
    assert told(maker)[0]["payload"]["side"] == "BUY"


def test_a_resolution_is_told_to_who_holds_shares_and_to_nobody_else(running: Running, trader: Trader) -> None:
    other = Trader(running, seed=2)
    running.fund(other.account)
    running.shares(trader.account, "20")
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=usd(1)))
    (row,) = told(trader)
    tokens = [(token["token_id"], token["price"], token["winner"]) for token in row["payload"]["tokens"]]
    assert (row["type"], tokens) == (RESOLVED, [(UP, 1, True), (DOWN, 0, False)])
    assert told(other) == []


def test_a_void_market_has_no_winner(running: Running, trader: Trader) -> None:
    running.shares(trader.account, "20")
    running.feed(sim.Resolve(market=CONDITION, up_payout=Usd(500_000)))
    tokens = told(trader)[0]["payload"]["tokens"]
    assert [(token["price"], token["winner"]) for token in tokens] == [(0.5, False), (0.5, False)]


def test_what_is_dropped_is_gone_and_only_for_its_owner(running: Running, trader: Trader) -> None:
    other = Trader(running, seed=2)
    running.fund(other.account)
    for one in (trader, trader, trader, other):
        one.place(terms())
        one.call("DELETE", "/cancel-all")
    assert [row["id"] for row in told(trader)] == [3, 2, 1]
    assert trader.call("DELETE", "/notifications", query="?ids=1,3,4") == (200, "OK")
    assert [row["id"] for row in told(trader)] == [2]
    assert [row["id"] for row in told(other)] == [4]
    assert trader.call("DELETE", "/notifications") == (200, "OK")
    assert told(trader) == []


def test_they_are_told_by_wallet(trader: Trader) -> None:
    trader.place(terms())
    trader.call("DELETE", "/cancel-all")
    assert len(told(trader, f"?signature_type={SignatureType.EOA:d}")) == 1
    assert told(trader, f"?signature_type={SignatureType.POLY_PROXY:d}") == []
    assert trader.call("GET", "/notifications", query="?signature_type=9") == (400, {"error": "Invalid signature_type"})


def test_the_oldest_go_when_there_are_too_many(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST", 2)
    for _ in range(3):
        trader.place(terms())
        trader.call("DELETE", "/cancel-all")
    assert [row["id"] for row in told(trader)] == [3, 2]


def test_nobody_reads_them_without_a_key(running: Running) -> None:
    assert running.call("GET", f"{running.urls.clob}/notifications")[0] == 401


def test_a_fill_that_failed_is_told_as_failed(trader_of_failures: Trader) -> None:
    trader = trader_of_failures
    sold = trader.place(terms(Side.SELL, at="0.49", size="10", tif=TimeInForce.FAK))[1]
    settle(trader.running)
    (row,) = told(trader)
    assert (row["type"], row["payload"]["trade_id"], row["payload"]["side"]) == (FAILED, sold["tradeIDs"][0], "SELL")


@pytest.fixture
def trader_of_failures() -> Iterator[Trader]:
    """At a venue where no trade reaches the chain."""
    with exchange(rules=replace(QUICK, failure_rate=1.0)) as running:
        trader = Trader(running)
        running.fund(trader.account)
        running.shares(trader.account, "50")
        yield trader
