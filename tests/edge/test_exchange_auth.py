"""Who may ask: API keys for L1 signatures, requests checked by L2 hashes over raw bytes."""

from copy import copy

import pytest
from msgspec.structs import replace

from polystra.core.terms import Side
from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.addresses import address_of
from polystra.edge.polymarket.auth import l1_headers
from polystra.edge.polymarket.contracts import NEG_RISK, PROTOCOL_V2, STANDARD, Exchange, exchange_at
from polystra.edge.polymarket.signing import SignedOrder, order_id
from polystra.edge.polymarket.wallet import SignatureType, own_wallet
from polystra.exchange.members import KeyUse, Members
from polystra.sim import messages as sim
from polystra.sim.records import Account
from tests.edge.exchange_cases import NEW_UP, UP, Running, Trader, exchange, terms

NO_L1 = (401, {"error": "Invalid L1 Request headers"})
NO_L2 = (401, {"error": "Unauthorized/Invalid api key"})
BAD_SIGNATURE = (400, {"error": "invalid signature"})
OLD_VERSION = (400, {"error": "invalid order version, please use the latest clob-client"})
FOREIGN_OWNER = (400, {"error": "the order owner has to be the owner of the API KEY"})
WRONG_SIGNER = (400, {"error": "the order signer address has to be the address of the API KEY"})

KINDS = list(SignatureType)


def flipped(text: str, at: int) -> str:
    """The same hex with one bit of one digit the other way."""
    return f"{text[:at]}{int(text[at], 16) ^ 1:x}{text[at + 1 :]}"


# --- API keys --------------------------------------------------------------------------------------------------------


def test_a_key_is_created_once_and_derived_ever_after(running: Running) -> None:
    trader = Trader(running)
    url, shown = running.urls.clob, trader.credentials
    assert running.call("POST", f"{url}/auth/api-key", headers=trader.l1()) == (
        400,
        {"error": "Could not create api key"},
    )
    expected = {"apiKey": shown.api_key, "secret": shown.secret, "passphrase": shown.passphrase}
    assert running.call("GET", f"{url}/auth/derive-api-key", headers=trader.l1()) == (200, expected)
    assert trader.get("/auth/api-keys") == {"apiKeys": [shown.api_key]}


def test_each_nonce_has_a_key_of_its_own(running: Running) -> None:
    trader = Trader(running)
    url = running.urls.clob
    assert running.call("GET", f"{url}/auth/derive-api-key", headers=trader.l1(7)) == (
        400,
        {"error": "Could not derive api key!"},
    )
    status, second = running.call("POST", f"{url}/auth/api-key", headers=trader.l1(7))
    assert status == 200
    assert trader.get("/auth/api-keys") == {"apiKeys": [trader.credentials.api_key, second["apiKey"]]}


def test_a_venue_started_again_gives_out_the_same_keys() -> None:
    with exchange() as one, exchange() as other:
        assert Trader(one).credentials.secret == Trader(other).credentials.secret
        assert Trader(one, seed=2).credentials.secret != Trader(other, seed=3).credentials.secret


def test_a_deleted_key_opens_nothing(running: Running) -> None:
    trader = Trader(running)
    assert trader.call("DELETE", "/auth/api-key") == (200, "OK")
    assert trader.call("GET", "/auth/api-keys") == NO_L2


@pytest.mark.parametrize("broken", ["POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE", "POLY_ADDRESS", ""])
def test_l1_headers_that_prove_nothing_are_refused(running: Running, broken: str) -> None:
    headers = Trader(running).l1()
    if broken == "POLY_ADDRESS":
        headers[broken] = Trader(running, seed=2).key.address
    elif broken:
        headers[broken] = flipped(headers[broken], len(headers[broken]) - 3 if broken == "POLY_SIGNATURE" else -1)
    else:
        headers = {}
    assert running.call("POST", f"{running.urls.clob}/auth/api-key", headers=headers) == NO_L1


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["POLY_SIGNATURE", "POLY_PASSPHRASE", "POLY_API_KEY", "POLY_ADDRESS", "none"])
def test_a_wrong_proof_of_a_request_is_refused(running: Running, broken: str) -> None:
    trader, body = Trader(running), b'["0x01"]'
    headers = trader.headers("DELETE", "/orders", body)
    if broken == "none":
        headers = {}
    else:
        letter = headers[broken][6]
        headers[broken] = headers[broken].replace(letter, "a" if letter != "a" else "b")
    assert running.call("DELETE", f"{running.urls.clob}/orders", headers=headers, body=body) == NO_L2


def test_the_body_is_checked_byte_for_byte(running: Running) -> None:
    trader = Trader(running)
    headers = trader.headers("DELETE", "/orders", b'["0x01"]')
    assert running.call("DELETE", f"{running.urls.clob}/orders", headers=headers, body=b'[ "0x01"]') == NO_L2
    assert running.call("DELETE", f"{running.urls.clob}/orders", headers=headers, body=b'["0x01"]')[0] == 200


def test_the_query_is_not_signed_but_the_path_is(running: Running) -> None:
    trader = Trader(running)
    headers = trader.headers("GET", "/data/orders")
    assert running.call("GET", f"{running.urls.clob}/data/orders?market=0x1", headers=headers)[0] == 200
    assert running.call("GET", f"{running.urls.clob}/data/trades", headers=headers) == NO_L2


def test_a_stale_timestamp_is_refused_where_the_venue_minds() -> None:
    with exchange(tolerance=seconds(60)) as running:
        trader = Trader(running)
        url = f"{running.urls.clob}/auth/api-keys"
        now = WallClock().now()
        for late, expected in ((30, 200), (90, 401), (-90, 401)):
            at = Instant(now - seconds(late))
            assert running.call("GET", url, headers=trader.headers("GET", "/auth/api-keys", at=at))[0] == expected
        stale = l1_headers(trader.key, at=Instant(now - seconds(90)))
        assert running.call("GET", f"{running.urls.clob}/auth/derive-api-key", headers=stale) == NO_L1


def test_closed_only_is_told_and_enforced(running: Running) -> None:
    trader = Trader(running)
    running.fund(trader.account)
    assert trader.get("/auth/ban-status/closed-only") == {"closed_only": False}
    running.feed(sim.SetRestriction(account=Account(trader.account), restriction=sim.Restriction.CLOSED_ONLY))
    assert trader.get("/auth/ban-status/closed-only") == {"closed_only": True}
    assert trader.place(terms()) == (400, {"error": f"'{trader.account}' address in closed only mode"})


# --- signatures of orders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_orders_id_is_the_hash_its_sender_computed(running: Running, kind: SignatureType) -> None:
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    signed = trader.sign(terms())
    status, body = trader.call("POST", "/order", trader.body(terms(), signed))
    assert (status, body["orderID"]) == (200, signed.id)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("at", [10, 100, 131])
def test_a_flipped_bit_is_an_invalid_signature(running: Running, kind: SignatureType, at: int) -> None:
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    signed = trader.sign(terms())
    broken = SignedOrder(signed.id, signed.order, flipped(signed.signature, at))
    assert trader.call("POST", "/order", trader.body(terms(), broken)) == BAD_SIGNATURE


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_other_terms_than_were_signed_are_refused(running: Running, kind: SignatureType) -> None:
    trader = Trader(running, kind=kind)
    running.fund(trader.account)
    signed = trader.sign(terms())
    for changed in (replace(signed.order, taker_amount=20_000_000), replace(signed.order, side=Side.SELL)):
        broken = SignedOrder(order_id(changed, STANDARD), changed, signed.signature)
        assert trader.call("POST", "/order", trader.body(terms(), broken)) == BAD_SIGNATURE


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_order_signed_for_version_1_is_told_so(running: Running, kind: SignatureType) -> None:
    trader = Trader(running, kind=kind)
    signed = trader.sign(terms(), exchange=exchange_at(STANDARD.contract, "1"))
    assert trader.call("POST", "/order", trader.body(terms(), signed)) == OLD_VERSION


def test_a_body_of_version_1_is_told_so(running: Running) -> None:
    trader = Trader(running)
    body = trader.body(terms()).replace(b'"timestamp"', b'"nonce":"0","feeRateBps":"0","oldstamp"')
    assert trader.call("POST", "/order", body) == OLD_VERSION


@pytest.mark.parametrize(
    ("token", "contract", "status"),
    [
        (UP, STANDARD, 200),
        (UP, NEG_RISK, 400),
        (UP, PROTOCOL_V2, 400),
        (NEW_UP, PROTOCOL_V2, 200),
        (NEW_UP, STANDARD, 400),
    ],
)
def test_an_order_is_signed_for_the_contract_of_its_market(
    running: Running, token: str, contract: Exchange, status: int
) -> None:
    trader = Trader(running)
    running.fund(trader.account)
    signed = trader.sign(terms(), exchange=contract, token=token)  # type: ignore[arg-type]
    assert trader.call("POST", "/order", trader.body(terms(), signed))[0] == status


def test_the_owner_must_be_the_key_that_asks(running: Running) -> None:
    trader, other = Trader(running), Trader(running, seed=2)
    assert trader.call("POST", "/order", other.body(terms())) == FOREIGN_OWNER


def test_the_signer_must_be_the_account_of_the_key(running: Running) -> None:
    trader, other = Trader(running), Trader(running, seed=2)
    assert trader.call("POST", "/order", trader.body(terms(), other.sign(terms()))) == WRONG_SIGNER


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SignatureType.POLY_PROXY, "invalid POLY_PROXY signature"),
        (SignatureType.GNOSIS_SAFE, "invalid signature"),
        (SignatureType.POLY_1271, "no deposit wallet found for owner"),
    ],
    ids=str,
)
def test_nobody_trades_from_somebody_elses_wallet(running: Running, kind: SignatureType, text: str) -> None:
    other = Trader(running, seed=2, kind=kind)
    running.fund(other.account, "50")
    thief = Trader(running, seed=3)
    thief.wallet = replace(other.wallet, key=thief.key)
    assert thief.place(terms()) == (400, {"error": text})
    assert other.place(terms())[0] == 200


def test_a_stranger_reads_and_cancels_nothing(running: Running) -> None:
    trader, stranger = Trader(running), Trader(running, seed=2)
    running.fund(trader.account)
    placed = trader.place(terms())[1]["orderID"]
    assert stranger.get("/data/orders")["data"] == []
    assert stranger.call("GET", f"/data/order/{placed}") == (404, {"error": "Order not found"})
    body = f'{{"orderID":"{placed}"}}'.encode()
    _, answer = stranger.call("DELETE", "/order", body)
    assert answer == {"canceled": [], "not_canceled": {placed: "Order not found or already canceled"}}
    assert trader.get(f"/data/order/{placed}")["id"] == placed


def test_an_owner_of_two_wallets_sees_and_cancels_both(running: Running) -> None:
    trader = Trader(running, kind=SignatureType.GNOSIS_SAFE)
    own = copy(trader)
    own.wallet = own_wallet(trader.key)
    running.fund(trader.account)
    running.fund(own.account)
    ids = [trader.place(terms())[1]["orderID"], own.place(terms())[1]["orderID"]]
    assert {order["maker_address"] for order in trader.get("/data/orders")["data"]} == {trader.account, own.account}
    assert sorted(trader.call("DELETE", "/orders", str(ids).replace("'", '"').encode())[1]["canceled"]) == sorted(ids)


def test_a_forged_builder_signature_takes_no_key_back(running: Running, trader: Trader) -> None:
    made = trader.call("POST", "/auth/builder-api-key")[1]
    forged = {
        "POLY_BUILDER_API_KEY": made["key"],
        "POLY_BUILDER_PASSPHRASE": made["passphrase"],
        "POLY_BUILDER_TIMESTAMP": "1795432200",
        "POLY_BUILDER_SIGNATURE": "c2lnbmVk",
    }
    status, _ = running.call("DELETE", f"{running.urls.clob}/auth/builder-api-key", headers=forged)
    assert status == 401
    assert trader.get("/auth/builder-api-key") == [{"key": made["key"]}]


def test_a_key_that_does_not_trade_is_made_again_with_the_venue() -> None:
    members, again = Members("seed"), Members("seed")
    members.on_change = again.redo
    owner = address_of(bytes(20))
    first, second = (members.create_side_key(owner, KeyUse.BUILD) for _ in range(2))
    members.delete_side_key(first.api_key)
    members.delete_side_key("unknown")
    assert again.side_keys(owner, KeyUse.BUILD) == members.side_keys(owner, KeyUse.BUILD) == [second.api_key]
    assert members.side_keys(owner, KeyUse.READ) == []
