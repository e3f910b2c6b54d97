"""Reads frames of the user channel (`PROTOCOL.md` C.2) as events of our orders. Pure translation: no I/O.

A frame of a trade has the taker on top, whoever is told. Each order of ours in it is found by its id, as taker or
among the makers, and has its own price and size there: a maker's may be of the other token. Which side the makers were
on is not said in every recording: of the taker's token they were on the other side, of the other token on the same.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeAlias

import msgspec
from msgspec import Struct

from polystra.core.events import AnyEvent, OrderCancelled, OrderExpired, OrderFilled, OrderReported
from polystra.core.ids import MarketId, OrderId, TokenId, TradeId, VenueOrderId
from polystra.core.reasons import CancelReason
from polystra.core.terms import Liquidity, Side, TimeInForce
from polystra.core.units import Instant, Shares
from polystra.edge.polymarket.refusals import EXPIRED, cancel_reason_of
from polystra.edge.polymarket.wire import SECOND, Fill, Unreadable, instant_of, price_of, read, shares_of, stage_of

Names: TypeAlias = Callable[[VenueOrderId], OrderId | None]
"""Our number of a venue order; None when no intent of ours explains it."""

_KILLED = "killed"
_IMMEDIATE = {one.value for one in TimeInForce if one.immediate}


def user_events(raw: bytes | msgspec.Raw, names: Names, at: Instant) -> list[AnyEvent]:
    """What one object says of our orders; empty when it is about orders nobody knows. Raises `Unreadable`."""
    kind = read(raw, _kind).event_type
    if kind == "trade":
        return list(_fills(read(raw, _trade), names, at))
    if kind == "order":
        return _order_events(read(raw, _order), names, at)
    raise Unreadable(f"event_type {kind[:80]!r}: known are order and trade")


def outside_fills(raw: bytes | msgspec.Raw, names: Names, *, api_key: str, account: str) -> list[Fill]:
    """What one object says of trades of the account by orders that are not ours. Raises `Unreadable`.

    A part is the account's when it names the API key or the wallet, as in a trade that is listed (`wire.read_fills`).
    """
    if read(raw, _kind).event_type != "trade":
        return []
    row = read(raw, _trade)
    return [
        _fill(row, liquidity, part)
        for liquidity, part in _parts(row)
        if names(part.order_id) is None
        and ((api_key and part.owner == api_key) or (account and part.maker_address.lower() == account.lower()))
    ]


def _fill(row: "_Trade", liquidity: Liquidity, part: "_Part") -> Fill:
    token = part.asset_id or row.asset_id
    crossed = liquidity is Liquidity.MAKER and token == row.asset_id
    return Fill(
        trade=row.id,
        order=part.order_id,
        market=row.market,
        token=token,
        side=row.side.other if crossed else row.side,
        price=price_of("price", part.price),
        shares=shares_of("matched_amount", part.matched_amount),
        liquidity=liquidity,
        stage=stage_of(row.status),
        matched_at=instant_of("match_time", row.match_time, SECOND),
    )


def objects(raw: bytes) -> list[bytes | msgspec.Raw]:
    """One frame's objects: it is one, or an array of them. Raises `Unreadable`."""
    return [*read(raw, _array)] if raw[:64].lstrip().startswith(b"[") else [raw]


def _order_events(row: "_Order", names: Names, at: Instant) -> list[AnyEvent]:
    order = names(row.id)
    if order is None:
        return []
    if row.type != "CANCELLATION":
        if row.type not in ("PLACEMENT", "UPDATE"):
            raise Unreadable(f"type {row.type[:80]!r} of an order: known are PLACEMENT, UPDATE and CANCELLATION")
        return [OrderReported(at=at, order=order, matched=shares_of("size_matched", row.size_matched))]
    if row.status == EXPIRED:
        return [OrderExpired(at=at, order=order)]
    reason = cancel_reason_of(row.status)
    if row.order_type in _IMMEDIATE and reason is CancelReason.ASKED:
        reason = CancelReason.REMAINDER_KILLED  # nobody can ask for it: it never rested
    return [OrderCancelled(at=at, order=order, reason=reason, matched=_matched_when_cancelled(row))]


def _matched_when_cancelled(row: "_Order") -> Shares:
    """An order that was killed states nothing (recorded): it was killed because it would match nothing."""
    if not row.size_matched and _KILLED in row.status:
        return Shares(0)
    return shares_of("size_matched", row.size_matched)


def _fills(row: "_Trade", names: Names, at: Instant) -> Iterator[OrderFilled]:
    """Both sides may be ours."""
    stage = stage_of(row.status)
    matched_at = instant_of("match_time", row.match_time, SECOND)
    for liquidity, part in _parts(row):
        order = names(part.order_id)
        if order is not None:
            yield OrderFilled(
                at=at,
                order=order,
                trade=row.id,
                price=price_of("price", part.price),
                shares=shares_of("matched_amount", part.matched_amount),
                liquidity=liquidity,
                stage=stage,
                traded_at=matched_at,
            )


def _parts(row: "_Trade") -> Iterator[tuple[Liquidity, "_Part"]]:
    taker = _Part(
        order_id=row.taker_order_id,
        matched_amount=row.size,
        price=row.price,
        owner=row.trade_owner,
        maker_address=row.maker_address,
        asset_id=row.asset_id,
    )
    yield Liquidity.TAKER, taker
    for part in row.maker_orders:
        yield Liquidity.MAKER, part


# --- forms -----------------------------------------------------------------------------------------------------------


class _Kind(Struct, gc=False):
    event_type: str


class _Order(Struct, gc=False):
    id: VenueOrderId
    type: str
    status: str
    size_matched: str
    order_type: str | None = None


class _Part(Struct):
    order_id: VenueOrderId
    matched_amount: Decimal
    price: Decimal
    owner: str = ""
    maker_address: str = ""
    asset_id: TokenId = TokenId("")


class _Trade(Struct):
    id: TradeId
    taker_order_id: VenueOrderId
    size: Decimal
    price: Decimal
    status: str
    match_time: str | int
    market: MarketId
    asset_id: TokenId
    side: Side
    maker_orders: list[_Part]
    trade_owner: str = ""
    maker_address: str = ""


_kind = msgspec.json.Decoder(_Kind)
_order = msgspec.json.Decoder(_Order)
_trade = msgspec.json.Decoder(_Trade)
_array = msgspec.json.Decoder(list[msgspec.Raw])
