"""One window as it is told to an engine, all from one seed: books and prices, and what else may befall."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from polystra.core import events as ev
from polystra.core.markets import PriceSource
from polystra.core.terms import Side
from polystra.core.units import MICRO, Instant, Price, Shares, seconds
from tests.core_cases import moment
from tests.unit.core.samples import NOON, WINDOW

MS = seconds(0.001)
STRIKE = 1_000


def market_day(seed: int, length: float) -> list[ev.AnyEvent]:
    """Books and prices of one window, on whole hundredths of a second: wandering, one-sided and crossed ones too."""
    dice = Random(seed)
    events: list[ev.AnyEvent] = [
        ev.PricePrinted(
            at=NOON, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=STRIKE, stamped_at=WINDOW.start
        )
    ]
    at, middle = NOON, dice.choice([dice.randint(30, 50), dice.randint(50, 70)])
    while at < moment(length):
        at = Instant(at + dice.choice([1, 5, 50, 200, 500]) * 10 * MS)
        middle = min(max(middle + dice.choice([-12, -3, -1, -1, 0, 1, 1, 3]), 3), 97)
        chance = dice.random()
        if chance < 0.15:
            events.append(
                ev.PricePrinted(
                    at=at,
                    asset="BTC",
                    source=PriceSource.CHAINLINK_TWAP_60,
                    value=STRIKE + dice.randint(-3, 3),
                    stamped_at=at,
                )
            )
        elif chance < 0.35:
            deep = ev.LevelChange(Side.BUY, Price(10_000), Shares(dice.randint(1, 9) * MICRO))
            events.append(ev.BookChanged(at=at, market=WINDOW.id, changes=(deep,)))
        else:
            events.append(_book(at, middle, dice))
    return events


def _book(at: Instant, middle: int, dice: Random) -> ev.AnyEvent:
    bid, ask = middle - dice.randint(0, 2), middle + dice.randint(1, 2)
    if dice.random() < 0.05:
        bid, ask = ask, bid
    lots = Shares(5_000 * MICRO)
    bids = ((Price(bid * 10_000), lots),) if 0 < bid < 100 and dice.random() > 0.05 else ()
    asks = ((Price(ask * 10_000), lots),) if 0 < ask < 100 and dice.random() > 0.05 else ()
    return ev.BookSnapshot(at=at, market=WINDOW.id, bids=bids, asks=asks)


def weather(seed: int, length: float) -> list[ev.AnyEvent]:
    """Streams that break, clocks that drift and laws that change; all is well again at the end."""
    dice = Random(seed + 1)
    events: list[ev.AnyEvent] = []
    for _ in range(dice.randint(0, 3)):
        at = moment(dice.randint(0, int(length * 90)) / 100)
        end = Instant(at + dice.randint(1, 8) * 1_000 * MS)
        match dice.randint(0, 2):
            case 0:
                events.append(ev.StreamLost(at=at, stream=ev.Stream.MARKET))
            case 1:
                events.append(ev.ClockCompared(at=at, ahead=seconds(dice.choice([-11, 9, 11]))))
                events.append(ev.ClockCompared(at=end, ahead=seconds(0)))
            case _:
                events.append(ev.GeoblockRead(at=at, blocked=True, place="US"))
                events.append(ev.GeoblockRead(at=end, blocked=False, place="IE"))
    return events


def in_order(*days: Iterable[ev.AnyEvent]) -> list[ev.AnyEvent]:
    return sorted((event for day in days for event in day), key=lambda event: event.at)
