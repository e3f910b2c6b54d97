"""Writes docs/events.md from the docstrings of events, commands and notes: `python -m tools.events_doc`.

Where the name says it all, the code has no docstring; the line for the page is then kept here. Enumerations have one
line a member here. Whatever has neither is an error. A test compares the page with what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import msgspec

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.reasons import CancelReason, RefusalReason

PAGE = Path(__file__).resolve().parent.parent / "docs" / "events.md"

LINES: Mapping[str, str] = {
    "TickSizeChanged": "The market has a finer price grid. The book starts anew.",
    "MarketResolved": "The market pays. What one Up share is worth is in `payout`.",
    "CandleClosed": "A candle of the underlying is complete.",
    "HistoryFailed": "`LoadHistory` had no answer; the past stays unknown.",
    "OrderExpired": "The order's time ran out.",
    "CancelOutcomeUnknown": "No answer to a cancel, or one that proves nothing.",
    "StreamLost": "A connection broke. No book is trusted without the market stream, nothing opened without ours.",
    "CancelOrder": "Take one order back.",
    "Unfollow": "Stop streaming a market: it is settled.",
    "MarketFollowed": "A window of a series that we trade was listed; from here on it is ours to watch.",
    "TradeStageMoved": "A trade we know went one stage further on its way to the chain.",
    "StopTriggered": "The bid is at or below the stop level: the holding is sold.",
    "BookDistrusted": "The book may be anything by now; no entry rests on it.",
    "MemoryKept": "A strategy's memory of a market changed. It gets it back after a restart.",
    "StateChanged": "The trading state was set, by whom and why.",
}

REFUSALS: Mapping[RefusalReason, str] = {
    RefusalReason.NOT_ENOUGH_BALANCE: (
        "Cash or shares are not there, or the venue has not seen them yet. Tried again when a trade of ours settles or "
        "the account is read."
    ),
    RefusalReason.OFF_TICK: "The price is not on the grid. Tried again when the tick changes.",
    RefusalReason.TOO_SMALL: "Below the market's least size, or an immediate BUY below 1 USD.",
    RefusalReason.WRONG_AMOUNTS: "Too many decimals in cash or shares.",
    RefusalReason.WOULD_CROSS: "A post-only order that would have taken.",
    RefusalReason.NOT_FILLED: "Nothing to meet for FAK, or not enough for FOK. An ordinary end.",
    RefusalReason.BAD_EXPIRY: "The expiration is too near or malformed.",
    RefusalReason.DUPLICATED: "The same bytes are there already. The order is UNKNOWN and is looked up.",
    RefusalReason.MARKET_CLOSED: "The market takes no orders, or not yet.",
    RefusalReason.RATE_LIMITED: "Too many requests. Everything waits as long as the venue says.",
    RefusalReason.RESTARTING: "The matching engine is down. Entries stop, what rests to sell stays.",
    RefusalReason.POST_ONLY_MODE: "Orders that only rest are taken. Entries stop, exits are post-only, stops wait.",
    RefusalReason.CANCEL_ONLY_MODE: "No order is taken, cancels are.",
    RefusalReason.TRADING_DISABLED: "No order is taken.",
    RefusalReason.CLOSED_ONLY: "The account may only close what it holds.",
    RefusalReason.BANNED: "The account may not trade.",
    RefusalReason.UNAUTHORIZED: "The API key, its owner or the wallet is not who may place this order.",
    RefusalReason.MALFORMED: "The request or its signature is not what the venue expects: a mistake of ours.",
    RefusalReason.NOT_SENT: "It never left.",
    RefusalReason.OTHER: "A clear no in words that we do not know.",
}

CANCELS: Mapping[CancelReason, str] = {
    CancelReason.ASKED: "We asked for it.",
    CancelReason.REMAINDER_KILLED: "An immediate order took what it could; the rest ended.",
    CancelReason.MARKET_RESOLVED: "The market is over.",
    CancelReason.BY_VENUE: "The venue did it on its own.",
    CancelReason.NOT_FOUND: "Nobody finds it and no trade of it came: it is taken as gone.",
}

STATES: Mapping[ev.TradingState, str] = {
    ev.TradingState.ARMED: "Trades.",
    ev.TradingState.PAUSED: "Opens nothing; entries that rest are taken back; exits go on.",
    ev.TradingState.REDUCE_ONLY: "Places sells alone.",
    ev.TradingState.STOPPED: "Takes everything back and places nothing.",
}

STREAMS: Mapping[ev.Stream, str] = {
    ev.Stream.MARKET: "Books and trades of everybody.",
    ev.Stream.USER: "Our own orders and trades.",
    ev.Stream.PRICES: "Prices of the underlying.",
}

HEAD = """\
# Events, commands and notes

All that the engine learns, asks for and says. This page is written from `core/events.py`, `core/commands.py` and
`core/notes.py` by `python -m tools.events_doc`. Do not edit it; a test fails when it is stale.

Prices, shares and money are millionths, times are nanoseconds since 1970 UTC. Market data is in Up terms: Down at 0.47
is Up at 0.53. Orders and fills are in the terms of their own outcome.
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    lines = [HEAD]
    lines += structures(
        "Events", "Past tense. Each has `at`, the moment we learned it, which never decreases.", ev.AnyEvent
    )
    lines += structures("Commands", "Imperative. Answers come back as events.", cm.AnyCommand)
    lines += structures("Notes", "Said when something changed, printed for people and kept in the ledger.", nt.AnyNote)
    lines += members("Refusal reasons", "Why the venue, or we before it, said no to an order.", REFUSALS, RefusalReason)
    lines += members("Cancel reasons", "How an order ended without being filled whole.", CANCELS, CancelReason)
    lines += members("Trading states", "What the engine may do. Set by `TradingStateSet`.", STATES, ev.TradingState)
    lines += members("Streams", "What can be lost and restored.", STREAMS, ev.Stream)
    return "\n".join(lines).rstrip() + "\n"


def structures(title: str, about: str, union: Any) -> Iterator[str]:
    yield from (f"## {title}", "", about, "", "| name | fields | what it says |", "|---|---|---|")
    for kind in get_args(union):
        yield f"| `{kind.__name__}` | {fields_of(kind)} | {said_of(kind)} |"
    yield ""


def members(title: str, about: str, lines: Mapping[Any, str], kind: type[StrEnum]) -> Iterator[str]:
    yield from (f"## {title}", "", about, "", "| word | meaning |", "|---|---|")
    for member in kind:
        yield f"| {member} | {lines[member]} |"
    yield ""


def fields_of(kind: type[msgspec.Struct]) -> str:
    return " ".join(f"`{field}`" for field in kind.__struct_fields__ if field != "at")


def said_of(kind: type[msgspec.Struct]) -> str:
    """The docstring on one line, its paragraphs one after the other; a line of this file where there is none."""
    if kind.__doc__ is None:
        return LINES[kind.__name__]
    return " ".join(kind.__doc__.split())


def needless_lines() -> list[str]:
    """Lines for what has a docstring, or does not exist any more."""
    silent = {kind.__name__ for union in (ev.AnyEvent, cm.AnyCommand, nt.AnyNote) for kind in get_args(union)
              if kind.__doc__ is None}  # fmt: skip
    return sorted(set(LINES) - silent)


if __name__ == "__main__":
    main()
