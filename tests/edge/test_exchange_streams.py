"""The two streams with their quirks: first books in an array, both tokens in a change, silence for a wrong secret."""

import contextlib
import json
import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Price, Shares, price, seconds, shares
from polystra.exchange import connections
from polystra.sim import messages as sim
from polystra.sim.rules import Rules
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    FACTS,
    LISTING,
    UP,
    Running,
    Stream,
    Trader,
    exchange,
    terms,
)


def market(running: Running, *tokens: str, **more: object) -> Stream:
    return running.stream(running.urls.market_ws, {"assets_ids": list(tokens), "type": "market", **more})


def bid(at: str, size: str) -> sim.ChangeLevels:
    return sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(Side.BUY, price(at), shares(size)),))


def printed(at: str, size: str, taker: Side | None = Side.BUY) -> sim.PrintTrade:
    return sim.PrintTrade(market=CONDITION, price=price(at), size=shares(size), taker=taker)


# --- market ----------------------------------------------------------------------------------------------------------


def test_the_first_books_come_in_one_array(running: Running) -> None:
    up, down = market(running, UP, DOWN).hear()
    assert (up["event_type"], up["asset_id"], down["asset_id"]) == ("book", UP, DOWN)
    book = running.get(f"/book?token_id={UP}")
    rest_alone = ("min_order_size", "neg_risk")
    assert up == {name: value for name, value in book.items() if name not in rest_alone} | {"event_type": "book"}


def test_unknown_tokens_are_answered_by_an_empty_array(running: Running) -> None:
    assert market(running, "123").hear() == []


def test_ping_is_answered_as_text(running: Running) -> None:
    stream = market(running, UP)
    stream.hear()
    stream.say("PING")
    assert stream.hear() == "PONG"


def test_a_change_names_both_tokens_to_whoever_follows_one(running: Running) -> None:
    stream = market(running, DOWN)
    stream.hear()
    running.feed(bid("0.50", "12"))
    change = stream.hear()
    own, other = change["price_changes"]
    assert (change["event_type"], change["market"]) == ("price_change", CONDITION)
    assert (own["asset_id"], own["price"], own["size"], own["side"]) == (UP, "0.5", "12", "BUY")
    assert (own["best_bid"], own["best_ask"]) == ("0.5", "0.51")
    assert (other["asset_id"], other["price"], other["size"], other["side"]) == (DOWN, "0.5", "12", "SELL")
    assert (other["best_bid"], other["best_ask"]) == ("0.49", "0.5")


def test_an_empty_side_has_a_best_bid_of_0_and_a_best_ask_of_1(running: Running) -> None:
    stream = market(running, UP)
    stream.hear()
    running.feed(sim.SetBook(market=CONDITION, bids=(), asks=()))
    last = stream.hear()["price_changes"][-2]
    assert (last["size"], last["best_bid"], last["best_ask"]) == ("0", "0", "1")


def test_the_book_is_sent_again_after_a_trade_once_it_has_changed(running: Running) -> None:
    trader = Trader(running)
    running.fund(trader.account)
    stream = market(running, UP)
    stream.hear()
    trader.place(terms(at="0.51"))
    trade, change, book = stream.hear(), stream.hear(), stream.hear()
    assert [one["event_type"] for one in (trade, change, book)] == ["last_trade_price", "price_change", "book"]
    assert (trade["asset_id"], trade["price"], trade["size"], trade["side"]) == (UP, "0.51", "10", "BUY")
    assert change["price_changes"][0]["size"] == "70.5"
    assert book["asks"][-1] == {"price": "0.51", "size": "70.5"}
    assert book.keys().isdisjoint({"tick_size", "last_trade_price"})
    assert running.get(f"/book?token_id={UP}")["last_trade_price"] == "0.51"


def test_a_trade_is_told_once_and_mirrored_to_whoever_follows_down_alone(running: Running) -> None:
    both, down = market(running, UP, DOWN), market(running, DOWN)
    both.hear(), down.hear()
    running.feed(printed("0.53", "4"))
    assert [both.hear()["event_type"] for _ in range(3)] == ["last_trade_price", "book", "book"]
    mirrored = down.hear()
    assert (mirrored["asset_id"], mirrored["price"], mirrored["side"]) == (DOWN, "0.47", "SELL")


def test_a_finer_tick_is_told_of_each_token(running: Running) -> None:
    stream = market(running, UP, DOWN)
    stream.hear()
    running.feed(sim.SetTick(market=CONDITION, tick=price("0.001")))
    told = [stream.hear(), stream.hear()]
    assert [one["asset_id"] for one in told] == [UP, DOWN]
    assert {(one["old_tick_size"], one["new_tick_size"]) for one in told} == {("0.01", "0.001")}


def test_the_custom_events_are_for_those_who_asked(running: Running) -> None:
    plain, custom = market(running, UP), market(running, UP, custom_feature_enabled=True)
    plain.hear(), custom.hear()
    running.feed(bid("0.50", "12"), sim.Resolve(market=CONDITION, up_payout=1_000_000))  # type: ignore[arg-type]
    other = replace(FACTS, id="0x" + "ee" * 32, up_token=str(int(UP) + 2), down_token=str(int(DOWN) + 2))
    running.feed(replace(LISTING, facts=other, slug="sol-updown-15m-1795432200"), bid("0.4", "1"))
    assert custom.hear()["event_type"] == "price_change"
    best = custom.hear()
    assert (best["event_type"], best["best_bid"], best["best_ask"], best["spread"]) == (
        "best_bid_ask",
        "0.5",
        "0.51",
        "0.01",
    )
    resolved = custom.hear()
    assert (resolved["event_type"], resolved["winning_asset_id"]) == ("market_resolved", UP)
    assert (resolved["winning_outcome"], resolved["assets_ids"]) == ("Up", [UP, DOWN])
    listed = custom.hear()
    assert (listed["event_type"], listed["slug"]) == ("new_market", "sol-updown-15m-1795432200")
    assert [plain.hear()["event_type"] for _ in range(2)] == ["price_change", "price_change"]


def test_subscriptions_grow_and_shrink(running: Running) -> None:
    stream = market(running, UP)
    stream.hear()
    stream.say({"operation": "subscribe", "assets_ids": [DOWN], "custom_feature_enabled": True})
    assert [book["asset_id"] for book in stream.hear()] == [DOWN]
    stream.say({"operation": "subscribe", "assets_ids": [DOWN], "custom_feature_enabled": False})
    stream.say({"operation": "unsubscribe", "assets_ids": [UP, DOWN]})
    stream.say("PING")
    assert stream.hear() == "PONG"
    running.feed(bid("0.50", "12"))
    stream.say({"operation": "subscribe", "assets_ids": [UP], "initial_dump": False})
    stream.say("not a frame")
    stream.say("PING")
    assert stream.hear() == "PONG"
    running.feed(bid("0.50", "13"))
    assert stream.hear()["price_changes"][0]["size"] == "13"


def test_a_token_followed_before_its_market_is_listed_gets_its_book_then() -> None:
    with Running() as running:
        stream = market(running, UP)
        assert stream.hear() == []
        running.feed(LISTING, BOOK)
        assert (first := stream.hear())["event_type"] == "book"
        assert first["bids"] == []
        assert stream.hear()["event_type"] == "price_change"


def test_our_stream_applied_to_a_fresh_book_is_the_exchanges_book(running: Running) -> None:
    random = Random(5)
    stream = market(running, UP, DOWN)
    sides = {book["asset_id"]: _sides(book) for book in stream.hear()}
    for _ in range(200):
        side = random.choice(list(Side))
        at = Price(random.randrange(1, 50) * 10_000 + (500_000 if side is Side.SELL else 0))
        size = Shares(random.choice((0, random.randrange(1, 10_000) * 10_000)))
        running.feed(sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(side, at, size),)))
    running.feed(printed("0.53", "1"))
    while (event := stream.hear())["event_type"] == "price_change":
        for change in event["price_changes"]:
            levels = sides[change["asset_id"]][change["side"]]
            levels[change["price"]] = change["size"]
            if change["size"] == "0":
                del levels[change["price"]]
    for token in (UP, DOWN):
        assert sides[token] == _sides(running.get(f"/book?token_id={token}"))


def _sides(book: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        side: {level["price"]: level["size"] for level in book[name]}
        for side, name in (("BUY", "bids"), ("SELL", "asks"))
    }


def test_a_reader_that_does_not_read_is_cut_off_and_delays_nobody(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_WAITING", 8)
    quick = market(running, UP)
    quick.hear()
    with lazy_reader(running) as slow:
        for number in range(1, 301):
            running.feed(sim.SetBook(market=CONDITION, bids=tuple(_ladder(number)), asks=()))
            assert quick.hear()["event_type"] == "price_change"
        with pytest.raises(ConnectionResetError):
            drain(slow)


def drain(reader: socket.socket) -> None:
    """Reads on as long as something comes."""
    while reader.recv(1 << 20):
        pass


@contextlib.contextmanager
def lazy_reader(running: Running) -> Iterator[socket.socket]:
    """A follower of Up that subscribes and then reads nothing by itself."""
    host, port = running.urls.clob.removeprefix("http://").split(":")
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(10)
        lazy.connect((host, int(port)))
        lazy.sendall(
            b"GET /ws/market HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert b"101" in lazy.recv(1 << 16)
        text = json.dumps({"assets_ids": [UP], "type": "market"}).encode()
        lazy.sendall(b"\x81" + bytes((0x80 | len(text),)) + bytes(4) + text)
        assert b"book" in lazy.recv(1 << 16)
        yield lazy


def _ladder(number: int) -> Iterator[tuple[Price, Shares]]:
    for tick in range(1, 90):
        yield Price(tick * 10_000), Shares(number * 10_000)


# --- user ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["apiKey", "secret", "passphrase", "type", "auth"])
def test_whoever_begins_without_credentials_is_shown_out(running: Running, trader: Trader, wrong: str) -> None:
    frame: Any = trader.user_frame()
    if wrong in ("type", "auth"):
        frame[wrong] = "market" if wrong == "type" else {}
    else:
        frame["auth"][wrong] = "no"
    stream = running.stream(running.urls.user_ws, frame)
    assert stream.hear() is None
    assert stream.close_code == 1008


def test_an_order_from_placement_to_cancellation(running: Running, trader: Trader) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    stream.say("PING")
    assert stream.hear() == "PONG"
    placed = trader.place(terms())[1]["orderID"]
    event = stream.hear()
    times = {name: event.pop(name) for name in ("created_at", "timestamp")}
    assert len(times["created_at"]) == 10
    assert len(times["timestamp"]) == 13
    assert event == {
        "event_type": "order",
        "id": placed,
        "owner": trader.credentials.api_key,
        "order_owner": trader.credentials.api_key,
        "market": CONDITION,
        "asset_id": UP,
        "side": "BUY",
        "original_size": "10",
        "size_matched": "0",
        "price": "0.45",
        "associate_trades": None,
        "outcome": "Up",
        "type": "PLACEMENT",
        "expiration": "0",
        "order_type": "GTC",
        "status": "LIVE",
        "maker_address": trader.account,
    }
    trader.call("DELETE", "/cancel-all")
    gone = stream.hear()
    assert (gone["id"], gone["type"], gone["status"]) == (placed, "CANCELLATION", "CANCELED")


def test_a_match_is_told_in_order_and_again_at_every_stage(running: Running, trader: Trader) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    answer = trader.place(terms(at="0.51"))[1]
    told = [stream.hear() for _ in range(5)]
    assert [(one["event_type"], one["type"], one["status"]) for one in told] == [
        ("order", "PLACEMENT", "LIVE"),
        ("trade", "TRADE", "MATCHED"),
        ("order", "UPDATE", "MATCHED"),
        ("trade", "TRADE", "MINED"),
        ("trade", "TRADE", "CONFIRMED"),
    ]
    assert told[2]["associate_trades"] == answer["tradeIDs"]
    assert (told[1]["trader_side"], told[1]["transaction_hash"]) == ("TAKER", "")
    assert told[3]["transaction_hash"].startswith("0x")
    assert told[1]["owner"] == told[1]["trade_owner"] == trader.credentials.api_key


def test_a_maker_hears_the_takers_trade_with_its_own_fill_inside(running: Running, trader: Trader) -> None:
    maker = Trader(running, seed=2)
    running.fund(maker.account)
    resting = maker.place(terms(at="0.50", outcome=Outcome.DOWN))[1]["orderID"]
    stream = running.stream(running.urls.user_ws, maker.user_frame())
    stream.say("PING")
    stream.hear()
    trader.place(terms(at="0.50"))
    trade = stream.hear_kind("trade")
    assert (trade["trader_side"], trade["asset_id"], trade["side"]) == ("MAKER", UP, "BUY")
    assert (trade["owner"], trade["trade_owner"]) == (maker.credentials.api_key, trader.credentials.api_key)
    assert trade["maker_orders"][0]["order_id"] == resting


def test_a_kill_is_told_with_the_empty_fields_of_the_recording(running: Running, trader: Trader) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    trader.place(terms(at="0.51", size="100", tif=TimeInForce.FOK))
    event = stream.hear()
    assert event["status"] == "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed."
    assert (event["type"], event["size_matched"], event["created_at"], event["outcome"]) == ("CANCELLATION", "", "", "")


def test_a_failed_trade_is_told_and_taken_back() -> None:
    with exchange(rules=Rules(failure_rate=1.0), stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        stream = running.stream(running.urls.user_ws, trader.user_frame())
        trader.start("POST", "/order", trader.body(terms(at="0.51")))
        running.control("POST", "/time", {"by": seconds(30)})
        assert [stream.hear_kind("trade")["status"] for _ in range(3)] == ["MATCHED", "RETRYING", "FAILED"]
        truth = running.control("GET", "/truth")
        assert {account["account"]: account["cash"] for account in truth["accounts"]}[trader.account] == 1_000_000_000


def test_a_resolved_market_cancels_what_rests_in_it(running: Running, trader: Trader) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    trader.place(terms())
    stream.hear()
    running.feed(sim.Resolve(market=CONDITION, up_payout=0))  # type: ignore[arg-type]
    assert stream.hear()["status"] == "CANCELED_MARKET_RESOLVED"


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({}, ["order", "trade", "order"]),
        ({"markets": [CONDITION]}, ["order", "trade", "order"]),
        ({"markets": ["0x1"]}, []),
        ({"markets": []}, ["order", "order"]),
    ],
)
def test_a_list_of_markets_narrows_and_an_empty_one_hides_trades(
    running: Running, trader: Trader, more: dict[str, object], kinds: list[str]
) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame(**more))
    trader.place(terms(at="0.51"))
    stream.say("PING")
    told = []
    while (frame := stream.hear()) != "PONG":
        told.append(frame["event_type"])
    assert told[: len(kinds)] == kinds
    assert bool(told) is bool(kinds)


def test_a_list_can_be_widened_and_dropped(running: Running, trader: Trader) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame(markets=["0x1"]))
    stream.say({"operation": "subscribe", "markets": [CONDITION]})
    trader.place(terms())
    assert stream.hear()["type"] == "PLACEMENT"
    stream.say({"operation": "unsubscribe", "markets": [CONDITION, "0x1"]})
    trader.call("DELETE", "/cancel-all")
    assert stream.hear()["type"] == "CANCELLATION"


def test_nobody_hears_of_others(running: Running, trader: Trader) -> None:
    other = Trader(running, seed=2)
    stream = running.stream(running.urls.user_ws, other.user_frame())
    trader.place(terms())
    stream.say("PING")
    assert stream.hear() == "PONG"
