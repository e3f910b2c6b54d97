"""Reads what the CLOB tells an account of itself beside its orders and trades (`PROTOCOL.md` B.4, B.6).

Pure translation; whatever does not fit raises `Unreadable`. What is absent is None or empty.
"""

from decimal import Decimal
from enum import IntEnum

import msgspec
from msgspec import Struct

from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.terms import Side
from polystra.core.units import Instant, Price, Shares
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.wire import (
    SECOND,
    OpenOrder,
    Unreadable,
    instant_of,
    price_of,
    read,
    read_balance,
    read_order,
    shares_of,
    whole_of,
)


class Holding(Struct, frozen=True, gc=False):
    """What the venue believes the account has of one thing, in millionths, and how much of it each exchange contract
    may move, which may be far above 64 bits; None where it says nothing of that contract."""

    balance: int
    allowances: dict[str, int]
    everyone: int | None

    def allowance(self, contract: Address) -> int | None:
        return self.allowances.get(contract.lower(), self.everyone)


class OrderRow(Struct, frozen=True, gc=False, kw_only=True):
    """An open order with all that the venue shows of it."""

    order: OpenOrder
    status: str
    created_at: Instant | None
    expires_at: Instant | None
    time_in_force: str
    outcome: str
    owner: str
    trades: tuple[TradeId, ...]


class NoticeKind(IntEnum):
    """What a notification is about, by the venue's number; OTHER for numbers that nobody knows."""

    OTHER = 0
    CANCELLED = 1
    FILLED = 2
    REGISTERED = 3
    RESOLVED = 4
    REWARD = 5
    COMMENT = 6
    YIELD = 7
    FILL_FAILED = 8
    REDEEMED = 9
    COMBO = 10
    TIER = 11


class Notice(Struct, frozen=True, gc=False, kw_only=True):
    """One notification. `id` drops it. Sizes are those of the order, never those of one event."""

    id: str
    kind: NoticeKind
    at: Instant | None
    market: MarketId | None
    order: VenueOrderId | None
    trade: TradeId | None
    token: TokenId | None
    side: Side | None
    price: Price | None
    size: Shares | None
    matched: Shares | None


def read_holding(raw: bytes) -> Holding:
    row = read(raw, _holding)
    stated = {contract.lower(): whole_of("allowance", amount) for contract, amount in (row.allowances or {}).items()}
    everyone = None if row.allowance is None else whole_of("allowance", row.allowance)
    return Holding(read_balance(raw), stated, everyone)


def read_order_row(raw: bytes) -> OrderRow:
    row, order = read(raw, _row), read_order(raw)
    expires = 0 if not row.expiration else whole_of("expiration", row.expiration)
    return OrderRow(
        order=order,
        status=row.status or "",
        created_at=None if row.created_at is None else instant_of("created_at", row.created_at, SECOND),
        expires_at=instant_of("expiration", expires, SECOND) if expires else None,
        time_in_force=row.order_type or "",
        outcome=row.outcome or "",
        owner=row.owner or "",
        trades=tuple(row.associate_trades or ()),
    )


def read_notices(raw: bytes) -> tuple[Notice, ...]:
    return tuple(_notice(row) for row in read(raw, _notices) or ())


def read_closed_only(raw: bytes) -> bool:
    return read(raw, _closed_only).closed_only


def read_scoring(raw: bytes) -> bool:
    return read(raw, _scoring).scoring


def read_scorings(raw: bytes) -> dict[VenueOrderId, bool]:
    return read(raw, _scorings)


def _notice(row: "_Notice") -> Notice:
    told = row.payload
    return Notice(
        id=str(row.id),
        kind=NoticeKind(row.type) if row.type in set(NoticeKind) else NoticeKind.OTHER,
        at=instant_of("timestamp", row.timestamp, SECOND) if row.timestamp else None,
        market=told.market or told.condition_id or None,
        order=told.order_id or None,
        trade=told.trade_id or None,
        token=told.asset_id or None,
        side=_side(told.side),
        price=price_of("price", told.price) if told.price else None,
        size=None if told.original_size is None else shares_of("original_size", told.original_size),
        matched=None if told.matched_size is None else shares_of("matched_size", told.matched_size),
    )


def _side(word: str | None) -> Side | None:
    if not word:
        return None
    if word.upper() not in set(Side):
        raise Unreadable(f"side {word[:80]!r}: known are {', '.join(Side)}")
    return Side(word.upper())


# --- forms, spelled as the venue does --------------------------------------------------------------------------------


class _Holding(Struct):
    allowances: dict[str, str] | None = None
    allowance: str | None = None


class _Row(Struct):
    status: str | None = None
    created_at: int | str | None = None
    expiration: str | int | None = None
    order_type: str | None = None
    outcome: str | None = None
    owner: str | None = None
    associate_trades: list[TradeId] | None = None


class _Told(Struct):
    market: MarketId | None = None
    condition_id: MarketId | None = None
    order_id: VenueOrderId | None = None
    trade_id: TradeId | None = None
    asset_id: TokenId | None = None
    side: str | None = None
    price: Decimal | None = None
    original_size: Decimal | None = None
    matched_size: Decimal | None = None


class _Notice(Struct):
    id: int | str
    type: int
    timestamp: int | str | None = None
    payload: _Told = msgspec.field(default_factory=_Told)


class _ClosedOnly(Struct):
    closed_only: bool


class _Scoring(Struct):
    scoring: bool


_holding = msgspec.json.Decoder(_Holding)
_row = msgspec.json.Decoder(_Row)
_notices = msgspec.json.Decoder(list[_Notice] | None)
_closed_only = msgspec.json.Decoder(_ClosedOnly)
_scoring = msgspec.json.Decoder(_Scoring)
_scorings = msgspec.json.Decoder(dict[VenueOrderId, bool])
