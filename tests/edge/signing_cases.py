"""Random orders of all four kinds of wallet, and the venue's own clients to compare them with."""

import importlib
import os
from random import Random
from types import ModuleType

import pytest
from msgspec import Struct

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side
from polystra.core.units import Instant, price, shares
from polystra.edge.polymarket.addresses import Address, address_of
from polystra.edge.polymarket.contracts import NEG_RISK, PROTOCOL_V2, STANDARD, Exchange
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.signing import MOST_SALT, NOTHING, Order
from polystra.edge.polymarket.wallet import SignatureType, Wallet

EXCHANGES = (STANDARD, NEG_RISK, PROTOCOL_V2)
SECRET = bytes.fromhex("4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d")
"""A published throw-away key of a test network."""

KEY = SigningKey(SECRET)

TOKEN = TokenId("104201530247521340876129876543210987654321098765432109876543210987654321098765")
AT = Instant(1_795_432_241_123_456_789)
TERMS = OrderTerms(
    market=MarketId("0x" + "ab" * 32),
    outcome=Outcome.UP,
    side=Side.BUY,
    purpose=Purpose.ENTRY,
    price=price("0.52"),
    shares=shares("10"),
)


class Case(Struct, frozen=True, kw_only=True):
    """An order, where it settles, and whose it is; `secret` for the clients that take the key as text."""

    secret: bytes
    key: SigningKey
    exchange: Exchange
    order: Order


def cases(count: int, seed: int) -> list[Case]:
    """Kinds of wallet and exchanges in turn, the rest at random; an end of each range is among the first."""
    random = Random(seed)
    secrets = [_secret(random) for _ in range(20)]
    return [_case(number, secrets[number % len(secrets)], random) for number in range(count)]


def case(kind: SignatureType, exchange: Exchange = STANDARD, *, seed: int = 1) -> Case:
    """One order of this kind, signed by `KEY`."""
    random = Random(seed)
    return Case(secret=SECRET, key=KEY, exchange=exchange, order=_order(KEY, kind, random, edge=None))


def wallet(kind: SignatureType, key: SigningKey = KEY, *, funder: Address | None = None) -> Wallet:
    own = key.address if kind is SignatureType.EOA else address_of(bytes([0xF0]) * 20)
    return Wallet(key=key, kind=kind, funder=funder or own)


def official(name: str) -> ModuleType:
    """A module of an official client. Where they are not installed the test is skipped, but never in CI."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = f"the official clients are not installed ({error}): install the dev extra"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)


def _case(number: int, secret: bytes, random: Random) -> Case:
    kind = SignatureType(number % 4)
    key = SigningKey(secret)
    edge = {4: 0, 5: 1, 6: 0, 7: 1}.get(number)
    exchange = EXCHANGES[number // 4 % len(EXCHANGES)]
    return Case(secret=secret, key=key, exchange=exchange, order=_order(key, kind, random, edge))


def _order(key: SigningKey, kind: SignatureType, random: Random, edge: int | None) -> Order:
    """`edge` 0 and 1 take the lowest and the highest of every range."""

    def number(low: int, high: int) -> int:
        return random.randint(low, high) if edge is None else (low, high)[edge]

    funder = key.address if kind is SignatureType.EOA else address_of(random.randbytes(20))
    plain = random.random() < 0.5
    return Order(
        salt=number(0, MOST_SALT),
        maker=funder,
        signer=funder if kind is SignatureType.POLY_1271 else key.address,
        token=TokenId(str(number(1, 2**256 - 1))),
        maker_amount=number(1, 10**13),
        taker_amount=number(1, 10**13),
        side=random.choice(list(Side)),
        kind=kind,
        timestamp=number(1, 10**13),
        metadata=NOTHING if plain else random.randbytes(32),
        builder=NOTHING if plain else random.randbytes(32),
    )


def _secret(random: Random) -> bytes:
    return random.randrange(1, 2**255).to_bytes(32, "big")
