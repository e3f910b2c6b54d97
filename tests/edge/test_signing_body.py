"""The body of a placement: the bytes that are sent, what is read back from them, and what is not taken for one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from polystra.core.terms import TimeInForce
from polystra.core.units import Instant
from polystra.edge.polymarket.order_body import OldOrderVersion, order_body, read_order_bodies, read_order_body
from polystra.edge.polymarket.signing import InvalidOrder, sign_order
from polystra.edge.polymarket.verification import flaw_of
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.signing_cases import KEY, case, cases

OWNER = "9c0a4d4e-0000-4000-8000-000000000001"
END = Instant(1_795_432_241_999_999_999)


def body(kind: SignatureType = SignatureType.EOA) -> bytes:
    one = case(kind)
    return order_body(sign_order(one.order, one.exchange, KEY), owner=OWNER, time_in_force=TimeInForce.GTC)


def test_the_keys_stand_in_the_order_in_which_the_venue_s_client_sends_them() -> None:
    sent = json.loads(body())
    assert list(sent) == ["deferExec", "order", "orderType", "owner", "postOnly"]
    assert list(sent["order"]) == [
        "builder", "expiration", "maker", "makerAmount", "metadata", "salt", "side", "signature", "signatureType",
        "signer", "takerAmount", "timestamp", "tokenId",
    ]  # fmt: skip
    assert json.dumps(sent, separators=(",", ":")).encode() == body()


def test_the_salt_is_a_number_and_the_amounts_are_strings() -> None:
    order = json.loads(body())["order"]
    assert [type(order[name]) for name in ("salt", "signatureType")] == [int, int]
    strings = ("makerAmount", "takerAmount", "timestamp", "expiration", "tokenId", "side")
    assert {type(order[name]) for name in strings} == {str}


def test_the_length_of_a_signature_is_that_of_its_wallet() -> None:
    lengths = [len(json.loads(body(kind))["order"]["signature"]) for kind in SignatureType]
    assert lengths == [132, 132, 132, 636]


def test_what_was_written_is_read() -> None:
    for number, one in enumerate(cases(40, seed=9)):
        signed = sign_order(one.order, one.exchange, one.key)
        gtd = number % 2 == 0
        raw = order_body(
            signed,
            owner=OWNER,
            time_in_force=TimeInForce.GTD if gtd else TimeInForce.FOK,
            expires_at=END if gtd else None,
            post_only=gtd,
        )
        sent = read_order_body(raw)
        assert (sent.order, sent.signature, sent.owner) == (one.order, signed.signature, OWNER)
        assert (sent.expires, sent.post_only, sent.defer_exec) == (
            (1_795_432_241, True, False) if gtd else (0, False, False)
        )
        assert flaw_of(sent.order, sent.signature, one.exchange, owner=one.key.address) is None


def test_a_batch_is_read_in_its_order() -> None:
    bodies = [body(kind) for kind in SignatureType]
    assert read_order_bodies(b"[" + b",".join(bodies) + b"]") == tuple(read_order_body(one) for one in bodies)


def test_an_end_belongs_to_a_gtd_order_and_to_no_other() -> None:
    one = case(SignatureType.EOA)
    signed = sign_order(one.order, one.exchange, KEY)
    with pytest.raises(InvalidOrder, match="GTD orders have one"):
        order_body(signed, owner=OWNER, time_in_force=TimeInForce.GTC, expires_at=END)
    with pytest.raises(InvalidOrder, match="GTD orders have one"):
        order_body(signed, owner=OWNER, time_in_force=TimeInForce.GTD)


@pytest.mark.parametrize("immediate", [TimeInForce.FAK, TimeInForce.FOK])
def test_an_immediate_order_cannot_only_rest(immediate: TimeInForce) -> None:
    one = case(SignatureType.EOA)
    with pytest.raises(InvalidOrder, match="cannot be post-only"):
        order_body(sign_order(one.order, one.exchange, KEY), owner=OWNER, time_in_force=immediate, post_only=True)


def test_an_order_of_the_first_version_is_named_as_such() -> None:
    old = json.loads(body())
    for name in ("timestamp", "metadata", "builder"):
        del old["order"][name]
    with pytest.raises(InvalidOrder):
        read_order_body(json.dumps(old).encode())
    old["order"] |= {"taker": "0x" + "00" * 20, "nonce": "0", "feeRateBps": "0"}
    with pytest.raises(OldOrderVersion):
        read_order_body(json.dumps(old).encode())
    with pytest.raises(OldOrderVersion):
        read_order_bodies(json.dumps([json.loads(body()), old]).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("salt", "12"),
        ("salt", 1.5),
        ("salt", None),
        ("side", "HOLD"),
        ("side", 0),
        ("signatureType", 4),
        ("signatureType", "0"),
        ("makerAmount", 5),
        ("makerAmount", "-5"),
        ("makerAmount", "5.5"),
        ("makerAmount", "1e3"),
        ("takerAmount", "9" * 100_000),
        ("timestamp", ""),
        ("timestamp", "٣"),
        ("expiration", "soon"),
        ("maker", "0x12"),
        ("signer", ""),
        ("metadata", "0x00"),
        ("builder", "00" * 32),
        ("builder", "0x" + "0_" * 32),
        ("tokenId", 5),
        ("signature", 5),
    ],
)
def test_a_part_of_the_wrong_kind_is_refused(name: str, value: Any) -> None:
    sent = json.loads(body())
    sent["order"][name] = value
    with pytest.raises(InvalidOrder) as refused:
        read_order_body(json.dumps(sent).encode())
    assert len(str(refused.value)) < 300


DEEP = b"[" * 100_000
NO_BODIES = (b"", b"{}", b"null", b"[null]", b"\xff\xfe", DEEP, b'{"order":{}}', body() + b"x")


@pytest.mark.parametrize("raw", NO_BODIES)
@pytest.mark.parametrize("read", [read_order_body, read_order_bodies])
def test_what_is_no_body_is_refused(read: Callable[[bytes], object], raw: bytes) -> None:
    with pytest.raises(InvalidOrder):
        read(raw)


def test_deep_nonsense_in_a_part_that_nobody_reads_is_refused() -> None:
    with pytest.raises(InvalidOrder):
        read_order_body(b'{"x":' + DEEP)
    with pytest.raises(InvalidOrder):
        read_order_bodies(b'[{"x":' + DEEP)


def test_an_empty_batch_has_no_orders() -> None:
    assert read_order_bodies(b"[]") == ()
