"""What an Up share is worth: how likely the price at the end is at least the price to beat.

Both are means of some prices, one a second, of which some may be known: 60 of them by the oracle's average, a single
one by a candle. What is still to come is taken for a walk of independent steps from the present price, so the
difference of the two is normal around what is expected. In units of one second's variance, a mean of k prices whose
next one is n seconds off and of which m are missing has

    n - 1 + m (m + 1) (2 m + 1) / 6 / k^2

What the price to beat still misses in the minute before the start is left out: it moves the chance by a cent at most.
"""

import math

from msgspec import Struct

from polystra.sim.scenario.path import AVERAGED, LAG, PricePath


class Span(Struct, frozen=True, gc=False):
    """A window on a path: its first and last second."""

    start: int
    end: int


class Rule(Struct, frozen=True, gc=False, kw_only=True):
    """What is compared: means of `count` prices, the last one of the price to beat `before_start` seconds before the
    window's start, and that of the final price `before_end` seconds before its end."""

    count: int
    before_start: int
    before_end: int

    def beaten(self, path: PricePath, window: Span) -> int:
        """In millionths of a USD, what is below a millionth dropped."""
        return self._mean(path, window.start - self.before_start)

    def final(self, path: PricePath, window: Span) -> int:
        return self._mean(path, window.end - self.before_end)

    def _mean(self, path: PricePath, last: int) -> int:
        return path.total(last - self.count + 1, last) // self.count


AVERAGE = Rule(count=AVERAGED, before_start=LAG, before_end=LAG)
"""The oracle's averages, stamped with the window's start and its end."""

CANDLE = Rule(count=1, before_start=0, before_end=1)
"""The open and the close of the candle that is as long as the window (`PROTOCOL.md` G)."""


def up_wins(path: PricePath, window: Span, rule: Rule = AVERAGE) -> bool:
    """Whether the window resolves Up; a tie does (`PROTOCOL.md` G)."""
    return rule.final(path, window) >= rule.beaten(path, window)


def chance_of_up(path: PricePath, window: Span, second: int, rule: Rule = AVERAGE) -> float:
    """From 0 to 1, as seen with the price of `second`; before anything of the price to beat is known, one half."""
    beaten, final = window.start - rule.before_start, window.end - rule.before_end
    if second >= final:
        return 1.0 if up_wins(path, window, rule) else 0.0
    second = max(second, beaten - rule.count)
    mean = _expected(path, final, second, rule.count) - _expected(path, beaten, second, rule.count)
    return _normal(mean / (path.volatility(second) * math.sqrt(_variance(final - second, rule.count))))


def _expected(path: PricePath, last: int, second: int, count: int) -> float:
    """The mean of so many prices up to `last`, seen from `second`."""
    first = last - count + 1
    if second < first:
        return path.price(second)
    known = min(second, last)
    return (path.total(first, known) + (last - known) * path.price(second)) / count


def _variance(left: int, count: int) -> float:
    """Of the mean of so many prices the last of which is `left` seconds off, in units of one second's variance."""
    missing = min(left, count)
    return left - missing + missing * (missing + 1) * (2 * missing + 1) / 6 / count**2


def _normal(deviations: float) -> float:
    return 0.5 * (1 + math.erf(deviations / math.sqrt(2)))
