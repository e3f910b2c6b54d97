"""Times things that do the same job side by side, in one process and one run, so that only their ratio is believed.

Seconds on a shared machine move by a factor of two between runs; two things timed in turn move together. Each round
times every side once, even rounds forwards and odd ones backwards, and a ratio is taken within its round. Reported are
the median over the rounds and, as spread, the middle half of them (first to third quartile).

Only `work` is timed. What it needs is made anew before each round and put away after it, both off the clock. The
collector is run before, and off during the work, so that no side pays for another's garbage.
"""

import gc
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TypeAlias

from msgspec import Struct

Work: TypeAlias = Callable[[], object]
Ready: TypeAlias = Callable[[], AbstractContextManager[Work]]
Timings: TypeAlias = Mapping[str, list[float]]
"""Seconds of one unit, round by round, of each side."""


class NotMeasured(Exception):
    """A benchmark lacks what it measures; the text says what is missing and how to get it."""


class Effort(Struct, frozen=True):
    """How thoroughly to measure: `rounds` counted after `warm_up` more; `part` of the usual amount of work in each."""

    rounds: int = 21
    warm_up: int = 1
    part: float = 1.0

    def of(self, amount: int) -> int:
        """That part of an amount of work, at least one."""
        return max(1, round(amount * self.part))


class Side(Struct, frozen=True):
    """One of the things compared; one run of its work does `count` units of the benchmark.

    Work that times its units itself appends the seconds of each to `laps`, and only those count; this is for units that
    need something done between them, and for those whose slowest matter. `note` says what else was found, once all is
    measured.
    """

    what: str
    count: int
    ready: Ready
    laps: list[float] | None = None
    note: Callable[[], str] = str


class Ratio(Struct, frozen=True):
    """The seconds of `subject` over those of `yardstick`, both names of sides. Its name never changes its meaning.

    `percentile` compares that percentile of the laps of each round; None their mean.
    """

    name: str
    subject: str
    yardstick: str
    says: str
    percentile: int | None = None


class Benchmark(Struct, frozen=True):
    """One file's worth: sides that do the same job, and the ratios between them. `sides` may use the folder given, and
    raises `NotMeasured`; it is a context manager when something must run beside. A ratio whose sides are not there (a
    recording that only some have) is left out."""

    name: str
    unit: str
    about: str
    ratios: tuple[Ratio, ...]
    sides: Callable[[Path, Effort], Mapping[str, Side] | AbstractContextManager[Mapping[str, Side]]]


class Spread(Struct, frozen=True):
    """The median of some numbers, and the middle half of them."""

    median: float
    low: float
    high: float


def spread(numbers: list[float]) -> Spread:
    """Raises `ValueError` for no numbers at all."""
    if not numbers:
        raise ValueError("no rounds were timed: at least one is needed")
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    low, _, high = quantiles(numbers, n=4, method="inclusive")
    return Spread(median(numbers), low, high)


def ratio(timings: Timings, subject: str, yardstick: str) -> Spread:
    """Round by round, so that what slowed a whole round down cancels out."""
    return spread([above / below for above, below in zip(timings[subject], timings[yardstick], strict=True)])


def percentile(seconds: list[float], number: int) -> float:
    """The time within which `number` of 100 were done; the longest where there are too few to tell."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) * number // 100, len(ordered) - 1)]


def lap_percentile(side: Side, number: int) -> list[float]:
    """That percentile of each round."""
    laps = side.laps or []
    return [percentile(laps[first : first + side.count], number) for first in range(0, len(laps), side.count)]


def measure(sides: Mapping[str, Side], effort: Effort, clock: Callable[[], float] = perf_counter) -> Timings:
    """Times all sides in turn, round after round; the warm-up is thrown away."""
    timings: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-effort.warm_up, effort.rounds):
        for name in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            taken = _once(sides[name], clock)
            if number >= 0:
                timings[name].append(taken / sides[name].count)
            elif (laps := sides[name].laps) is not None:
                laps.clear()
    return timings


def _once(side: Side, clock: Callable[[], float]) -> float:
    before = len(side.laps or ())
    with side.ready() as work:
        collecting = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            begun = clock()
            work()
            taken = clock() - begun
        finally:
            if collecting:
                gc.enable()
    if side.laps is None:
        return taken
    laps = side.laps[before:]
    if len(laps) != side.count:
        raise RuntimeError(f"{side.what}: {len(laps)} of {side.count} units came to their end: its work is not whole")
    return sum(laps)
