"""Writes docs/order-lifecycle.md from the transition table: `python -m tools.lifecycle_doc`.

What a state or a piece of news means is told here, because the table cannot; a state or news without its line is an
error. A test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from polystra.core.lifecycle import MOST_RESENDS
from polystra.core.orders import TRANSITIONS, Heard, OrderState
from polystra.core.planner import RETRY_WAITS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "order-lifecycle.md"

STATES: Mapping[OrderState, str] = {
    OrderState.SUBMITTING: "The intent is recorded; the order is on its way and nothing was heard of it.",
    OrderState.WORKING: "The venue has it: it rests, or it is being matched.",
    OrderState.CANCELLING: "We asked for its end and have no answer yet. It can still trade.",
    OrderState.UNKNOWN: "We do not know whether the venue heard us. It counts as live until somebody knows.",
    OrderState.FILLED: "All of it traded, but for dust below a hundredth of a share.",
    OrderState.CANCELLED: "Over before it was whole. What it traded until then counts.",
    OrderState.EXPIRED: "Its time ran out.",
    OrderState.REFUSED: "The venue said no, or not a byte left. Nothing of it can trade.",
}

NEWS: Mapping[Heard, str] = {
    Heard.RESTS: "`OrderAccepted`: it rests in the book",
    Heard.KILLED: "`OrderAccepted` of an immediate order that did not trade whole: the rest is gone",
    Heard.REFUSED: "`OrderRefused`, for any reason but `duplicated`",
    Heard.NO_ANSWER: "`OrderOutcomeUnknown`; or refused as `duplicated`, for then its twin is there already",
    Heard.NOT_SENT: "`OrderNotSent`: it could not be signed or recorded",
    Heard.SEEN_LIVE: "`OrderReported`: the venue lists it as live",
    Heard.CANCEL_ASKED: "our own `CancelOrder`",
    Heard.CANCEL_DOUBTED: "`CancelRefused` or `CancelOutcomeUnknown`: a question, not an end",
    Heard.CANCELLED: "`OrderCancelled`",
    Heard.EXPIRED: "`OrderExpired`",
    Heard.FILLED: "its trades, or the venue's answer, say that it is whole",
    Heard.GONE: "`OrderNotFound`, and it is old enough to be believed",
}

HEAD = """\
# The life of an order

This page is written from the table `TRANSITIONS` in `core/orders.py` by `python -m tools.lifecycle_doc`. Do not edit
it; a test fails when it is stale.

Four things to know before the picture:

- How much is filled is data, never a state. A trade counts in every state, also after the end, and once by its id.
- `REFUSED` and `UNKNOWN` are never merged. Refused: the venue said no and we know it. Unknown: we do not know whether
  it heard us, so cash and shares stay reserved and the order is looked up at once and then every second.
- "Not found" on a cancel is a question. The order may have been filled in the meantime.
- News that the table does not allow is a contradiction. It changes nothing, the market is halted for entries, and a
  person is told. Exits go on.

Orders by another hand, of purpose `outside` or `left alone`, have no intent of ours. One gets a number when its first
trade is heard of and is `FILLED` from then on; its further trades count, and nothing is ever asked of it.
"""

TAIL = """\
## In doubt

A placement whose answer was lost is looked up by its id, which was known before it left. What comes of that:

- The venue has it, or its trades: it goes on as if the answer had come.
- The venue does not know it, it was to rest, and it is still wanted: the same bytes leave again, {resends} times at
  most. An order that did arrive makes the venue refuse its copy as `duplicated`, so there are never two of it.
- It is not wanted any more: it is cancelled by its id, in case it rests.
- It would have taken at once: it is never sent again. It may have been killed, which leaves no trace either.
- Nobody finds it for `doubt_patience_seconds`: it counts as gone. If it turns up after all, its trades count and what
  rests of it is taken back.

A cancel without an answer, or one that was refused, is a question as well: the order is looked up, and cancelled again
if it rests. Once its window is over one cancel of everything in that market is sent, if an order there would not go.

## After an end

A slot (market, outcome, side, purpose) whose order ended although we did not ask for it rests before the next
try: {waits} seconds, longer with each failure in a row. An accepted or filled order ends the count. A
rest for want of balance ends when a trade settles or the account is read; one for a wrong tick ends when the tick
changes. A refusal that says nothing of the order, because the venue takes less than usual ([its
mode](operating.md#when-something-goes-wrong)), makes no slot rest: all entries wait together.

After a restart every order whose end is not in the ledger is `UNKNOWN`, and the venue is asked.
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    waits = ", ".join(str(wait // 10**9) for wait in RETRY_WAITS)
    return "\n".join(
        [HEAD, *diagram(), "", *meanings(), "", *table(), "", TAIL.format(waits=waits, resends=MOST_RESENDS)]
    )


def diagram() -> Iterator[str]:
    """Moves from one state to another; what leaves a state as it is stands in the table alone."""
    yield "## The picture"
    yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {OrderState.SUBMITTING}: intent recorded"
    for before in OrderState:
        for after in OrderState:
            heard = [news for news in Heard if before is not after and TRANSITIONS.get((before, news)) is after]
            if heard:
                yield f"    {before} --> {after}: {', '.join(heard)}"
    for state in OrderState:
        if state.ended:
            yield f"    {state} --> [*]"
    yield "```"


def meanings() -> Iterator[str]:
    yield "| state | what we know |"
    yield "|---|---|"
    for state in OrderState:
        yield f"| `{state}` | {STATES[state]} |"


def table() -> Iterator[str]:
    yield "## The table"
    yield ""
    yield "A row is what the order is told, a column the state it is in, a cell the state after it. `=` leaves it as it"
    yield "is; an empty cell is illegal."
    yield ""
    yield "| told | " + " | ".join(state.capitalize() for state in OrderState) + " |"
    yield "|---|" + "---|" * len(OrderState)
    for news in Heard:
        yield f"| {news} | " + " | ".join(cell(state, news) for state in OrderState) + " |"
    yield ""
    yield "| told | which is |"
    yield "|---|---|"
    for news in Heard:
        yield f"| {news} | {NEWS[news]} |"


def cell(before: OrderState, news: Heard) -> str:
    after = TRANSITIONS.get((before, news))
    if after is None:
        return ""
    return "=" if after is before else after


if __name__ == "__main__":
    main()
