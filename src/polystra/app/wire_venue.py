"""The venue over its own wire: commands become requests, answers and stream frames become events.

Also what a client has to do by itself: find the markets of its series, ask for the end of each that is over, and keep
its heart beating. Nothing is decided here, and nothing is sent twice.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from polystra.app.feed_troubles import Feed, FeedTroubles
from polystra.app.inbox import Inbox, Waiting
from polystra.app.lock_step import LockStep
from polystra.app.merging import Books, Merging
from polystra.app.merging import Tell as MergingTell
from polystra.app.outbox import OrderNames
from polystra.app.outside_trades import OutsideTrades
from polystra.app.redemption import Redemption
from polystra.app.redemption import Tell as RedemptionTell
from polystra.app.wire_events import reading_events
from polystra.app.wire_orders import WireOrders
from polystra.app.wire_upkeep import Upkeep
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Market, Series
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Nanos, Usd, seconds
from polystra.edge.clock import Time
from polystra.edge.polymarket.catalogue import Catalogue
from polystra.edge.polymarket.market_feed import MarketFeed
from polystra.edge.polymarket.market_wire import MarketState
from polystra.edge.polymarket.price_feed import PriceFeed
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.public import PublicReadings
from polystra.edge.polymarket.relayer import Relayer
from polystra.edge.polymarket.slugs import expected_slugs, series_of
from polystra.edge.polymarket.user_feed import UserFeed
from polystra.edge.polymarket.venue import Venue
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.polymarket.wire import Fill
from polystra.edge.ready import Ready
from polystra.edge.store.ledger import Ledger

POLL_EVERY = seconds(30)
WATCH_AFTER = seconds(60)
"""After a window's end, when its resolution is asked for because the stream did not tell."""

WATCH_EVERY = seconds(30)
OVERLAP = seconds(300)
"""How far a reading of trades reaches back; far longer than a trade takes to its last stage."""

HISTORY = seconds(3_600)
"""How long before its start a market's own prices are asked for."""

RETRY = seconds(1)
LINGER = seconds(1)

Tell: TypeAlias = Callable[[ev.AnyEvent], None]


class Client(Struct, frozen=True, kw_only=True):
    """The parts of the venue client that a trader uses. `opening_cash` is what the account shows before it trades for
    the first time, `salt` makes each order another one; `steps` are there where time goes in lock step, `price_feed`
    where the venue tells prices; `renew_every` is how long a connection of the market stream is used."""

    wallet: Wallet
    clock: Time
    opening_cash: Usd
    salt: Callable[[OrderId], int]
    steps: LockStep | None
    speed: float
    venue: Venue
    upkeep: Upkeep
    catalogue: Catalogue
    public: PublicReadings
    market_feed: Callable[[Tell, Callable[[str], None]], MarketFeed]
    user_feed: Callable[[Tell, OrderNames, Callable[[Fill], None]], UserFeed]
    price_feed: Callable[[Tell, Collection[str]], PriceFeed] | None
    renew_every: Nanos | None = None
    relayer: Relayer | None = None


class WireVenue:
    """One trader's side of the venue. Mutable; lives on one event loop."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._series: frozenset[Series] = frozenset()
        self._markets: dict[MarketId, Market] = {}
        self._outside = OutsideTrades(self._markets, client.clock)
        self._over: set[MarketId] = set()
        self._slugs: set[str] = set()
        self._looking: set[str] = set()
        self._again: set[str] = set()
        self._watches: dict[MarketId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self.clock = client.clock
        self.wallet = client.wallet
        self.owner = client.venue.api_key
        self.opening_cash = client.opening_cash
        self.waiting: Waiting | None = client.steps.wait if client.steps is not None else None
        self.salt = client.salt
        self.speed = client.speed

    @property
    def markets(self) -> Mapping[MarketId, Market]:
        """Those that were discovered."""
        return self._markets

    # --- the trader's side

    def attach(self, inbox: Inbox, names: OrderNames, loaded: ev.LedgerLoaded, series: Collection[Series]) -> None:
        """Put a trader of these series in front, which knows what `loaded` says."""
        self._series = frozenset(series)
        self._inbox = inbox
        self._names = names
        self._orders = WireOrders(self._client.venue, names=names, put=inbox.put, spawn=self._spawn)
        if self._client.steps is not None:
            self._client.steps.busy = lambda: inbox.waiting
        self._market_feed = self._client.market_feed(self._put, self._hear_of)
        self._user_feed = self._client.user_feed(self._put, names, self._hear_outside)
        self._price_feed = self._prices()
        for market in loaded.markets:
            self._know(market)
            if market.series in self._series:
                inbox.put(ev.MarketListed(at=Instant(0), market=market))

    def start_trader(self) -> None:
        """Connect, read the account, then say `Started`. Prices are not waited for: without them less is traded, but
        what is held is looked after."""
        self._spawn(self._market_feed.run(self._client.renew_every))
        self._spawn(self._user_feed.run())
        if self._price_feed is not None:
            self._spawn(self._price_feed.run())
        if self._client.steps is None:
            self._spawn(FeedTroubles(self._feeds(), self._inbox.put).run(self.clock))
        self._spawn(self._start())

    def send(self, ready: Sequence[Ready]) -> None:
        """Take the commands of one step on their way to the venue: placements and cancels each as one request."""
        self._orders.cancel([one.command.order for one in ready if isinstance(one.command, cm.CancelOrder)])
        self._orders.place([one for one in ready if isinstance(one.command, cm.PlaceOrder)])
        for one in ready:
            self._send(one.command)

    def _send(self, command: cm.AnyCommand) -> None:  # noqa: PLR0912 - a branch for each command
        match command:
            case cm.PlaceOrder() | cm.CancelOrder():
                pass  # sent together
            case cm.ResendOrder(order=order):
                self._orders.resend(order)
            case cm.CancelMarket(market=market):
                self._orders.cancel_market(market)
            case cm.CancelAll():
                self._spawn(self._cancel_all())
            case cm.QueryOrder(order=order):
                self._orders.look_up(order)
            case cm.TakeSnapshot():
                self._spawn(self._read_later())
            case cm.DropNotifications(ids=ids):
                self._spawn(self._drop(ids))
            case cm.Follow(market=market):
                self._market_feed.follow(self._markets[market])
            case cm.Unfollow(market=market):
                self._market_feed.unfollow(market)
            case cm.ReadBook(market=market):
                self._spawn(self._read_book(self._markets[market]))
            case cm.LoadHistory(market=market):
                self._spawn(self._load_history(self._markets[market]))
            case cm.ReadScoring(order=order):
                self._spawn(self._read_scoring(order))
            case _:
                assert_never(command)

    async def cancel_everything(self) -> str | None:
        """Takes back every live order of the account; None when the venue says that it did, else why not."""
        return await self._orders.cancel_everything()

    async def _cancel_all(self) -> None:
        await self.cancel_everything()

    async def linger(self) -> None:
        """Long enough for the streams to tell of what was just done."""
        await self.clock.until(Instant(self.clock.now() + LINGER))

    async def close(self) -> None:
        """Ends what runs here; raises what ended one of its tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def redemption(self, ledger: Ledger, tell: RedemptionTell) -> Redemption | None:
        """What redeems this ledger's claims for the wallet; None where nobody does."""
        relayer = self._client.relayer
        return None if relayer is None else Redemption(ledger, relayer, self.clock, tell)

    def merging(self, ledger: Ledger, books: Books, tell: MergingTell) -> Merging | None:
        """What merges pairs for the wallet; None where nobody does."""
        relayer = self._client.relayer
        return None if relayer is None else Merging(ledger, relayer, self.clock, books, tell)

    # --- start and account

    async def _start(self) -> None:
        await self._market_feed.wait_connected()
        await self._user_feed.wait_connected()
        self._spawn(self._first_reading())
        self._spawn(self._discover())

    async def _first_reading(self) -> None:
        """All trades ever, and the first heartbeat; nothing is commanded before the reading succeeded."""
        upkeep = self._client.upkeep
        read, heart = await asyncio.gather(self._read(None), upkeep.first_beat())
        while not read:
            await self.clock.until(Instant(self.clock.now() + RETRY))
            read = await self._read(None)
        upkeep.tell_clock(self._inbox)
        self._inbox.put(ev.Started(at=Instant(0)))
        for task in upkeep.tasks(self._inbox, self._names, heart):
            self._spawn(task)

    async def _read_later(self) -> None:
        await self._read(Instant(self.clock.now() - OVERLAP))

    async def _read(self, since: Instant | None) -> bool:
        tokens = {
            market.token(outcome): (market, outcome)
            for market in self._markets.values()
            if market.id not in self._over
            for outcome in Outcome
        }
        reading = await self._client.venue.reading(tokens, since=since)
        if isinstance(reading, ReadingFailed):
            self._inbox.put(ev.SnapshotFailed(at=Instant(0), why=reading.why))
            return False
        self._put_all(reading_events(reading, self._names.ours, tokens, self._outside.event))
        return True

    # --- markets

    async def _discover(self) -> None:
        """The present and the next window of each series, in case no stream told of them."""
        while True:
            now = self.clock.now()
            for series in sorted(self._series, key=str):
                for slug in expected_slugs(series, now):
                    self._hear_of(slug)
            await self.clock.until(_next(now, POLL_EVERY))

    def _hear_of(self, slug: str) -> None:
        """One that is looked up already is looked up again if it is not found: it may have been listed meanwhile."""
        if slug in self._slugs or series_of(slug) not in self._series:
            return
        if slug in self._looking:
            self._again.add(slug)
            return
        self._looking.add(slug)
        self._spawn(self._find(slug))

    async def _find(self, slug: str) -> None:
        found = await self._client.catalogue.market(slug)
        again = slug in self._again
        self._looking.discard(slug)
        self._again.discard(slug)
        if isinstance(found, Market) and found.id not in self._markets:
            self._know(found)
            self._inbox.put(ev.MarketListed(at=Instant(0), market=found))
            self._put_all(self._outside.listed(found.id))
        elif again:
            self._hear_of(slug)

    def _hear_outside(self, fill: Fill) -> None:
        """A trade of the account that is not ours, on the user stream."""
        event = self._outside.event(fill)
        self._put_all([] if event is None else [event])

    def _put_all(self, events: Iterable[ev.AnyEvent]) -> None:
        for event in events:
            self._inbox.put(event)

    def _know(self, market: Market) -> None:
        self._markets[market.id] = market
        self._slugs.add(market.slug)
        self._watches[market.id] = self._spawn(self._watch(market))

    async def _watch(self, market: Market) -> None:
        """Asks the catalogue how a market ended, until it or the stream has told."""
        at = Instant(market.end + WATCH_AFTER)
        while True:
            await self.clock.until(at)
            state = await self._client.catalogue.state(market.slug)
            if isinstance(state, MarketState):
                self._tell_end(market, state)
            at = Instant(market.end + WATCH_AFTER + _whole(self.clock.now() - market.end - WATCH_AFTER, WATCH_EVERY))

    def _tell_end(self, market: Market, state: MarketState) -> None:
        if state.payout is not None:
            self._put(ev.MarketResolved(at=Instant(0), market=market.id, payout=state.payout))
        elif not state.accepting and market.id not in self._over:
            self._put(ev.MarketClosed(at=Instant(0), market=market.id))

    async def _read_book(self, market: Market) -> None:
        """A question that failed has no answer; the engine asks again."""
        book = await self._client.public.book(market.up_token)
        if not isinstance(book, ReadingFailed):
            read = ev.BookRead(at=Instant(0), market=market.id, bids=book.bids, asks=book.asks, venue_at=book.at)
            self._inbox.put(read)

    async def _drop(self, ids: Sequence[str]) -> None:
        """What stays there after a failure is read, and dropped, again."""
        await self._client.upkeep.account.drop_notifications(ids)

    async def _read_scoring(self, order: OrderId) -> None:
        """No answer is told too: it is not the answer that an order does not score."""
        theirs = self._names.theirs(order)
        if theirs is not None:
            said = await self._client.upkeep.account.scoring(theirs)
            scoring = None if isinstance(said, ReadingFailed) else said
            self._inbox.put(ev.ScoringRead(at=Instant(0), order=order, scoring=scoring))

    async def _load_history(self, market: Market) -> None:
        start = Instant(market.start - HISTORY)
        known = await self._client.public.price_history(
            market.up_token, start=start, end=Instant(self.clock.now() + POLL_EVERY)
        )
        if isinstance(known, ReadingFailed):
            self._inbox.put(ev.HistoryFailed(at=Instant(0), market=market.id, why=known.why))
        else:
            self._inbox.put(ev.HistoryLoaded(at=Instant(0), market=market.id, own_prices=known))

    def _put(self, event: ev.AnyEvent) -> None:
        """What the streams tell; the end of a market ends its watch."""
        if isinstance(event, ev.MarketClosed | ev.MarketResolved):
            self._over.add(event.market)
        if isinstance(event, ev.TickSizeChanged) and event.market in self._markets:
            self._markets[event.market] = replace(self._markets[event.market], tick=event.tick)
        if isinstance(event, ev.MarketResolved) and event.market in self._watches:
            self._watches.pop(event.market).cancel()
        self._inbox.put(event)

    def _feeds(self) -> dict[ev.Stream, Feed]:
        feeds: dict[ev.Stream, Feed] = {ev.Stream.MARKET: self._market_feed, ev.Stream.USER: self._user_feed}
        return feeds if self._price_feed is None else {**feeds, ev.Stream.PRICES: self._price_feed}

    def _prices(self) -> PriceFeed | None:
        build = self._client.price_feed
        return None if build is None else build(self._put, {series.asset for series in self._series})

    # --- tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        if self._client.steps is not None:
            self._client.steps.stir()
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """What fails here is a mistake of ours: the loop ends, and `close` raises it."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self._inbox.close()


def _next(now: Instant, every: int) -> Instant:
    """The first whole multiple after now."""
    return Instant((now // every + 1) * every)


def _whole(passed: int, every: int) -> int:
    """The first whole multiple after what has passed."""
    return (passed // every + 1) * every if passed >= 0 else 0
