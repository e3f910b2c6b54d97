"""States what a strategy is.

A strategy is any object with the five members of `Strategy`. It sees one market at a time, decides what it would like
to hold there, and says why. It never places or cancels: wishes pass sizing and risk, exits follow the policy it names,
and the planner turns the difference into orders. It is called only on what it declared in `wakes_on`, besides news of
its own orders and fills, and only once what it waits for may have changed.
"""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import SIZE_STEP, Nanos, Price, Shares, Usd
from polystra.core.view import MarketView, Wait


class Wake(StrEnum):
    """What can call a strategy besides its clock and its own orders."""

    BEST_MOVED = "best moved"
    LEVEL_MOVED = "level moved"
    TRADE = "trade"
    ORACLE_TICK = "oracle tick"


class WakesOn(Struct, frozen=True, gc=False, kw_only=True):
    """Events that call the strategy, and its own clock: `every` nanoseconds, None for no clock."""

    events: tuple[Wake, ...] = (Wake.BEST_MOVED,)
    every: Nanos | None = None


class Needs(Struct, frozen=True, gc=False, kw_only=True):
    """What a strategy is to be shown. An entry fails closed while a strike, price or candle that it needs is unknown;
    what a lack of the others means, the strategy says itself.

    `depth` is the number of book levels in its view; `own_prices` the number of whole minutes of the market's own
    price it wants to see, `history` whether those before we followed are to be loaded.
    """

    depth: int = 0
    own_prices: int = 0
    history: bool = False
    strike: bool = False
    spot: bool = False
    candles: bool = False


class Tolerance(Struct, frozen=True, gc=False, kw_only=True):
    """How far a working order may be from the wish and still stay: by price, and by size."""

    price: Price = Price(0)
    shares: Shares = SIZE_STEP


class Wish(Struct, frozen=True, gc=False, kw_only=True):
    """An order a strategy would like to have: an outcome bought at `price` or better.

    `conviction` is 0..1 in millionths and scales the stake; `probability` is the estimate that the outcome wins, in
    millionths, which the value gate judges. A resting wish is post-only; one that is GTD is `good_for` so long, by the
    venue's clock, of which the venue itself takes the last minute off and allows three at least (`PROTOCOL.md` E.3).
    """

    outcome: Outcome
    price: Price
    conviction: int
    probability: int
    time_in_force: TimeInForce = TimeInForce.FAK
    tolerance: Tolerance = Tolerance()
    good_for: Nanos | None = None


class StopPolicy(Struct, frozen=True, gc=False, kw_only=True):
    """When to sell at a loss, on the executable bid: at `price`, yet at least `distance` below the entry, or once the
    bid is `fraction` (millionths) below cost; None is off. Not before `min_age`. `slippage` bounds the worst price
    below the bid. FAK sells what it can and the rest is tried again, FOK sells all at once or nothing."""

    price: Price | None = None
    distance: Price = Price(100_000)
    fraction: int | None = None
    min_age: Nanos = Nanos(30_000_000_000)
    slippage: Price = Price(50_000)
    time_in_force: TimeInForce = TimeInForce.FAK


class BreakEvenPolicy(Struct, frozen=True, gc=False, kw_only=True):
    """Once the bid has been `arm` (millionths) above the entry price, a bid back at entry and fees sells, at worst
    `slippage` below it."""

    arm: int
    slippage: Price = Price(50_000)


class RungAction(StrEnum):
    """What a rung of the ladder does with a holding. A sale into the bids is by value: where bid less fee is more than
    the strategy's estimate of the chance; without an estimate it waits."""

    NOTHING = "nothing"
    HOLD = "hold"
    SELL_INTO_BIDS = "sell_into_bids"


class Rung(Struct, frozen=True, gc=False):
    """From `before_end` before the window's end on, until a later rung begins."""

    before_end: Nanos
    action: RungAction


class RewardRule(StrEnum):
    """When a target that does not score for rewards is moved: never, by price alone, or only where the estimated
    reward is more than what the move concedes."""

    OFF = "off"
    ORIGINAL = "original"
    WORTH_IT = "worth_it"


class RewardPolicy(Struct, frozen=True, gc=False, kw_only=True):
    """The venue is asked whether targets score for rewards. By a `rule` one that does not, while the middle of its own
    book is above `min_mid`, is moved to `offset` above that middle, rounded up, if that is at least `min_price` and
    below the target."""

    rule: RewardRule = RewardRule.OFF
    min_mid: Price = Price(900_000)
    min_price: Price = Price(950_000)
    offset: Price = Price(10_000)


class ExitPolicy(Struct, frozen=True, gc=False, kw_only=True):
    """How what is held is sold. The first that holds of: stop, break-even, profit, a rung that sells, and a resting
    order at `target`. All but the stop, which has its own, wait until the holding is `min_age` old, which is meant for
    a window of 15 minutes and in proportion in others. Nothing is sold in the window's last `hold_last`, nor while a
    rung holds: what is held then is held to settlement.

    `profit` (millionths) sells when the bid is so far above the entry. With `pairs_need_no_stop` stop and break-even
    sell only what exceeds the equal Up and Down of a pair, which is worth 1 USD whatever happens. Pairs of so many
    shares as `keep_pairs`, or more, are not offered at a target either: somebody merges them. `rewards` None: nobody
    asks whether a target scores.
    """

    target: Price | None = None
    min_age: Nanos = Nanos(0)
    hold_last: Nanos = Nanos(0)
    stop: StopPolicy | None = None
    break_even: BreakEvenPolicy | None = None
    profit: int | None = None
    ladder: tuple[Rung, ...] = ()
    pairs_need_no_stop: bool = False
    keep_pairs: Shares | None = None
    rewards: RewardPolicy | None = None


class Decision(Struct, frozen=True, gc=False, kw_only=True):
    """What a strategy wants now: wishes, the exit policy for what is held, its memory, its reason, and what would
    change its mind. The numbers are those of SPEC X3, None where unknown; `signals` are kept beside them."""

    wishes: tuple[Wish, ...] = ()
    exits: ExitPolicy = ExitPolicy()
    memory: Struct | None = None
    reason: str
    wait: Wait
    outcome: Outcome | None = None
    probability: int | None = None
    price: Price | None = None
    fee: Usd | None = None
    edge: int | None = None
    signals: tuple[tuple[str, float | None], ...] = ()


@runtime_checkable
class Strategy(Protocol):
    """The seam between a trading idea and the engine. Implementations are values: no state but their settings."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> Needs: ...

    @property
    def wakes_on(self) -> WakesOn: ...

    @property
    def first_memory(self) -> Struct | None:
        """What it remembers of a market it never saw; its type decodes stored memories. None: it needs no memory."""

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        """Pure: the same view and memory give the same decision."""
