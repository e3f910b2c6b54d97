"""The two streams (`PROTOCOL.md` C.1, C.2): who wants to hear what, and who is told."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
from aiohttp import WSCloseCode, web

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Outcome
from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import Address
from polystra.exchange import frames
from polystra.exchange.connections import Connection, Readers
from polystra.exchange.faults import Faults
from polystra.exchange.listings import Listing
from polystra.exchange.misstated import Misstated
from polystra.exchange.replies import Routes
from polystra.exchange.venue import News, Venue
from polystra.exchange.wire import UNREADABLE, Json, Top, encode
from polystra.sim import messages as sim
from polystra.sim.records import Book

MARKET = "market"
USER = "user"

_BookForm: TypeAlias = Callable[[Listing, Book, Outcome, Instant], Json]


class _MarketReader(msgspec.Struct, eq=False):
    connection: Connection
    tokens: dict[TokenId, None] = {}
    custom: bool = False


class MarketStream:
    """Tells everybody about the tokens they named. A reader hears a market's changes in both of its tokens."""

    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._readers = Readers[_MarketReader]()
        self._by_token: dict[TokenId, dict[_MarketReader, None]] = {}
        self._tops: dict[MarketId, Top] = {}
        self._misstated = Misstated(faults, MARKET)
        venue.listeners.append(self._tell)

    def routes(self) -> Routes:
        return [web.get("/ws/market", self.connect)]

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        reader = _MarketReader(Connection(MARKET, request, self._faults))
        try:
            return await self._readers.serve(reader, self._hear)
        finally:
            self._forget(reader, tuple(reader.tokens))

    def close_all(self) -> None:
        self._readers.close_all()

    # --- subscriptions

    def _hear(self, reader: _MarketReader, text: str) -> None:
        """What is no subscription is ignored, as the venue does."""
        try:
            asked = _market_frame(text)
        except UNREADABLE:
            return
        if asked.operation == "unsubscribe":
            self._forget(reader, asked.assets_ids)
            return
        if asked.custom_feature_enabled is not None:
            reader.custom = asked.custom_feature_enabled
        fresh = [token for token in dict.fromkeys(asked.assets_ids) if token not in reader.tokens]
        for token in fresh:
            reader.tokens[token] = None
            self._by_token.setdefault(token, {})[reader] = None
        if asked.initial_dump and (fresh or not asked.operation):
            known = [self._venue.tokens[token] for token in fresh if token in self._venue.tokens]
            reader.connection.put(encode([self._book(frames.first_book, *one) for one in known]))

    def _forget(self, reader: _MarketReader, tokens: Sequence[TokenId]) -> None:
        for token in tokens:
            reader.tokens.pop(token, None)
            left = self._by_token.get(token, {})
            left.pop(reader, None)
            if not left:
                self._by_token.pop(token, None)

    # --- news

    def _tell(self, news: Sequence[News]) -> None:
        """Books are sent again after the trades that changed them."""
        traded: dict[MarketId, None] = {}
        for one in news:
            match one:
                case Listing():
                    self._send(self._customers(self._readers), frames.new_market(one, self._venue.now()))
                case sim.PublicBook():
                    self._send_books(frames.first_book, self._venue.listings[one.market])
                case sim.PublicLevels():
                    self._send_levels(self._venue.listings[one.market], one)
                case sim.PublicTrade():
                    self._send_trade(self._venue.listings[one.market], one)
                    traded[one.market] = None
                case sim.PublicTick():
                    self._send_tick(self._venue.listings[one.market], one)
                case sim.PublicResolution():
                    self._send_resolution(self._venue.listings[one.market], one)
                case _:
                    pass
        for market in traded:
            self._send_books(frames.book_again, self._venue.listings[market])

    def _send_levels(self, listing: Listing, output: sim.PublicLevels) -> None:
        readers = self._followers(listing)
        told = self._misstated.told(output, self._venue.book) if readers else output
        self._send(readers, frames.price_change(listing, told) if readers else {})
        top = Top(output.best_bid, output.best_ask)
        if self._tops.get(listing.facts.id) != top:
            self._tops[listing.facts.id] = top
            for token, outcome in frames.both(listing):
                customers = self._customers(self._by_token.get(token, ()))
                self._send(customers, frames.best_bid_ask(listing, top, outcome, output.at))

    def _send_trade(self, listing: Listing, output: sim.PublicTrade) -> None:
        """Each reader hears of a trade once: of Up if it follows Up."""
        up = self._by_token.get(listing.facts.up_token, {})
        down = [one for one in self._by_token.get(listing.facts.down_token, ()) if one not in up]
        self._send(list(up), frames.last_trade(listing, output, Outcome.UP))
        self._send(down, frames.last_trade(listing, output, Outcome.DOWN))

    def _send_books(self, form: _BookForm, listing: Listing) -> None:
        for token, outcome in frames.both(listing):
            readers = list(self._by_token.get(token, ()))
            self._send(readers, self._book(form, listing, outcome) if readers else {})

    def _send_tick(self, listing: Listing, output: sim.PublicTick) -> None:
        for token, outcome in frames.both(listing):
            self._send(list(self._by_token.get(token, ())), frames.tick_change(listing, output, outcome))

    def _send_resolution(self, listing: Listing, output: sim.PublicResolution) -> None:
        self._tops.pop(listing.facts.id, None)
        told = self._customers(self._followers(listing))
        self._send(told, frames.market_resolved(listing, output.at, output.up_payout))

    def _followers(self, listing: Listing) -> list[_MarketReader]:
        """Of either token, each once."""
        up = self._by_token.get(listing.facts.up_token, {})
        return list({**up, **self._by_token.get(listing.facts.down_token, {})})

    def _customers(self, readers: Iterable[_MarketReader]) -> list[_MarketReader]:
        """Those who asked for the custom events."""
        return [reader for reader in readers if reader.custom]

    def _book(self, form: _BookForm, listing: Listing, outcome: Outcome) -> Json:
        """As it is; also while news is being told, when the venue's time must not move."""
        market = listing.facts.id
        return form(listing, self._venue.book(market), outcome, self._venue.changed_at[market])

    def _send(self, readers: Sequence[_MarketReader], event: Json) -> None:
        if readers:
            frame = encode(event)
            for reader in readers:
                reader.connection.put(frame)


class _UserReader(msgspec.Struct, eq=False):
    """`markets` is None for all. An empty list in the first frame is a quirk: no trades are told."""

    connection: Connection
    owner: Address | None = None
    markets: set[MarketId] | None = None
    without_trades: bool = False

    def wants(self, market: MarketId, *, trade: bool) -> bool:
        return not (trade and self.without_trades) and (self.markets is None or market in self.markets)


class UserStream:
    """Tells members about their own orders and trades, from their first frame on."""

    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._readers = Readers[_UserReader]()
        venue.listeners.append(self._tell)

    def routes(self) -> Routes:
        return [web.get("/ws/user", self.connect)]

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        reader = _UserReader(Connection(USER, request, self._faults))
        return await self._readers.serve(reader, self._hear)

    def close_all(self) -> None:
        self._readers.close_all()

    def _hear(self, reader: _UserReader, text: str) -> None:
        """Whoever does not begin with good credentials is shown out, without a word."""
        try:
            asked = _user_frame(text)
        except UNREADABLE:
            asked = _UserFrame()
        if reader.owner is not None:
            _refocus(reader, asked)
            return
        shown = asked.auth
        member = self._venue.members.identified(shown.apiKey, shown.secret, shown.passphrase)
        if member is None or asked.type != USER:
            reader.connection.close(WSCloseCode.POLICY_VIOLATION)
            return
        reader.owner = member.owner
        reader.markets = set(asked.markets) if asked.markets else None
        reader.without_trades = asked.markets == []

    def _tell(self, news: Sequence[News]) -> None:
        for one in news:
            if isinstance(one, sim.Update):
                owner = self._venue.members.owner(one.account)
                readers = [reader for reader in self._readers if owner is not None and reader.owner == owner]
                if readers:
                    self._send(readers, one)

    def _send(self, readers: Sequence[_UserReader], update: sim.Update) -> None:
        trade = isinstance(update, sim.TradeUpdated)
        market = update.trade.market if isinstance(update, sim.TradeUpdated) else update.order.market
        frame = encode(
            frames.trade_event(update, self._venue.key_of)
            if isinstance(update, sim.TradeUpdated)
            else frames.order_event(update, self._venue.key_of)
        )
        for reader in readers:
            if reader.wants(market, trade=trade):
                reader.connection.put(frame)


def _refocus(reader: _UserReader, asked: "_UserFrame") -> None:
    """A list narrows what is told; a reader whose list becomes empty hears all again."""
    given = set(asked.markets or ())
    if asked.operation == "subscribe" and given:
        reader.markets = (reader.markets or set()) | given
        reader.without_trades = False
    elif asked.operation == "unsubscribe" and reader.markets is not None:
        reader.markets = reader.markets - given or None


class _MarketFrame(msgspec.Struct):
    assets_ids: list[TokenId] = []
    type: str = ""
    operation: str = ""
    custom_feature_enabled: bool | None = None
    initial_dump: bool = True


class _Shown(msgspec.Struct):
    apiKey: str = ""  # noqa: N815 - the venue's spelling
    secret: str = ""
    passphrase: str = ""


class _UserFrame(msgspec.Struct):
    auth: _Shown = msgspec.field(default_factory=_Shown)
    type: str = ""
    operation: str = ""
    markets: list[MarketId] | None = None


_market_frame = msgspec.json.Decoder(_MarketFrame).decode
_user_frame = msgspec.json.Decoder(_UserFrame).decode
