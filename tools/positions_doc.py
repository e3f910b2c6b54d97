"""Writes docs/positions.md: `python -m tools.positions_doc`.

The tables come from the rules themselves, asked about one holding in one situation after another, which are named in
`positions_cases`. A test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from polystra.core.lifecycle import MISSING_AFTER
from tools.positions_cases import buys, sales

PAGE = Path(__file__).resolve().parent.parent / "docs" / "positions.md"

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
- **Rewards** (`[rewards]`): the venue's word, once a minute, whether a resting target scores for liquidity rewards. A
  target is asked about once it is old enough to score. No answer, or one of more than two minutes ago, is *unknown*,
  which is never *not scoring*.
- **Pairs** (`pairs_need_no_stop`): equal Up and Down are worth 1 USD whatever happens. Stop and break-even then sell
  only what exceeds the pair. Pairs can be [merged](operating.md#merging-pairs) into cash; while a merge is on its way
  its shares are not for sale, their absence at the venue is no drift, and the window does not settle.
- **Scale-in** (`[scale_in]`): the time left, the middle of the token's book, the strategy's chance. Once a position;
  not to what a stop or a sale is ending, nor to what a reversal bought. One that rests (`order = "rest"`) stays as it
  is until it fills, is given up like any [unfilled entry](settings.md), loses its value, or its position goes.
- **Reversal** (`[reversal]`): once a window. `after_stop` spends at most the cash that came back. `hedged` buys the
  other side before the stop; the stop waits for its answer, 3 s at most, and then for `hedged_sell_at` or
  `hedged_sell_after_seconds`. A hedge that is not let through, not filled or in doubt spares nothing: the stop goes.

All but stop, target and scale-in are off by default. A sale that the bids do not take whole is tried again for the
rest, after 1 s, 2 s, 4 s and so on.

## Targets that earn no rewards

With `rewards.rule = "original"` a target that does not score, while the middle of its own book is above `min_midpoint`,
is moved to that middle plus `price_offset`, rounded up to the tick, if that is at least `min_price` and below the
target. The holding must have the market's least rewarded size. The old order is known gone before the new one is
placed. The new one stays, also when the middle moves or it scores, until the venue says of it too that it does not
score; a target moves once a minute at most. It never rests where a sale would bring less than the shares cost, both
fees counted. A maker pays none, but if a bid rises meanwhile the order may take.

Above a middle of 0.90 the venue counts the smaller of a maker's two sides, so a target alone may score by the venue's
word and still **earns nothing**. Hence this is off by default, and `"worth_it"` moves only where the estimate for the
rest of the window (daily rate, our share of the scores, both sides counted) is more than price times shares given up;
where the rate is unknown it never moves. Each move is said, with what it concedes and the estimate, and the report adds
them up. What the venue pays is not booked: earned stays unknown.

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
| two readings show other cash | nothing is opened anywhere until a reading agrees, with nothing on its way |

Trades outside are found on the user stream and in readings: their orders are none of ours. What was traded before the
ledger's first balance was read is in that balance, and moves no cash again. With `leave`, cash from a redemption
of such shares by hand is a difference that no trade explains.

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


if __name__ == "__main__":
    main()
