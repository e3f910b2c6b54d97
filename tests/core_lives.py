"""Draws short lives of one market from a seed: its settings, what is held at the start, its books and its troubles."""

from __future__ import annotations

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core.markets import PriceSource
from polystra.core.reversal import ReversalRules
from polystra.core.risk import Limits
from polystra.core.rules import Rules
from polystra.core.scale_in import ScaleInRules
from polystra.core.sizing import StakeRules
from polystra.core.strategy import (
    BreakEvenPolicy,
    Decision,
    ExitPolicy,
    Needs,
    Rung,
    RungAction,
    StopPolicy,
    WakesOn,
    Wish,
)
from polystra.core.terms import Outcome, TimeInForce, TradeStage
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, Usd, price, seconds, shares, usd
from polystra.core.view import MarketView
from tests.core_cases import LIMITS, moment
from tests.unit.core.samples import WINDOW

MS = seconds(0.001)
STRIKE = 1_000
SURE = price("0.99")


class Believer(Struct, frozen=True, kw_only=True):
    """Buys its outcomes while they are not held, `most` times in all; is sure that the dearer side wins, or `knows`
    nothing."""

    buys: tuple[Outcome, ...]
    most: int
    rests: bool
    knows: bool
    exits: ExitPolicy

    @property
    def name(self) -> str:
        return "believer"

    @property
    def needs(self) -> Needs:
        return Needs()

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn()

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        dearer = Outcome.UP if view.bid + view.ask >= MICRO else Outcome.DOWN
        missing = [one for one in self.buys if not view.position.of(one).shares and view.entries_made < self.most]
        wishes = tuple(wish for one in missing if (wish := self._wish(view, one)) is not None)
        return Decision(
            wishes=wishes,
            exits=self.exits,
            reason=f"{len(wishes)}",
            wait=view.pinned(),
            outcome=dearer if self.knows else None,
            probability=SURE if self.knows else None,
        )

    def _wish(self, view: MarketView, outcome: Outcome) -> Wish | None:
        at = view.bid_of(outcome) if self.rests else view.ask_of(outcome)
        kind = TimeInForce.GTC if self.rests else TimeInForce.FAK
        if at is None:
            return None
        return Wish(outcome=outcome, price=at, conviction=0, probability=SURE, time_in_force=kind)


class Held(Struct, frozen=True, kw_only=True):
    """Shares that an earlier life bought, and whether a target of them rests."""

    outcome: Outcome
    shares: Shares
    price: Price
    bought_at: Instant
    stage: TradeStage
    target_rests: bool


class Setting(Struct, frozen=True, kw_only=True):
    """All that is drawn before a life begins. `lag` is how long the venue's balance hides new shares;
    a `slow` venue lets some questions wait for seconds."""

    start: Instant
    steps: int
    cash: Usd
    rules: Rules
    believer: Believer
    held: tuple[Held, ...]
    lag: Nanos
    sales_fail: bool
    slow: bool


def setting(seed: int) -> Setting:
    dice = Random(seed)
    start = moment(dice.choice([0, 300, 700, 840, 870, 885]))
    policy = _policy(dice, Nanos(WINDOW.end - start))
    both = dice.random() < 0.3
    side = dice.choice(list(Outcome))
    return Setting(
        start=start,
        steps=dice.randint(12, 36),
        cash=dice.choice([usd(1_000), usd(10), usd(4)]),
        rules=_rules(dice, Nanos(WINDOW.end - start)),
        believer=Believer(
            buys=tuple(Outcome) if both else (side,),
            most=dice.choice([0, 1, 2, 4]),
            rests=dice.random() < 0.3,
            knows=dice.random() < 0.9,
            exits=policy,
        ),
        held=_holdings(dice, start, side, policy) if dice.random() < 0.75 else (),
        lag=Nanos(dice.choice([0, 0, 0, 500, 3_000]) * MS),
        sales_fail=dice.random() < 0.2,
        slow=dice.random() < 0.2,
    )


def _policy(dice: Random, left: Nanos) -> ExitPolicy:
    """Any mixture of rules, with rungs for the part that is lived."""
    rungs = [Rung(Nanos(left - seconds(step * 3)), dice.choice(list(RungAction))) for step in range(dice.randint(0, 3))]
    stop = StopPolicy(
        price=dice.choice([None, price("0.35"), price("0.55")]),
        distance=Price(20_000),
        fraction=dice.choice([None, 100_000]),
        min_age=dice.choice([Nanos(0), seconds(2)]),
        time_in_force=dice.choice([TimeInForce.FAK, TimeInForce.FAK, TimeInForce.FOK]),
    )
    return ExitPolicy(
        target=dice.choice([None, price("0.90"), price("0.70"), price("0.99")]),
        min_age=dice.choice([Nanos(0), Nanos(0), seconds(4)]),
        hold_last=dice.choice([Nanos(0), Nanos(0), Nanos(0), Nanos(max(left - seconds(6), 0))]),
        stop=stop if dice.random() < 0.8 else None,
        break_even=BreakEvenPolicy(arm=20_000) if dice.random() < 0.25 else None,
        profit=300_000 if dice.random() < 0.2 else None,
        ladder=tuple(rungs) if dice.random() < 0.4 else (),
        pairs_need_no_stop=dice.random() < 0.3,
    )


def _rules(dice: Random, left: Nanos) -> Rules:
    late = Nanos(left - seconds(2))
    grows = ScaleInRules(
        time_left=dice.choice([seconds(900), late]),
        min_price=price("0.50"),
        max_price=price("0.95"),
        multiplier=dice.choice([1_500_000, 600_000]),
        rests=dice.random() < 0.5,
    )
    turns = ReversalRules(
        after_stop=dice.random() < 0.6,
        hedged=dice.random() < 0.7,
        within=seconds(5),
        sell_at=dice.choice([price("0.15"), price("0.30")]),
        sell_after=dice.choice([seconds(3), seconds(120)]),
    )
    return Rules(
        limits=_limits(dice),
        stakes=StakeRules(fraction=MICRO, max_stake=usd(6)),
        book_patience=dice.choice([seconds(1_000), seconds(3)]),
        doubt_patience=seconds(20),
        reading_every=dice.choice([seconds(2), seconds(10)]),
        unfilled=UnfilledRules(timeout=seconds(300), threshold=100_000, retry_above=0) if dice.random() < 0.3 else None,
        scale_in=grows if dice.random() < 0.6 else None,
        reversal=turns if dice.random() < 0.6 else None,
    )


def _limits(dice: Random) -> Limits:
    return replace(
        LIMITS,
        max_market=dice.choice([usd(100), usd(9)]),
        min_edge=0,
        min_time_left=dice.choice([seconds(0), seconds(5), seconds(15)]),
    )


def _holdings(dice: Random, start: Instant, side: Outcome, policy: ExitPolicy) -> tuple[Held, ...]:
    return tuple(
        Held(
            outcome=outcome,
            shares=shares(dice.choice(["5", "10", "12.5", "20", "3"])),
            price=Price(dice.randint(30, 70) * 10_000),
            bought_at=Instant(start - dice.randint(0, 40) * 1_000 * MS),
            stage=dice.choice([TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED]),
            target_rests=policy.target is not None and dice.random() < 0.5,
        )
        for outcome in Outcome
        if outcome is side or dice.random() < 0.3
    )


class Restart(Struct, frozen=True):
    """The process ends and begins anew, with what its ledger kept."""

    at: Instant


# --- what befalls ----------------------------------------------------------------------------------------------------


def days(seed: int, start: Instant) -> list[ev.AnyEvent | Restart]:
    """Books that wander and jump, on whole hundredths of a second, and what else may come between."""
    dice = Random(seed + 1)
    at, middle = start, dice.choice([dice.randint(30, 50), dice.randint(50, 80)])
    told: list[ev.AnyEvent | Restart] = [_book(at, middle, dice)]
    if dice.random() < 0.3:
        told.append(_printed(at, STRIKE, WINDOW.start))
    trend = dice.choice([-6, -2, 0, 2, 6])
    for _ in range(20):
        at = Instant(at + dice.choice([1, 10, 50, 50, 100, 300]) * 10 * MS)
        middle = min(max(middle + trend + dice.choice([-15, -3, -1, 0, 0, 1, 3, 10]), 3), 97)
        if dice.random() < 0.15:
            trend = -trend
        chance = dice.random()
        if chance < 0.12:
            told.append(_trouble(at, dice))
        elif chance < 0.17:
            told.append(Restart(at))
        else:
            told.append(_book(at, middle, dice))
    return told


def _trouble(at: Instant, dice: Random) -> ev.AnyEvent:
    match dice.randint(0, 5):
        case 0:
            return ev.StreamLost(at=at, stream=ev.Stream.MARKET)
        case 1:
            return ev.StreamLost(at=at, stream=ev.Stream.USER)
        case 2:
            return ev.ClockCompared(at=at, ahead=seconds(dice.choice([-11, 0, 11])))
        case 3:
            return _printed(at, STRIKE + dice.randint(-3, 3), at)
        case 4:
            return ev.GeoblockRead(at=at, blocked=dice.random() < 0.3, place="US")
        case _:
            state = dice.choice([ev.TradingState.ARMED, *ev.TradingState])
            return ev.TradingStateSet(at=at, state=state, who="a person", why="a test")


def _printed(at: Instant, value: int, stamped_at: Instant) -> ev.PricePrinted:
    return ev.PricePrinted(at=at, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=value, stamped_at=stamped_at)


def _book(at: Instant, middle: int, dice: Random) -> ev.BookSnapshot:
    bid, ask = middle - dice.randint(0, 2), middle + dice.randint(1, 2)
    if dice.random() < 0.04:
        bid, ask = ask, bid
    lots = Shares(dice.choice([8, 5_000, 5_000]) * MICRO)
    bids = ((Price(bid * 10_000), lots),) if 0 < bid < 100 and dice.random() > 0.04 else ()
    asks = ((Price(ask * 10_000), lots),) if 0 < ask < 100 and dice.random() > 0.04 else ()
    return ev.BookSnapshot(at=at, market=WINDOW.id, bids=bids, asks=asks)
