"""Writes docs/positions.md: `python -m tools.positions_doc`.

The table of what is on sale when comes from the exit plan itself, asked about one holding in one situation after
another; the situations are named here. A test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from polystra.core.exits import ExitPlan, Sells, wanted_exits
from polystra.core.fees import FeeSchedule
from polystra.core.ids import MarketId, TokenId
from polystra.core.lifecycle import MISSING_AFTER
from polystra.core.markets import Generation, Market, Series
from polystra.core.positions import FLAT, Holding, MarketPosition
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy, Rung, RungAction, StopPolicy
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Price, Shares, Tick, mirror, price, seconds, shares, show, usd
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

TAIL = """\
## What each rule needs to know

- **Stop** (`stop_price`, `stop_percent`): the bid that is really there, and that the underlying is on the losing side
  or unknown. When the stream is not to be trusted, two readings of the venue's book that agree.
- **Break-even** (`break_even_arm_percent`): whether the bid was once so far above the entry. That is remembered by the
  running bot, in the order of events, but not in the ledger: after a restart a holding arms anew. A further purchase
  changes the entry and starts it anew too.
- **Profit** (`take_profit_percent`): the bid, before the fee. Sells at that price or better, never below it.
- **Ladder** (`ladder`): the time left, and for `sell_into_bids` the strategy's estimate of the chance. The strategy
  `tilted_prior` gives none once it holds, so with it such a rung waits, and the other rules go on.
- **Pairs** (`pairs_need_no_stop`): equal Up and Down are worth 1 USD whatever happens. Stop and break-even then sell
  only what exceeds the pair.

All but stop and target are off by default. A sale that the bids do not take whole is tried again for the rest, after
1 s, 2 s, 4 s and so on.

## When shares are not there

| what is seen | what is done |
|---|---|
| bought, not on the chain yet, or not in the balance | nothing is offered, and the account is read every second |
| a trade fails | its shares and its cost are taken back |
| sold outside the bot, by hand or otherwise | booked with what it brought; the exit is for the rest, or ends |
| bought outside the bot, `outside_positions = "manage"` | looked after like our own; nothing is added or reversed |
| the same, `outside_positions = "leave"` | no part of what is held; a sale outside takes these first |
| an order of somebody else rests | told once, never cancelled on its own |
| the balance cannot be read | nothing changes; nothing new is opened |
| one reading shows other shares than the ledger | nothing is opened in this market |
| two readings show up to {small} % less | written off as an adjustment, in the open |
| two readings show nothing, no order holds it, and it is {missing} s old | closed as `missing`, market halted |
| two readings show any other difference | nothing is written over; market halted, a person is told |

Trades outside are found on the user stream and in readings: their orders are none of ours. What was traded before the
ledger's first balance was read is in that balance, and moves no cash again. With `leave`, cash from a redemption
of such shares by hand is a difference that no trade explains.

An adjustment leaves the cost where it is: what a market brought is what its trades say. Every share without an exit is
named once for each reason, with what ledger and balance show, its age and the seconds left.
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    return "\n".join([HEAD, *table(), "", TAIL.format(small=2, missing=MISSING_AFTER // 10**9)])


def table() -> Iterator[str]:
    yield "| situation | what is on sale, or why nothing is |"
    yield "|---|---|"
    for name, plan in situations():
        yield f"| {name} | {told(plan)} |"


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
    best = price(bid)
    down = replace(FLAT.down, shares=shares(beside))
    view = MarketView(
        market=MARKET,
        at=Instant(START + seconds(at)),
        bid=best,
        ask=Price(best + price("0.02")),
        trouble=more.pop("trouble", None),
        position=MarketPosition(held, down),
    )
    chances = {} if chance is None else {Outcome.UP: price(chance), Outcome.DOWN: mirror(price(chance))}
    plan = wanted_exits(view, policy, (), more.pop("allowed", Sells.ANY), chances=chances, **more)
    return replace(plan, uncovered=tuple(one for one in plan.uncovered if one[0] is Outcome.UP))


def told(plan: ExitPlan) -> str:
    orders = [
        f"**{one.terms.purpose}**: {show(one.terms.shares)} at {show(one.terms.price)} {one.terms.time_in_force}"
        + (" post-only" if one.terms.post_only else "")
        for one in plan.orders
    ]
    return "; ".join([*orders, *(f"{show(some)}: {why}" for _, some, why in plan.uncovered)]) or "nothing"


if __name__ == "__main__":
    main()
