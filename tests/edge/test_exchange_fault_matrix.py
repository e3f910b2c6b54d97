"""The fault matrix of `FAULTS.md` 2.2, groups A to C: every row has a way to happen, each way is seen on the wire."""

import json
from typing import Any, get_args

import aiohttp
import pytest
from msgspec.structs import replace

from polystra.core.terms import TimeInForce
from polystra.core.units import seconds
from polystra.exchange import control
from polystra.exchange.faults import Fault
from polystra.exchange.listings import Listing
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.answer_cases import hits, posted, switch_on
from tests.edge.exchange_cases import (
    BOOK,
    NEW_BOOK,
    NEW_UP,
    UP,
    Running,
    Stream,
    Trader,
    terms,
)
from tests.edge.fault_cases import bid, change, followed, held, next_trade, own, pass_time, until_struck
from tests.edge.lock_step_cases import MS, market, stepped

FAK, FOK = TimeInForce.FAK, TimeInForce.FOK
WAYS: dict[int, tuple[str | type, ...]] = {
    1: ("stream-frozen",),
    2: ("pong-lost", "pong-late"),
    3: ("stream-closed", "frame-lost", "frame-late", "frame-twice", "frames-swapped"),
    4: ("book-crossed",),
    5: ("best-wrong",),
    6: ("book-placeholder",),
    7: (sim.Restart,),
    8: (sim.SetMode,),
    9: ("blocked", "error-before", "request-late", "reply-late"),
    10: ("reset", "request-late", "reply-lost", "reply-late", "error-after"),
    11: ("order-delayed", "book-thinned", "book-emptied"),
    12: ("error-before", "error-after"),
    13: ("trade-failed", "trade-retried"),
    14: ("trade-failed", "trade-retried"),
    15: ("balance-stale", "balance-late", "answer-empty"),
    16: (Listing,),
    17: ("order-refused",),
    18: ("frame-lost", sim.SetTick),
    19: ("fill-after-close", "frame-lost", "catalogue-stale", sim.CloseMarket),
    21: ("fill-short", "fill-over", "book-thinned"),
    22: ("frame-lost", "frame-twice", "frames-swapped", "frame-late", "trade-crossed", "fill-after-cancel"),
    26: ("version-flipped",),
}
"""Each row of groups A to C, with the faults that play it; or what `POST /control/world` takes for it."""


# --- the table


def test_every_row_of_the_groups_has_a_way_to_happen(running: Running) -> None:
    listed = running.control("GET", "/faults")
    for row, ways in WAYS.items():
        for way in ways:
            if isinstance(way, str):
                assert row in listed["rows"][way], f"row {row}: {way}"
            else:
                assert way in get_args(control._World), f"row {row}: {way}"


def test_every_fault_says_its_groups_and_rows(running: Running) -> None:
    listed = running.control("GET", "/faults")
    assert set(listed["rows"]) == set(listed["groups"]) == set(Fault)
    assert set(listed["groups"].values()) == {"A", "B", "C", "AC"}
    assert all(1 <= row <= 34 for rows in listed["rows"].values() for row in rows)
    played = {way for ways in WAYS.values() for way in ways}
    elsewhere = {"tokens-missing", "stream-slow", "hydrated-late", "generation-unknown", "data-late"}
    assert set(Fault) - played == elsewhere


# --- chance


def test_a_fifth_of_the_replies_is_lost_and_the_orders_stand(running: Running, trader: Trader) -> None:
    switch_on(running, "reply-lost", where="POST /order", times=None, chance=200)
    lost = 0
    for _ in range(50):
        try:
            assert trader.place(terms(size="5"))[0] == 200
        except (aiohttp.ClientError, OSError):
            lost += 1
    assert 2 <= lost <= 20
    assert hits(running, "reply-lost") == lost
    assert trader.get("/data/orders")["count"] == 50


def test_an_empty_answer_is_well_formed_and_spares_cash(running: Running, trader: Trader) -> None:
    trader.place(terms(size="5"))
    switch_on(running, "answer-empty", times=None)
    assert trader.get("/data/orders")["data"] == trader.get("/data/trades")["data"] == []
    path, kind = "/balance-allowance", "&signature_type=0"
    assert trader.get(path, f"?asset_type=CONDITIONAL&token_id={UP}{kind}")["balance"] == "0"
    assert int(trader.get(path, f"?asset_type=COLLATERAL{kind}")["balance"]) > 0
    assert hits(running, "answer-empty") == 3
    running.control("DELETE", "/faults")
    assert trader.get("/data/orders")["count"] == 1


def test_the_first_occasions_pass(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "frame-lost", where="market", skip=1)
    running.feed(bid("1"), bid("2"), bid("3"))
    assert [change(stream)[0]["size"] for _ in range(2)] == ["1", "3"]
    assert hits(running, "frame-lost") == 1


def test_the_same_frames_are_lost_in_every_run_of_lock_step() -> None:
    def run() -> tuple[list[str], int]:
        moments = [(100 + 10 * number) * MS for number in range(60)]
        with stepped(moments=moments) as running, running.attach() as follower:
            stream = market(follower, UP)
            switch_on(running, "frame-lost", where="market", times=None, chance=200, only="price_change")
            sizes: list[str] = []
            while not (step := follower.step()).get("over"):
                sizes += [change(stream)[0]["size"] for _ in range(step.get("frames", 0))]
            return sizes, hits(running, "frame-lost")

    sizes, lost = run()
    assert len(sizes) + lost == 60
    assert 3 <= lost <= 25
    assert run() == (sizes, lost)


# --- A: market data


def test_one_market_freezes_and_the_other_goes_on(running: Running) -> None:
    stream = followed(running, UP, NEW_UP)
    switch_on(running, "stream-frozen", where="market", times=None, only=UP)
    running.feed(bid("1"), bid("2", of=NEW_BOOK.market))
    assert stream.hear()["market"] == NEW_BOOK.market
    stream.say("PING")
    assert stream.hear() == "PONG"
    assert hits(running, "stream-frozen") == 1


@pytest.mark.parametrize("late", [29, 31])
def test_a_pong_is_late(still: Running, late: int) -> None:
    stream = followed(still)
    switch_on(still, "pong-late", where="market", delay=seconds(late))
    stream.say("PING")
    until_struck(still, "pong-late")
    pass_time(still, late - 1)
    still.feed(bid("1"))
    assert change(stream)[0]["size"] == "1"
    pass_time(still, 1)
    assert stream.hear() == "PONG"
    stream.say("PING")
    assert stream.hear() == "PONG"


def test_a_late_pong_of_a_closed_stream_goes_nowhere(still: Running) -> None:
    stream = followed(still)
    switch_on(still, "pong-late", where="market", delay=seconds(5))
    stream.say("PING")
    until_struck(still, "pong-late")
    switch_on(still, "stream-closed", where="market")
    still.feed(bid("1"))
    assert stream.hear() is None
    pass_time(still, 5)


def test_the_first_book_never_comes(running: Running) -> None:
    switch_on(running, "frame-lost", where="market", only='"event_type":"book"')
    stream = followed(running, heard=False)
    until_struck(running, "frame-lost")
    running.feed(bid("1"))
    assert change(stream)[0]["size"] == "1"


def test_a_change_comes_before_the_first_book(still: Running) -> None:
    switch_on(still, "frame-late", where="market", only='"event_type":"book"', delay=seconds(3))
    stream = followed(still, heard=False)
    until_struck(still, "frame-late")
    still.feed(bid("1"))
    assert change(stream)[0]["size"] == "1"
    pass_time(still, 3)
    assert [one["event_type"] for one in stream.hear()] == ["book"]


def test_a_book_is_crossed_for_two_frames_and_then_told_right(running: Running) -> None:
    stream = followed(running)
    switch_on(running, "book-crossed", where="market", times=2)
    running.feed(bid("1"), bid("2"), bid("3"))
    first, second, third = change(stream), change(stream), change(stream)
    assert [(one["price"], one["size"], one["side"]) for one in first] == [
        ("0.4", "1", "BUY"),
        ("0.52", "1", "BUY"),
    ]
    assert (first[0]["best_bid"], first[0]["best_ask"]) == ("0.52", "0.51")
    assert [(one["price"], one["size"]) for one in second] == [("0.52", "0"), ("0.4", "2"), ("0.52", "1")]
    assert [(one["price"], one["size"]) for one in third] == [("0.52", "0"), ("0.4", "3")]
    assert (third[0]["best_bid"], third[0]["best_ask"]) == ("0.49", "0.51")
    assert running.get(f"/book?token_id={UP}")["bids"][-1]["price"] == "0.49"
    assert hits(running, "book-crossed") == 2


def test_a_book_without_asks_cannot_be_crossed(running: Running) -> None:
    running.feed(replace(BOOK, asks=()))
    stream = followed(running)
    switch_on(running, "book-crossed", where="market")
    running.feed(bid("1"))
    assert len(change(stream)) == 1
    assert hits(running, "book-crossed") == 0


# --- B: order entry


@pytest.mark.parametrize("late", [2, 30])
def test_an_order_is_accepted_long_after_everybody_gave_up(still: Running, member: Trader, late: int) -> None:
    switch_on(still, "request-late", where="POST /order", delay=seconds(late))
    member.start("POST", "/order", member.body(terms())).cancel()
    pass_time(still, late - 1)
    assert member.get("/data/orders")["count"] == 0
    pass_time(still, 1)
    assert member.get("/data/orders")["count"] == 1


def delayed(running: Running, trader: Trader, **how: Any) -> Stream:
    """An order that is answered `delayed` for two seconds."""
    stream = own(running, trader)
    switch_on(running, "order-delayed", delay=seconds(2))
    _, body = trader.place(terms(at="0.51", **how))
    assert (body["status"], body["makingAmount"], body["takingAmount"]) == ("delayed", "", "")
    assert trader.get("/data/trades")["count"] == 0
    return stream


def test_a_delayed_order_is_matched_in_the_end(still: Running, member: Trader) -> None:
    stream = delayed(still, member)
    pass_time(still, 2)
    assert next_trade(stream)["status"] == "MATCHED"
    assert (held(still, member), hits(still, "order-delayed")) == (60_000_000, 1)


@pytest.mark.parametrize("tif", [FAK, FOK])
def test_a_delayed_order_is_not_matched_in_the_end(still: Running, member: Trader, tif: TimeInForce) -> None:
    stream = delayed(still, member, tif=tif)
    switch_on(still, "book-emptied")
    pass_time(still, 2)
    told = stream.hear()
    assert (told["type"], "killed" in told["status"]) == ("CANCELLATION", True)
    assert held(still, member) == 50_000_000


def test_a_delayed_order_finds_nothing_and_rests(still: Running, member: Trader) -> None:
    stream = delayed(still, member)
    switch_on(still, "book-emptied")
    pass_time(still, 2)
    assert (stream.hear()["type"], member.get("/data/orders")["count"]) == ("PLACEMENT", 1)


def test_a_delayed_order_is_matched_in_half(still: Running, member: Trader) -> None:
    stream = delayed(still, member)
    switch_on(still, "book-thinned")
    pass_time(still, 2)
    assert next_trade(stream)["size"] == "5"
    (rest,) = member.get("/data/orders")["data"]
    assert (rest["size_matched"], rest["original_size"]) == ("5", "10")
    assert hits(still, "book-thinned") == 1


def test_the_exchange_speaks_another_version(running: Running, trader: Trader) -> None:
    assert running.get("/version") == {"version": 2}
    switch_on(running, "version-flipped", times=None)
    assert running.get("/version") == {"version": 3}
    status, _, text = posted(trader, terms())
    assert (status, json.loads(text)) == (400, {"error": "order_version_mismatch"})
    _, (one,) = trader.call("POST", "/orders", b"[" + trader.body(terms()) + b"]")
    assert one["errorMsg"] == "order_version_mismatch"
    assert trader.get("/data/orders")["count"] == 0
    running.control("DELETE", "/faults/version-flipped")
    assert posted(trader, terms())[0] == 200


def test_a_mishap_that_is_on_is_shown_as_it_was_asked_for(still: Running, member: Trader) -> None:
    switch_on(still, "trade-failed", times=3, skip=2, chance=500, delay=seconds(9), only=member.account)
    (shown,) = still.control("GET", "/faults")["on"]
    assert {name: shown[name] for name in ("times", "skip", "chance", "delay", "only")} == {
        "times": 3,
        "skip": 2,
        "chance": 500,
        "delay": seconds(9),
        "only": Account(member.account),
    }


def test_group_and_rows_of_a_fault_are_told(running: Running) -> None:
    listed = running.control("GET", "/faults")
    assert (listed["groups"]["version-flipped"], listed["rows"]["version-flipped"]) == ("B", [26])
