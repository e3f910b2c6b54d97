"""What an exchange believes: an order its owner signed for this contract, and nothing that differs by one bit."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from polystra.core.ids import TokenId
from polystra.core.terms import Side
from polystra.edge.polymarket.addresses import Address, address_of
from polystra.edge.polymarket.contracts import NEG_RISK, PROTOCOL_V2, STANDARD, Exchange, exchange_at
from polystra.edge.polymarket.keys import SigningKey, signer_address
from polystra.edge.polymarket.signing import Order, order_id, sign_order
from polystra.edge.polymarket.verification import Flaw, flaw_of, recovered_signer
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.signing_cases import EXCHANGES, KEY, Case, case, cases

KINDS = list(SignatureType)
STRANGER = SigningKey(bytes([9]) * 32)
ORDER_OF_THE_CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signature_of(one: Case) -> str:
    return sign_order(one.order, one.exchange, one.key).signature


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_the_owner_s_order_is_believed(kind: SignatureType, exchange: Exchange) -> None:
    one = case(kind, exchange)
    signature = signature_of(one)
    assert recovered_signer(one.order, signature, exchange) == KEY.address
    assert flaw_of(one.order, signature, exchange, owner=KEY.address) is None


def test_random_orders_are_believed() -> None:
    for one in cases(60, seed=3):
        assert flaw_of(one.order, signature_of(one), one.exchange, owner=one.key.address) is None


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_of_a_signature_may_flip(kind: SignatureType) -> None:
    one = case(kind)
    raw = bytes.fromhex(signature_of(one)[2:])
    assert len(raw) == (317 if kind is SignatureType.POLY_1271 else 65)
    for flipped in flips(raw):
        assert flaw_of(one.order, f"0x{flipped.hex()}", STANDARD, owner=KEY.address) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_of_an_order_may_change_after_it_was_signed(kind: SignatureType) -> None:
    one = case(kind)
    signature = signature_of(one)
    for changed in changes(one.order):
        assert flaw_of(changed, signature, STANDARD, owner=KEY.address) is not None, changed


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_for_another_contract_or_version_is_refused(kind: SignatureType) -> None:
    for signed_for, shown_to in ((STANDARD, NEG_RISK), (NEG_RISK, STANDARD), (STANDARD, PROTOCOL_V2)):
        one = case(kind, signed_for)
        expected = Flaw.WRONG_DOMAIN if kind is SignatureType.POLY_1271 else Flaw.WRONG_SIGNER
        assert flaw_of(one.order, signature_of(one), shown_to, owner=KEY.address) is expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_of_domain_version_1_is_told_apart(kind: SignatureType, exchange: Exchange) -> None:
    one = case(kind, exchange_at(exchange.contract, "1"))
    assert flaw_of(one.order, signature_of(one), exchange, owner=KEY.address) is Flaw.OLD_VERSION


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_else_s_key_is_refused(kind: SignatureType) -> None:
    """A proxy, Safe or deposit wallet is named in the order, so a stranger can sign an order that pays from it."""
    mine = case(kind)
    forged = replace(mine.order, signer=mine.order.signer if kind is SignatureType.POLY_1271 else STRANGER.address)
    if kind is SignatureType.EOA:
        forged = replace(forged, maker=STRANGER.address)
    signature = sign_order(forged, STANDARD, STRANGER).signature
    assert flaw_of(forged, signature, STANDARD, owner=STRANGER.address) is None
    assert flaw_of(forged, signature, STANDARD, owner=KEY.address) is Flaw.WRONG_SIGNER


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_PROXY, SignatureType.GNOSIS_SAFE])
def test_an_order_that_names_another_signer_than_its_owner_is_refused(kind: SignatureType) -> None:
    """Although the owner did sign it: the contract would look for the named one."""
    order = replace(case(kind).order, signer=STRANGER.address)
    order = replace(order, maker=order.signer) if kind is SignatureType.EOA else order
    signature = f"0x{KEY.sign(bytes.fromhex(order_id(order, STANDARD)[2:])).hex()}"
    assert recovered_signer(order, signature, STANDARD) == KEY.address
    assert flaw_of(order, signature, STANDARD, owner=KEY.address) is Flaw.WRONG_SIGNER


def test_a_wallet_s_signature_without_its_wrapping_is_refused() -> None:
    one = case(SignatureType.POLY_1271)
    signature = signature_of(one)
    for bare in (signature[: 2 + 130], signature[:-2], signature + "00"):
        assert flaw_of(one.order, bare, STANDARD, owner=KEY.address) is Flaw.MALFORMED


def test_a_wallet_s_wrapping_of_another_order_is_refused() -> None:
    one, other = case(SignatureType.POLY_1271), case(SignatureType.POLY_1271, seed=2)
    assert flaw_of(one.order, signature_of(other), STANDARD, owner=KEY.address) is Flaw.WRONG_CONTENTS


def test_the_owner_s_plain_signature_does_not_speak_for_the_wallet() -> None:
    """Otherwise an order of the owner's own account could be replayed as one of the wallet."""
    one = case(SignatureType.POLY_1271)
    plain = KEY.sign(bytes.fromhex(sign_order(one.order, STANDARD, KEY).id[2:])).hex()
    assert flaw_of(one.order, f"0x{plain}{signature_of(one)[132:]}", STANDARD, owner=KEY.address) is Flaw.WRONG_SIGNER


def test_the_second_signature_of_the_same_order_is_refused() -> None:
    """r with the negated s recovers the same key; were both taken, one order would have two signatures."""
    one = case(SignatureType.EOA)
    raw = bytes.fromhex(signature_of(one)[2:])
    negated = ORDER_OF_THE_CURVE - int.from_bytes(raw[32:64], "big")
    twin = raw[:32] + negated.to_bytes(32, "big") + bytes([27 + 28 - raw[64]])
    assert flaw_of(one.order, f"0x{twin.hex()}", STANDARD, owner=KEY.address) is Flaw.MALFORMED


@pytest.mark.parametrize(
    "signature", ["", "0x", "0x00", "0x" + "zz" * 65, "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "１" * 130, "\ud800"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_signature_is_refused(kind: SignatureType, signature: str) -> None:
    assert flaw_of(case(kind).order, signature, STANDARD, owner=KEY.address) is Flaw.MALFORMED


def test_spaces_and_a_missing_prefix_are_no_part_of_a_signature() -> None:
    one = case(SignatureType.EOA)
    signature = signature_of(one)
    for spoiled in (signature[2:], f"0x {signature[2:]}", f"{signature} ", signature.replace("0x", "0X")):
        assert flaw_of(one.order, spoiled, STANDARD, owner=KEY.address) is Flaw.MALFORMED


def test_an_order_that_fits_no_type_is_refused_and_nothing_is_raised() -> None:
    one = case(SignatureType.POLY_PROXY)
    signature = signature_of(one)
    for hostile in (
        replace(one.order, salt=-1),
        replace(one.order, salt=2**64),
        replace(one.order, token=TokenId("1" * 100_000)),
        replace(one.order, token=TokenId("-1")),
        replace(one.order, token=TokenId("0x10")),
        replace(one.order, maker_amount=2**256),
        replace(one.order, taker_amount=-1),
        replace(one.order, timestamp=2**300),
        replace(one.order, metadata=b"short"),
        replace(one.order, maker=Address("nobody")),
    ):
        assert flaw_of(hostile, signature, STANDARD, owner=KEY.address) is Flaw.MALFORMED


def test_a_recovered_stranger_is_nobody() -> None:
    """A flipped digest recovers a key that nobody has, so a recovered account alone proves nothing."""
    signature = KEY.sign(b"\x01" * 32)
    assert signer_address(signature, b"\x01" * 32) == KEY.address
    assert signer_address(signature, b"\x02" * 32) not in (None, KEY.address)


def flips(raw: bytes) -> Iterator[bytes]:
    for place in range(len(raw)):
        for bit in range(8):
            yield raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]


def changes(order: Order) -> Iterator[Order]:
    other = address_of(bytes([1]) * 20)
    yield replace(order, salt=order.salt ^ 1)
    yield replace(order, maker=other)
    yield replace(order, signer=other)
    yield replace(order, maker=other, signer=other)
    yield replace(order, token=TokenId(str(int(order.token) ^ 1)))
    yield replace(order, maker_amount=order.maker_amount + 1)
    yield replace(order, taker_amount=order.taker_amount + 1)
    yield replace(order, maker_amount=order.taker_amount, taker_amount=order.maker_amount)
    yield replace(order, side=Side(order.side).other)
    yield replace(order, timestamp=order.timestamp + 1)
    yield replace(order, metadata=bytes([order.metadata[0] ^ 1]) + order.metadata[1:])
    yield replace(order, builder=order.builder[:-1] + bytes([order.builder[-1] ^ 1]))
    yield replace(order, metadata=b"\x07" * 32, builder=b"\x08" * 32)
    for kind in SignatureType:
        if kind is not order.kind:
            yield replace(order, kind=kind)
