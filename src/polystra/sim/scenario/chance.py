"""What an Up share is worth: how likely the last average is at least the price to beat.

Both are means of 60 prices, one a second, of which some may be known. What is still to come is taken for a walk of
independent steps from the present price, so the difference of the two averages is normal around what is expected. In
units of one second's variance, an average whose next price is n seconds off and of which m prices are missing has

    n - 1 + m (m + 1) (2 m + 1) / 6 / 60^2

What the price to beat still misses in the minute before the start is left out: it moves the chance by a cent at most.
"""

import math

from msgspec import Struct

from polystra.sim.scenario.path import AVERAGED, LAG, PricePath


class Span(Struct, frozen=True, gc=False):
    """A window on a path: its first and last second."""

    start: int
    end: int


def up_wins(path: PricePath, window: Span) -> bool:
    """Whether the window resolves Up; a tie does (`PROTOCOL.md` G)."""
    return path.average(window.end) >= path.average(window.start)


def chance_of_up(path: PricePath, window: Span, second: int) -> float:
    """From 0 to 1, as seen with the price of `second`; before anything of the price to beat is known, one half."""
    beaten, final = window.start - LAG, window.end - LAG
    if second >= final:
        return 1.0 if up_wins(path, window) else 0.0
    second = max(second, beaten - AVERAGED)
    mean = _expected(path, final, second) - _expected(path, beaten, second)
    return _normal(mean / (path.volatility(second) * math.sqrt(_variance(final - second))))


def _expected(path: PricePath, last: int, second: int) -> float:
    """The mean of the 60 prices up to `last`, seen from `second`."""
    first = last - AVERAGED + 1
    if second < first:
        return path.price(second)
    known = min(second, last)
    return (path.total(first, known) + (last - known) * path.price(second)) / AVERAGED


def _variance(left: int) -> float:
    """Of the mean of 60 prices the last of which is `left` seconds off, in units of one second's variance."""
    missing = min(left, AVERAGED)
    return left - missing + missing * (missing + 1) * (2 * missing + 1) / 6 / AVERAGED**2


def _normal(deviations: float) -> float:
    return 0.5 * (1 + math.erf(deviations / math.sqrt(2)))
