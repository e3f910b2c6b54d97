"""Frames that are lost, doubled, late, swapped or wrong: our reader notices by the best prices that come along, stops
trusting its book, and has the exchange's again from the next whole book on.

What it cannot notice is what nobody says: a level behind the best that was lost stays wrong until the next whole book.
"""

import asyncio
from collections import Counter
from random import Random

import pytest

from polystra.app.scenarios import scenario_files
from polystra.core.markets import Series
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Fault, Switch
from tests.edge.stream_cases import Listener, Played

ROWS = 1_500
LATE = Nanos(400_000_000)
CALM = 3
"""So many told rows after a fault nothing of it is on its way any more."""


def window() -> TapeFile:
    start = Instant(seconds(1_790_586_000))
    (file,) = scenario_files("volatile", seed=5, windows=1, start=start, series=Series("BTC", seconds(300)))
    return file


class Hearing:
    """What came of it. Mutable. `calm` counts the told rows since the last fault struck."""

    def __init__(self, played: Played, listener: Listener) -> None:
        self._played = played
        self._listener = listener
        self._hits = 0
        self.calm = 0
        self.saw: Counter[str] = Counter()

    async def hear(self) -> None:
        await self._listener.hear()
        hits = sum(self._played.faults.hits.values())
        self.calm = 0 if hits != self._hits else self.calm + 1
        self._hits = hits
        self.saw["untrusted" if self._listener.trouble else "trusted"] += 1

    def check(self) -> None:
        """In a calm: after a change no book with wrong best prices is trusted, after a whole book nothing is wrong."""
        book, listener = self._played.book, self._listener
        if self.calm < CALM or not listener.kinds or listener.kinds[-1] not in ("price_change", "book"):
            return
        if listener.kinds[-1] == "book":
            listener.check(book)
            self.saw["whole"] += 1
            return
        ours, theirs = (listener.book.bid, listener.book.ask), (book.bids[0][0], book.asks[0][0])
        self.saw["agreed" if ours == theirs else "noticed"] += 1
        assert ours == theirs or listener.trouble is not None


async def suffer(fault: Fault, only: str = "") -> tuple[Played, Hearing, Listener]:
    """A window in which about every eighth row is struck."""
    chance, played = Random(11), Played(window())
    async with played.served() as served:
        listener = await served.listener()
        await listener.hear()
        hearing = Hearing(played, listener)
        for row in range(ROWS):
            if chance.random() < 1 / 8:
                played.faults.switch_on(Switch(fault=fault, where="market", delay=LATE, only=only))
            if row % 7 == 0:
                played.act()
            played.step()
            if played.news():
                await hearing.hear()
                hearing.check()
    assert played.faults.hits[fault] > 20
    return played, hearing, listener


@pytest.mark.parametrize("fault", [Fault.FRAME_LOST, Fault.FRAME_LATE, Fault.FRAMES_SWAPPED])
def test_changes_that_go_astray_are_noticed_and_a_whole_book_heals(fault: Fault) -> None:
    _, hearing, listener = asyncio.run(suffer(fault, only='"event_type":"price_change"'))
    assert listener.odd
    assert min(hearing.saw["untrusted"], hearing.saw["agreed"], hearing.saw["whole"]) > 10, hearing.saw


@pytest.mark.parametrize("fault", [Fault.FRAME_LOST, Fault.FRAME_LATE, Fault.FRAMES_SWAPPED])
def test_any_frame_that_goes_astray_leaves_no_wrong_best_price_trusted(fault: Fault) -> None:
    _, hearing, _ = asyncio.run(suffer(fault))
    assert min(hearing.saw["agreed"], hearing.saw["whole"]) > 10, hearing.saw


def test_a_frame_that_comes_twice_changes_nothing() -> None:
    _, hearing, listener = asyncio.run(suffer(Fault.FRAME_TWICE))
    assert (listener.odd, hearing.saw["untrusted"], hearing.saw["noticed"]) == ([], 0, 0)


def test_wrong_best_prices_end_the_trust_at_once_though_the_levels_are_right() -> None:
    """Every one of them: the exchange's own book was never empty."""
    played, hearing, listener = asyncio.run(suffer(Fault.BEST_WRONG))
    wrong = [words for words in listener.odd if words.startswith("core: best bid")]
    assert len(wrong) >= played.faults.hits[Fault.BEST_WRONG] / 2
    assert hearing.saw["whole"] > 10
    assert hearing.saw["noticed"] == 0


def test_a_book_that_never_came_is_not_trusted_before_the_next_one() -> None:
    async def begin() -> None:
        played = Played(window())
        async with played.served() as served:
            played.step()
            played.faults.switch_on(Switch(fault=Fault.FRAME_LOST, where="market"))
            listener = await served.listener()
            await listener.hear()
            assert (listener.kinds, listener.trouble) == ([], "no snapshot yet")
            assert played.faults.hits[Fault.FRAME_LOST] == 1
            changes = 0
            while "book" not in listener.kinds:
                played.step()
                await listener.hear()
                changes += "price_change" in listener.kinds
                assert listener.trouble == "no snapshot yet" or "book" in listener.kinds
            assert changes
            listener.check(played.book)

    asyncio.run(begin())


def test_a_finer_tick_that_nobody_told_is_in_the_book_that_follows() -> None:
    async def play() -> None:
        played = Played(window())
        tick = Switch(fault=Fault.FRAME_LOST, where="market", times=None, only='"event_type":"tick_size_change"')
        played.faults.switch_on(tick)
        async with played.served() as served:
            listener = await served.listener()
            while played.step():
                if played.news():
                    await listener.hear()
                    listener.check(played.book)
            assert (played.faults.hits[Fault.FRAME_LOST], listener.odd) == (2, [])
            assert listener.book.tick.size == played.book.tick == 1_000

    asyncio.run(play())
