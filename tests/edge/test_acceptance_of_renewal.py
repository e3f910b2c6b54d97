"""A whole trader whose market stream changes its connection every few seconds, with orders on their way meanwhile."""

from collections import Counter

import aiohttp

from polystra.app.connection import Habits
from polystra.app.exchange_clock import TimeMode
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.book import OrderBook
from polystra.core.terms import Outcome, Side
from polystra.core.units import Nanos, price, seconds, shares
from polystra.edge.store.journal import Seen, read_journal
from polystra.edge.tapes.format import TapeEvent
from polystra.exchange.faults import Fault
from tests.edge.execution_cases import MARKET, Scheduled, Told, commanded, legs, noted
from tests.edge.running_stage import Run, play_running
from tests.edge.wire_stage import WireOutcomes, WireStage, exchange_truth
from tests.edge.wish_cases import changed
from tests.truth import after, book, printed, tape_file, wish

__all__ = ["exchange_truth"]

EVERY = 2
END = 28
"""Seconds: how long a connection is used, and when the run is over."""

LATE = 6
"""Seconds by which the answers to placements come late, so that each order is on its way across a renewal."""

PRINTED = [half / 2 for half in range(30)]
"""Seconds at which others trade, often enough that some do while two connections stand side by side."""


def _moving() -> list[TapeEvent]:
    """Four books a second, all different, and trades between them; at last Up can be had for less than ever before."""
    events: list[TapeEvent] = []
    for quarter in range(-20, 4 * (END + 5)):
        cheap = quarter >= 4 * 15
        bids, asks = ("0.38x{} 0.37x90", "0.40x{} 0.41x90") if cheap else ("0.50x{} 0.49x90", "0.52x{} 0.53x90")
        size = 200 + quarter % 7
        events.append(book(MARKET, quarter / 4, bids.format(size), asks.format(size + 1)))
    events += [printed(MARKET, second + 0.1, "0.52", "3", Side.BUY) for second in PRINTED]
    return events


def test_no_book_is_distrusted_and_no_order_lost_across_renewals(exchange_truth: WireStage) -> None:
    exchange_truth.settings = changed(exchange_truth.settings, unfilled={"cancel_orders": False})
    renewed: dict[float, int] = {}
    hits: dict[str, int] = {}

    async def connects(run: Run) -> None:
        late = {"fault": Fault.REPLY_LATE, "where": "POST /order", "times": None, "delay": seconds(LATE)}
        async with aiohttp.ClientSession() as session, session.post(f"{run.place.control}/faults", json=late) as told:
            assert told.status == 200

    async def direct(run: Run) -> None:
        for second in (8.5, 13.5, 20.5, 25.5, END):
            await run.until(after(second))
            renewed[second] = run.far._market_feed.renewals
        async with aiohttp.ClientSession() as session, session.get(f"{run.place.control}/faults") as told:
            hits.update((await told.json())["hits"])

    rests = Told(8, 60, 0, wish(Outcome.UP, "0.45", rests=True))
    takes = Told(20, 60, 1, wish(Outcome.UP, "0.40"))
    run = play_running(
        exchange_truth.folder,
        exchange_truth.settings,
        [tape_file(MARKET, _moving())],
        Scheduled((rests, takes)),
        mode=TimeMode.RECORDED,
        speed=4,
        connects=connects,
        direct=direct,
        habits=Habits(renew_every=Nanos(seconds(EVERY))),
    )
    assert hits[Fault.REPLY_LATE] == 2
    assert renewed[13.5] > renewed[8.5]
    assert renewed[25.5] > renewed[20.5]
    events = _all_events(run)
    placed, accepted = commanded(run, cm.PlaceOrder), [one.at for one in events if isinstance(one, ev.OrderAccepted)]
    assert len(placed) == len(accepted) == 2
    assert all(answered - sent >= seconds(LATE) for sent, answered in zip(placed, accepted, strict=True))
    assert [leg.price for leg in legs(run, Side.BUY)] == [price("0.45"), price("0.40")]
    assert not [one for one in events if isinstance(one, ev.StreamLost)]
    assert noted(run, nt.BookDistrusted) == []
    _heard_every_trade_once(run, events)
    _never_doubted_the_book(run, events)
    run.agree()


def _all_events(run: WireOutcomes) -> list[ev.AnyEvent]:
    (path,) = run.folder.glob("*.plj")
    with read_journal(path) as records:
        return [record.event for record in records if isinstance(record, Seen)]


def _heard_every_trade_once(run: WireOutcomes, events: list[ev.AnyEvent]) -> None:
    ours = Counter((leg.price, leg.shares) for leg in legs(run, Side.BUY))
    others = Counter({(price("0.52"), shares("3")): len(PRINTED)})
    assert Counter((one.price, one.size) for one in events if isinstance(one, ev.TradePrinted)) == ours + others


def _never_doubted_the_book(run: WireOutcomes, events: list[ev.AnyEvent]) -> None:
    """As the engine folds what it heard; in the end it is the exchange's."""
    ours = OrderBook(MARKET.tick, seconds(5))
    for event in events:
        if isinstance(event, ev.BookSnapshot):
            ours.replace(event.bids, event.asks, event.at)
        elif isinstance(event, ev.BookChanged):
            ours.change(event)
            assert ours.trouble(event.at) is None
    theirs = run.floor.standing.venue.book(MARKET.id)
    assert ours.levels(Side.BUY, 9) == tuple(theirs.bids)
    assert ours.levels(Side.SELL, 9) == tuple(theirs.asks)
