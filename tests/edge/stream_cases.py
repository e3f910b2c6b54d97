"""One market played to an exchange on loopback, and readers of its stream: ours, and a plain one for each token.

Ours is `FrameReader` into the core's `OrderBook`. The plain one knows nothing but the words of the protocol, so that
both tokens are read as two strangers would.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any

import aiohttp

from polystra.app.playback import Playback
from polystra.app.settings import Settings
from polystra.app.world_rules import world_rules
from polystra.core.book import OrderBook
from polystra.core.events import BookChanged, BookSnapshot, TickSizeChanged
from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Nanos, Price, Shares, mirror, price, shares, usd
from polystra.edge.market_channel import FrameReader
from polystra.edge.tapes.format import TapeFile
from polystra.exchange.faults import Faults
from polystra.exchange.members import Members
from polystra.exchange.pace import SteppedClock
from polystra.exchange.server import serve
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from polystra.sim.records import Account, Book
from polystra.sim.rules import Rules
from tests.edge.exchange_cases import PATIENCE

Levels = dict[Price, Shares]

CLIENTS = [Account(name) for name in ("0xann", "0xbob", "0xcarl")]
AGES = Nanos(10**18)
CENT = 10_000


class Plain:
    """One token's book as its frames say it: `book` states it whole, a `price_change` one level of it anew."""

    def __init__(self, token: TokenId) -> None:
        self._token = token
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.stated: tuple[Price, Price] | None = None

    def hear(self, event: dict[str, Any]) -> None:
        if event["event_type"] == "book" and event["asset_id"] == self._token:
            self.bids, self.asks = _levels(event["bids"]), _levels(event["asks"])
            self.stated = None
        elif event["event_type"] == "price_change":
            own = [entry for entry in event["price_changes"] if entry["asset_id"] == self._token]
            for entry in own:
                side = self.bids if entry["side"] == "BUY" else self.asks
                side.pop(price(entry["price"]), None)
                side |= _levels([entry] if entry["size"] != "0" else [])
            self.stated = price(own[-1]["best_bid"]), price(own[-1]["best_ask"])

    @property
    def best(self) -> tuple[Price, Price]:
        return max(self.bids, default=NO_BID), min(self.asks, default=NO_ASK)


def _levels(levels: Sequence[dict[str, str]]) -> Levels:
    return {price(level["price"]): shares(level["size"]) for level in levels}


class Listener:
    """A connection to the market stream and the books that are made of it. Mutable; begins anew with `connect`.

    `kinds` are the events of the last `hear`, `odd` whatever a frame ever said that its book does not show.
    """

    def __init__(self, market: Market, url: str, session: aiohttp.ClientSession, tokens: Sequence[TokenId]) -> None:
        self._market = market
        self._url = url
        self._session = session
        self._tokens = tokens
        self.kinds: list[str] = []
        self.odd: list[str] = []

    async def connect(self) -> None:
        """A new connection knows nothing of the one before."""
        self._socket = await self._session.ws_connect(self._url, compress=0)
        self._reader = FrameReader([self._market])
        self.book = OrderBook(self._market.tick, AGES)
        self.plain = {token: Plain(token) for token in self._tokens}
        await self._socket.send_str(json.dumps({"assets_ids": list(self._tokens), "type": "market"}))

    async def lose(self) -> None:
        await self._socket.close()

    async def hear(self) -> None:
        """All that was told until now: PONG comes behind it."""
        self.kinds = []
        await self._socket.send_str("PING")
        async with asyncio.timeout(PATIENCE):
            while (frame := await self._socket.receive_str()) != "PONG":
                self._take(frame)

    def _take(self, frame: str) -> None:
        read = json.loads(frame)
        for event in read if isinstance(read, list) else [read]:
            self.kinds.append(event["event_type"])
            for plain in self.plain.values():
                plain.hear(event)
                if plain.stated not in (None, plain.best):
                    self.odd.append(f"plain: {plain.stated} stated, {plain.best} in the book")
        for told in self._reader.read(frame.encode(), Instant(0)):
            match told:
                case BookSnapshot():
                    self.book.replace(told.bids, told.asks, told.at)
                case BookChanged():
                    self.book.change(told)
                case TickSizeChanged():
                    self.book.retick(told.tick)
            if (self.trouble or "").startswith(("best", "level")):
                self.odd.append(f"core: {self.trouble}")
        assert not self._reader.skipped

    @property
    def trouble(self) -> str | None:
        return self.book.trouble(Instant(0))

    def check(self, book: Book) -> None:
        """Every token's book is the exchange's, and trusted unless the recording itself is crossed."""
        crossed = book.bids and book.asks and book.bids[0][0] >= book.asks[0][0]
        assert (self.trouble or "crossed").startswith("crossed")
        assert (self.trouble is None) is not bool(crossed)
        assert (self.book.levels(Side.BUY, 1_000), self.book.levels(Side.SELL, 1_000)) == (book.bids, book.asks)
        for token, plain in self.plain.items():
            up = token == self._market.token(Outcome.UP)
            bids, asks = (book.bids, book.asks) if up else (mirrored(book.asks), mirrored(book.bids))
            assert (plain.bids, plain.asks) == (dict(bids), dict(asks))


def mirrored(levels: Sequence[tuple[Price, Shares]]) -> list[tuple[Price, Shares]]:
    return [(mirror(at), size) for at, size in levels]


class Crowd:
    """Clients who trade near the best prices: they rest, take, meet each other, and cancel."""

    def __init__(self, venue: Venue, market: Market, seed: int) -> None:
        self._venue = venue
        self._market = market
        self._chance = Random(seed)
        self._placed = 0

    def arrive(self) -> None:
        for account in CLIENTS:
            self._venue.feed(sim.Deposit(account=account, amount=usd("5000")))
            self._venue.feed(sim.Split(account=account, market=self._market.id, shares=shares(2_000)))

    def act(self) -> None:
        chance, account = self._chance, self._chance.choice(CLIENTS)
        if chance.random() < 0.15:
            self._venue.feed(sim.CancelAll(account=account))
        else:
            self._venue.feed(self._order(account))

    def _order(self, account: Account) -> sim.Submit:
        """In whole cents, which every tick allows."""
        chance, book = self._chance, self._venue.book(self._market.id)
        bid, ask = book.bids[0][0] if book.bids else NO_BID, book.asks[0][0] if book.asks else NO_ASK
        cents = min(max((bid + ask) // 2 // CENT + chance.randrange(-4, 6), 1), 99)
        outcome, side = chance.choice(list(Outcome)), chance.choice(list(Side))
        at = cents * CENT if outcome is Outcome.UP else MICRO - cents * CENT
        size = chance.randrange(5, 60) * MICRO
        self._placed += 1
        cash = at * size // MICRO
        return sim.Submit(
            account=account,
            order=VenueOrderId(f"0x{self._placed:064x}"),
            token=self._market.token(outcome),
            side=side,
            maker_amount=cash if side is Side.BUY else size,
            taker_amount=size if side is Side.BUY else cash,
            time_in_force=chance.choice([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.FAK]),
        )


class Played:
    """A recording on an exchange in recorded time, a row or a client at a time. Mutable."""

    def __init__(self, file: TapeFile, seed: int = 1) -> None:
        self.market = file.market
        self.faults = Faults()
        self._clock = SteppedClock(Instant(0))
        self.venue = Venue(rules=Rules(failure_rate=0.1), rng=Random(seed), clock=self._clock, members=Members("seed"))
        self._playback = Playback(self.venue, [file], world_rules(Settings(), seed))
        self._crowd = Crowd(self.venue, self.market, seed)
        self._news = 0
        self.venue.listeners.append(self._count)

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator["Served"]:
        """With the market listed and its clients there."""
        async with (
            serve(self.venue, faults=self.faults, stepped=self._clock) as urls,
            aiohttp.ClientSession() as session,
        ):
            self.step()
            self._crowd.arrive()
            yield Served(self.market, urls.market_ws, session)

    def step(self) -> bool:
        """The next row, with what falls due before it; whether there was one and the market is open: of a resolved one
        the exchange has no book."""
        due = self._playback.next_due()
        if due is None:
            return False
        self._clock.move_to(max(due, self._clock.now()))
        self.venue.advance()
        self._playback.step()
        return self.market.id not in self.venue.payouts

    def act(self) -> None:
        """What a client does, and the end of its taker hold, if it has one."""
        self._crowd.act()
        self._clock.move_to(Instant(self._clock.now() + 300_000_000))
        self.venue.advance()

    @property
    def book(self) -> Book:
        return self.venue.book(self.market.id)

    @property
    def orders_rest(self) -> bool:
        exchange = self.venue.current()
        return any(exchange.open_orders(account) for account in CLIENTS)

    def _count(self, news: Sequence[object]) -> None:
        self._news += sum(isinstance(one, sim.Public) for one in news)

    def news(self) -> int:
        """How much was published since this was asked last."""
        count, self._news = self._news, 0
        return count


class Served:
    """Where listeners find it."""

    def __init__(self, market: Market, url: str, session: aiohttp.ClientSession) -> None:
        self._market = market
        self._url = url
        self._session = session

    async def listener(self, *outcomes: Outcome) -> Listener:
        tokens = [self._market.token(outcome) for outcome in outcomes or Outcome]
        listener = Listener(self._market, self._url, self._session, tokens)
        await listener.connect()
        return listener


async def told(listeners: Sequence[Listener]) -> None:
    await asyncio.gather(*(listener.hear() for listener in listeners))
