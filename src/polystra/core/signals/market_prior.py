"""The market's own opinion: the middle of the Up book as the probability that Up wins.

These prices are well calibrated (Brier 0.134 at mid-window of 15m, `data/README.md` fact 10): the best single estimate
there is, and the one that any other has to beat.
"""

from polystra.core.units import MICRO
from polystra.core.view import MarketView


def market_prior(view: MarketView) -> float | None:
    """P(Up), 0..1; unknown while one side of the book is empty or the book is not to be trusted."""
    if view.trouble is not None or view.mid is None:
        return None
    return view.mid / MICRO
