"""Fills that go wrong (`FAULTS.md` 2.2, group C): what a member hears of them, and what it really has."""

import json

import pytest
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Outcome, Side
from polystra.core.units import price, seconds, shares, usd
from polystra.sim import messages as sim
from tests.edge.answer_cases import hits, switch_on
from tests.edge.exchange_cases import (
    BOOK,
    CONDITION,
    DOWN,
    HOLD,
    LISTING,
    NEW_UP,
    UP,
    Running,
    Trader,
    terms,
)
from tests.edge.fault_cases import after_hold, held, next_trade, own, pass_time

SHARES_ERA = replace(
    LISTING,
    facts=replace(
        LISTING.facts,
        id=MarketId("0x" + "ef" * 32),
        up_token=TokenId(str(int(UP) + 1)),
        down_token=TokenId(str(int(DOWN) + 1)),
        fee_in_shares=True,
    ),
    slug="btc-updown-15m-1775000000",
)


def test_a_fill_is_told_before_its_order_is_answered(still: Running, member: Trader) -> None:
    stream = own(still, member)
    switch_on(still, "reply-late", where="POST /order", delay=seconds(2))
    asking = member.start("POST", "/order", member.body(terms(at="0.51")))
    still.control("POST", "/time", {"by": HOLD})
    assert next_trade(stream)["status"] == "MATCHED"
    assert not asking.done()
    pass_time(still, 2)
    assert asking.result(5)[1]["status"] == "matched"


def test_a_trade_is_told_before_its_order(still: Running, member: Trader) -> None:
    stream = own(still, member)
    switch_on(still, "frames-swapped", where="user", only='"type":"PLACEMENT"')
    after_hold(still, member, at="0.51")
    assert [stream.hear()["event_type"] for _ in range(3)] == ["trade", "order", "order"]


def test_a_fill_is_told_twice(still: Running, member: Trader) -> None:
    stream = own(still, member)
    switch_on(still, "frame-twice", where="user", only='"status":"MATCHED","')
    after_hold(still, member, at="0.51")
    assert next_trade(stream) == next_trade(stream)
    assert member.get("/data/trades")["count"] == 1


def test_of_three_fills_one_is_confirmed_one_fails_and_one_is_retried(still: Running, member: Trader) -> None:
    still.feed(replace(BOOK, asks=tuple((price(at), shares("5")) for at in ("0.51", "0.52", "0.53"))))
    switch_on(still, "trade-failed", skip=1)
    switch_on(still, "trade-retried", skip=1)
    stream = own(still, member)
    after_hold(still, member, at="0.53", size="15")
    pass_time(still, 60)
    told: dict[str, list[str]] = {}
    while not all(one[-1] in ("CONFIRMED", "FAILED") for one in told.values()) or len(told) < 3:
        trade = next_trade(stream)
        told.setdefault(trade["maker_orders"][0]["matched_amount"] + trade["id"], []).append(trade["status"])
    assert list(told.values()) == [
        ["MATCHED", "MINED", "CONFIRMED"],
        ["MATCHED", "RETRYING", "FAILED"],
        ["MATCHED", "RETRYING", "MINED", "CONFIRMED"],
    ]
    assert held(still, member) == 60_000_000


def test_a_mishap_of_another_token_spares_this_one(still: Running, member: Trader) -> None:
    switch_on(still, "trade-failed", times=None, only=NEW_UP)
    after_hold(still, member, at="0.51")
    pass_time(still, 60)
    assert (held(still, member), hits(still, "trade-failed")) == (60_000_000, 0)


@pytest.mark.parametrize(("fault", "expected"), [("fill-short", 59_990_000), ("fill-over", 60_010_000)])
def test_a_whole_fill_misses_its_size_by_a_hundredth(still: Running, member: Trader, fault: str, expected: int) -> None:
    switch_on(still, fault)
    assert after_hold(still, member, at="0.51")[1]["status"] == "matched"
    assert (held(still, member), hits(still, fault)) == (expected, 1)
    assert member.get("/data/orders")["count"] == 0


def test_a_maker_is_met_on_the_other_outcome(still: Running, member: Trader) -> None:
    switch_on(still, "trade-crossed", times=None)
    stream = own(still, member)
    member.place(terms(at="0.50"))
    ask = sim.LevelChange(Side.SELL, price("0.50"), shares("10"))
    still.feed(sim.ChangeLevels(market=CONDITION, changes=(ask,)))
    trade = next_trade(stream)
    mine = trade["maker_orders"][0]
    assert (trade["outcome"], trade["side"], trade["trader_side"]) == ("Down", "BUY", "MAKER")
    assert (mine["asset_id"], mine["side"], mine["outcome"]) == (UP, "BUY", "Up")


def test_an_order_that_was_cancelled_had_been_filled(still: Running, member: Trader) -> None:
    switch_on(still, "fill-after-cancel", delay=seconds(4))
    _, placed = member.place(terms(at="0.50"))
    stream = own(still, member)
    order = placed["orderID"]
    assert member.call("DELETE", "/order", json.dumps({"orderID": order}).encode())[1]["canceled"] == [order]
    assert (stream.hear()["type"], member.get("/data/trades")["count"]) == ("CANCELLATION", 0)
    pass_time(still, 4)
    assert next_trade(stream)["maker_orders"][0]["order_id"] == order
    assert member.get("/data/trades")["count"] == 1
    assert hits(still, "fill-after-cancel") == 1


def test_a_fill_comes_after_the_market_closed(still: Running, member: Trader) -> None:
    switch_on(still, "fill-after-close", delay=seconds(2))
    member.place(terms(at="0.50"))
    stream = own(still, member)
    still.feed(sim.CloseMarket(market=CONDITION))
    pass_time(still, 2)
    assert next_trade(stream)["status"] == "MATCHED"
    assert hits(still, "fill-after-close") == 1


def test_a_cached_balance_is_half_a_minute_late(still: Running, member: Trader) -> None:
    switch_on(still, "balance-late", times=None, delay=seconds(30))
    after_hold(still, member, at="0.51")
    query = f"?asset_type=CONDITIONAL&token_id={UP}"
    pass_time(still, 29)
    assert member.get("/balance-allowance", query)["balance"] == "50000000"
    pass_time(still, 2)
    assert member.get("/balance-allowance", query)["balance"] == "60000000"
    assert hits(still, "balance-late") == 1


def test_a_resolution_is_never_told_and_stands_in_the_catalogue(running: Running) -> None:
    first = {"assets_ids": [UP], "type": "market", "custom_feature_enabled": True}
    stream = running.stream(running.urls.market_ws, first)
    stream.hear()
    switch_on(running, "frame-lost", where="market", only='"event_type":"market_resolved"')
    running.feed(sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=usd(1)))
    assert hits(running, "frame-lost") == 1
    stream.say("PING")
    assert stream.hear() == "PONG"
    _, body = running.call("GET", f"{running.urls.gamma}/markets/slug/{LISTING.slug}")
    assert body["closed"] is True


def test_in_the_older_era_a_buyer_gets_fewer_shares(still: Running, member: Trader) -> None:
    still.feed(SHARES_ERA, replace(BOOK, market=SHARES_ERA.facts.id))
    wanted = terms(at="0.51", outcome=Outcome.UP)
    signed = member.sign(wanted, token=SHARES_ERA.facts.up_token)
    asking = member.start("POST", "/order", member.body(wanted, signed))
    still.control("POST", "/time", {"by": HOLD})
    assert asking.result(5)[1]["takingAmount"] == "10"
    assert 0 < held(still, member, SHARES_ERA.facts.up_token) < 10_000_000
    assert still.control("GET", "/truth")["fees"] == 0
