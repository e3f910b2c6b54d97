"""Orders over the wire: what is answered, in which form, and every refusal in the venue's own words."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce
from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.signing import sign_order
from polystra.sim import messages as sim
from tests.edge.exchange_cases import CONDITION, DOWN, HOLD, UP, Running, Trader, exchange, terms

FOK, FAK, GTD = TimeInForce.FOK, TimeInForce.FAK, TimeInForce.GTD
FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
LIMIT_AMOUNTS = (
    "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, "
    "taker amount a max of 2 decimals"
)
MARKET_AMOUNTS = (
    "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
    "taker amount a max of 4 decimals"
)
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"


def changed(trader: Trader, wanted: OrderTerms, **fields: object) -> bytes:
    """A placement whose signed order is other than our library would make it."""
    signed = trader.sign(wanted)
    order = replace(signed.order, **fields)
    return trader.body(wanted, sign_order(order, STANDARD, trader.key))


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_resting_order_is_live_with_empty_amounts(trader: Trader) -> None:
    status, body = trader.place(terms())
    assert status == 200
    assert list(body) == ["success", "errorMsg", "orderID", "status", "makingAmount", "takingAmount"]
    assert (body["success"], body["errorMsg"], body["status"]) == (True, "", "live")
    assert (body["makingAmount"], body["takingAmount"]) == ("", "")


def test_a_taker_hears_decimal_amounts_and_its_trades(trader: Trader) -> None:
    _, body = trader.place(terms(at="0.51"))
    assert (body["status"], body["makingAmount"], body["takingAmount"]) == ("matched", "5.1", "10")
    assert len(body["tradeIDs"]) == 1
    assert "transactionsHashes" not in body


def test_a_better_price_goes_to_the_taker(trader: Trader) -> None:
    _, body = trader.place(terms(at="0.52"))
    assert (body["makingAmount"], body["takingAmount"]) == ("5.1", "10")


def test_the_answer_of_a_taker_waits_out_the_hold_and_cannot_be_cancelled_in_it() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        signed = trader.sign(terms(at="0.51"))
        posting = trader.start("POST", "/order", trader.body(terms(at="0.51"), signed))
        _, cancelled = trader.call("DELETE", "/order", json.dumps({"orderID": signed.id}).encode())
        assert cancelled["not_canceled"] == {signed.id: "Order not found or already canceled"}
        running.control("POST", "/time", {"by": HOLD - 1})
        assert not posting.done()
        running.control("POST", "/time", {"by": 1})
        assert posting.result(5)[1]["status"] == "matched"


def test_the_same_bytes_during_the_hold_are_a_duplicate_and_the_first_is_matched() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        signed = trader.sign(terms(at="0.51"))
        posting = trader.start("POST", "/order", trader.body(terms(at="0.51"), signed))
        again = trader.call("POST", "/order", trader.body(terms(at="0.51"), signed))
        assert again == (400, {"error": f"order {signed.id} is invalid. Duplicated."})
        running.control("POST", "/time", {"by": HOLD})
        assert posting.result(5)[1]["status"] == "matched"


def test_a_trader_that_went_away_during_the_hold_is_matched_all_the_same() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        trader.start("POST", "/order", trader.body(terms(at="0.51"))).cancel()
        running.control("POST", "/time", {"by": HOLD})
        assert trader.get("/data/trades")["count"] == 1


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSALS = [
    (terms(size="4"), "order {id} is invalid. Size (4) lower than the minimum: 5"),
    (terms(at="0.515"), "order {id} is invalid. Price (0.515) breaks minimum tick size rule: 0.01"),
    (
        terms(at="0.45", size="3000"),
        "not enough balance / allowance: the balance is not enough -> balance: 950000000, order amount: 1350000000",
    ),
    (
        terms(Side.SELL, "0.60", "51"),
        "not enough balance / allowance: the balance is not enough -> balance: 50000000, order amount: 51000000",
    ),
    (terms(at="0.51", post_only=True), "invalid post-only order: order crosses book"),
    (terms(at="0.51", size="1", tif=FOK), "invalid amount for a marketable BUY order ($0.51), min size: $1"),
    (terms(at="0.51", size="100", tif=FOK), FOK_KILLED),
    (terms(at="0.50", size="100", tif=FAK), FAK_KILLED),
]


@pytest.mark.parametrize(("wanted", "text"), REFUSALS, ids=[text[:40] for _, text in REFUSALS])
def test_an_order_is_refused_in_the_venues_words(trader: Trader, wanted: OrderTerms, text: str) -> None:
    signed = trader.sign(wanted)
    status, body = trader.call("POST", "/order", trader.body(wanted, signed))
    assert (status, body["error"]) == (400, text.replace("{id}", signed.id))
    assert trader.get("/data/orders")["count"] == 0


def test_a_killed_order_is_named_in_its_refusal(trader: Trader) -> None:
    wanted = terms(at="0.51", size="100", tif=FOK)
    signed = trader.sign(wanted)
    _, body = trader.call("POST", "/order", trader.body(wanted, signed))
    assert body["orderID"] == signed.id


def test_the_same_bytes_twice_are_a_duplicate(trader: Trader) -> None:
    signed = trader.sign(terms())
    body = trader.body(terms(), signed)
    assert trader.call("POST", "/order", body)[0] == 200
    assert trader.call("POST", "/order", body) == (400, {"error": f"order {signed.id} is invalid. Duplicated."})
    assert trader.get(f"/data/order/{signed.id}")["owner"] == trader.credentials.api_key


@pytest.mark.parametrize(
    ("wanted", "fields", "text"),
    [
        (terms(), {"maker_amount": 4_500_450, "taker_amount": 10_001_000}, LIMIT_AMOUNTS),
        (terms(at="0.51", tif=FOK), {"maker_amount": 5_105_100, "taker_amount": 10_010_000}, MARKET_AMOUNTS),
        (terms(), {"maker_amount": 10_000_000}, "invalid price, price must be greater than 0 and less than 1"),
    ],
)
def test_amounts_are_checked_as_the_venue_does(
    trader: Trader, wanted: OrderTerms, fields: dict[str, object], text: str
) -> None:
    assert trader.call("POST", "/order", changed(trader, wanted, **fields)) == (400, {"error": text})


def test_a_gtd_order_must_live_three_minutes(trader: Trader) -> None:
    now = WallClock().now()
    for length, status in ((170, 400), (240, 200)):
        wanted = replace(terms(tif=GTD), expires_at=Instant(now + seconds(length)))
        got, body = trader.place(wanted)
        assert got == status, body
    assert trader.get("/data/orders")["data"][0]["order_type"] == "GTD"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"order":1}', b"\xff"])
def test_what_is_no_order_is_an_invalid_payload(trader: Trader, body: bytes) -> None:
    assert trader.call("POST", "/order", body) == (400, {"error": "Invalid order payload"})


def test_an_unknown_token_has_no_book(trader: Trader) -> None:
    signed = trader.sign(terms(), token=str(int(UP) + 1))  # type: ignore[arg-type]
    answer = trader.call("POST", "/order", trader.body(terms(), signed))
    assert answer == (404, {"error": "No orderbook exists for the requested token id"})


@pytest.mark.parametrize(
    ("mode", "status", "body"),
    [
        (sim.Mode.DOWN, 425, {"error": "service not ready"}),
        (sim.Mode.CANCEL_ONLY, 503, {"error": CANCEL_ONLY}),
        (sim.Mode.DISABLED, 503, {"error": DISABLED}),
        (sim.Mode.POST_ONLY, 503, {"error": POST_ONLY, "code": "post_only_mode"}),
    ],
)
def test_the_modes_of_the_venue_are_told_on_single_and_batch(
    running: Running, trader: Trader, mode: sim.Mode, status: int, body: dict[str, object]
) -> None:
    running.feed(sim.SetMode(mode=mode))
    assert trader.place(terms()) == (status, body)
    assert trader.call("POST", "/orders", b"[" + trader.body(terms()) + b"]") == (status, body)
    running.feed(sim.SetMode(mode=sim.Mode.NORMAL))
    assert trader.place(terms())[0] == 200


def test_post_only_mode_says_when_to_come_back(running: Running, trader: Trader) -> None:
    running.feed(sim.SetMode(mode=sim.Mode.POST_ONLY, until=Instant(WallClock().now() + seconds(79))))
    status, body = trader.place(terms())
    assert (status, body["code"]) == (503, "post_only_mode")
    assert 77 <= body["retry_after_seconds"] <= 79
    assert trader.place(terms(post_only=True))[0] == 200


def test_a_closed_market_is_not_ready_and_a_resolved_one_has_no_book(running: Running, trader: Trader) -> None:
    running.feed(sim.CloseMarket(market=CONDITION))
    assert trader.place(terms()) == (400, {"error": "the market is not yet ready to process new orders"})
    running.feed(sim.Resolve(market=CONDITION, up_payout=1_000_000))  # type: ignore[arg-type]
    assert trader.place(terms())[0] == 404


# --- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_answers_in_order_and_says_success_even_of_a_refusal(trader: Trader) -> None:
    wanted = [terms(), terms(size="4"), terms(at="0.51")]
    status, answers = trader.call("POST", "/orders", b"[" + b",".join(trader.body(one) for one in wanted) + b"]")
    assert status == 200
    assert [answer["status"] for answer in answers] == ["live", "", "matched"]
    refused = answers[1]
    assert (refused["success"], refused["orderID"]) == (True, "")
    assert "lower than the minimum: 5" in refused["errorMsg"]


def test_a_forged_order_in_a_batch_is_refused_alone(trader: Trader) -> None:
    forged = trader.body(terms()).replace(b'"makerAmount":"4500000"', b'"makerAmount":"4400000"')
    _, answers = trader.call("POST", "/orders", b"[" + trader.body(terms()) + b"," + forged + b"]")
    assert [answer["errorMsg"] for answer in answers] == ["", "invalid signature"]


def test_a_batch_holds_fifteen(trader: Trader) -> None:
    body = b"[" + b",".join(trader.body(terms()) for _ in range(16)) + b"]"
    text = "Too many orders in payload: 16, max allowed: 15"
    assert trader.call("POST", "/orders", body) == (400, {"error": text})
    for broken in (b"[]", b"{}", b"[" + trader.body(terms()) + b",1]"):
        assert trader.call("POST", "/orders", broken) == (400, {"error": "Invalid order payload"})


# --- cancels ---------------------------------------------------------------------------------------------------------


def cancel(trader: Trader, path: str, body: object = None) -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return trader.call("DELETE", path, raw)


def test_cancels_say_what_is_gone_and_why_the_rest_is_not(trader: Trader) -> None:
    first, second = (trader.place(terms())[1]["orderID"] for _ in range(2))
    filled = trader.place(terms(at="0.51"))[1]["orderID"]
    assert cancel(trader, "/order", {"orderID": first}) == (200, {"canceled": [first], "not_canceled": {}})
    _, answer = cancel(trader, "/orders", [first, second, second, filled, "0x12"])
    assert answer == {
        "canceled": [second],
        "not_canceled": {
            first: "Order already canceled",
            filled: "Order already matched",
            "0x12": "Order not found or already canceled",
        },
    }


def test_cancels_by_market_by_token_and_of_all(trader: Trader) -> None:
    def place() -> tuple[str, str]:
        up, down = (trader.place(terms(outcome=outcome))[1]["orderID"] for outcome in Outcome)
        return up, down

    up, down = place()
    assert cancel(trader, "/cancel-market-orders", {"asset_id": DOWN})[1]["canceled"] == [down]
    assert cancel(trader, "/cancel-market-orders", {"market": CONDITION, "asset_id": ""})[1]["canceled"] == [up]
    both = list(place())
    assert cancel(trader, "/cancel-all")[1]["canceled"] == both


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/order", {"orderID": ""}, "Invalid orderID"),
        ("/order", ["0x1"], "Invalid orderID"),
        ("/orders", {"orderID": "0x1"}, "Invalid payload"),
        ("/orders", ["0x1"] * 1001, "Too many orders in payload, max allowed: 1000"),
        ("/cancel-market-orders", {}, "Invalid payload"),
        ("/cancel-market-orders", b'{"market":"\xff"}', "Invalid payload"),
        ("/orders", b"[" * 100_000, "Invalid payload"),
    ],
)
def test_what_is_no_cancel_is_refused(trader: Trader, path: str, body: object, text: str) -> None:
    assert cancel(trader, path, body) == (400, {"error": text})


def test_cancels_are_refused_only_while_the_venue_is_down(running: Running, trader: Trader) -> None:
    placed = trader.place(terms())[1]["orderID"]
    running.feed(sim.SetMode(mode=sim.Mode.DOWN))
    assert cancel(trader, "/cancel-all") == (425, {"error": "service not ready"})
    running.feed(sim.SetMode(mode=sim.Mode.CANCEL_ONLY))
    assert cancel(trader, "/cancel-all")[1]["canceled"] == [placed]
