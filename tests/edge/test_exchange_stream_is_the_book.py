"""What the market stream says, applied to a fresh book, is the exchange's book: for everything that is played on it.

Real frames over loopback, into our own reader and into a plain one for each token; clients trade meanwhile, so that
background and orders stand in one book. Looked at after every row.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from polystra.app.scenarios import LIGHT, scenario_files
from polystra.core.markets import Series
from polystra.core.terms import Outcome
from polystra.core.units import Instant, seconds
from polystra.edge.tapes.format import TapeFile
from polystra.edge.tapes.library import bundled, discover
from polystra.sim.records import STREET
from tests.edge.stream_cases import Listener, Played, told

START = Instant(seconds(1_790_586_000))
LATE = 300
"""After so many rows somebody joins late."""

RECONNECT = 83
"""Every so many rows somebody loses the connection."""


def window(scenario: str) -> TapeFile:
    (file,) = scenario_files(scenario, seed=3, windows=1, start=START, series=Series("BTC", seconds(300)))
    return file


async def follow(played: Played, *, rows: int, act_every: int) -> Counter[str]:
    """Compares after every row: who follows both tokens, who follows Down and loses the connection now and then, who
    joined late for Up. Counts the kinds of all events that the first was told."""
    heard: Counter[str] = Counter()
    async with played.served() as served:
        steady = await served.listener()
        restless = await served.listener(Outcome.DOWN)
        listeners = [steady, restless]
        await compare(played, listeners)
        for row in range(1, rows):
            if not played.step():
                break
            if row % act_every == 0:
                played.act()
            if row == LATE:
                listeners.append(await served.listener(Outcome.UP))
            if row % RECONNECT == 0:
                await restless.lose()
                await restless.connect()
            if played.news() or row == LATE or row % RECONNECT == 0:
                await compare(played, listeners)
                check_order(steady.kinds)
                heard.update(steady.kinds)
                heard["rows with orders"] += played.orders_rest
    assert [listener.odd for listener in listeners] == [[]] * len(listeners)
    return heard


async def compare(played: Played, listeners: Sequence[Listener]) -> None:
    await told(listeners)
    for listener in listeners:
        listener.check(played.book)


def check_order(kinds: Sequence[str]) -> None:
    """A trade and a new tick are followed by both tokens' books."""
    for kind in ("last_trade_price", "tick_size_change"):
        if kind in kinds:
            assert kinds[::-1].index("book") < kinds[::-1].index(kind)
            assert kinds[kinds.index(kind) :].count("book") >= 2


def trades(played: Played) -> Counter[str]:
    """With whom the clients traded."""
    all_trades = played.venue.current().truth().trades
    return Counter("street" if STREET in (one.taker.account, one.maker.account) else "clients" for one in all_trades)


@pytest.mark.parametrize("scenario", LIGHT)
def test_an_invented_window_is_told_as_it_is(scenario: str) -> None:
    played = Played(window(scenario))
    heard = asyncio.run(follow(played, rows=10_000, act_every=7))
    assert heard["tick_size_change"] == 2, "once for each token"
    assert min(heard["price_change"], heard["last_trade_price"], heard["book"]) > 50
    assert min(heard["rows with orders"], trades(played)["street"]) > 50
    assert trades(played)["clients"] > 0


def test_a_whole_window_of_the_sample_is_told_as_it_is() -> None:
    """Whole books once a second, some of them crossed, and a finer tick near the end."""
    played = Played(bundled().files[0])
    heard = asyncio.run(follow(played, rows=10_000, act_every=5))
    assert heard["tick_size_change"] == 2
    assert min(heard["price_change"], heard["rows with orders"], trades(played)["street"]) > 50


@pytest.mark.parametrize(
    ("folder", "number", "rows"),
    [
        ("resolvedkit_btc15m_l2", 5, 500),
        ("cronos_btc5m_book", 0, 400),
        ("cronos_btc5m_book", 70, 400),
        ("cronos_btc5m_book", 140, 400),
        ("xx8_btc5m_ws", 0, 1_000),
    ],
)
def test_a_recorded_window_is_told_as_it_is(recordings: Path, folder: str, number: int, rows: int) -> None:
    played = Played(discover(recordings / folder).files[number])
    heard = asyncio.run(follow(played, rows=rows, act_every=5))
    assert min(heard["price_change"], heard["rows with orders"]) > 50
    assert min(heard["last_trade_price"], trades(played)["street"]) > 10
