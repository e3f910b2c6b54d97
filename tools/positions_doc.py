"""Writes docs/positions.md: `python -m tools.positions_doc`.

The table of what is on sale when comes from the exit plan itself, asked about one holding in one situation after
another; the situations are named here. A test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from polystra.core.asks import Asked
from polystra.core.exits import ExitPlan, Sells, wanted_exits
from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, OrderId, TokenId, TradeId
from polystra.core.lifecycle import MISSING_AFTER
from polystra.core.markets import Generation, Market, Series
from polystra.core.orders import Fill, Order, OrderState
from polystra.core.positions import FLAT, Holding, MarketPosition
from polystra.core.reversal import ReversalRules, wanted_reversals
from polystra.core.scale_in import ScaleInRules, wanted_scale_ins
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy, Rung, RungAction, StopPolicy
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Price, Shares, Tick, Usd, mirror, price, seconds, shares, show, usd
from polystra.core.view import MarketView

START = Instant(seconds(900_000))

PAGE = Path(__file__).resolve().parent.parent / "docs" / "positions.md"

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
REVERSAL = ReversalRules(after_stop=True, hedged=True)
LADDER = (Rung(seconds(60), RungAction.SELL_INTO_BIDS), Rung(seconds(20), RungAction.HOLD))

HEAD = """\
# Positions and their exits

This page is written by `python -m tools.positions_doc`. Do not edit it; a test fails when it is stale.

A holding is what its fills add up to, and the adjustments that a person can read in the ledger. Nothing else is
stored. After every event the bot says from scratch which sells the holding needs; the difference to what is live is
what it places and cancels. So there is one exit at a time on a token, and it is never for more than has settled and
the venue's balance shows.

```mermaid
flowchart TD
    W[entry: a strategy's wish, past value and risk] --> A
    H -->|late, winning, chance worth its price: once| I[scale-in: more of the same]
    I --> A
    S -->|all sold at a loss: once| R[reversal: the other side]
    R --> A
    A[bought: MATCHED] -->|MINED, and the balance shows it| B[settled]
    B --> C{held to settlement now?}
    C -->|last seconds, or a rung that holds| Z[settlement]
    C -->|no| D{bid at the stop?}
    D -->|yes| S[sell into the bids]
    D -->|no| E{armed, and the bid back at entry and fees?}
    E -->|yes| S
    E -->|no| F{bid at the profit?}
    F -->|yes| S
    F -->|no| G{a rung that sells, and bid less fee above the chance?}
    G -->|yes| S
    G -->|no| H[rest at the target once old enough]
    H -->|never filled| Z
    S -->|a rest is left| B
```

## What is on sale when

Ten Up bought at 0.54, target 0.99 from an age of 60 s, stop at 0.30 from 30 s. Each row is what the exit plan itself
answers; with settings as they are by default unless the row names one.
"""

BOUGHT = """\
## What is bought beside the strategy's entries

The same ten Up. A scale-in adds to what is held, a reversal buys the other side of what is stopped. Both are sized and
then pass value and risk like any entry, with the strategy's estimate of the chance; where it gives none nothing is
bought. Each row is what the rules themselves answer, with `[scale_in]` as by default and all of `[reversal]` on.
"""

TAIL = """\
## What each rule needs to know

- **Stop** (`stop_price`, `stop_percent`): the bid that is really there, and that the underlying is on the losing side
  or unknown. When the stream is not to be trusted, two readings of the venue's book that agree.
- **Break-even** (`break_even_arm_percent`): whether the bid was once so far above the entry. That is kept in the
  ledger. A further purchase changes the entry and starts it anew.
- **Profit** (`take_profit_percent`): the bid, before the fee. Sells at that price or better, never below it.
- **Ladder** (`ladder`): the time left, and for `sell_into_bids` the strategy's estimate of the chance. While it
  is unknown such a rung waits, and the other rules go on.
- **Pairs** (`pairs_need_no_stop`): equal Up and Down are worth 1 USD whatever happens. Stop and break-even then sell
  only what exceeds the pair.
- **Scale-in** (`[scale_in]`): the time left, the middle of the token's book, the strategy's chance. Once a position;
  not to what a stop or a sale is ending, nor to what a reversal bought. One that rests (`order = "rest"`) stays as it
  is until it fills, is given up like any [unfilled entry](settings.md), loses its value, or its position goes.
- **Reversal** (`[reversal]`): once a window. `after_stop` spends at most the cash that came back. `hedged` buys the
  other side before the stop; the stop waits for its answer, 3 s at most, and then for `hedged_sell_at` or
  `hedged_sell_after_seconds`. A hedge that is not let through, not filled or in doubt spares nothing: the stop goes.

All but stop, target and scale-in are off by default. A sale that the bids do not take whole is tried again for the
rest, after 1 s, 2 s, 4 s and so on.

## When shares are not there

| what is seen | what is done |
|---|---|
| bought, not on the chain yet, or not in the balance | nothing is offered, and the account is read every second |
| a trade fails | its shares and its cost are taken back |
| the balance cannot be read | nothing changes; nothing new is opened |
| one reading shows other shares than the ledger | nothing is opened in this market |
| two readings show up to {small} % less | written off as an adjustment, in the open |
| two readings show nothing, no order holds it, and it is {missing} s old | closed as `missing`, market halted |
| two readings show any other difference | nothing is written over; market halted, a person is told |

An adjustment leaves the cost where it is: what a market brought is what its trades say. Every share without an exit is
named once for each reason, with what ledger and balance show, its age and the seconds left.
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    sold = table("what is on sale, or why nothing is", sales())
    bought = table("what is bought, before value and risk", buys())
    tail = TAIL.format(small=2, missing=MISSING_AFTER // 10**9)
    return "\n".join([HEAD, *sold, "", BOUGHT, *bought, "", tail])


def table(head: str, rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    yield f"| situation | {head} |"
    yield "|---|---|"
    for name, answer in rows:
        yield f"| {name} | {answer} |"


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
    yield "the stop holds, `hedged`", reversed_(stopping=frozenset({Outcome.UP}))


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
    yield "the same, bought 100 s ago", asked(bid="0.20", hedging=REVERSAL, orders=(hedged,))
    yield "the same, bid 0.15", asked(bid="0.15", hedging=REVERSAL, orders=(hedged,))
    yield "the same, bought 120 s ago, bid 0.20", asked(at=320, bid="0.20", hedging=REVERSAL, orders=(hedged,))
    yield (
        "`pairs_need_no_stop`, six Down beside, bid 0.20",
        asked(replace(TARGET, pairs_need_no_stop=True), bid="0.20", beside="6"),
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


def reversed_(*orders: Order, after: float = 0, stopping: frozenset[Outcome] = frozenset()) -> str:
    """What is bought instead of the holding, or beside it, once its stop has sold `after` seconds ago."""
    held = replace(HELD, shares=Shares(0), settled=Shares(0), realised=usd("-3.57")) if orders else HELD
    view = seen(300 + after, "0.20", MarketPosition(held, FLAT.down))
    return asks(wanted_reversals(view, REVERSAL, orders, stopping, {Outcome.DOWN: 850_000}))


def seen(at: float, bid: str, position: MarketPosition) -> MarketView:
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


def told(plan: ExitPlan) -> str:
    orders = [
        f"**{one.terms.purpose}**: {show(one.terms.shares)} at {show(one.terms.price)} {one.terms.time_in_force}"
        + (" post-only" if one.terms.post_only else "")
        for one in plan.orders
    ]
    return "; ".join([*orders, *(f"{show(some)}: {why}" for _, some, why in plan.uncovered)]) or "nothing"


if __name__ == "__main__":
    main()
