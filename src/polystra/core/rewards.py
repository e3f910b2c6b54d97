"""Watches whether targets earn liquidity rewards, and says where one that does not should rest instead.

The venue is asked about each resting target once a minute. A target is moved only on its word: it said, of this very
order and lately, that it does not score. No answer is no word. So a moved target, which is another order, stays until
the venue says of it too that it does not score, whatever the middle does meanwhile; and it is moved at most once a
minute. It never rests below what gives a taker back what the shares cost: a maker pays no fee, but a bid that rises
while the order is on its way makes a taker of it.

What was moved is a fact of the desk, in the order of events. The ledger does not keep it: after a restart a target
that rests below the policy's is taken for one that was moved.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.events import Level
from polystra.core.ids import OrderId
from polystra.core.markets import Score
from polystra.core.notes import RewardMoved
from polystra.core.orders import Order, OrderState
from polystra.core.positions import Holding
from polystra.core.reward_share import Resting, estimated_reward, others, resting
from polystra.core.sales import break_even_price
from polystra.core.strategy import ExitPolicy, RewardPolicy, RewardRule
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side
from polystra.core.units import Instant, Nanos, Price, Usd, cost_of, seconds
from polystra.core.view import NEVER, MarketView, middle_of

PERIOD = seconds(60)
"""How often the venue is asked about an order, and at most how often a target is moved."""

BELIEVED = Nanos(2 * PERIOD)
"""How old an answer may be that is acted on, or shown."""

Levels: TypeAlias = Callable[[], Mapping[Side, tuple[Level, ...]]]
"""Both sides of the book in Up terms, ours among them."""


class Word(Struct, frozen=True, gc=False):
    """What the venue said of an order, and when we heard it."""

    score: Score
    at: Instant


class Move(Struct, frozen=True, gc=False, kw_only=True):
    """Where the target of a holding was moved to, from where, and when that was decided. `told`: an order of ours has
    rested there since, and a person was told."""

    price: Price
    before: Price
    at: Instant
    estimate: Usd | None = None
    told: bool = False


Moves: TypeAlias = Mapping[Outcome, Move]

UNMOVED: Moves = MappingProxyType({})


class RewardWatch:
    """What a desk remembers of rewards. Mutable: when each order was asked about, the venue's last word of it, and the
    targets that were moved."""

    def __init__(self) -> None:
        self.moves: Moves = UNMOVED
        self._asked: dict[OrderId, Instant] = {}
        self._words: dict[OrderId, Word] = {}
        self._begun = False

    def due(self, view: MarketView, live: Iterable[Order]) -> tuple[tuple[OrderId, ...], Instant]:
        """The resting targets to ask about now, which counts as done; and when the next one is due. None is asked
        about before it is old enough to score."""
        if view.left <= 0:
            return (), NEVER
        terms = view.market.rewards
        age = 0 if terms is None else terms.min_age
        due: list[OrderId] = []
        looks: list[Instant] = []
        for order in _targets(live):
            last = self._asked.get(order.id)
            at = Instant(order.state_at + age if last is None else last + PERIOD)
            if at <= view.at:
                due.append(order.id)
                self._asked[order.id] = view.at
                at = Instant(view.at + PERIOD)
            looks.append(at)
        return tuple(due), min(looks, default=NEVER)

    def hear(self, order: OrderId, scoring: bool | None, at: Instant) -> Score | None:
        """The venue's word of an order; what it is now if that is news."""
        before = self._words.get(order)
        score = _score(scoring)
        self._words[order] = Word(score, at)
        return None if before is not None and before.score is score else score

    def score(self, order: OrderId, at: Instant) -> Score:
        """The venue's last word, unless it is too old."""
        word = self._words.get(order)
        return Score.UNKNOWN if word is None or at - word.at > BELIEVED else word.score

    def move(self, view: MarketView, policy: ExitPolicy, live: Iterable[Order], levels: Levels) -> None:
        """Forget moves of what is not held any more, and move each target that the policy would have elsewhere."""
        rewards = policy.rewards
        if rewards is None or rewards.rule is RewardRule.OFF or policy.target is None:
            self.moves = UNMOVED
            return
        orders, target = tuple(live), view.market.tick.up(policy.target)
        if not self._begun:
            self._begun = True
            self.moves = _remembered(rewards, target, orders)
        moves = {outcome: move for outcome, move in self.moves.items() if view.position.of(outcome).shares > 0}
        for order in _targets(orders):
            if self.score(order.id, view.at) is Score.NOT_SCORING:
                middle = _others_middle(order.terms.outcome, orders, levels)
                moved = _moved(view, rewards, order, target, moves.get(order.terms.outcome), middle)
                if moved is not None:
                    worth = _estimate(view, order, moved.price, orders, levels)
                    if rewards.rule is RewardRule.ORIGINAL or (worth is not None and worth > _conceded(order, moved)):
                        moves[order.terms.outcome] = replace(moved, estimate=worth)
        self.moves = moves

    def placed(self, order: OrderId, terms: OrderTerms) -> tuple[RewardMoved, ...]:
        """What to say of an order that is placed where a target was moved to: once for each move."""
        move = self.moves.get(terms.outcome)
        if move is None or move.told or terms.purpose is not Purpose.TARGET or terms.price != move.price:
            return ()
        self.moves = {**self.moves, terms.outcome: replace(move, told=True)}
        conceded = cost_of(move.before, terms.shares) - cost_of(move.price, terms.shares)
        note = RewardMoved(
            order=order,
            market=terms.market,
            outcome=terms.outcome,
            before=move.before,
            after=move.price,
            shares=terms.shares,
            conceded=Usd(conceded),
            estimate=move.estimate,
        )
        return (note,)


def target_price(view: MarketView, target: Price, holding: Holding, move: Move | None) -> Price:
    """Where a target rests: where it was moved to while that is below it and brings what the shares cost."""
    if move is None or move.price >= target:
        return target
    least = break_even_price(view.market, holding)
    return target if least is None or move.price < least else move.price


def rewarded_price(
    view: MarketView, policy: RewardPolicy, holding: Holding, target: Price, middle: Price | None
) -> Price | None:
    """Where the rule would have a target that does not score, by the `middle` of its token's book without our own
    orders: it would follow itself else. None where the rule leaves it."""
    if view.trouble is not None or middle is None or middle <= policy.min_mid:
        return None
    wanted = view.market.tick.up(middle + policy.offset)
    if not policy.min_price <= wanted < target:
        return None
    least = break_even_price(view.market, holding)
    return None if least is None or wanted < least else wanted


def _others_middle(outcome: Outcome, orders: Iterable[Order], levels: Levels) -> Price | None:
    """The middle of the book as others made it; None where nobody else is on one side."""
    left = others(levels(), _at_rest(orders))
    bids, asks = ([at for at, size in left[side].items() if size > 0] for side in Side)
    return middle_of(max(bids), min(asks), outcome) if bids and asks else None


def _at_rest(orders: Iterable[Order]) -> list[Resting]:
    return [resting(one.terms, one.remaining) for one in orders if not one.terms.time_in_force.immediate]


def _moved(
    view: MarketView, policy: RewardPolicy, order: Order, target: Price, before: Move | None, middle: Price | None
) -> Move | None:
    """The move of a target that does not score; None where its size could not score either, or it moved just now."""
    terms = view.market.rewards
    if terms is None or order.remaining < terms.min_shares or view.left <= 0:
        return None
    if before is not None and view.at - before.at < PERIOD:
        return None
    wanted = rewarded_price(view, policy, view.position.of(order.terms.outcome), target, middle)
    if wanted is None or wanted == order.terms.price:
        return None
    return Move(price=wanted, before=order.terms.price, at=view.at)


def _estimate(view: MarketView, order: Order, wanted: Price, orders: Iterable[Order], levels: Levels) -> Usd | None:
    terms = view.market.rewards
    if terms is None or terms.daily is None:
        return None
    now: dict[OrderId, Resting] = {
        one.id: resting(one.terms, one.remaining) for one in orders if not one.terms.time_in_force.immediate
    }
    then = {**now, order.id: resting(replace(order.terms, price=wanted), order.remaining)}
    return estimated_reward(terms, levels(), now.values(), then.values(), view.left)


def _conceded(order: Order, move: Move) -> int:
    return cost_of(order.terms.price, order.remaining) - cost_of(move.price, order.remaining)


def _targets(live: Iterable[Order]) -> Iterable[Order]:
    return (one for one in live if one.terms.purpose is Purpose.TARGET and one.state is OrderState.WORKING)


def _remembered(policy: RewardPolicy, target: Price, live: Iterable[Order]) -> Moves:
    """Targets that rested below the policy's before we knew of them."""
    return {
        one.terms.outcome: Move(price=one.terms.price, before=target, at=one.decided_at, told=True)
        for one in live
        if one.terms.purpose is Purpose.TARGET and policy.min_price <= one.terms.price < target
    }


def _score(scoring: bool | None) -> Score:
    if scoring is None:
        return Score.UNKNOWN
    return Score.SCORING if scoring else Score.NOT_SCORING
