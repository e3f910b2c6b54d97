"""Reads the venue's words of refusal (`PROTOCOL.md` E.6 and B.4) as reasons.

Only a text that proves the order did not reach the book is a refusal. A server error, or a text nobody knows under a
5xx status, proves nothing: the outcome is unknown. So it is when a text says that the order is still on its way.
"""

from polystra.core.reasons import CancelReason, RefusalReason
from polystra.edge.polymarket.remedies import known

_BY_STATUS = {425: RefusalReason.RESTARTING, 429: RefusalReason.RATE_LIMITED}
"""Whatever the words: what answers so has not looked at the order."""

_SERVER_ERROR = 500


def refusal_of(http: int, text: str) -> RefusalReason | None:
    """Why the venue said no; None when its answer proves nothing and the outcome is unknown."""
    if said := known(text):
        return said.reason
    if http >= _SERVER_ERROR:
        return None
    return _BY_STATUS.get(http, RefusalReason.OTHER)


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
