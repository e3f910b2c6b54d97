"""Which side of the book is heavier near the best prices.

    score = |bids - asks| / (bids + asks)        over the levels that the view shows

Cont, Kukanov and Stoikov (2014) tie short-horizon price moves to this imbalance; whether it says anything about a
window's outcome is not known, and what a strategy may make of it is bounded accordingly.
"""

from polystra.core.signals import Signal
from polystra.core.terms import Outcome
from polystra.core.view import MarketView


def book_imbalance(view: MarketView) -> Signal | None:
    """Unknown on a book that is not to be trusted or has an empty side."""
    bids = sum([size for _, size in view.bids])
    asks = sum([size for _, size in view.asks])
    if view.trouble is not None or not bids or not asks:
        return None
    tilt = (bids - asks) / (bids + asks)
    if tilt == 0:
        return Signal(0.0, None)
    return Signal(abs(tilt), Outcome.UP if tilt > 0 else Outcome.DOWN)
