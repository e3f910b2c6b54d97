"""The venue without a wire: the pure exchange, its time, its members and its listings.

Requests of clients and news of the market arrive as calls, each at the clock's moment; before each, whatever fell due
happens at its own. An order in its taker hold is answered later, so `place` waits. What the exchange says is handed to
the listeners, which are the streams. Nothing here knows HTTP, and nothing knows where the market comes from: whoever
plays it (recording, scenario, test) calls `feed`.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias, TypeVar

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, Nanos, Usd
from polystra.edge.clock import Clock
from polystra.exchange.listings import InvalidListing, Listing
from polystra.exchange.members import Member, Members
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.records import Account, Book
from polystra.sim.rules import Rules

News: TypeAlias = sim.Output | Listing
"""What a stream may tell: an output of the exchange, or a market that was listed."""

Listener: TypeAlias = Callable[[Sequence[News]], None]
OrderFate: TypeAlias = sim.OrderAccepted | sim.OrderRejected

_T = TypeVar("_T")

STRANGER = "00000000-0000-0000-0000-000000000000"
"""The API key of whoever trades without one: everybody in the recording."""


class Venue:
    """Mutable; lives on one event loop. `tolerance` is how far a request's own time may be off, None for any."""

    def __init__(
        self, *, rules: Rules, rng: Random, clock: Clock, members: Members, tolerance: Nanos | None = None
    ) -> None:
        self._exchange = Exchange(rules, rng)
        self._clock = clock
        self._now = Instant(0)
        self._held: dict[VenueOrderId, asyncio.Future[OrderFate]] = {}
        self._sleepers: list[tuple[Instant, int, asyncio.Future[None]]] = []
        self._slept = 0
        self.members = members
        self.tolerance = tolerance
        self.listings: dict[MarketId, Listing] = {}
        self.tokens: dict[TokenId, tuple[Listing, Outcome]] = {}
        self.changed_at: dict[MarketId, Instant] = {}
        self.closed_at: dict[MarketId, Instant] = {}
        self.payouts: dict[MarketId, Usd] = {}
        self.last_sides: dict[MarketId, Side] = {}
        self.restrictions: dict[Account, sim.Restriction] = {}
        self.listeners: list[Listener] = []
        self.on_due: Callable[[], None] = lambda: None
        self._placed: dict[VenueOrderId, str] = {}

    # --- time

    def now(self) -> Instant:
        """The clock's moment, but never an earlier one than before."""
        self._now = max(self._now, self._clock.now())
        return self._now

    def next_due(self) -> Instant | None:
        """When something will happen by itself."""
        dues = [self._exchange.next_due(), self._sleepers[0][0] if self._sleepers else None]
        return min((due for due in dues if due is not None), default=None)

    def advance(self) -> None:
        """What fell due by now, each at its own moment."""
        now = self.now()
        while (due := self.next_due()) is not None and due <= now:
            while self._sleepers and self._sleepers[0][0] <= due:
                _resolve(heapq.heappop(self._sleepers)[2], None)
            outputs = self._exchange.advance(due)
            for output in outputs:
                if isinstance(output, OrderFate) and output.order in self._held:
                    _resolve(self._held.pop(output.order), output)
            self._tell(outputs)

    async def until(self, instant: Instant) -> None:
        """Waits for a moment of the venue's time; not at all for one that is over."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slept += 1
        heapq.heappush(self._sleepers, (max(instant, self._now), self._slept, waiting))
        self.on_due()
        await waiting

    # --- what clients ask

    def ask(self, request: sim.Request) -> sim.Answer | None:
        """The answer that comes at once: to everything but an order in its hold, and news of the market."""
        self.advance()
        outputs = self._exchange.handle(request, self._now)
        self._tell(outputs)
        self.on_due()
        return next((output for output in outputs if isinstance(output, sim.Answer)), None)

    async def place(self, order: sim.Submit, member: Member) -> OrderFate:
        """Waits out the taker hold."""
        new = order.order not in self._placed
        self._placed.setdefault(order.order, member.api_key)
        answer: sim.Answer | None = self.ask(order)
        if answer is None:
            self._held[order.order] = held = asyncio.get_running_loop().create_future()
            answer = await held
        assert isinstance(answer, OrderFate)
        if new and isinstance(answer, sim.OrderRejected):
            del self._placed[order.order]
        return answer

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

    # --- what happens to the market

    def feed(self, news: Listing | sim.Request) -> None:
        """A market to list, or what the world does to one. Raises ValueError for what cannot be."""
        if isinstance(news, Listing):
            self._list(news)
            return
        if isinstance(news, sim.ListMarket):
            raise InvalidListing(f"market {news.market.id}: hand over a Listing, clients need its name and contracts")
        self.ask(news)
        if isinstance(news, sim.SetRestriction):
            self.restrictions[news.account] = news.restriction

    def _list(self, listing: Listing) -> None:
        facts = listing.facts
        self.ask(sim.ListMarket(market=facts))
        self.listings[facts.id] = listing
        self.tokens[facts.up_token] = (listing, Outcome.UP)
        self.tokens[facts.down_token] = (listing, Outcome.DOWN)
        for listener in self.listeners:
            listener((listing,))
        self.ask(sim.Publish(market=facts.id))

    def _tell(self, outputs: Sequence[sim.Output]) -> None:
        for output in outputs:
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
            for listener in self.listeners:
                listener(outputs)


def _resolve(future: asyncio.Future[_T], result: _T) -> None:
    """Whoever waited may have been cancelled meanwhile."""
    if not future.done():
        future.set_result(result)
