"""What a trader's client does towards a simulated venue by itself, message by message as `app.wire_venue` does it.

It connects, finds the markets of its series, asks for the end of each that is over, reads the account, and passes on
what the three streams tell. Left out is what tells the trader nothing and changes nothing while all is well:
heartbeats, and the question why a stream is silent.
"""

import heapq
from collections.abc import Callable, Collection, Iterable

from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames
from polystra.app.outside_trades import OutsideTrades
from polystra.app.translation import milliseconds, public_event, told_fill, user_event
from polystra.app.wire_events import fill_events, reading_events
from polystra.app.world_readings import End, Readings
from polystra.app.world_ways import Ways
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Market, Series
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Nanos, Price, Tick, seconds
from polystra.edge.polymarket.slugs import expected_slugs, series_of
from polystra.edge.polymarket.venue import AccountReading, NoSuchOrder, OrderFate
from polystra.sim import messages as sim

POLL_EVERY = seconds(30)
LOOK_AFTER = seconds(60)
"""After a window's end, when its resolution is asked for because the stream did not tell."""

LOOK_EVERY = seconds(30)
OVERLAP = seconds(300)
"""How far a reading of trades reaches back; far longer than a trade takes to its last stage."""

HISTORY = seconds(3_600)
"""How long before its start a market's own prices are asked for."""

_NOW = Instant(0)
"""The inbox stamps every event when it arrives."""


class WorldClient:
    """One life of a client. Mutable. `listening`, `subscribed` and `priced`, the assets whose prices it asked for, are
    what the venue has heard of it by now."""

    def __init__(
        self,
        ways: Ways,
        venue: Readings,
        *,
        inbox: Inbox,
        names: OrderNames,
        series: Collection[Series],
        retick: Callable[[MarketId, Tick], None],
    ) -> None:
        self._ways = ways
        self._venue = venue
        self._inbox = inbox
        self._on_tick = retick
        self._series = frozenset(series)
        self._markets: dict[MarketId, Market] = {}
        self._outside = OutsideTrades(self._markets, ways.clock)
        self._slugs: set[str] = set()
        self._looking: set[str] = set()
        self._again: set[str] = set()
        self._over: set[MarketId] = set()
        self._resolved: set[MarketId] = set()
        self._looks: list[tuple[Instant, MarketId]] = []
        self._poll_at: Instant | None = None
        self._ticks: dict[MarketId, Price] = {}
        self.names = names
        self.listening = False
        self.subscribed: set[MarketId] = set()
        self.priced: frozenset[str] = frozenset()

    @property
    def next_at(self) -> Instant | None:
        """When it does something by itself next."""
        look = self._looks[0][0] if self._looks else None
        if self._poll_at is None or look is None:
            return look if self._poll_at is None else self._poll_at
        return min(self._poll_at, look)

    def act(self) -> None:
        """What it does by itself at this moment."""
        now = self._ways.clock.now()
        if self._poll_at is not None and self._poll_at <= now:
            self._poll(now)
        while self._looks and self._looks[0][0] <= now:
            self._look(self._markets[heapq.heappop(self._looks)[1]])

    def tell(self, events: Iterable[ev.AnyEvent]) -> None:
        for event in events:
            self._inbox.put(event)

    # --- start

    def connect(self, known: Iterable[Market]) -> None:
        """All handshakes leave now, and what opens the streams as soon as they are answered. The known markets need
        not be found; those of its series are told."""
        for market in known:
            self._know(market)
            if market.series in self._series:
                self.tell([ev.MarketListed(at=_NOW, market=market)])
        self._ways.request(self._connected)

    def start(self) -> None:
        """Once connected, read the account with every trade ever made, and say `Started`."""
        self._ways.request(lambda: self._read(None, ev.Started(at=_NOW)))

    def _connected(self) -> None:
        self._ways.subscribe(self._heard)
        self._poll(self._ways.clock.now())

    def _heard(self) -> None:
        """The history with which the price stream begins is left out: nobody listens to it."""
        self.listening = True
        self.priced = frozenset(one.asset for one in self._series)

    # --- markets

    def hear_of(self, slug: str) -> None:
        """A market that may be listed: if it is one of ours, and new, it takes two requests to know it."""
        if series_of(slug) not in self._series:
            return
        if slug in self._looking:
            self._again.add(slug)
        elif slug not in self._slugs:
            self._looking.add(slug)
            self._ways.ask(lambda: self._venue.named(slug), lambda found: self._named(slug, found))

    def _named(self, slug: str, found: Market | None) -> None:
        """One that is not there is forgotten, unless somebody spoke of it again meanwhile."""
        if found is not None:
            self._ways.ask(lambda: self._venue.terms(found), self._found)
            return
        self._looking.discard(slug)
        if slug in self._again:
            self._again.discard(slug)
            self.hear_of(slug)

    def _found(self, market: Market) -> None:
        self._looking.discard(market.slug)
        self._again.discard(market.slug)
        self._know(market)
        self.tell([ev.MarketListed(at=_NOW, market=market), *self._outside.listed(market.id)])

    def _know(self, market: Market) -> None:
        self._markets[market.id] = market
        self._slugs.add(market.slug)
        heapq.heappush(self._looks, (Instant(market.end + LOOK_AFTER), market.id))

    def _poll(self, now: Instant) -> None:
        """The present and the next window of each series, in case no stream told of them."""
        self._poll_at = Instant((now // POLL_EVERY + 1) * POLL_EVERY)
        for series in sorted(self._series, key=str):
            for slug in expected_slugs(series, now):
                self.hear_of(slug)

    # --- how they end

    def _look(self, market: Market) -> None:
        if market.id not in self._resolved:
            self._ways.ask(lambda: self._venue.end(market.id), lambda end: self._looked(market, end))

    def _looked(self, market: Market, end: End) -> None:
        """The stream may have told meanwhile."""
        if market.id in self._resolved:
            return
        if end.payout is not None:
            self._ended(ev.MarketResolved(at=_NOW, market=market.id, payout=end.payout))
            return
        if not end.accepting and market.id not in self._over:
            self._ended(ev.MarketClosed(at=_NOW, market=market.id))
        first = market.end + LOOK_AFTER
        passed = Nanos(self._ways.clock.now() - first)
        heapq.heappush(self._looks, (Instant(first + (passed // LOOK_EVERY + 1) * LOOK_EVERY), market.id))

    def _ended(self, event: ev.MarketClosed | ev.MarketResolved) -> None:
        self._over.add(event.market)
        if isinstance(event, ev.MarketResolved):
            self._resolved.add(event.market)
        self.tell([event])

    # --- streams

    def follow(self, market: MarketId) -> None:
        """The whole book comes as the answer."""
        if market not in self._ticks:
            self._ticks[market] = self._markets[market].tick.size
            self._ways.subscribe(lambda: self._subscribe(market))

    def unfollow(self, market: MarketId) -> None:
        """What is on its way is not passed on any more."""
        if self._ticks.pop(market, None) is not None:
            self._ways.subscribe(lambda: self.subscribed.discard(market))

    def _subscribe(self, market: MarketId) -> None:
        if market not in self.subscribed:
            self.subscribed.add(market)
            book = self._venue.book(market)
            self._ways.market(self._ways.clock.now(), lambda: self.hear(book))

    def hear(self, output: sim.Public) -> None:
        """A frame of the market stream. A whole book states its grid too, which is news when a message was missed."""
        if output.market not in self._ticks:
            return
        if isinstance(output, sim.PublicBook):
            self._retick(output.market, output.tick)
        match event := public_event(output):
            case None:
                pass
            case ev.TickSizeChanged():
                self._retick(event.market, event.tick.size)
            case ev.MarketResolved():
                self._ended(event)
            case _:
                self.tell([event])

    def hear_own(self, update: sim.Update) -> None:
        """A frame of the user stream."""
        news = user_event(update, self.names)
        if news is None and isinstance(update, sim.TradeUpdated):
            news = self._outside.event(told_fill(update))
        if news is not None:
            self.tell([news])

    def _retick(self, market: MarketId, tick: Price) -> None:
        if tick != self._ticks[market]:
            self._ticks[market] = tick
            self._on_tick(market, Tick(tick))
            self.tell([ev.TickSizeChanged(at=_NOW, market=market, tick=Tick(tick))])

    # --- readings

    def read_account(self) -> None:
        """Trades of late, live orders and balances. What is told twice counts once, what is missed is lost."""
        self._read(Instant(self._ways.clock.now() - OVERLAP))

    def _read(self, since: Instant | None, *then: ev.AnyEvent) -> None:
        tokens = {
            market.token(outcome): (market, outcome)
            for market in self._markets.values()
            if market.id not in self._over
            for outcome in Outcome
        }

        def answered(reading: AccountReading) -> None:
            self.tell(reading_events(reading, self.names.ours, tokens, self._outside.event))
            self.tell(then)

        self._ways.ask(lambda: self._venue.account(tokens, since), answered)

    def look_up(self, order: OrderId) -> None:
        """What the venue knows of one order: its trades, and whether it is live. One without a name it cannot know."""
        theirs = self.names.theirs(order)
        if theirs is not None:
            self._ways.ask(lambda: self._venue.fate(theirs), lambda fate: self._looked_up(order, fate))

    def _looked_up(self, order: OrderId, fate: OrderFate) -> None:
        self.tell(fill_events(fate.trades, self.names.ours))
        if isinstance(fate.order, NoSuchOrder):
            self.tell([ev.OrderNotFound(at=_NOW, order=order)])
        else:
            self.tell([ev.OrderReported(at=_NOW, order=order, matched=fate.order.matched)])

    def read_book(self, market: MarketId) -> None:
        """The whole book, as one request tells it."""
        self._ways.ask(lambda: self._venue.book(market), self._read_book)

    def _read_book(self, book: sim.PublicBook) -> None:
        read = ev.BookRead(at=_NOW, market=book.market, bids=book.bids, asks=book.asks, venue_at=milliseconds(book.at))
        self.tell([read])

    def read_scoring(self, order: OrderId) -> None:
        theirs = self.names.theirs(order)
        if theirs is not None:
            self._ways.ask(
                lambda: self._venue.scores(theirs, self._ways.clock.now()),
                lambda said: self.tell([ev.ScoringRead(at=_NOW, order=order, scoring=said)]),
            )

    def load_history(self, market: MarketId) -> None:
        since = Instant(self._markets[market].start - HISTORY)
        self._ways.ask(
            lambda: self._venue.history(market, since, self._ways.clock.now()),
            lambda prices: self.tell([ev.HistoryLoaded(at=_NOW, market=market, own_prices=prices)]),
        )
