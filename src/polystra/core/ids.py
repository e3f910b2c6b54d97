"""Names things so they cannot be mixed up."""

from typing import NewType

MarketId = NewType("MarketId", str)
"""The venue's condition id of one window, `0x` and 64 hex digits."""

TokenId = NewType("TokenId", str)
"""The venue's id of one outcome token, a decimal number of up to 78 digits."""

MergeId = NewType("MergeId", int)
"""Our own number of a merge of pairs; from 1."""

OrderId = NewType("OrderId", int)
"""Our own number of an order, counted from 1 and never used twice. Shown as `o41`."""

VenueOrderId = NewType("VenueOrderId", str)
"""The order's hash, known before it is sent; the venue's id of the same order."""

TradeId = NewType("TradeId", str)
"""The venue's id of one trade. One trade can fill several orders, one order can have several trades."""


def show_order(order: OrderId) -> str:
    """`o41`: how an order is named in every message a person reads."""
    return f"o{order}"
