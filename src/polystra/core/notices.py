"""What the venue notes for an account until it is told that it was read (`PROTOCOL.md` B.4)."""

from enum import StrEnum

from msgspec import Struct

from polystra.core.ids import OrderId


class NoticeKind(StrEnum):
    CANCELLED = "cancelled"
    FILLED = "filled"
    RESOLVED = "resolved"
    OTHER = "other"


class Notice(Struct, frozen=True, gc=False, kw_only=True):
    """One notification; `order` is None when no order of ours is meant."""

    id: str
    kind: NoticeKind
    order: OrderId | None = None
