"""Polymarket-native momentum (SPEC 2): where the Up token's own one-minute prices went.

v = last / first - 1        Up above +0.5 %, Down below -0.5 %        score = min(20 |v|, 1)
"""

from polystra.core.signals import Signal
from polystra.core.terms import Outcome
from polystra.core.view import MarketView

POINTS = 5
"""Fewer one-minute prices than this say nothing (SPEC H4)."""

STILL = 0.005
FULL_AT = 20.0


def native_momentum(view: MarketView) -> Signal | None:
    """Unknown with fewer than five points: never a neutral score."""
    points = view.own_prices
    if len(points) < POINTS:
        return None
    moved = points[-1].mid / points[0].mid - 1
    if abs(moved) <= STILL:
        return Signal(0.0, None)
    return Signal(min(FULL_AT * abs(moved), 1.0), Outcome.UP if moved > 0 else Outcome.DOWN)
