"""The book against the plainest model there is: two dicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.book import OrderBook
from polystra.core.events import BookChanged, Level, LevelChange
from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Nanos, Price, Shares, Tick
from tests.unit.core.samples import GRIDS

PATIENCE = Nanos(10)


@dataclass
class Naive:
    """What the venue's words mean, written down without any thought of speed."""

    tick: Price
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    unfit: str | None = "no snapshot"
    heard_at: int = 0

    @property
    def bid(self) -> int:
        return max(self.bids, default=NO_BID)

    @property
    def ask(self) -> int:
        return min(self.asks, default=NO_ASK)

    def trouble(self, at: int) -> str | None:
        if self.unfit:
            return self.unfit
        if self.bid >= self.ask:
            return "crossed"
        return "silent" if at - self.heard_at > PATIENCE else None

    def clear(self, why: str | None) -> None:
        self.bids, self.asks, self.unfit = {}, {}, why

    def put(self, side: Side, at: int, size: int) -> None:
        if at % self.tick or not 0 < at < MICRO:
            self.unfit = self.unfit or "level"
            return
        own = self.bids if side is Side.BUY else self.asks
        if size:
            own[at] = size
        else:
            own.pop(at, None)

    def compare(self, stated: int | None, ours: int, name: str) -> None:
        if stated is not None and stated != ours:
            self.unfit = self.unfit or name

    def levels(self, side: Side) -> list[tuple[int, int]]:
        own = self.bids if side is Side.BUY else self.asks
        return sorted(own.items(), reverse=side is Side.BUY)

    def depth(self, side: Side, worst: int) -> int:
        own = self.levels(side)
        return sum(size for at, size in own if (at >= worst if side is Side.BUY else at <= worst))


sides = st.sampled_from(Side)
amounts = st.one_of(st.just(0), st.integers(1, 10**9))
odd_prices = st.integers(-20_000, MICRO + 20_000)


@st.composite
def on_grid(draw: st.DrawFn, tick: Price) -> int:
    """Prices near one another and near the ends, so that levels meet."""
    places = MICRO // tick - 1
    middle = st.integers(max(1, places // 2 - 3), min(places, places // 2 + 4))
    return draw(st.one_of(middle, st.sampled_from([1, 2, places - 1, places]))) * tick


@st.composite
def levels(draw: st.DrawFn, tick: Price, side: Side) -> tuple[Level, ...]:
    prices = draw(st.lists(st.one_of(on_grid(tick), on_grid(tick), on_grid(tick), odd_prices), max_size=5, unique=True))
    prices.sort(reverse=side is Side.BUY)
    return tuple((Price(at), Shares(draw(amounts))) for at in prices)


def compare(book: OrderBook, naive: Naive, at: int, worst: int) -> None:
    assert (book.bid, book.ask) == (naive.bid, naive.ask)
    trouble, expected = book.trouble(Instant(at)), naive.trouble(at)
    assert (trouble is None) is (expected is None), (trouble, expected)
    assert trouble is None or trouble.startswith(str(expected))
    for side in Side:
        whole = naive.levels(side)
        assert book.levels(side, 99) == tuple(whole)
        assert book.levels(side, 2) == tuple(whole[:2])
        assert book.depth(side, Price(worst)) == naive.depth(side, worst)
        assert [book.size(side, Price(level)) for level, _ in whole] == [size for _, size in whole]
        assert book.size(side, Price(worst)) == dict(whole).get(worst, 0)


@given(st.data())
def test_the_book_is_what_two_dicts_say(data: st.DataObject) -> None:
    """Snapshots, changes, odd levels, stated best prices, lost streams, new grids and silences in any order."""
    tick = data.draw(st.sampled_from(GRIDS), "tick")
    book, naive, now = OrderBook(Tick(tick), PATIENCE), Naive(tick), 100
    for _ in range(data.draw(st.integers(1, 25), "steps")):
        now += data.draw(st.integers(0, 12), "time passed")
        move = data.draw(st.sampled_from(["snapshot", "change", "change", "change", "lose", "retick", "wait"]))
        if move == "snapshot":
            bids, asks = data.draw(levels(naive.tick, Side.BUY)), data.draw(levels(naive.tick, Side.SELL))
            book.replace(bids, asks, Instant(now))
            naive.clear(None)
            naive.heard_at = now
            for side, own in ((Side.BUY, bids), (Side.SELL, asks)):
                for level, size in own:
                    naive.put(side, level, size)
        elif move == "change":
            prices = st.one_of(on_grid(naive.tick), on_grid(naive.tick), on_grid(naive.tick), odd_prices)
            moves = data.draw(st.lists(st.tuples(sides, prices, amounts), min_size=1, max_size=4))
            for side, at, amount in moves:
                naive.put(side, at, amount)
            best_bid = data.draw(st.sampled_from([None, None, naive.bid, NO_BID, 500_000]))
            best_ask = data.draw(st.sampled_from([None, None, naive.ask, NO_ASK, 500_000]))
            changes = tuple(LevelChange(side, Price(at), Shares(amount)) for side, at, amount in moves)
            book.change(
                BookChanged(
                    at=Instant(now),
                    market=MarketId("0x1"),
                    changes=changes,
                    best_bid=None if best_bid is None else Price(best_bid),
                    best_ask=None if best_ask is None else Price(best_ask),
                )
            )
            naive.heard_at = now
            naive.compare(best_bid, naive.bid, "best bid")
            naive.compare(best_ask, naive.ask, "best ask")
        elif move == "lose":
            book.lose()
            naive.clear("stream lost")
        elif move == "retick":
            naive.tick = data.draw(st.sampled_from(GRIDS))
            book.retick(Tick(naive.tick))
            naive.clear("tick size changed")
        compare(book, naive, now, data.draw(st.one_of(on_grid(naive.tick), st.integers(0, MICRO)), "worst"))


@given(st.data())
def test_only_a_snapshot_restores_belief_once_it_is_lost(data: st.DataObject) -> None:
    tick = data.draw(st.sampled_from(GRIDS))
    book = OrderBook(Tick(tick), PATIENCE)
    lose = data.draw(st.sampled_from(["never had", "lost", "retick", "wrong best", "quote"]))
    if lose != "never had":
        book.replace((), (), Instant(1))
    if lose == "lost":
        book.lose()
    elif lose == "retick":
        book.retick(Tick(tick))
    elif lose == "wrong best":
        book.change(BookChanged(at=Instant(1), market=MarketId("0x1"), changes=(), best_bid=tick))
    elif lose == "quote":
        book.quote(Price(tick), Price(MICRO - tick), Instant(1))
    for _ in range(data.draw(st.integers(0, 6))):
        level = LevelChange(data.draw(sides), Price(data.draw(on_grid(tick))), Shares(data.draw(amounts)))
        book.change(BookChanged(at=Instant(1), market=MarketId("0x1"), changes=(level,)))
        assert book.trouble(Instant(1)) is not None
    book.replace(((tick, Shares(1)),), (), Instant(2))
    assert book.trouble(Instant(2)) is None
    assert (book.bid, book.ask) == (tick, NO_ASK)
