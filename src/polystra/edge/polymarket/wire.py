"""Reads what the CLOB says of our account (`PROTOCOL.md` B.4, B.6, B.7). Pure translation: no decision, no I/O.

Prices and sizes come as decimal texts, balances as whole base units. A status may carry a prefix (`TRADE_STATUS_`) or
not. Whatever does not fit raises `Unreadable`, which says where.
"""

from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import Struct

from polystra.core.errors import InvalidQuantity, PolystraError
from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.terms import Liquidity, Side, TradeStage
from polystra.core.units import MICRO, Instant, Price, Shares, micro

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

_MOST = 2**63
_DIGITS = 78
_NOT_BROADCAST = "MATCHED_NOT_BROADCASTED"

_T = TypeVar("_T")


class Unreadable(PolystraError):
    """The venue sent something other than `PROTOCOL.md` describes; the message says what."""


# --- orders ----------------------------------------------------------------------------------------------------------


class OpenOrder(Struct, frozen=True, gc=False, kw_only=True):
    """An order that rests at the venue. `account` is the wallet that pays, as the venue writes it."""

    id: VenueOrderId
    market: MarketId
    token: TokenId
    account: str
    side: Side
    price: Price
    size: Shares
    matched: Shares


def read_order(raw: bytes | msgspec.Raw) -> OpenOrder:
    row = read(raw, _order)
    size = shares_of("original_size", row.original_size)
    matched = shares_of("size_matched", row.size_matched)
    if matched > size:
        raise Unreadable(f"order {row.id[:80]}: size_matched {row.size_matched} of original_size {row.original_size}")
    return OpenOrder(
        id=row.id,
        market=row.market,
        token=row.asset_id,
        account=row.maker_address,
        side=row.side,
        price=price_of("price", row.price),
        size=size,
        matched=matched,
    )


# --- trades ----------------------------------------------------------------------------------------------------------


class Fill(Struct, frozen=True, gc=False, kw_only=True):
    """What one trade did to one order of ours, in that order's own token, side and price."""

    trade: TradeId
    order: VenueOrderId
    market: MarketId
    token: TokenId
    side: Side
    price: Price
    shares: Shares
    liquidity: Liquidity
    stage: TradeStage
    matched_at: Instant


def read_fills(raw: bytes | msgspec.Raw, *, api_key: str, account: str) -> tuple[Fill, ...]:
    """Our parts of a trade as listed, where the top of the row is the taker's, whoever asks.

    A part is ours when it names our API key or our wallet. A maker's part may be in the other outcome's token at the
    mirrored price: it is taken as it stands there, never from the top. Empty for a trade of somebody else's.
    """
    row = read(raw, _trade)
    return tuple(
        Fill(
            trade=row.id,
            order=part.order_id,
            market=row.market,
            token=part.asset_id,
            side=part.side,
            price=price_of("price", part.price),
            shares=shares_of("matched_amount", part.matched_amount),
            liquidity=liquidity,
            stage=stage_of(row.status),
            matched_at=instant_of("match_time", row.match_time, SECOND),
        )
        for liquidity, part in _parts(row)
        if part.owner == api_key or part.maker_address.lower() == account.lower()
    )


def _parts(row: "_Trade") -> list[tuple[Liquidity, "_Part"]]:
    taker = _Part(
        order_id=row.taker_order_id,
        owner=row.owner,
        maker_address=row.maker_address,
        matched_amount=row.size,
        price=row.price,
        asset_id=row.asset_id,
        side=row.side,
    )
    return [(Liquidity.TAKER, taker), *((Liquidity.MAKER, part) for part in row.maker_orders)]


def stage_of(status: str) -> TradeStage:
    word = status.upper().removeprefix("TRADE_STATUS_")
    if word == _NOT_BROADCAST:
        return TradeStage.MATCHED
    if word not in set(TradeStage):
        raise Unreadable(f"status {status[:80]!r} of a trade: known are {', '.join(TradeStage)}")
    return TradeStage(word)


# --- balances --------------------------------------------------------------------------------------------------------


def read_balance(raw: bytes) -> int:
    """Millionths of a USD, or of a share."""
    balance = whole_of("balance", read(raw, _balance).balance)
    if balance >= _MOST:
        raise Unreadable(f"balance {balance}: it takes base units below 2^63")
    return balance


# --- what all readers use --------------------------------------------------------------------------------------------


def read(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[_T]) -> _T:
    """Raises `Unreadable`, whatever the bytes are."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Unreadable(f"{error}, in {bytes(raw)[:120]!r}") from None


def price_of(field: str, number: str | Decimal) -> Price:
    """A price inside a market: above 0, below 1."""
    value = quantity_of(field, number)
    if not 0 < value < MICRO:
        raise Unreadable(f"{field} {number}: it takes a price between 0 and 1")
    return Price(value)


def shares_of(field: str, number: str | Decimal) -> Shares:
    return Shares(quantity_of(field, number))


def quantity_of(field: str, number: str | Decimal) -> int:
    """Millionths, never negative."""
    try:
        value = micro(number)
    except InvalidQuantity as error:
        raise Unreadable(f"{field}: {error}") from None
    if value < 0:
        raise Unreadable(f"{field} {number}: it cannot be negative")
    return value


def whole_of(field: str, text: str | int) -> int:
    """A whole number, from a text of digits or a JSON number."""
    digits = str(text) if isinstance(text, int) else text
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS):
        raise Unreadable(f"{field} {digits[:100]!r}: it takes a whole number")
    return int(digits)


def instant_of(field: str, text: str | int, unit: int) -> Instant:
    """A moment counted in units of so many nanoseconds since 1970."""
    at = whole_of(field, text) * unit
    if at >= _MOST:
        raise Unreadable(f"{field} {text!s:.100}: no such moment")
    return Instant(at)


# --- forms -----------------------------------------------------------------------------------------------------------


class _Order(Struct):
    id: VenueOrderId
    market: MarketId
    asset_id: TokenId
    maker_address: str
    side: Side
    price: Decimal
    original_size: Decimal
    size_matched: Decimal


class _Part(Struct):
    order_id: VenueOrderId
    owner: str
    maker_address: str
    matched_amount: Decimal
    price: Decimal
    asset_id: TokenId
    side: Side


class _Trade(Struct):
    id: TradeId
    taker_order_id: VenueOrderId
    market: MarketId
    asset_id: TokenId
    side: Side
    size: Decimal
    price: Decimal
    status: str
    match_time: str | int
    owner: str
    maker_address: str
    maker_orders: list[_Part]


class _Balance(Struct):
    balance: str


_order = msgspec.json.Decoder(_Order)
_trade = msgspec.json.Decoder(_Trade)
_balance = msgspec.json.Decoder(_Balance)
