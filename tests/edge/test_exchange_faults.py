"""Every fault switch: what a client sees of it, and that it was counted (`FAULTS.md`, groups A to C)."""

import json
from typing import Any

import pytest

from polystra.core.terms import Side, TimeInForce
from polystra.core.units import price, seconds, shares
from polystra.exchange.faults import HELP, Fault
from polystra.sim import messages as sim
from tests.edge.answer_cases import hits, posted, refused, signed, switch_on
from tests.edge.exchange_cases import CONDITION, LISTING, START, UP, Running, Stream, Trader, terms
from tests.edge.lock_step_cases import ANSWER, MS, SUBMIT, funded, market, stepped

SLUG = LISTING.slug


def bid(size: str, at: str = "0.40") -> sim.ChangeLevels:
    return sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(Side.BUY, price(at), shares(size)),))


def followed(running: Running) -> Stream:
    stream = running.stream(running.urls.market_ws, {"assets_ids": [UP], "type": "market"})
    stream.hear()
    return stream


def sizes(stream: Stream, count: int) -> list[str]:
    """What the next frames say of the level that `bid` changes."""
    return [stream.hear()["price_changes"][0]["size"] for _ in range(count)]


# --- the list


def test_every_fault_has_a_counter_and_a_line_of_help(running: Running) -> None:
    listed = running.control("GET", "/faults")
    assert set(listed["hits"]) == set(listed["help"]) == set(Fault) == set(HELP)
    assert set(listed["hits"].values()) == {0}
    assert listed["on"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "error-before", "http": 200},
        {"fault": "error-before", "http": 600},
        {"fault": "trade-failed", "where": "POST /order"},
        {"fault": "balance-stale", "delay": 1},
        {"fault": "reset", "chance": 0},
        {"fault": "reset", "chance": 1_001},
        {"fault": "reset", "skip": -1},
        {"fault": "reset", "only": "POST"},
        {"fault": "trade-failed", "chance": 1_001},
        {"fault": "trade-failed", "times": 0},
    ],
)
def test_a_switch_that_means_nothing_is_refused(running: Running, body: dict[str, object]) -> None:
    assert refused(running, "/faults", body)[0] == 400
    assert running.control("GET", "/faults")["on"] == []


# --- requests


@pytest.mark.parametrize("http", [500, 502, 503])
def test_an_error_before_leaves_nothing(running: Running, trader: Trader, http: int) -> None:
    switch_on(running, "error-before", where="POST /order", http=http)
    status, headers, text = posted(trader, terms())
    assert (status, headers["Content-Type"]) == (http, "text/html; charset=utf-8")
    assert f"<title>{http} " in text
    assert trader.get("/data/orders")["count"] == 0
    assert hits(running, "error-before") == 1
    assert posted(trader, terms())[0] == 200


@pytest.mark.parametrize("http", [500, 502, 503])
def test_an_error_after_leaves_the_order_in_the_book(running: Running, trader: Trader, http: int) -> None:
    switch_on(running, "error-after", where="POST /order", http=http)
    assert posted(trader, terms())[0] == http
    assert trader.get("/data/orders")["count"] == 1
    assert hits(running, "error-after") == 1


def test_an_error_after_has_the_words_it_was_given(running: Running, trader: Trader) -> None:
    switch_on(running, "error-after", where="POST /order", text="could not run the execution")
    status, _, text = posted(trader, terms())
    assert (status, json.loads(text)) == (500, {"error": "could not run the execution"})


def test_an_error_after_waits_for_something_that_was_done(running: Running, trader: Trader) -> None:
    switch_on(running, "error-after", where="POST /order")
    assert posted(trader, terms(size="4"))[0] == 400
    assert hits(running, "error-after") == 0


def test_a_page_of_429_says_when_to_come_back(running: Running, trader: Trader) -> None:
    switch_on(running, "error-before", where="POST /order", http=429, delay=seconds(2.5))
    status, headers, text = posted(trader, terms())
    assert (status, headers["Retry-After"], text[:6]) == (429, "3", "<html>")


def test_one_order_of_a_batch_is_refused_in_given_words(running: Running, trader: Trader) -> None:
    switch_on(running, "order-refused", where="POST /orders")
    body = b"[" + b",".join(trader.body(terms()) for _ in range(2)) + b"]"
    _, _, text = signed(trader, "POST", "/orders", body)
    assert sorted(one["errorMsg"] for one in json.loads(text)) == ["", "order match delayed due to market conditions"]
    assert hits(running, "order-refused") == 1


def test_a_request_that_is_late_is_heard_in_the_end(still: Running) -> None:
    trader = Trader(still)
    still.fund(trader.account)
    switch_on(still, "request-late", where="POST /order", delay=seconds(3))
    asking = trader.start("POST", "/order", trader.body(terms()))
    assert trader.get("/data/orders")["count"] == 0
    still.control("POST", "/time", {"by": seconds(3)})
    assert asking.result(5)[1]["status"] == "live"
    assert hits(still, "request-late") == 1


# --- books and the catalogue


def test_a_placeholder_stands_for_a_book(running: Running) -> None:
    switch_on(running, "book-placeholder", where="GET /book")
    book = running.get(f"/book?token_id={UP}")
    assert [(side[0]["price"], len(side)) for side in (book["bids"], book["asks"])] == [("0.01", 1), ("0.99", 1)]
    assert running.get(f"/book?token_id={UP}")["bids"][-1]["price"] == "0.49"
    assert hits(running, "book-placeholder") == 1


def market_of(running: Running) -> Any:
    status, body = running.call("GET", f"{running.urls.gamma}/markets/slug/{SLUG}")
    assert status == 200
    return body


def test_a_market_is_there_before_its_tokens(running: Running) -> None:
    switch_on(running, "tokens-missing", where=SLUG)
    assert market_of(running)["clobTokenIds"] == "[]"
    assert UP in market_of(running)["clobTokenIds"]
    assert hits(running, "tokens-missing") == 1


def test_a_stale_catalogue_shows_a_resolved_market_open(running: Running) -> None:
    switch_on(running, "catalogue-stale", where=SLUG, times=None)
    assert market_of(running)["acceptingOrders"] is True
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=1_000_000))  # type: ignore[arg-type]
    stale = market_of(running)
    assert (stale["acceptingOrders"], stale["closed"]) == (True, False)
    running.control("DELETE", "/faults/catalogue-stale")
    assert market_of(running)["closed"] is True
    assert hits(running, "catalogue-stale") == 1


# --- frames


def test_a_frame_is_left_out(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "frame-lost", where="market")
    running.feed(bid("1"), bid("2"))
    assert sizes(stream, 1) == ["2"]
    assert hits(running, "frame-lost") == 1


def test_only_the_frames_that_are_meant_are_left_out(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "frame-lost", where="market", times=None, only='"event_type":"tick_size_change"')
    running.feed(bid("1"), sim.SetTick(market=CONDITION, tick=price("0.001")), bid("2"))
    assert sizes(stream, 2) == ["1", "2"]
    assert hits(running, "frame-lost") == 1


def test_a_frame_comes_twice(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "frame-twice", where="market")
    running.feed(bid("1"), bid("2"))
    assert sizes(stream, 3) == ["1", "1", "2"]
    assert hits(running, "frame-twice") == 1


def test_two_frames_change_places(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "frames-swapped", where="market")
    running.feed(bid("1"), bid("2"), bid("3"))
    assert sizes(stream, 3) == ["2", "1", "3"]
    assert hits(running, "frames-swapped") == 1


def test_a_late_frame_is_overtaken(still: Running) -> None:
    stream = followed(still)
    switch_on(still, "frame-late", where="market", delay=seconds(2))
    still.feed(bid("1"), bid("2"))
    assert sizes(stream, 1) == ["2"]
    still.control("POST", "/time", {"by": seconds(2)})
    assert sizes(stream, 1) == ["1"]
    assert hits(still, "frame-late") == 1


def test_a_slow_stream_keeps_its_order(still: Running) -> None:
    stream = followed(still)
    switch_on(still, "stream-slow", where="market", delay=seconds(2))
    still.feed(bid("1"), bid("2"))
    stream.say("PING")
    assert stream.hear() == "PONG"
    still.control("POST", "/time", {"by": seconds(2)})
    still.feed(bid("3"))
    assert sizes(stream, 3) == ["1", "2", "3"]
    assert hits(still, "stream-slow") == 1


def test_what_is_late_is_lost_with_its_stream(still: Running) -> None:
    stream = followed(still)
    switch_on(still, "frame-late", where="market", delay=seconds(2))
    switch_on(still, "stream-closed", where="market", only='"size":"2"')
    still.feed(bid("1"), bid("2"))
    assert stream.hear() is None
    still.control("POST", "/time", {"by": seconds(2)})
    assert (hits(still, "frame-late"), hits(still, "stream-closed")) == (1, 1)


def test_one_ping_is_not_answered(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "pong-lost", where="market")
    stream.say("PING")
    while not hits(running, "pong-lost"):
        pass
    running.feed(bid("1"))
    assert sizes(stream, 1) == ["1"]
    stream.say("PING")
    assert stream.hear() == "PONG"


def test_a_change_tells_wrong_best_prices(running: Running) -> None:
    stream = followed(running)
    custom = running.stream(
        running.urls.market_ws, {"assets_ids": [UP], "type": "market", "custom_feature_enabled": True}
    )
    custom.hear()
    running.feed(bid("5"))
    assert [sizes(stream, 1), custom.hear()["event_type"]] == [["5"], "price_change"]
    switch_on(running, "best-wrong", where="market")
    running.feed(bid("1"), bid("2"))
    told = [stream.hear()["price_changes"][0] for _ in range(2)]
    assert [(one["best_bid"], one["best_ask"]) for one in told] == [("0", "1"), ("0.49", "0.51")]
    assert custom.hear()["event_type"] == "price_change"
    assert custom.hear()["event_type"] == "price_change"
    assert hits(running, "best-wrong") == 1


def test_the_user_stream_loses_a_fill_that_the_trades_still_show(running: Running, trader: Trader) -> None:
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    stream.say("PING")
    stream.hear()
    switch_on(running, "frame-lost", where="user", times=None, only='"event_type":"trade"')
    posted(trader, terms(at="0.51"))
    assert [stream.hear()["type"] for _ in range(2)] == ["PLACEMENT", "UPDATE"]
    assert trader.get("/data/trades")["count"] == 1
    assert hits(running, "frame-lost") >= 1


# --- mishaps


def bought(running: Running, trader: Trader) -> list[str]:
    """The stages of one trade, as the user stream tells them."""
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    stream.say("PING")
    stream.hear()
    posted(trader, terms(at="0.51", tif=TimeInForce.FAK))
    told: list[str] = []
    while not told or told[-1] not in ("CONFIRMED", "FAILED"):
        told.append(stream.hear_kind("trade")["status"])
    return told


def test_a_trade_fails_and_gives_the_money_back(running: Running, trader: Trader) -> None:
    switch_on(running, "trade-failed")
    assert running.control("GET", "/faults")["on"][0]["fault"] == "trade-failed"
    assert bought(running, trader) == ["MATCHED", "RETRYING", "FAILED"]
    mine = next(one for one in running.control("GET", "/truth")["accounts"] if one["account"] == trader.account)
    assert mine["cash"] == 950_000_000
    assert hits(running, "trade-failed") == 1
    assert bought(running, trader) == ["MATCHED", "MINED", "CONFIRMED"]


def test_a_trade_is_retried(running: Running, trader: Trader) -> None:
    switch_on(running, "trade-retried")
    assert bought(running, trader) == ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]
    assert hits(running, "trade-retried") == 1


def test_a_balance_stays_stale_until_it_is_refreshed(running: Running, trader: Trader) -> None:
    switch_on(running, "balance-stale", times=None)
    bought(running, trader)
    query = f"?asset_type=CONDITIONAL&token_id={UP}"
    assert trader.get("/balance-allowance", query)["balance"] == "50000000"
    status, _, text = posted(trader, terms(Side.SELL, "0.60", "55"))
    assert (status, "the balance is not enough -> balance: 50000000" in text) == (400, True)
    trader.get("/balance-allowance/update", query)
    assert trader.get("/balance-allowance", query)["balance"] == "60000000"
    assert hits(running, "balance-stale") == 1


def test_all_faults_off_takes_the_mishaps_with_it(running: Running, trader: Trader) -> None:
    switch_on(running, "trade-failed", times=None)
    switch_on(running, "reset", times=None)
    assert len(running.control("GET", "/faults")["on"]) == 2
    assert running.control("DELETE", "/faults/reset")["on"][0]["fault"] == "trade-failed"
    assert running.control("DELETE", "/faults/trade-failed")["on"] == []
    switch_on(running, "trade-failed", times=None)
    assert running.control("DELETE", "/faults")["on"] == []
    assert bought(running, trader) == ["MATCHED", "MINED", "CONFIRMED"]


# --- the venue as a whole


def test_a_restart_is_begun_from_outside(still: Running) -> None:
    trader = Trader(still)
    still.fund(trader.account)
    still.control("POST", "/world", {"type": "Restart", "down": seconds(90), "post_only": seconds(120)})
    routes = [("POST", "/order"), ("POST", "/orders"), ("DELETE", "/cancel-all")]
    order = trader.body(terms())
    for method, path in routes:
        body = {"/order": order, "/orders": b"[" + order + b"]"}.get(path, b"")
        assert signed(trader, method, path, body)[0] == 425
    assert trader.get("/data/orders")["count"] == 0
    still.control("POST", "/time", {"by": seconds(90)})
    status, headers, _ = posted(trader, terms())
    assert (status, headers["Retry-After"]) == (503, "120")
    assert posted(trader, terms(post_only=True))[0] == 200
    still.control("POST", "/time", {"by": seconds(120)})
    assert posted(trader, terms())[0] == 200
    assert still.call("POST", f"{still.urls.control}/world", body=b'{"type":"Restart","down":-1}')[0] == 400


def test_whoever_asks_is_told_where_it_is(running: Running) -> None:
    assert running.get("/api/geoblock") == {"blocked": False, "ip": "127.0.0.1", "country": "IE", "region": "L"}
    running.control("POST", "/geoblock", {"blocked": True, "country": "GB", "region": "ENG"})
    assert running.get("/api/geoblock") == {"blocked": True, "ip": "127.0.0.1", "country": "GB", "region": "ENG"}
    assert refused(running, "/geoblock", {"barred": True})[0] == 400


# --- in lock step


def test_a_late_frame_is_late_in_the_time_of_lock_step() -> None:
    """Overtaken by the one behind it, which left 10 ms later."""
    with stepped(moments=[100 * MS, 110 * MS]) as running, running.attach() as follower:
        stream = market(follower, UP)
        switch_on(running, "frame-late", where="market", delay=50 * MS)
        first = follower.step()
        assert sizes(stream, 1) == ["1"]
        second = follower.step()
        assert sizes(stream, 1) == ["2"]
        assert (first["now"], second["now"]) == (START + (110 + 15) * MS, START + (100 + 50 + 15) * MS)
        assert hits(running, "frame-late") == 1


def test_twice_the_same_frame_is_counted_twice_in_lock_step() -> None:
    with stepped(moments=[100 * MS]) as running, running.attach() as follower:
        stream = market(follower, UP)
        switch_on(running, "frame-twice", where="market")
        assert follower.step()["frames"] == 2
        assert sizes(stream, 2) == ["1", "1"]


def test_an_error_is_an_answer_in_lock_step() -> None:
    with stepped() as running, running.attach() as follower:
        trader = funded(running)
        switch_on(running, "order-refused", where="POST /order")
        asking = follower.send(trader, "POST", "/order", trader.body(terms()))
        assert follower.step() == {"now": follower.began + SUBMIT + ANSWER, "answer": 1}
        assert asking.result(5)[0] == 400
        assert hits(running, "order-refused") == 1
