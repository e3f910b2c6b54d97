"""One generated window: makers and takers on one path, and what they do as rows in time."""

import heapq
from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

from msgspec import Struct

from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import Instant, Nanos, Price, Tick, seconds
from polystra.sim.messages import ChangeLevels, PrintTrade, SetBook, SetTick
from polystra.sim.scenario.chance import AVERAGE, CANDLE, Rule, Span, chance_of_up
from polystra.sim.scenario.flow import Taken, Takers
from polystra.sim.scenario.makers import Maker
from polystra.sim.scenario.path import PricePath
from polystra.sim.scenario.quotes import MakerId, Quotes
from polystra.sim.scenario.recipes import Recipe

LEAD = 180
"""Seconds before its start from which a window is quoted; the path must go back another 63."""

COARSE, FINE = Tick(Price(10_000)), Tick(Price(1_000))
_FINER_ABOVE, _FINER_BELOW = Price(960_000), Price(40_000)
"""Beyond these the venue's tick becomes finer, for good (`PROTOCOL.md` C.1)."""

_HEARD = 0.2
"""Seconds from a price of that market to whoever listens to it: far sooner than from the oracle."""

_SECOND = 1_000_000_000


class OraclePrint(Struct, frozen=True, gc=False, kw_only=True):
    """A price of the settlement oracle in millionths of a USD: a single one, or the mean of 60."""

    value: int
    stamped_at: Instant
    averaged: bool


class SpotPrint(Struct, frozen=True, gc=False, kw_only=True):
    """A price of the market whose candle settles the window, in millionths of a USD."""

    value: int
    stamped_at: Instant


Deed: TypeAlias = SetBook | ChangeLevels | PrintTrade | SetTick | OraclePrint | SpotPrint


class Row(Struct, frozen=True, gc=False):
    """Something that happened at a moment, and the best prices as they are then; `NO_BID` and `NO_ASK` for none."""

    at: Instant
    deed: Deed
    bid: Price
    ask: Price


class GeneratedWindow:
    """Plays one window once. Mutable.

    `origin` is the moment of the path's second 0, and `rng` what everybody here draws from.
    """

    def __init__(  # noqa: PLR0913 - what a window is made of, each thing once
        self,
        recipe: Recipe,
        path: PricePath,
        window: Span,
        *,
        market: MarketId,
        origin: Instant,
        rng: Random,
        rule: Rule = AVERAGE,
    ) -> None:
        """By the rule `CANDLE` the prices of its market are told too."""
        self._path = path
        self._window = window
        self._rule = rule
        self._market = market
        self._origin = origin
        self._tick = COARSE
        self._quotes = Quotes()
        self._makers = [Maker(MakerId(number), kind, rng) for number, kind in enumerate(recipe.makers)]
        self._takers = Takers(recipe.flow, rng)
        self._agenda: list[tuple[Instant, int, Callable[[Instant], Iterator[Deed]]]] = []
        self._planned = 0
        self._chances: dict[int, float] = {}

    def rows(self) -> Iterator[Row]:
        """The whole book first; moments never decrease. Quotes and trades stop at the window's end."""
        begin = self._moment(self._window.start - LEAD)
        for maker in self._makers:
            self._look(maker, begin)
        self._quotes.changes()
        yield self._row(begin, self._whole_book())
        self._begin(begin)
        while self._agenda:
            at, _, act = heapq.heappop(self._agenda)
            for deed in act(at):
                yield self._row(at, deed)
            if self._needs_finer_tick():
                self._tick = FINE
                yield self._row(at, SetTick(market=self._market, tick=FINE.size))
                yield self._row(at, self._whole_book())

    def _begin(self, begin: Instant) -> None:
        for maker in self._makers:
            self._plan(Instant(begin + seconds(maker.pause(-1))), self._maker_looks(maker))
        self._plan(Instant(begin + seconds(self._takers.pause(-1))), self._somebody_trades)
        for second in range(self._window.start - LEAD, self._window.end + 1):
            moment = self._moment(second)
            self._plan(Instant(moment + seconds(self._takers.reaction())), self._somebody_knows)
            printed = Instant(moment + seconds(self._path.heard_after(second)))
            self._plan(printed, self._printing(second, averaged=False))
            self._plan(Instant(printed + seconds(0.1)), self._printing(second, averaged=True))
            if self._rule == CANDLE:
                self._plan(Instant(moment + seconds(_HEARD)), self._printing_spot(second))

    # --- what they do

    def _maker_looks(self, maker: Maker) -> Callable[[Instant], Iterator[Deed]]:
        def look(at: Instant) -> Iterator[Deed]:
            if self._is_over(at):
                return
            self._look(maker, at)
            self._plan(Instant(at + seconds(maker.pause(self._gone(at)))), look)
            yield from self._changed()

        return look

    def _somebody_trades(self, at: Instant) -> Iterator[Deed]:
        if self._is_over(at):
            return
        self._plan(Instant(at + seconds(self._takers.pause(self._gone(at)))), self._somebody_trades)
        yield from self._traded(self._takers.trade(self._quotes))

    def _somebody_knows(self, at: Instant) -> Iterator[Deed]:
        if not self._is_over(at):
            yield from self._traded(self._takers.pick_off(self._quotes, self._chance(self._second(at))))

    def _printing(self, second: int, *, averaged: bool) -> Callable[[Instant], Iterator[Deed]]:
        def say(at: Instant) -> Iterator[Deed]:
            value = self._path.average(second) if averaged else self._path.price(second)
            yield OraclePrint(value=value, stamped_at=self._moment(second), averaged=averaged)

        return say

    def _printing_spot(self, second: int) -> Callable[[Instant], Iterator[Deed]]:
        def say(at: Instant) -> Iterator[Deed]:
            yield SpotPrint(value=self._path.price(second), stamped_at=self._moment(second))

        return say

    def _look(self, maker: Maker, at: Instant) -> None:
        chance = self._chance(self._second(at) - maker.kind.late)
        maker.look(chance, self._quotes, self._tick, gone=self._gone(at))

    # --- what it looks like

    def _traded(self, trades: Iterator[Taken]) -> Iterator[Deed]:
        """Each trade before the level that it leaves behind, as the venue says it."""
        for trade in trades:
            yield PrintTrade(market=self._market, price=trade.price, size=trade.size, taker=trade.taker)
            yield from self._changed()

    def _changed(self) -> Iterator[Deed]:
        changes = self._quotes.changes()
        if changes:
            yield ChangeLevels(market=self._market, changes=changes)

    def _whole_book(self) -> SetBook:
        return SetBook(market=self._market, bids=self._quotes.levels(Side.BUY), asks=self._quotes.levels(Side.SELL))

    def _row(self, at: Instant, deed: Deed) -> Row:
        return Row(at, deed, self._quotes.best(Side.BUY), self._quotes.best(Side.SELL))

    def _needs_finer_tick(self) -> bool:
        if self._tick is FINE:
            return False
        return self._quotes.best(Side.BUY) > _FINER_ABOVE or self._quotes.best(Side.SELL) < _FINER_BELOW

    # --- time

    @property
    def _lasts(self) -> Nanos:
        return Nanos((self._window.end - self._window.start) * _SECOND)

    def _gone(self, at: Instant) -> float:
        """The part of the window that is over; below zero before its start."""
        return (at - self._moment(self._window.start)) / self._lasts

    def _plan(self, at: Instant, act: Callable[[Instant], Iterator[Deed]]) -> None:
        self._planned += 1
        heapq.heappush(self._agenda, (at, self._planned, act))

    def _moment(self, second: int) -> Instant:
        return Instant(self._origin + second * _SECOND)

    def _second(self, at: Instant) -> int:
        return (at - self._origin) // _SECOND

    def _is_over(self, at: Instant) -> bool:
        return at >= self._moment(self._window.end)

    def _chance(self, second: int) -> float:
        """The same to all who look at one second."""
        if second not in self._chances:
            self._chances[second] = chance_of_up(self._path, self._window, second, self._rule)
        return self._chances[second]
