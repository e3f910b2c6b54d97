"""Names why an order was refused, and how one ended without being filled whole."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why the venue, or we before it, said no. What may be done about each is decided in `engine` and `planner`."""

    NOT_ENOUGH_BALANCE = "not enough balance"
    OFF_TICK = "off tick"
    TOO_SMALL = "too small"
    WRONG_AMOUNTS = "wrong amounts"
    WOULD_CROSS = "post-only would cross"
    NOT_FILLED = "nothing to fill"
    BAD_EXPIRY = "bad expiry"
    DUPLICATED = "duplicated"
    MARKET_CLOSED = "market closed"
    RATE_LIMITED = "rate limited"
    RESTARTING = "engine restarting"
    POST_ONLY_MODE = "post-only mode"
    CANCEL_ONLY_MODE = "cancel-only mode"
    TRADING_DISABLED = "trading disabled"
    CLOSED_ONLY = "address in closed-only mode"
    BANNED = "address banned"
    UNAUTHORIZED = "unauthorized"
    MALFORMED = "malformed"
    NOT_SENT = "not sent"
    OTHER = "other"


class CancelReason(StrEnum):
    """How an order ended without being filled whole."""

    ASKED = "asked"
    REMAINDER_KILLED = "remainder killed"
    MARKET_RESOLVED = "market resolved"
    BY_VENUE = "by venue"
    NOT_FOUND = "not found, no trade"
