"""Reads the venue's words of refusal (`PROTOCOL.md` E.6 and B.4) as reasons.

Only a text that proves the order did not reach the book is a refusal. A server error, or a text nobody knows under a
5xx status, proves nothing: the outcome is unknown. So it is when a text says that the order is still on its way.
"""

from polystra.core.events import CancelReason, RefusalReason

_PROOFS: tuple[tuple[str, RefusalReason], ...] = (
    ("not enough balance / allowance", RefusalReason.NOT_ENOUGH_BALANCE),
    ("breaks minimum tick size rule", RefusalReason.OFF_TICK),
    ("invalid price, price must be greater than 0", RefusalReason.OFF_TICK),
    ("lower than the minimum", RefusalReason.TOO_SMALL),
    ("invalid amount for a marketable BUY order", RefusalReason.TOO_SMALL),
    ("invalid amounts", RefusalReason.WRONG_AMOUNTS),
    ("order crosses book", RefusalReason.WOULD_CROSS),
    ("crosses the book", RefusalReason.WOULD_CROSS),
    ("FOK orders are fully filled or killed", RefusalReason.NOT_FILLED),
    ("no orders found to match with FAK order", RefusalReason.NOT_FILLED),
    ("invalid expiration", RefusalReason.BAD_EXPIRY),
    ("is invalid. Duplicated.", RefusalReason.DUPLICATED),
    ("not yet ready to process new orders", RefusalReason.MARKET_CLOSED),
    ("No orderbook exists", RefusalReason.MARKET_CLOSED),
    ("market not found", RefusalReason.MARKET_CLOSED),
    ("service not ready", RefusalReason.RESTARTING),
    ("post-only mode", RefusalReason.POST_ONLY_MODE),
    ("Trading is currently cancel-only", RefusalReason.CANCEL_ONLY_MODE),
    ("Trading is currently disabled", RefusalReason.TRADING_DISABLED),
    ("address in closed only mode", RefusalReason.CLOSED_ONLY),
    ("address banned", RefusalReason.BANNED),
)

_PROVE_NOTHING = ("order match delayed", "context canceled", "order timed out")
"""Under whatever status: the order was taken in, and what became of it is not said."""

_SERVER_ERROR = 500


def refusal_of(http: int, text: str) -> RefusalReason | None:
    """Why the venue said no; None when its answer proves nothing and the outcome is unknown."""
    for words, reason in _PROOFS:
        if words in text:
            return reason
    if http >= _SERVER_ERROR or any(words in text for words in _PROVE_NOTHING):
        return None
    return RefusalReason.OTHER


_ENDINGS = {
    "CANCELED_MARKET_RESOLVED": CancelReason.MARKET_RESOLVED,
    "CANCELED": CancelReason.ASKED,
}

EXPIRED = "CANCELED_EXPIRED_ORDER"


def cancel_reason_of(status: str) -> CancelReason:
    """Why an order was cancelled, from the status word of its last user event."""
    if "FOK" in status or "FAK" in status:
        return CancelReason.REMAINDER_KILLED
    return _ENDINGS.get(status, CancelReason.BY_VENUE)
