"""Samples what resting orders earn for standing close to the middle (`PROTOCOL.md` F.4).

    score of an order = ((v - s) / v) ^ 2 x shares        v the market's widest distance, s this order's

The middle is that of the best levels of at least the market's reward size, and smaller or younger orders do not score.
Bids for Up and asks for Down are one side of the book, the others the other. A maker's score is the smaller of its two
sides' sums; between 0.10 and 0.90 a third of the larger if that is more. Once a minute, at a moment that the seed
decides, a minute's part of the daily rate is shared by scores. The background is one maker, of orders as large as its
levels are.
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct

from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import Instant, Nanos, Price, Shares, Usd
from polystra.sim.markets import Market, MarketState
from polystra.sim.messages import MarketFacts
from polystra.sim.orders import Order
from polystra.sim.records import STREET, Account

MINUTE = Nanos(60_000_000_000)
DAY = Nanos(1_440 * MINUTE)
_MINUTES = 1_440

_ONE_SIDED = 3
"""What a maker on one side alone is divided by."""

_LOWEST, _HIGHEST = Price(100_000), Price(900_000)
"""Where one side alone still scores, both included."""


class Earning(Struct, frozen=True, gc=False, kw_only=True):
    """What an account earned in a market on one UTC day, counted from 1970; remainders of samples are dropped."""

    day: int
    market: MarketId
    account: Account
    earned: Usd


class Rewards:
    """Mutable. From `due` on, nothing may change an order or a book before `reach` was told the moment of it."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._earned: dict[tuple[int, MarketId, Account], int] = {}
        self.due = Instant(0)

    def reach(self, now: Instant, markets: Iterable[Market]) -> None:
        """Takes the samples up to `now`, itself included: all has been as it is since the last one."""
        paying = [market for market in markets if market.facts.reward_rate and market.has_orders]
        while paying and self.due <= now:
            for market in paying:
                self._sample(market, self.due)
            self.due = self._after(self.due)
        if self.due <= now:
            self.due = self._after(now)

    def earnings(self) -> tuple[Earning, ...]:
        """In order of the first sample."""
        return tuple(
            Earning(day=day, market=market, account=account, earned=Usd(earned))
            for (day, market, account), earned in self._earned.items()
        )

    def _sample(self, market: Market, at: Instant) -> None:
        scores = maker_scores(market, at)
        total = sum(scores.values())
        for account, score in scores.items():
            share = market.facts.reward_rate * score // (_MINUTES * total) if total else 0
            if account != STREET and share:
                key = (at // DAY, market.facts.id, account)
                self._earned[key] = self._earned.get(key, 0) + share

    def _after(self, now: Instant) -> Instant:
        """The next sample's moment."""
        minute = now // MINUTE
        at = self._moment(minute)
        return at if at > now else self._moment(minute + 1)

    def _moment(self, minute: int) -> Instant:
        drawn = blake2b(self._seed + minute.to_bytes(8, "big"), digest_size=8, person=b"rewards").digest()
        return Instant(minute * MINUTE + int.from_bytes(drawn, "big") % MINUTE)


def scores_now(market: Market, order: Order, at: Instant) -> bool:
    """Whether a resting order would count in a sample at this moment."""
    middle = _middle(market)
    return middle is not None and _score(market.facts, order, middle, at) > 0


def maker_scores(market: Market, at: Instant) -> dict[Account, int]:
    """Each maker's score at this moment, in millionths of a share; nobody's in a market without a middle."""
    middle = _middle(market)
    if middle is None:
        return {}
    sides = [_side_scores(market, side, middle, at) for side in Side]
    within = _LOWEST <= middle <= _HIGHEST
    makers = dict.fromkeys(account for side in sides for account in side)
    return {account: _combined([side.get(account, 0) for side in sides], within) for account in makers}


def _combined(sides: list[int], one_is_enough: bool) -> int:
    return max(min(sides), max(sides) // _ONE_SIDED) if one_is_enough else min(sides)


def _side_scores(market: Market, side: Side, middle: Price, at: Instant) -> dict[Account, int]:
    facts, ladder = market.facts, market.ladder(side)
    edge = Price(middle - facts.reward_spread if side is Side.BUY else middle + facts.reward_spread)
    found: dict[Account, int] = {}
    for price in ladder.better_or_at(edge):
        street = _worth(facts, ladder.street(price), abs(middle - price))
        found[STREET] = found.get(STREET, 0) + street
        for order in ladder.own.get(price, ()):
            found[order.account] = found.get(order.account, 0) + _score(facts, order, middle, at)
    return found


def _score(facts: MarketFacts, order: Order, middle: Price, at: Instant) -> int:
    """An order counts from `reward_age` after its placement on."""
    if at - order.created_at < facts.reward_age:
        return 0
    return _worth(facts, order.remaining, abs(middle - order.up_price))


def _worth(facts: MarketFacts, size: Shares, distance: int) -> int:
    if size < facts.reward_min or distance >= facts.reward_spread:
        return 0
    return size * (facts.reward_spread - distance) ** 2 // facts.reward_spread**2


def _middle(market: Market) -> Price | None:
    """Of the best levels that are large enough; none in a market that is closed or has none on a side."""
    if market.state is not MarketState.LISTED:
        return None
    least = market.facts.reward_min
    best = [next((at for at, size in side.levels() if size >= least), None) for side in (market.bids, market.asks)]
    bid, ask = best
    return None if bid is None or ask is None else Price((bid + ask) // 2)
