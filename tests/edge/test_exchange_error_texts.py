"""Every error text of the venue (`PROTOCOL.md` E.6), row by row, provoked over HTTP: its status and its exact words.

One row cannot occur: the parser of the first version ("before the cut-over only"), which no order reaches any more.
What is marked `engine` is said by a fault, because nothing of the kind goes wrong inside this exchange by itself.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.terms import OrderTerms, Side, TimeInForce
from polystra.edge.polymarket.contracts import STANDARD, exchange_at
from polystra.edge.polymarket.signing import sign_order
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.words import status_of
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.answer_cases import hits, posted, signed, switch_on
from tests.edge.exchange_cases import CONDITION, START, UP, Running, Trader, exchange, terms

FOK, FAK, GTD = TimeInForce.FOK, TimeInForce.FAK, TimeInForce.GTD
STRANGER = "0x" + "11" * 20

Answer = tuple[int, Any]
Act = Callable[[Trader], Answer]


# --- how each is provoked


def order(wanted: OrderTerms, **fields: object) -> Act:
    """Of an order whose signed fields may be others than our library would choose; its id goes in for `{id}`."""

    def act(trader: Trader) -> Answer:
        made = trader.sign(wanted)
        if fields:
            made = sign_order(replace(made.order, **fields), STANDARD, trader.key)
        status, body = trader.call("POST", "/order", trader.body(wanted, made))
        return status, body["error"].replace(made.id, "{id}")

    return act


def of_wallet(kind: SignatureType, wanted: OrderTerms, **fields: object) -> Act:
    def act(trader: Trader) -> Answer:
        other = Trader(trader.running, seed=5, kind=kind)
        return order(wanted, **fields)(other)

    return act


def after(*news: sim.Request, then: Act) -> Act:
    def act(trader: Trader) -> Answer:
        trader.running.feed(*news)
        return then(trader)

    return act


def restricted(restriction: sim.Restriction) -> Act:
    def act(trader: Trader) -> Answer:
        trader.running.feed(sim.SetRestriction(account=Account(trader.account), restriction=restriction))
        status, text = order(terms())(trader)
        return status, text.replace(trader.account, "{address}")

    return act


def engine(text: str) -> Act:
    """Said by a fault."""

    def act(trader: Trader) -> Answer:
        switch_on(trader.running, "order-refused", where="POST /order", text=text)
        status, said = order(terms())(trader)
        assert hits(trader.running, "order-refused") == 1
        assert trader.get("/data/orders")["count"] == 0
        return status, said.replace("4500000", "{amount}")

    return act


def ask(method: str, path: str, body: object = None, query: str = "") -> Act:
    def act(trader: Trader) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        status, answer = trader.call(method, path, raw, query=query)
        return status, answer["error"]

    return act


def unsigned(method: str, path: str) -> Act:
    def act(trader: Trader) -> Answer:
        status, answer = trader.running.call(method, trader.running.urls.clob + path)
        return status, answer["error"]

    return act


def foreign_owner(trader: Trader) -> Answer:
    body = trader.body(terms()).replace(trader.credentials.api_key.encode(), b"0" * 8 + b"-0000-0000-0000-" + b"0" * 12)
    return ask("POST", "/order", body)(trader)


def foreign_signer(trader: Trader) -> Answer:
    other = Trader(trader.running, seed=2)
    return ask("POST", "/order", trader.body(terms(), other.sign(terms())))(trader)


def twice(trader: Trader) -> Answer:
    made = trader.sign(terms())
    body = trader.body(terms(), made)
    assert trader.call("POST", "/order", body)[0] == 200
    status, answer = trader.call("POST", "/order", body)
    return status, answer["error"].replace(made.id, "{id}")


def many_orders(trader: Trader) -> Answer:
    return ask("POST", "/orders", b"[" + b",".join([trader.body(terms())] * 16) + b"]")(trader)


def old_order(trader: Trader) -> Answer:
    retired = sign_order(trader.sign(terms()).order, exchange_at(STANDARD.contract, "1"), trader.key)
    return ask("POST", "/order", trader.body(terms(), retired))(trader)


def forged(trader: Trader) -> Answer:
    body = trader.body(terms()).replace(b'"makerAmount":"4500000"', b'"makerAmount":"4400000"')
    return ask("POST", "/order", body)(trader)


def expired(trader: Trader) -> Answer:
    return order(replace(terms(tif=GTD), expires_at=START))(trader)


def once_too_often(trader: Trader) -> Answer:
    return [ask("DELETE", "/orders", [f"0x{number}" for number in range(121)])(trader) for _ in range(2)][-1]


TOO_POOR = "not enough balance / allowance: the balance is not enough -> balance: 950000000, order amount: 1350000000"
AMOUNTS = "maker amount supports a max accuracy of {} decimals, taker amount a max of {} decimals"
NO_ALLOWANCE = "not enough balance / allowance: the allowance is not enough -> allowance: 0, order amount: {amount}"
ENGINE_FAILED = (
    "order timed out",
    "could not insert order",
    "could not run the execution",
    "there are no matching orders",
    "FOK orders are filled or killed",
    "the trade contains rounding issues",
    "price discrepancy",
)
CLOSE = sim.CloseMarket(market=CONDITION)
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."

ROWS: list[tuple[int, str, Act]] = [
    (401, "Unauthorized/Invalid api key", unsigned("GET", "/data/orders")),
    (401, "Invalid L1 Request headers", unsigned("POST", "/auth/api-key")),
    (400, "Invalid order payload", ask("POST", "/order", {})),
    (400, "the order owner has to be the owner of the API KEY", foreign_owner),
    (400, "the order signer address has to be the address of the API KEY", foreign_signer),
    (400, "'{address}' address banned", restricted(sim.Restriction.BANNED)),
    (400, "'{address}' address in closed only mode", restricted(sim.Restriction.CLOSED_ONLY)),
    (400, "Too many orders in payload: 16, max allowed: 15", many_orders),
    (400, "Too many orders in payload, max allowed: 1000", ask("DELETE", "/orders", ["0x1"] * 1_001)),
    (400, "invalid post-only order: order crosses book", order(terms(at="0.51", post_only=True))),
    (400, "order {id} is invalid. Price (0.515) breaks minimum tick size rule: 0.01", order(terms(at="0.515"))),
    (400, "order {id} is invalid. Size (4) lower than the minimum: 5", order(terms(size="4"))),
    (400, "order {id} is invalid. Duplicated.", twice),
    (400, "order {id} crosses the book", engine("order {id} crosses the book")),
    (400, "not enough balance / allowance", engine("not enough balance / allowance")),
    (400, TOO_POOR, order(terms(size="3000"))),
    (400, NO_ALLOWANCE, engine(NO_ALLOWANCE)),
    (400, "invalid nonce", engine("invalid nonce")),
    (400, "invalid expiration", expired),
    (400, "order canceled in the CTF exchange contract", engine("order canceled in the CTF exchange contract")),
    (400, "order match delayed due to market conditions", engine("order match delayed due to market conditions")),
    (
        400,
        "order couldn't be fully filled. FOK orders are fully filled or killed.",
        order(terms(at="0.51", size="100", tif=FOK)),
    ),
    (
        400,
        "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        order(terms(at="0.50", size="100", tif=FAK)),
    ),
    (400, "the market is not yet ready to process new orders", after(CLOSE, then=order(terms()))),
    (
        400,
        "invalid amount for a marketable BUY order ($0.51), min size: $1",
        order(terms(at="0.51", size="1", tif=FOK)),
    ),
    (
        400,
        "invalid amounts, the market buy orders " + AMOUNTS.format(2, 4),
        order(terms(at="0.51", tif=FOK), maker_amount=5_105_100, taker_amount=10_010_000),
    ),
    (
        400,
        "invalid amounts, the sell orders " + AMOUNTS.format(2, 4),
        order(terms(Side.SELL, tif=FAK), maker_amount=10_001_000, taker_amount=4_500_450),
    ),
    (
        400,
        "invalid amounts, the buy orders " + AMOUNTS.format(4, 2),
        order(terms(), maker_amount=4_500_450, taker_amount=10_001_000),
    ),
    (
        400,
        "invalid price, price must be greater than 0 and less than 1",
        order(terms(), maker_amount=10_000_000),
    ),
    (400, "invalid signature", forged),
    (400, "invalid POLY_PROXY signature", of_wallet(SignatureType.POLY_PROXY, terms(), maker=STRANGER)),
    (
        400,
        "no deposit wallet found for owner",
        of_wallet(SignatureType.POLY_1271, terms(), maker=STRANGER, signer=STRANGER),
    ),
    (400, "order_version_mismatch", engine("order_version_mismatch")),
    (400, "invalid order version, please use the latest clob-client", old_order),
    (400, "Invalid orderID", ask("DELETE", "/order", {"orderID": ""})),
    (400, "Invalid token id", ask("GET", "/book")),
    (400, "Invalid side", ask("GET", "/price", query=f"?token_id={UP}&side=up")),
    (400, "Invalid payload", ask("POST", "/books", {})),
    (400, "Payload exceeds the limit", ask("POST", "/books", [{"token_id": UP}] * 501)),
    (400, "Invalid market", ask("DELETE", "/cancel-market-orders", {"market": "0x12"})),
    (400, "invalid order params payload", ask("GET", "/data/orders", query="?next_cursor=%21")),
    (400, "Invalid trade params payload", ask("GET", "/data/trades", query="?after=noon")),
    (400, "Invalid asset type", ask("GET", "/balance-allowance", query="?asset_type=GOLD")),
    (400, "Invalid signature_type", ask("GET", "/balance-allowance", query="?asset_type=COLLATERAL&signature_type=9")),
    (404, "No orderbook exists for the requested token id", ask("GET", "/book", query="?token_id=123")),
    (404, "market not found", ask("GET", "/clob-markets/0x1")),
    (404, "Order not found", ask("GET", "/data/order/0x1")),
    *((500, text, engine(text)) for text in ENGINE_FAILED),
    (425, "service not ready", after(sim.SetMode(mode=sim.Mode.DOWN), then=order(terms()))),
    (503, CANCEL_ONLY, after(sim.SetMode(mode=sim.Mode.CANCEL_ONLY), then=order(terms()))),
    (
        503,
        "Trading is currently disabled. Check polymarket.com for updates",
        after(sim.SetMode(mode=sim.Mode.DISABLED), then=order(terms())),
    ),
    (429, "rate limited", once_too_often),
]

PROVES = "the answer on the wire is the thing itself; what the exchange has is looked at where an order was refused"


@pytest.mark.spec("X26.A2", pure=PROVES)
@pytest.mark.parametrize(("http", "text", "act"), ROWS, ids=[f"{http} {text[:50]}" for http, text, _ in ROWS])
def test_an_error_has_the_status_and_the_words_of_the_venue(trader: Trader, http: int, text: str, act: Act) -> None:
    assert act(trader) == (http, text)


@pytest.mark.spec("X26.A2", pure=PROVES)
def test_post_only_mode_is_told_with_its_code_and_when_to_come_back() -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.fund(trader.account)
        running.feed(sim.Restart(down=0, post_only=79 * 10**9))  # type: ignore[arg-type]
        status, headers, text = posted(trader, terms())
        assert (status, headers["Retry-After"]) == (503, "79")
        assert text == (
            '{"error":"post-only mode: only post-only orders and cancels are allowed",'
            '"code":"post_only_mode","retry_after_seconds":79}'
        )
        assert posted(trader, terms(post_only=True))[0] == 200


@pytest.mark.spec("X26.A2", pure=PROVES)
def test_cloudflares_block_page_is_html(running: Running, trader: Trader) -> None:
    switch_on(running, "blocked", where="POST /order")
    status, headers, text = posted(trader, terms())
    assert (status, headers["Content-Type"], headers["Server"]) == (403, "text/html; charset=utf-8", "cloudflare")
    assert "Sorry, you have been blocked" in text
    assert (hits(running, "blocked"), trader.get("/data/orders")["count"]) == (1, 0)
    assert posted(trader, terms())[0] == 200


@pytest.mark.spec("X26.A2", pure=PROVES)
def test_a_429_says_when_to_come_back_and_how_things_stand(trader: Trader) -> None:
    once_too_often(trader)
    status, headers, _ = signed(trader, "DELETE", "/orders", json.dumps(["0x1"] * 121).encode())
    assert status == 429
    assert {"Retry-After", "Poly-RateLimit-Remaining", "Poly-RateLimit-Reset", "Poly-RateLimit-Tier"} <= {*headers}


def test_the_control_surface_lists_the_words_that_only_a_fault_says(running: Running) -> None:
    words = running.control("GET", "/faults")["words"]
    rows = [text for _, text, act in ROWS if act.__qualname__.startswith("engine.")]
    assert sorted(words) == sorted(rows)


@pytest.mark.parametrize(
    ("text", "http"),
    [("User not found", 404), ("unauthorized", 401), ("context canceled", 400), ("something else", 400)],
)
def test_some_words_override_the_status(text: str, http: int) -> None:
    assert status_of(text) == http
