"""Every way to ask as somebody else, or as nobody: what the venue answers, and that nothing came of it."""

import base64
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.auth import Credentials, RequestSigner, l1_headers
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.signing import Order, SignedOrder, order_id, sign_order
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.exchange_cases import Running, Trader, exchange, terms

NO_L1 = (401, {"error": "Invalid L1 Request headers"})
NO_L2 = (401, {"error": "Unauthorized/Invalid api key"})
L1 = ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP"]
L2 = [*L1, "POLY_API_KEY", "POLY_PASSPHRASE"]
KINDS = list(SignatureType)

PRIVATE = [
    "POST /order",
    "POST /orders",
    "DELETE /order",
    "DELETE /orders",
    "DELETE /cancel-all",
    "DELETE /cancel-market-orders",
    "GET /data/orders",
    "GET /data/order/0x00",
    "GET /data/trades",
    "GET /data/pre-migration-orders",
    "GET /balance-allowance",
    "GET /balance-allowance/update",
    "POST /v1/heartbeats",
    "POST /heartbeats",
    "GET /notifications",
    "DELETE /notifications",
    "GET /order-scoring",
    "POST /orders-scoring",
    "GET /rewards/user",
    "GET /rewards/user/total",
    "GET /rewards/user/percentages",
    "GET /rewards/user/markets",
    "GET /auth/api-keys",
    "DELETE /auth/api-key",
    "GET /auth/ban-status/closed-only",
    "POST /auth/builder-api-key",
    "GET /auth/builder-api-key",
    "DELETE /auth/builder-api-key",
    "POST /auth/readonly-api-key",
    "GET /auth/readonly-api-keys",
    "DELETE /auth/readonly-api-key",
]

Forge = Callable[[Running, Trader, Trader, str, str, bytes], dict[str, str]]


def signed(trader: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    return trader.headers(method, path, body)


def bit_flipped(_: Running, trader: Trader, __: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    """One bit of the hash, still good base64."""
    headers = signed(trader, method, path, body)
    raw = bytearray(base64.urlsafe_b64decode(headers["POLY_SIGNATURE"]))
    raw[-1] ^= 1
    return headers | {"POLY_SIGNATURE": base64.urlsafe_b64encode(raw).decode()}


def other_secret(_: Running, trader: Trader, other: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    own, theirs = trader.credentials, other.credentials
    mixed = Credentials(api_key=own.api_key, secret=theirs.secret, passphrase=own.passphrase)
    return RequestSigner(mixed, trader.key.address).headers(at=WallClock().now(), method=method, path=path, body=body)


def other_method(_: Running, trader: Trader, __: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    return signed(trader, "DELETE" if method != "DELETE" else "GET", path, body)


def other_body(_: Running, trader: Trader, __: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    return signed(trader, method, path, body + b" ")


def later_stamp(_: Running, trader: Trader, __: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    """Not the second that was signed."""
    headers = signed(trader, method, path, body)
    return headers | {"POLY_TIMESTAMP": str(int(headers["POLY_TIMESTAMP"]) + 1)}


def no_number(_: Running, trader: Trader, __: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    return signed(trader, method, path, body) | {"POLY_TIMESTAMP": "now"}


def foreign_key(_: Running, trader: Trader, other: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    return signed(trader, method, path, body) | {"POLY_API_KEY": other.credentials.api_key}


def foreign_address(_: Running, trader: Trader, other: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    """All else is right, and signed."""
    return signed(trader, method, path, body) | {"POLY_ADDRESS": other.key.address}


def foreign_phrase(_: Running, trader: Trader, other: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    return signed(trader, method, path, body) | {"POLY_PASSPHRASE": other.credentials.passphrase}


def builders_key(_: Running, trader: Trader, __: Trader, method: str, path: str, body: bytes) -> dict[str, str]:
    """Signed well, with a key that does not trade."""
    made = trader.call("POST", "/auth/builder-api-key")[1]
    held = Credentials(api_key=made["key"], secret=made["secret"], passphrase=made["passphrase"])
    return RequestSigner(held, trader.key.address).headers(at=WallClock().now(), method=method, path=path, body=body)


FORGERIES = [
    bit_flipped,
    other_secret,
    other_method,
    other_body,
    later_stamp,
    no_number,
    foreign_key,
    foreign_address,
    foreign_phrase,
    builders_key,
]


# --- L2


@pytest.mark.parametrize("route", PRIVATE)
def test_every_private_route_asks_who_is_there(running: Running, route: str) -> None:
    method, path = route.split()
    assert running.call(method, running.urls.clob + path) == NO_L2


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_no_order_is_placed_by_a_forged_request(running: Running, trader: Trader, forge: Forge) -> None:
    other, body = Trader(running, seed=2), trader.body(terms())
    headers = forge(running, trader, other, "POST", "/order", body)
    assert running.call("POST", f"{running.urls.clob}/order", headers=headers, body=body) == NO_L2
    assert trader.get("/data/orders")["data"] == []
    assert trader.call("POST", "/order", body)[1]["status"] == "live"


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_no_order_is_cancelled_by_a_forged_request(running: Running, trader: Trader, forge: Forge) -> None:
    placed = trader.place(terms())[1]["orderID"]
    headers = forge(running, trader, Trader(running, seed=2), "DELETE", "/cancel-all", b"")
    assert running.call("DELETE", f"{running.urls.clob}/cancel-all", headers=headers) == NO_L2
    assert [order["id"] for order in trader.get("/data/orders")["data"]] == [placed]


@pytest.mark.parametrize("missing", L2)
def test_a_missing_header_proves_nothing(running: Running, trader: Trader, missing: str) -> None:
    headers = trader.headers("GET", "/data/orders")
    url = f"{running.urls.clob}/data/orders"
    without = {name: value for name, value in headers.items() if name != missing}
    assert running.call("GET", url, headers=without) == NO_L2
    assert running.call("GET", url, headers=without | {missing: ""}) == NO_L2
    assert running.call("GET", url, headers=headers)[0] == 200


def test_a_deleted_key_neither_places_nor_cancels_nor_hears(running: Running, trader: Trader) -> None:
    placed = trader.place(terms())[1]["orderID"]
    assert trader.call("DELETE", "/auth/api-key") == (200, "OK")
    assert trader.place(terms()) == NO_L2
    assert trader.call("DELETE", "/cancel-all") == NO_L2
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    assert stream.hear() is None
    orders = running.control("GET", "/truth")["orders"]
    assert [order["id"] for order in orders] == [placed]
    second = running.call("POST", f"{running.urls.clob}/auth/api-key", headers=trader.l1(nonce=1))
    assert second[0] == 200


def test_a_key_of_another_nonce_outlives_the_deleted_one(running: Running, trader: Trader) -> None:
    made = running.call("POST", f"{running.urls.clob}/auth/api-key", headers=trader.l1(nonce=4))[1]
    trader.call("DELETE", "/auth/api-key")
    held = Credentials(api_key=made["apiKey"], secret=made["secret"], passphrase=made["passphrase"])
    signer = RequestSigner(held, trader.key.address)
    headers = signer.headers(at=WallClock().now(), method="GET", path="/auth/api-keys")
    assert running.call("GET", f"{running.urls.clob}/auth/api-keys", headers=headers) == (
        200,
        {"apiKeys": [made["apiKey"]]},
    )


def test_a_stale_request_places_nothing_where_the_venue_minds() -> None:
    with exchange(tolerance=seconds(60)) as running:
        trader = Trader(running)
        running.fund(trader.account)
        body = trader.body(terms())
        for late, status in ((90, 401), (-90, 401), (0, 200)):
            headers = trader.headers("POST", "/order", body, at=Instant(WallClock().now() - seconds(late)))
            assert running.call("POST", f"{running.urls.clob}/order", headers=headers, body=body)[0] == status


# --- L1


@pytest.mark.parametrize("missing", L1)
def test_a_key_is_not_made_without_every_header(running: Running, missing: str) -> None:
    trader = Trader(running)
    headers = {name: value for name, value in trader.l1(nonce=9).items() if name != missing}
    assert running.call("POST", f"{running.urls.clob}/auth/api-key", headers=headers) == NO_L1
    assert trader.get("/auth/api-keys")["apiKeys"] == [trader.credentials.api_key]


def test_a_key_is_not_derived_with_somebody_elses_signature(running: Running) -> None:
    trader, other = Trader(running), Trader(running, seed=2)
    forged = l1_headers(other.key, at=WallClock().now()) | {"POLY_ADDRESS": trader.key.address}
    assert running.call("GET", f"{running.urls.clob}/auth/derive-api-key", headers=forged) == NO_L1


# --- orders of each kind of wallet

WRONG_KIND = {
    SignatureType.EOA: "invalid signature",
    SignatureType.POLY_PROXY: "invalid POLY_PROXY signature",
    SignatureType.GNOSIS_SAFE: "invalid signature",
    SignatureType.POLY_1271: "no deposit wallet found for owner",
}
"""What is said to who claims this kind for a wallet of another."""


def by_force(order: Order, key: SigningKey) -> SignedOrder:
    """What our own signer would refuse to sign. Of an account that would pay from another's wallet there is not even a
    hash: that one is signed as if it were a Safe's."""
    if order.kind is SignatureType.POLY_1271:
        return sign_order(order, STANDARD, key)
    hashed = order if order.maker == order.signer else replace(order, kind=SignatureType.GNOSIS_SAFE)
    name = order_id(order if order.kind is not SignatureType.EOA else hashed, STANDARD)
    return SignedOrder(name, order, f"0x{key.sign(bytes.fromhex(name[2:])).hex()}")


@pytest.mark.parametrize("claimed", KINDS, ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_wallet_trades_as_what_it_is(running: Running, kind: SignatureType, claimed: SignatureType) -> None:
    """Everything is signed by the right key; only the kind may be another."""
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    order = trader.sign(terms()).order
    signer = order.maker if claimed is SignatureType.POLY_1271 else trader.key.address
    claim = by_force(replace(order, kind=claimed, signer=signer), trader.key)
    status, body = trader.call("POST", "/order", trader.body(terms(), claim))
    if claimed is kind:
        assert (status, body["orderID"]) == (200, claim.id)
    else:
        assert (status, body) == (400, {"error": WRONG_KIND[claimed]})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_strangers_key_signs_for_no_kind_of_wallet(running: Running, kind: SignatureType) -> None:
    trader, stranger = Trader(running, kind=kind), Trader(running, seed=2)
    running.fund(trader.account)
    order = trader.sign(terms()).order
    forged = by_force(order, stranger.key)
    assert trader.call("POST", "/order", trader.body(terms(), forged)) == (400, {"error": "invalid signature"})
    assert trader.place(terms())[0] == 200


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("signature", ["0x", "0x00", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "00" * 317, "hello"])
def test_what_is_no_signature_is_an_invalid_one(running: Running, kind: SignatureType, signature: str) -> None:
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    made = trader.sign(terms())
    body = trader.body(terms(), made).replace(made.signature.encode(), signature.encode())
    status, answer = trader.call("POST", "/order", body)
    assert (status, answer["error"]) == (400, "invalid signature")
