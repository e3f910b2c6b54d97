"""The venue without a wire: the pure exchange, its time, its members and its listings.

Requests of clients and news of the market arrive as calls, each at the clock's moment; before each, whatever fell due
happens at its own. An order in its taker hold is answered later, so `place` waits. What the exchange says is handed to
the listeners, which are the streams. Nothing here knows HTTP, and nothing knows where the market comes from: whoever
plays it (scenario, test) calls `feed`, and a recording calls `play`.

What changes the venue is one input of one moment, told to its record before anything is done about it (`inputs`). The
same inputs, done again by `redo`, make the same venue.
"""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, TypeAlias, TypeVar

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, Nanos, Usd
from polystra.edge.clock import Clock
from polystra.exchange.inputs import Asked, Listed, MemberChanged, NoRecord, NoticesDropped, Played, Record
from polystra.exchange.listings import InvalidListing, Listing
from polystra.exchange.members import Member, MemberChange, Members
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.records import Account, Book
from polystra.sim.rules import Rules

News: TypeAlias = sim.Output | Listing | Asked | NoticesDropped
"""What a listener hears: an output of the exchange, a market that was listed, or an input about which the exchange says
nothing itself: a deposit as it was asked for, and notifications that were dropped."""

Listener: TypeAlias = Callable[[Sequence[News]], None]
OrderFate: TypeAlias = sim.OrderAccepted | sim.OrderRejected

_T = TypeVar("_T")

_STATED = sim.SetBook | sim.ChangeLevels

STRANGER = "00000000-0000-0000-0000-000000000000"
"""The API key of whoever trades without one: everybody in the recording."""


class Venue:
    """Mutable; lives on one event loop. `tolerance` is how far a request's own time may be off, None for any.

    `on_due` is called when `next_due` may have changed, `on_wait` with the future that a request begins to wait for.
    """

    def __init__(
        self, *, rules: Rules, rng: Random, clock: Clock, members: Members, tolerance: Nanos | None = None
    ) -> None:
        self._exchange = Exchange(rules, rng)
        self._clock = clock
        self._now = Instant(0)
        self._held: dict[VenueOrderId, asyncio.Future[OrderFate]] = {}
        self._sleepers: list[tuple[Instant, int, Callable[[], None]]] = []
        self._slept = 0
        self.members = members
        self.tolerance = tolerance
        self.coming: dict[MarketId, Listing] = {}
        self.listings: dict[MarketId, Listing] = {}
        self.tokens: dict[TokenId, tuple[Listing, Outcome]] = {}
        self.changed_at: dict[MarketId, Instant] = {}
        self.closed_at: dict[MarketId, Instant] = {}
        self.payouts: dict[MarketId, Usd] = {}
        self.last_sides: dict[MarketId, Side] = {}
        self.restrictions: dict[Account, sim.Restriction] = {}
        self.listeners: list[Listener] = []
        self.on_due: Callable[[], None] = lambda: None
        self.on_wait: Callable[[asyncio.Future[Any]], None] = lambda _: None
        self.builders: dict[VenueOrderId, str] = {}
        self._placed: dict[VenueOrderId, str] = {}
        self._record: Record = NoRecord()
        members.on_change = self._member_changes

    # --- its record

    def keep(self, record: Record) -> None:
        """Tell this record from now on, instead of an earlier one."""
        self._record = record

    def go_by(self, clock: Clock) -> None:
        """Take the time from this clock from now on; if it is behind, time stands still until it has caught up."""
        self._clock = clock

    def redo(self, one: Asked | Listed | MemberChanged | NoticesDropped) -> None:
        """An input that was taken before; the clock shows its moment. One that was refused then is refused again."""
        if isinstance(one, MemberChanged):
            self.members.redo(one.member)
            return
        self.advance()
        with contextlib.suppress(ValueError):
            match one:
                case Asked():
                    self._ask(one)
                case Listed():
                    self._list(one)
                case NoticesDropped():
                    self._say((one,))

    def _member_changes(self, change: MemberChange) -> None:
        self._record.took(MemberChanged(at=self.now(), member=change))

    def seed_for(self, use: str) -> bytes:
        """Of a chance that the venue's seed decides and that draws nothing from its own."""
        return self._exchange.seed_for(use)

    # --- time

    def now(self) -> Instant:
        """The clock's moment, but never an earlier one than before."""
        self._now = max(self._now, self._clock.now())
        return self._now

    def next_due(self) -> Instant | None:
        """When something will happen by itself."""
        dues = [self._exchange.next_due(), self._sleepers[0][0] if self._sleepers else None]
        return min((due for due in dues if due is not None), default=None)

    def advance(self) -> Instant:
        """Lets what fell due by now happen, each at its own moment; returns this moment."""
        now = self.now()
        while (due := self.next_due()) is not None and due <= now:
            while self._sleepers and self._sleepers[0][0] <= due:
                heapq.heappop(self._sleepers)[2]()
            outputs = self._exchange.advance(due)
            self._tell(outputs)
            for output in outputs:
                if isinstance(output, OrderFate):
                    self._decide(output)
        return now

    async def until(self, instant: Instant) -> None:
        """Waits for a moment of the venue's time; not at all for one that is over."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleep(instant, partial(_resolve, waiting, None))
        self.on_wait(waiting)
        await waiting

    def later(self, delay: Nanos, act: Callable[[], None]) -> None:
        """Acts after so long of the venue's time, without anybody waiting for it; not on the venue itself."""
        self._sleep(Instant(self.now() + delay), act)

    def _sleep(self, until: Instant, act: Callable[[], None]) -> None:
        self._slept += 1
        heapq.heappush(self._sleepers, (max(until, self._now), self._slept, act))
        self.on_due()

    # --- what clients ask

    def ask(self, request: sim.Request) -> sim.Answer | None:
        """The answer that comes at once: to everything but an order in its hold, and news of the market."""
        return self._take(Asked(at=self.advance(), asked=request))

    def drop_notices(self, accounts: Sequence[Account], numbers: Sequence[str]) -> None:
        """What these accounts were notified of is forgotten: of these numbers, or all of it when none is given."""
        dropped = NoticesDropped(at=self.advance(), accounts=tuple(accounts), numbers=tuple(numbers))
        self._record.took(dropped)
        self._say((dropped,))

    async def place(self, order: sim.Submit, member: Member, builder: str = "") -> OrderFate:
        """Waits out the taker hold."""
        answer = self._take(Asked(at=self.advance(), asked=order, key=member.api_key, builder=builder))
        if answer is None:
            self._held[order.order] = held = asyncio.get_running_loop().create_future()
            self.on_wait(held)
            answer = await held
        assert isinstance(answer, OrderFate)
        return answer

    def _take(self, asked: Asked) -> sim.Answer | None:
        self._record.took(asked)
        return self._ask(asked)

    def _ask(self, asked: Asked) -> sim.Answer | None:
        request = asked.asked
        if isinstance(request, sim.Submit):
            return self._submit(request, asked)
        outputs = self._do(request, asked.at)
        if isinstance(request, sim.SetRestriction):
            self.restrictions[request.account] = request.restriction
        if isinstance(request, sim.Deposit):
            self._say((asked,))
        return _answer(outputs)

    def _submit(self, order: sim.Submit, asked: Asked) -> sim.Answer | None:
        """A name that was placed before keeps its key, whatever becomes of the copy."""
        new = asked.key != "" and order.order not in self._placed
        if new:
            self._placed[order.order] = asked.key
            if asked.builder:
                self.builders[order.order] = asked.builder
        answer = _answer(self._do(order, asked.at))
        if new and isinstance(answer, sim.OrderRejected):
            self._forget(order.order)
        return answer

    def _decide(self, fate: OrderFate) -> None:
        """The end of an order's hold. Nobody waits for it if the venue was made again meanwhile."""
        if isinstance(fate, sim.OrderRejected):
            self._forget(fate.order)
        held = self._held.pop(fate.order, None)
        if held is not None:
            _resolve(held, fate)

    def _forget(self, order: VenueOrderId) -> None:
        self._placed.pop(order, None)
        self.builders.pop(order, None)

    def _do(self, request: sim.Request, at: Instant) -> list[sim.Output]:
        outputs = self._exchange.handle(request, at)
        self._tell(outputs)
        self.on_due()
        return outputs

    def key_of(self, order: VenueOrderId) -> str:
        """The API key that placed an order."""
        return self._placed.get(order, STRANGER)

    def current(self) -> Exchange:
        """The exchange as it is now, to be read."""
        self.advance()
        return self._exchange

    def book(self, market: MarketId) -> Book:
        """A book as it stands, without letting anything fall due: for listeners, in the middle of what happens."""
        return self._exchange.book(market)

    def holders(self, market: MarketId) -> tuple[Account, ...]:
        """Who owns shares of a market, without letting anything fall due: for listeners too."""
        return self._exchange.holders(market)

    # --- what happens to the market

    def feed(self, news: Listing | sim.Request) -> None:
        """A market to list, or what the world does to one. Raises ValueError for what cannot be."""
        if isinstance(news, sim.ListMarket):
            raise InvalidListing(f"market {news.market.id}: hand over a Listing, clients need its name and contracts")
        if isinstance(news, Listing):
            listed = Listed(at=self.advance(), listed=news)
            self._record.took(listed)
            self._list(listed)
        else:
            self.ask(news)

    def announce(self, listing: Listing) -> None:
        """The recordings' next step: the catalogue shows a market that nobody can trade yet."""
        self._record.took(Played(at=self.advance()))
        self.coming[listing.facts.id] = listing

    def play(self, news: Sequence[Listing | sim.Request]) -> None:
        """The recordings' next step, all of one moment. A book that is stated as it stands is published again: the
        stream is alive. Raises ValueError for what cannot be."""
        at = self.advance()
        self._record.took(Played(at=at))
        for one in news:
            if isinstance(one, Listing):
                self._list(Listed(at=at, listed=one))
            elif not self._do(one, at) and isinstance(one, _STATED):
                self._do(sim.Publish(market=one.market), at)

    def _list(self, listed: Listed) -> None:
        listing, facts = listed.listed, listed.listed.facts
        self._do(sim.ListMarket(market=facts), listed.at)
        self.coming.pop(facts.id, None)
        self.listings[facts.id] = listing
        self.tokens[facts.up_token] = (listing, Outcome.UP)
        self.tokens[facts.down_token] = (listing, Outcome.DOWN)
        self._say((listing,))
        self._do(sim.Publish(market=facts.id), listed.at)

    def _tell(self, outputs: Sequence[sim.Output]) -> None:
        for output in outputs:
            self._record.did(output)
            match output:
                case sim.PublicBook() | sim.PublicLevels():
                    self.changed_at[output.market] = output.at
                case sim.PublicTrade():
                    self.changed_at[output.market] = output.at
                    self.last_sides[output.market] = output.taker or Side.BUY
                case sim.PublicClose():
                    self.closed_at[output.market] = output.at
                case sim.PublicResolution():
                    self.closed_at.setdefault(output.market, output.at)
                    self.payouts[output.market] = output.up_payout
                case _:
                    pass
        if outputs:
            self._say(outputs)

    def _say(self, news: Sequence[News]) -> None:
        for listener in self.listeners:
            listener(news)


def _answer(outputs: Sequence[sim.Output]) -> sim.Answer | None:
    return next((output for output in outputs if isinstance(output, sim.Answer)), None)


def _resolve(future: asyncio.Future[_T], result: _T) -> None:
    """Whoever waited may have been cancelled meanwhile."""
    if not future.done():
        future.set_result(result)
