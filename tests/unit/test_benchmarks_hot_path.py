"""The path that `hot_path` times is the one that trades: from a tick to a signed order whose intent is on disk."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from benchmarks import hot_path, streams
from polystra.core.commands import PlaceOrder
from polystra.core.units import price
from polystra.edge.market_channel import FrameReader
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.order_body import read_order_body
from polystra.edge.polymarket.signing import order_id
from polystra.edge.ready import Ready
from polystra.edge.store.journal import Decided, read_journal


def test_the_tick_and_nothing_before_it_leads_to_an_order() -> None:
    engine = hot_path.trader()
    before = [command for event in hot_path.before_tick(7) for command in engine.handle(event).commands]
    assert not [command for command in before if isinstance(command, PlaceOrder)]
    (placed,) = hot_path.decided(7).commands
    assert isinstance(placed, PlaceOrder)
    assert (placed.order, placed.terms.price) == (7, price("0.5"))


def test_the_frame_of_the_tick_is_the_tick() -> None:
    tick, reader = hot_path.tick(3), FrameReader([hot_path.MARKET])
    (read,) = reader.read(streams.frame_of(hot_path.MARKET, tick), tick.at)
    assert msgspec.structs.replace(read, venue_at=None) == tick
    assert hot_path.tick(4) != tick


class Watched(hot_path.Run):
    """Looks into the files at the moment an order leaves."""

    def look_at(self, folder: Path) -> None:
        self.folder = folder
        self.left: list[tuple[Ready, int]] = []

    def send(self, ready: Sequence[Ready]) -> None:
        super().send(ready)
        for one in ready:
            if isinstance(one.command, PlaceOrder):
                with closing(sqlite3.connect(self.folder / "ledger.sqlite")) as ledger:
                    rows = ledger.execute("SELECT COUNT(*) FROM orders WHERE venue_order = ?", (one.venue_order,))
                    self.left.append((one, rows.fetchone()[0]))


@pytest.mark.parametrize("engine", [hot_path.trader, lambda: hot_path.Given(7)])
def test_what_is_timed_ends_with_a_signed_body_whose_intent_is_on_disk(
    tmp_path: Path, engine: Callable[[], hot_path.Thinks]
) -> None:
    laps: list[float] = []
    with hot_path.store(tmp_path / "run") as (journal, ledger):
        run = Watched(journal, ledger, laps)
        run.look_at(tmp_path / "run")
        asyncio.run(run.trade(engine(), 7, streams.frame_of(hot_path.MARKET, hot_path.tick(1))))
        ((ready, kept),) = run.left
    assert (len(laps), kept) == (1, 1)
    sent = read_order_body(ready.body)
    assert order_id(sent.order, STANDARD) == ready.venue_order
    assert sent.order.token == hot_path.MARKET.up_token
    with read_journal(tmp_path / "run" / "journal") as records:
        assert [one.commands for one in records if isinstance(one, Decided)][-1] == (ready.command,)


def test_a_client_orders_at_the_tick_and_not_at_a_dearer_offer() -> None:
    with closing(hot_path.intents(Path(":memory:"))) as kept:
        at_tick = hot_path.user_of(lambda: ("a body", {}), kept)
        dearer = msgspec.structs.replace(hot_path.tick(1), best_ask=price("0.51"))
        assert not at_tick(streams.frame_of(hot_path.MARKET, dearer))
        assert at_tick(streams.frame_of(hot_path.MARKET, hot_path.tick(1)))
        assert kept.execute("SELECT body FROM intents").fetchall() == [("a body",)]
