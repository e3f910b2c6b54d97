"""Says in one word how an order stands (`PROTOCOL.md` A.6, B.6). Pure.

The venue has no word for an order that is filled: filled is what matched whole, and of which no trade failed. A word
that nobody knows is an error, never a fill.
"""

from collections.abc import Iterable
from enum import StrEnum

from polystra.core.terms import TradeStage
from polystra.core.units import SIZE_STEP, Shares
from polystra.edge.polymarket.wire import Fill


class OrderStatus(StrEnum):
    """MATCHED traded, but not whole or not for good. NOT_FOUND ended, never arrived, or was placed a moment ago: it is
    to be believed only of an order that is older than 10 s and has no trades."""

    MATCHED = "MATCHED"
    LIVE = "LIVE"
    DELAYED = "DELAYED"
    UNMATCHED = "UNMATCHED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    NOT_FOUND = "NOT_FOUND"
    ERROR = "ERROR"


_PREFIX = "ORDER_STATUS_"
_EXPIRED = ("EXPIRED", "CANCELED_EXPIRED_ORDER")
_SAID = {one.value: one for one in OrderStatus if one not in (OrderStatus.FILLED, OrderStatus.NOT_FOUND)}


def status_word(word: str) -> OrderStatus:
    """What the venue's own word says, in any case and with or without its prefix."""
    plain = word.strip().upper().removeprefix(_PREFIX).replace("CANCELLED", "CANCELED")
    if plain in _EXPIRED:
        return OrderStatus.EXPIRED
    if plain.startswith("CANCELED_"):
        return OrderStatus.CANCELED
    return _SAID.get(plain, OrderStatus.ERROR)


def order_status(word: str, *, size: Shares, matched: Shares, fills: Iterable[Fill] = ()) -> OrderStatus:
    """Of an order that the venue shows, with our parts of its trades."""
    said = status_word(word)
    whole = said in (OrderStatus.LIVE, OrderStatus.MATCHED) and matched > size - SIZE_STEP
    return OrderStatus.FILLED if whole and not _failed(fills) else said


def absent_status(fills: Iterable[Fill], *, size: Shares | None) -> OrderStatus:
    """Of an order that the venue does not show any more, by its trades alone; `size` where it is known."""
    parts = tuple(fills)
    kept = sum(fill.shares for fill in parts if fill.stage is not TradeStage.FAILED)
    if size is not None and kept > size - SIZE_STEP:
        return OrderStatus.FILLED
    return OrderStatus.MATCHED if parts else OrderStatus.NOT_FOUND


def _failed(fills: Iterable[Fill]) -> bool:
    return any(fill.stage is TradeStage.FAILED for fill in fills)
