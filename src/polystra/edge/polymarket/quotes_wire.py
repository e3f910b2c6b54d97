"""Reads what the CLOB says of one token's prices, and where the asking machine is (`PROTOCOL.md` B.1, E.10).

Pure translation; whatever does not fit raises `Unreadable`.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct

from polystra.core.errors import InvalidQuantity
from polystra.core.units import MICRO, Price, Tick, Usd
from polystra.edge.polymarket.wire import Unreadable, price_of, quantity_of, read


class Whereabouts(Struct, frozen=True, gc=False):
    """Where the venue sees us, and whether it takes orders from there; `country` in two letters."""

    blocked: bool
    country: str
    region: str


def read_midpoint(raw: bytes) -> Price:
    return price_of("mid", read(raw, _mid).mid)


def read_spread(raw: bytes) -> Price:
    spread = quantity_of("spread", read(raw, _spread).spread)
    if spread >= MICRO:
        raise Unreadable(f"spread {spread}: it is below 1")
    return Price(spread)


def read_tick(raw: bytes) -> Tick:
    size = quantity_of("minimum_tick_size", read(raw, _tick).minimum_tick_size)
    try:
        return Tick(Price(size))
    except InvalidQuantity as error:
        raise Unreadable(str(error)) from None


def read_whereabouts(raw: bytes) -> Whereabouts:
    said = read(raw, _geoblock)
    return Whereabouts(said.blocked, said.country, said.region)


def read_reward_rate(raw: msgspec.Raw) -> Usd:
    """What one market pays its makers together in a day, in millionths of a USD."""
    return Usd(sum(quantity_of("rate_per_day", one.rate_per_day) for one in read(raw, _rewards).rewards_config))


# --- forms, spelled as the venue does --------------------------------------------------------------------------------


class _Mid(Struct):
    mid: Decimal


class _Spread(Struct):
    spread: Decimal


class _Tick(Struct):
    minimum_tick_size: Decimal


class _Geoblock(Struct):
    blocked: bool
    country: str = ""
    region: str = ""


class _Rate(Struct):
    rate_per_day: Decimal


class _Rewards(Struct):
    rewards_config: list[_Rate] = []


_mid = msgspec.json.Decoder(_Mid, strict=False)
_spread = msgspec.json.Decoder(_Spread, strict=False)
_tick = msgspec.json.Decoder(_Tick, strict=False)
_geoblock = msgspec.json.Decoder(_Geoblock)
_rewards = msgspec.json.Decoder(_Rewards)
