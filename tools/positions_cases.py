"""One holding in one situation after another, and what the rules of core say to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from polystra.core.asks import Asked
from polystra.core.exits import ExitPlan, Sells, wanted_exits
from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, OrderId, TokenId, TradeId
from polystra.core.markets import Generation, Market, RewardTerms, Series
from polystra.core.orders import Fill, Order, OrderState
from polystra.core.positions import FLAT, Holding, MarketPosition
from polystra.core.reversal import ReversalRules, wanted_reversals
from polystra.core.rewards import RewardWatch
from polystra.core.scale_in import ScaleInRules, wanted_scale_ins
from polystra.core.strategy import (
    BreakEvenPolicy,
    ExitPolicy,
    RewardPolicy,
    RewardRule,
    Rung,
    RungAction,
    StopPolicy,
)
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Price, Shares, Tick, Usd, mirror, price, seconds, shares, show, usd
from polystra.core.view import MarketView

START = Instant(seconds(900_000))

MARKET = Market(
    id=MarketId("0x01"),
    slug="btc-updown-15m",
    series=Series("BTC", seconds(900)),
    up_token=TokenId("1"),
    down_token=TokenId("2"),
    start=START,
    end=Instant(START + seconds(900)),
    tick=Tick(price("0.01")),
    min_shares=shares(5),
    fees=FeeSchedule(rate=70_000),
    generation=Generation.CLOB_V2,
)
HELD = Holding(
    outcome=Outcome.UP,
    shares=shares(10),
    settled=shares(10),
    paid=usd("5.40"),
    cost=usd("5.57"),
    bought=shares(10),
    opened_at=START,
)
STOP = StopPolicy(price=price("0.30"), min_age=seconds(30))
TARGET = ExitPolicy(target=price("0.99"), min_age=seconds(60), stop=STOP)
SCALE_IN = ScaleInRules()
NOT_STOPPING: Mapping[Outcome, Price] = {}
REVERSAL = ReversalRules(after_stop=True, hedged=True)
LADDER = (Rung(seconds(60), RungAction.SELL_INTO_BIDS), Rung(seconds(20), RungAction.HOLD))


def sales() -> Iterator[tuple[str, str]]:
    for name, plan in situations():
        yield name, told(plan)


def buys() -> Iterator[tuple[str, str]]:
    yield "451 s left, bid 0.70", added(at=449)
    yield "450 s left, bid 0.70", added()
    yield 'the same, `order = "rest"`', added(replace(SCALE_IN, rests=True))
    yield "the same, and grown once already", added(orders=(grown(),))
    yield "chance unknown", added(chance=None)
    yield "middle of the book below 0.60", added(bid="0.58")
    yield "middle of the book above 0.90", added(bid="0.91")
    yield "a stop sells it now", added(ending=frozenset({Outcome.UP}))
    yield "stopped 10 s ago, 2 USD came back, Down asked 0.80", reversed_(stopped(), after=10)
    yield "the same, 30 s ago", reversed_(stopped(), after=30)
    yield "the stop holds, `hedged`", reversed_(stopping={Outcome.UP: price("0.30")})


def situations() -> Iterator[tuple[str, ExitPlan]]:
    yield "bought, not settled yet", asked(held=replace(HELD, settled=Shares(0)))
    yield "settled, 40 s old", asked(at=40)
    yield "60 s old", asked(at=60)
    yield "60 s old, four shares alone", asked(at=60, held=replace(HELD, shares=shares(4), settled=shares(4)))
    yield "29 s old, bid 0.20", asked(at=29, bid="0.20")
    yield "30 s old, bid 0.20", asked(at=30, bid="0.20")
    yield "bid 0.20, and nobody can trust the book", asked(bid="0.20", trouble="stream lost")
    yield "nobody bids", asked(bid="0")
    yield "bid 0.20, the venue takes resting orders alone", asked(bid="0.20", allowed=Sells.RESTING)
    yield "the venue takes no orders", asked(allowed=Sells.NONE)
    guarded = replace(TARGET, break_even=BreakEvenPolicy(arm=200_000))
    yield "`break_even_arm_percent = 20`, never armed, bid 0.55", asked(guarded, bid="0.55")
    yield "the same, after a bid of 0.65", asked(guarded, bid="0.55", armed={Outcome.UP: shares(10)})
    yield "`take_profit_percent = 20`, bid 0.70", asked(replace(TARGET, profit=200_000), bid="0.70")
    rungs = replace(TARGET, ladder=LADDER)
    name = '`ladder = [[60, "sell_into_bids"], [20, "hold"]]`, 50 s left, bid 0.70, chance 0.60'
    yield name, asked(rungs, at=850, bid="0.70", chance="0.60")
    yield "the same, chance 0.80", asked(rungs, at=850, bid="0.70", chance="0.80")
    yield "the same, chance unknown", asked(rungs, at=850, bid="0.70")
    yield "the same, 20 s left", asked(rungs, at=880, bid="0.70", chance="0.60")
    yield (
        "`hold_last_seconds = 120`, 100 s left, bid 0.20",
        asked(replace(TARGET, hold_last=seconds(120)), at=800, bid="0.20"),
    )
    yield "`hedged`, bid 0.20, the hedge is on its way", asked(bid="0.20", hedging=REVERSAL, orders=(hedge(at=299),))
    yield "the same, unanswered for 3 s", asked(bid="0.20", hedging=REVERSAL, orders=(hedge(at=297),))
    hedged = hedge(at=200, state=OrderState.FILLED)
    yield "the same, the hedge filled 100 s ago", asked(bid="0.20", hedging=REVERSAL, orders=(hedged,))
    yield "the same, bid 0.15", asked(bid="0.15", hedging=REVERSAL, orders=(hedged,))
    yield (
        "the same, the hedge filled 120 s ago, bid 0.20",
        asked(at=320, bid="0.20", hedging=REVERSAL, orders=(hedged,)),
    )
    yield (
        "`pairs_need_no_stop`, six Down beside, bid 0.20",
        asked(replace(TARGET, pairs_need_no_stop=True), bid="0.20", beside="6"),
    )
    for rule in (RewardRule.ORIGINAL, RewardRule.WORTH_IT):
        yield f'`rule = "{rule}"`, bid 0.95, ask 0.97, the target scores', rewarded(rule, scoring=True)
        yield "the same, it does not score", rewarded(rule, scoring=False)
    yield '`rule = "original"` again, the venue did not answer', rewarded(RewardRule.ORIGINAL, scoring=None)
    yield (
        "the same, it does not score, but was bought at 0.97",
        rewarded(RewardRule.ORIGINAL, scoring=False, cost="9.72"),
    )
    yield (
        "the same, bought at 0.54, but 50 is the least size that is rewarded",
        rewarded(RewardRule.ORIGINAL, scoring=False, least="50"),
    )


def asked(
    policy: ExitPolicy = TARGET,
    *,
    at: float = 300,
    bid: str = "0.52",
    held: Holding = HELD,
    beside: str = "0",
    chance: str | None = None,
    **more: Any,
) -> ExitPlan:
    """The exit plan of the one holding; of Down beside it only what it does to Up."""
    down = replace(FLAT.down, shares=shares(beside))
    view = replace(seen(at, bid, MarketPosition(held, down)), trouble=more.pop("trouble", None))
    chances = {} if chance is None else {Outcome.UP: price(chance), Outcome.DOWN: mirror(price(chance))}
    plan = wanted_exits(view, policy, more.pop("orders", ()), more.pop("allowed", Sells.ANY), chances=chances, **more)
    return replace(plan, uncovered=tuple(one for one in plan.uncovered if one[0] is Outcome.UP))


def added(rules: ScaleInRules = SCALE_IN, *, at: float = 450, bid: str = "0.70", **more: Any) -> str:
    """What is added to the one holding."""
    chance = more.pop("chance", 800_000)
    asked_for = wanted_scale_ins(
        seen(at, bid, MarketPosition(HELD, FLAT.down)),
        rules,
        more.pop("orders", ()),
        more.pop("ending", frozenset()),
        {Outcome.UP: chance},
    )
    return asks(asked_for)


def reversed_(*orders: Order, after: float = 0, stopping: Mapping[Outcome, Price] = NOT_STOPPING) -> str:
    """What is bought instead of the holding, or beside it, once its stop has sold `after` seconds ago."""
    held = replace(HELD, shares=Shares(0), settled=Shares(0), realised=usd("-3.57")) if orders else HELD
    view = seen(300 + after, "0.20", MarketPosition(held, FLAT.down))
    return asks(wanted_reversals(view, REVERSAL, orders, stopping, {Outcome.DOWN: 850_000}))


def seen(at: float, bid: str, position: MarketPosition) -> MarketView:
    """The market so many seconds after its start, two cents wide."""
    best = price(bid)
    return MarketView(
        market=MARKET,
        at=Instant(START + seconds(at)),
        bid=best,
        ask=Price(best + price("0.02")),
        trouble=None,
        position=position,
    )


def asks(asked_for: Asked) -> str:
    said = [
        f"**{one.purpose}**: {one.wish.outcome} at {show(one.wish.price)} {one.wish.time_in_force}, "
        + (f"{show(one.shares)} shares" if one.shares is not None else f"for {show(one.most or Usd(0))} USD at most")
        for one in asked_for.asks
    ]
    return "; ".join([*said, *(f"nothing: {one.limit} {one.value}" for _, one in asked_for.denied)]) or "nothing"


def order(purpose: Purpose, outcome: Outcome, at: float, fill: Fill | None, state: OrderState) -> Order:
    side = Side.SELL if purpose is Purpose.STOP else Side.BUY
    terms = OrderTerms(
        market=MARKET.id,
        outcome=outcome,
        side=side,
        purpose=purpose,
        price=price("0.70"),
        shares=shares(10),
        time_in_force=TimeInForce.FAK,
    )
    decided = Instant(START + seconds(at))
    return Order(
        id=OrderId(9),
        terms=terms,
        decided_at=decided,
        state_at=decided,
        state=state,
        fills=() if fill is None else (fill,),
    )


def traded(at: float, worth: str) -> Fill:
    return Fill(
        trade=TradeId("t"),
        price=price(worth),
        shares=shares(10),
        liquidity=Liquidity.MAKER,
        stage=TradeStage.CONFIRMED,
        at=Instant(START + seconds(at)),
    )


def grown() -> Order:
    return order(Purpose.SCALE_IN, Outcome.UP, 100, traded(100, "0.60"), OrderState.FILLED)


def stopped() -> Order:
    return order(Purpose.STOP, Outcome.UP, 300, traded(300, "0.20"), OrderState.FILLED)


def hedge(at: float, state: OrderState = OrderState.SUBMITTING) -> Order:
    done = state is OrderState.FILLED
    return order(Purpose.REVERSAL, Outcome.DOWN, at, traded(at, "0.70") if done else None, state)


def rewarded(rule: RewardRule, *, scoring: bool | None, cost: str = "5.57", least: str = "10") -> ExitPlan:
    """The exit plan after the venue's word of a target at 0.99, in a market that pays its makers 1,000 USD a day."""
    policy = replace(TARGET, rewards=RewardPolicy(rule=rule))
    terms = RewardTerms(min_shares=shares(least), max_spread=price("0.045"), min_age=seconds(30), daily=usd(1_000))
    (order,) = asked(bid="0.95").orders
    target = Order(id=OrderId(1), terms=order.terms, decided_at=START, state=OrderState.WORKING, state_at=START)
    held = replace(HELD, cost=usd(cost))
    view = replace(seen(300, "0.95", MarketPosition(held, FLAT.down)), market=replace(MARKET, rewards=terms))
    watch = RewardWatch()
    watch.hear(target.id, scoring, view.at)
    watch.move(view, policy, (target,), lambda: dict.fromkeys(Side, ()))
    return asked(policy, bid="0.95", held=held, moves=watch.moves)


def told(plan: ExitPlan) -> str:
    orders = [
        f"**{one.terms.purpose}**: {show(one.terms.shares)} at {show(one.terms.price)} {one.terms.time_in_force}"
        + (" post-only" if one.terms.post_only else "")
        for one in plan.orders
    ]
    return "; ".join([*orders, *(f"{show(some)}: {why}" for _, some, why in plan.uncovered)]) or "nothing"
