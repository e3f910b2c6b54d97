"""A clock with hands, a wait that is a list, and the events that tests of the inbox put into it."""

import asyncio
from collections.abc import Iterable
from typing import Any

from polystra.app.inbox import Inbox
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId
from polystra.core.terms import Side
from polystra.core.units import Instant, price, shares

ONE, TWO = MarketId("0x1"), MarketId("0x2")
NOWHEN = Instant(0)


class Hands:
    """A clock whose hands are moved by the test."""

    def __init__(self, at: int = 1_000) -> None:
        self.at = at

    def now(self) -> Instant:
        return Instant(self.at)


def change(market: MarketId, side: Side, at: str, size: str, **stated: Any) -> ev.BookChanged:
    level = ev.LevelChange(side, price(at), shares(size))
    return ev.BookChanged(at=NOWHEN, market=market, changes=(level,), **stated)


def snapshot(market: MarketId) -> ev.BookSnapshot:
    bids, asks = ((price("0.40"), shares(10)),), ((price("0.60"), shares(10)),)
    return ev.BookSnapshot(at=NOWHEN, market=market, bids=bids, asks=asks)


def trade(market: MarketId) -> ev.TradePrinted:
    return ev.TradePrinted(at=NOWHEN, market=market, price=price("0.50"), size=shares(1))


def account_news(order: int = 1) -> ev.OrderExpired:
    return ev.OrderExpired(at=NOWHEN, order=OrderId(order))


async def rest_of(inbox: Inbox) -> list[ev.AnyEvent]:
    return [event async for event in inbox]


def read_all(inbox: Inbox) -> list[ev.AnyEvent]:
    inbox.close()
    return asyncio.run(rest_of(inbox))


def passed_through(*events: ev.AnyEvent) -> list[ev.AnyEvent]:
    """What comes out when all of these wait in the queue at once."""
    inbox = Inbox(Hands())
    for event in events:
        inbox.put(event)
    return read_all(inbox)


def kinds(events: Iterable[ev.AnyEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


class Patience:
    """Lets time pass in steps that the test lists; at the end of the list nothing will ever come."""

    def __init__(self, hands: Hands, *steps: int) -> None:
        self.hands = hands
        self.steps = list(steps)
        self.asked: list[int | None] = []

    async def __call__(self, alarm: Instant | None) -> bool:
        self.asked.append(alarm)
        if not self.steps:
            return False
        self.hands.at = self.steps.pop(0)
        return True
