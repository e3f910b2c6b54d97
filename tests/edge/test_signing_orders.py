"""An order's hash and signature, known by heart; what the signer adds to terms, and what it refuses to sign."""

import hashlib
from random import Random

import pytest
from msgspec.structs import replace

from polystra.core.errors import NotSupported
from polystra.core.ids import TokenId
from polystra.core.markets import Generation
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import price, shares
from polystra.edge.polymarket.addresses import Address, address
from polystra.edge.polymarket.contracts import NEG_RISK, PROTOCOL_V2, STANDARD, exchange_of
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.signing import MOST_SALT, InvalidOrder, Order, OrderSigner, order_id, sign_order
from polystra.edge.polymarket.verification import flaw_of
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.signing_cases import AT, EXCHANGES, KEY, TERMS, TOKEN, case, wallet


def order(kind: SignatureType = SignatureType.EOA) -> Order:
    held = wallet(kind)
    return Order(
        salt=7_044_650_205_636_266,
        maker=held.maker,
        signer=held.signer,
        token=TOKEN,
        maker_amount=5_200_000,
        taker_amount=10_000_000,
        side=Side.BUY,
        kind=kind,
        timestamp=1_795_432_241_123,
    )


@pytest.mark.parametrize("kind", list(SignatureType))
def test_a_wallet_s_order_carries_what_the_terms_say(kind: SignatureType) -> None:
    signer = OrderSigner(wallet(kind), draw_salt=lambda: 7_044_650_205_636_266, builder=b"\7" * 32)
    signed = signer.sign(TERMS, token=TOKEN, exchange=STANDARD, at=AT)
    assert signed.order == replace(order(kind), builder=b"\7" * 32)
    assert signed.id == order_id(signed.order, STANDARD)
    assert flaw_of(signed.order, signed.signature, STANDARD, owner=KEY.address) is None


def test_an_immediate_buy_is_signed_in_whole_cents() -> None:
    signer = OrderSigner(wallet(SignatureType.EOA), draw_salt=lambda: 1)
    terms = replace(TERMS, price=price("0.53"), shares=shares("5.01"), time_in_force=TimeInForce.FAK)
    signed = signer.sign(terms, token=TOKEN, exchange=STANDARD, at=AT)
    assert (signed.order.maker_amount, signed.order.taker_amount) == (2_650_000, 5_010_000)


def test_a_fresh_salt_makes_another_order_of_the_same_terms() -> None:
    random = Random(1)
    signer = OrderSigner(wallet(SignatureType.EOA), draw_salt=lambda: random.getrandbits(53))
    ids = {signer.sign(TERMS, token=TOKEN, exchange=STANDARD, at=AT).id for _ in range(10)}
    assert len(ids) == 10


def test_the_same_salt_and_time_are_the_same_order_to_the_bit() -> None:
    for kind in SignatureType:
        assert sign_order(order(kind), STANDARD, KEY) == sign_order(order(kind), STANDARD, KEY)


def test_the_id_is_the_plain_hash_whatever_wallet_signs() -> None:
    """So an order is known by its id before it is sent, and the id needs no key."""
    for kind in SignatureType:
        assert sign_order(order(kind), STANDARD, KEY).id == order_id(order(kind), STANDARD)


def test_the_id_differs_by_contract() -> None:
    assert len({order_id(order(), exchange) for exchange in EXCHANGES}) == 3


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"salt": -1}, "from 0 to 2"),
        ({"salt": MOST_SALT + 1}, "from 0 to 2"),
        ({"maker_amount": 0}, "above 0"),
        ({"taker_amount": 0}, "above 0"),
        ({"maker_amount": -5}, "above 0"),
        ({"taker_amount": 2**256}, "cannot be hashed"),
        ({"timestamp": -1}, "cannot be hashed"),
        ({"token": TokenId("")}, "decimal number"),
        ({"token": TokenId("+1")}, "decimal number"),
        ({"token": TokenId("1_0")}, "decimal number"),
        ({"token": TokenId("٣")}, "decimal number"),
        ({"token": TokenId(str(2**256))}, "decimal number"),
        ({"metadata": b""}, "takes 32"),
        ({"builder": bytes(33)}, "takes 32"),
        ({"maker": Address("0x123")}, "must be signer"),
        ({"signer": address("0x" + "11" * 20)}, "use that wallet's key"),
    ],
)
def test_what_is_no_order_is_not_signed(changed: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidOrder, match=says):
        sign_order(replace(order(), **changed), STANDARD, KEY)


def test_the_largest_and_smallest_parts_are_signed() -> None:
    for changed in ({"salt": MOST_SALT}, {"salt": 0}, {"token": TokenId(str(2**256 - 1))}, {"token": TokenId("0")}):
        signed = sign_order(replace(order(), **changed), STANDARD, KEY)
        assert flaw_of(signed.order, signed.signature, STANDARD, owner=KEY.address) is None


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_1271])
def test_a_wallet_that_signs_for_itself_cannot_name_another(kind: SignatureType) -> None:
    with pytest.raises(InvalidOrder, match="must be signer"):
        sign_order(replace(order(kind), maker=address("0x" + "11" * 20)), STANDARD, KEY)


@pytest.mark.parametrize("kind", [SignatureType.EOA, SignatureType.POLY_PROXY, SignatureType.GNOSIS_SAFE])
def test_another_account_s_order_is_not_signed(kind: SignatureType) -> None:
    with pytest.raises(InvalidOrder, match="use that wallet's key"):
        sign_order(order(kind), STANDARD, SigningKey(bytes([9]) * 32))


def test_terms_of_nothing_are_not_signed() -> None:
    signer = OrderSigner(wallet(SignatureType.EOA), draw_salt=lambda: 1)
    with pytest.raises(InvalidOrder, match="above 0"):
        signer.sign(replace(TERMS, shares=shares("0")), token=TOKEN, exchange=STANDARD, at=AT)


def test_the_market_says_which_contract_settles() -> None:
    assert exchange_of(Generation.CLOB_V2, neg_risk=False) is STANDARD
    assert exchange_of(Generation.CLOB_V2, neg_risk=True) is NEG_RISK
    assert exchange_of(Generation.PROTOCOL_V2, neg_risk=False) is PROTOCOL_V2
    assert exchange_of(Generation.PROTOCOL_V2, neg_risk=True) is PROTOCOL_V2
    with pytest.raises(NotSupported, match="nothing is signed"):
        exchange_of(Generation.UNKNOWN, neg_risk=False)


def test_hash_and_signature_are_those_that_both_official_clients_gave() -> None:
    """Kept for where the clients are not installed: the id, and the SHA-256 of the signature's text."""
    for (kind, exchange), known in KNOWN.items():
        signed = sign_order(case(kind, exchange, seed=42).order, exchange, KEY)
        assert (signed.id, hashlib.sha256(signed.signature.encode()).hexdigest()) == known


KNOWN = {
    (SignatureType.EOA, STANDARD): (
        "0x93da10b8c82462ffa1bdbc81f70a267b66445f465cce25fcd7418fbe1216211d",
        "6e4db77fe28647d274cf43543be96174dac01b6d82f03ce631791aa1422f8244",
    ),
    (SignatureType.EOA, PROTOCOL_V2): (
        "0x67b05dbfa21a2affc551c624a54b3da6de65eb5d8b479a7040a64494a90049be",
        "cd20e7a8417e3b3d239c4d6b519bf7aca67d0ecbff63dec8435a299857e8d32c",
    ),
    (SignatureType.POLY_PROXY, STANDARD): (
        "0x014e276a21584fcec07e043da3409f989a2db2b821c430854de81206e11e7e8e",
        "e6ae533520e50dae3730c4660d4db3aa6bec2fc10b637ffe3004b5bd90b3ebc5",
    ),
    (SignatureType.POLY_PROXY, PROTOCOL_V2): (
        "0xb0d5c9738a822cded31d4c8bf6635aeae31e6a0ef7438ef39aec6796713c9793",
        "f212520b5c2dc9f1063e0623fff53e2afbd7fd116e21325d1f11b7df43fa6b2c",
    ),
    (SignatureType.GNOSIS_SAFE, STANDARD): (
        "0x937ce5742a8dfb8b6e1136718092a83428e56f857889b676fc1d2f662b42bd01",
        "65764bdce23500c9706ced80d506dcfc1b8d54369bb97824da4a65d8b2809e48",
    ),
    (SignatureType.GNOSIS_SAFE, PROTOCOL_V2): (
        "0x3cfa129432008e5246be41811a734752a4000fc7bfcb7267854dc679b9eb42bb",
        "34c10ebeb2724a83a570158b25e954e619079ed908ccf3f10ffa8264d6c272bd",
    ),
    (SignatureType.POLY_1271, STANDARD): (
        "0x2ef94e48c863dfaff179abcf9820a2fc017b5df98d539f47f1f6988449fd1a61",
        "ede8f7fe2ae69b01f1e2f3a8107bdcb12e7dd769ee0e95a86bffcf1ee3a41182",
    ),
    (SignatureType.POLY_1271, PROTOCOL_V2): (
        "0xbb73eed08ba243653903e8606928a0fb58991512b48f1264aa07884fb56a2ecf",
        "4212ea6c02f76397366517b84b4f848846e5ee845a740fa7bfd9096f36bcc806",
    ),
}
