"""The price of the underlying, once a second, and its average over 60 s.

The path is made of legs of one length, that of a window or a part of it. A leg's beginning, its volatility and its
jumps follow from the legs before it, which is cheap; its seconds are a Brownian bridge between its two ends, drawn only
when somebody looks. So any window can be made alone, and the price still goes on from one window to the next.
"""

import math
from random import Random

from msgspec import Struct

AVERAGED = 60
"""Prices in the average that settles a window, one a second (`PROTOCOL.md` G)."""

LAG = 3
"""Seconds from the last price in an average to the average's own stamp, as measured on recordings."""

_KEPT = 4
_STRETCH = 8
"""Legs for which a drift keeps its direction."""


class Weather(Struct, frozen=True, gc=False, kw_only=True):
    """How the price moves; all moves are parts of the price.

    `volatility` is the usual deviation of one second, `regimes` how far that of a leg strays from it (deviation of its
    logarithm), `gusts` the same within a leg by the minute. `jumps` come so many an hour with deviation `jump`.
    `drift` is in deviations of a leg. `swing` is how far the price is pushed off and let back every `swing_every`
    seconds; where each leg ends does not depend on it.
    """

    volatility: float
    regimes: float = 0.3
    gusts: float = 0.3
    jumps: float = 0.0
    jump: float = 0.0
    drift: float = 0.0
    swing: float = 0.0
    swing_every: int = 120

    def __post_init__(self) -> None:
        if not self.volatility > 0:
            raise ValueError(
                f"volatility {self.volatility}: nothing can be worth anything but 0 or 1, give more than 0"
            )


class Leg(Struct, frozen=True, gc=False, kw_only=True):
    """One length of the path. `level` is the price at its first second, in millionths of a USD; `volatility`
    the deviation of one second in the same; `jumps` are second and size; `strayed` the logarithm of its regime."""

    level: int
    move: int
    volatility: float
    jumps: tuple[tuple[int, int], ...]
    strayed: float

    @property
    def end(self) -> int:
        return self.level + self.move + sum(size for _, size in self.jumps)


class PricePath:
    """Prices in millionths of a USD by the second, the first one being second 0. Mutable: it keeps what it drew."""

    def __init__(self, weather: Weather, *, seed: str, opening: int, length: int) -> None:
        """`length` is that of a leg in seconds, a multiple of 60."""
        self._weather = weather
        self._seed = seed
        self._opening = opening
        self._length = length
        self._legs: list[Leg] = []
        self._prices: dict[int, tuple[int, ...]] = {}

    def price(self, second: int) -> int:
        number, place = divmod(second, self._length)
        return self._seconds(number)[place]

    def total(self, first: int, last: int) -> int:
        """The sum of the prices from one second to another, both included."""
        return sum(self.price(second) for second in range(first, last + 1))

    def average(self, second: int) -> int:
        """What the oracle stamps with this second: the mean of 60 prices, the last one `LAG` seconds earlier. What is
        below a millionth is dropped."""
        last = second - LAG
        return self.total(last - AVERAGED + 1, last) // AVERAGED

    def volatility(self, second: int) -> float:
        """What those who quote take one second's deviation to be, jumps included, in millionths of a USD."""
        leg = self.leg(second // self._length)
        jumps = self._weather.jumps / 3_600 * (self._weather.jump * leg.level) ** 2
        return math.sqrt(leg.volatility**2 + jumps)

    def heard_after(self, second: int) -> float:
        """Seconds until anybody hears the oracle's print of a second, as measured on recordings."""
        return Random(f"{self._seed} print {second}").uniform(1.3, 2.1)

    def leg(self, number: int) -> Leg:
        """The legs before it are drawn with it, their seconds are not."""
        while len(self._legs) <= number:
            before = self._legs[-1] if self._legs else None
            self._legs.append(self._next_leg(len(self._legs), before))
        return self._legs[number]

    def _next_leg(self, number: int, before: Leg | None) -> Leg:
        weather, rng = self._weather, Random(f"{self._seed} leg {number}")
        level = self._opening if before is None else before.end
        strayed = rng.gauss(0, 1) if before is None else 0.8 * before.strayed + 0.6 * rng.gauss(0, 1)
        volatility = level * weather.volatility * math.exp(weather.regimes * strayed)
        forward = weather.drift * Random(f"{self._seed} drift {number // _STRETCH}").choice((-1, 1))
        return Leg(
            level=level,
            move=round((rng.gauss(0, 1) + forward) * volatility * math.sqrt(self._length)),
            volatility=volatility,
            jumps=self._jumps(rng, level),
            strayed=strayed,
        )

    def _jumps(self, rng: Random, level: int) -> tuple[tuple[int, int], ...]:
        if not self._weather.jumps:
            return ()
        found = []
        second = rng.expovariate(self._weather.jumps / 3_600)
        while second < self._length:
            found.append((int(second), round(rng.gauss(0, self._weather.jump) * level)))
            second += rng.expovariate(self._weather.jumps / 3_600)
        return tuple(found)

    def _seconds(self, number: int) -> tuple[int, ...]:
        known = self._prices.get(number)
        if known is None:
            while len(self._prices) >= _KEPT:
                del self._prices[next(iter(self._prices))]
            known = self._prices[number] = self._bridge(number)
        return known

    def _bridge(self, number: int) -> tuple[int, ...]:
        """The seconds of a leg: a free walk, bent so that it ends where the leg ends."""
        leg, rng = self.leg(number), Random(f"{self._seed} bridge {number}")
        shares = self._shares(rng)
        steps = [rng.gauss(0, math.sqrt(share)) for share in shares]
        missed = sum(steps)
        scale = leg.volatility * math.sqrt(self._length)
        jumped = dict.fromkeys(range(self._length), 0)
        for second, size in leg.jumps:
            jumped[second] += size
        pushed = self._pushed(rng, leg.level)
        prices, gone, walked, fell = [], 0.0, 0.0, 0
        for second in range(self._length):
            prices.append(leg.level + round(gone * leg.move + scale * (walked - gone * missed) + pushed[second]) + fell)
            gone, walked, fell = gone + shares[second], walked + steps[second], fell + jumped[second]
        return tuple(prices)

    def _shares(self, rng: Random) -> list[float]:
        """How the variance of a leg falls on its seconds; they add up to 1."""
        raw: list[float] = []
        gust = 0.0
        for _ in range(self._length // 60):
            gust = 0.7 * gust + 0.7 * rng.gauss(0, 1)
            raw += [math.exp(2 * self._weather.gusts * gust)] * 60
        whole = sum(raw)
        return [one / whole for one in raw]

    def _pushed(self, rng: Random, level: int) -> list[float]:
        """How far the price is off for a while: there and back, nothing at both ends of the leg."""
        every = self._weather.swing_every
        if not self._weather.swing:
            return [0.0] * self._length
        way = rng.choice((-1, 1))
        reach = self._weather.swing * level
        inner = [way * (-1) ** number * rng.uniform(0.5, 1.5) * reach for number in range(1, self._length // every)]
        knots = [0.0, *inner, 0.0, 0.0]
        return [_between(knots, *divmod(second, every), every) for second in range(self._length)]


def _between(knots: list[float], place: int, over: int, every: int) -> float:
    return knots[place] + (knots[place + 1] - knots[place]) * over / every
