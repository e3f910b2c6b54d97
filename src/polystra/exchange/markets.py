"""What anybody may read (`PROTOCOL.md` B.1 to B.3): books, prices, and how a market is traded."""

from collections.abc import Callable

import msgspec
from aiohttp import web
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Outcome, Side
from polystra.core.units import Shares, mirror, show
from polystra.exchange.catalogue import moment
from polystra.exchange.faults import Fault, Faults
from polystra.exchange.listings import Listing
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import (
    UNREADABLE,
    Json,
    Top,
    base_fee,
    best,
    book_of,
    compact_market,
    market_of_token,
    middle,
    number,
    seconds_of,
    spread,
    top_of,
)
from polystra.sim.records import Book

MOST_TOKENS = 500

_EDGE = Shares(100_000_000)
"""Shares at each end of a placeholder."""

NO_BOOK = "No orderbook exists for the requested token id"

_Read = Callable[[Top], str | None]


class Markets:
    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def routes(self) -> Routes:
        return [
            web.get("/ok", self.ok),
            web.get("/time", self.time),
            web.get("/version", self.version),
            web.get("/book", self.book),
            web.get("/books", self.no_books),
            web.post("/books", self.books),
            web.get("/midpoint", self.midpoint),
            web.post("/midpoints", self.midpoints),
            web.get("/price", self.price),
            web.post("/prices", self.prices),
            web.get("/spread", self.spread),
            web.post("/spreads", self.spreads),
            web.get("/last-trade-price", self.last_trade_price),
            web.post("/last-trades-prices", self.last_trades_prices),
            web.get("/tick-size", self.tick_size),
            web.get("/tick-size/{token}", self.tick_size),
            web.get("/neg-risk", self.neg_risk),
            web.get("/fee-rate", self.fee_rate),
            web.get("/clob-markets/{market}", self.clob_market),
            web.get("/markets-by-token/{token}", self.market_of),
        ]

    async def ok(self, _: web.Request) -> web.Response:
        return reply("OK")

    async def time(self, _: web.Request) -> web.Response:
        return reply(seconds_of(self._venue.now()))

    async def version(self, _: web.Request) -> web.Response:
        flipped = self._faults.strikes(Fault.VERSION_FLIPPED, "GET /version")
        return reply({"version": 3 if flipped else 2})

    # --- books

    async def book(self, request: web.Request) -> web.Response:
        return reply(self._book(*self._asked(request), "GET /book"))

    async def books(self, request: web.Request) -> web.Response:
        """In an order of its own, and without what is not known. Books of one market share their timestamp."""
        tokens = _many(token_list(await request.read()))
        known = sorted(token for token in dict.fromkeys(tokens) if self._known(token))
        return reply([self._book(*self._venue.tokens[token], "POST /books") for token in known])

    async def no_books(self, _: web.Request) -> web.Response:
        """The venue's own documents have this route; it does not (recorded)."""
        raise Refused(400, "Invalid payload")

    def _book(self, listing: Listing, outcome: Outcome, where: str) -> Json:
        book = self._state(listing)
        if self._faults.strikes(Fault.BOOK_PLACEHOLDER, where):
            book = _placeholder(book)
        return book_of(listing, book, outcome, self._venue.changed_at[listing.facts.id])

    def _state(self, listing: Listing) -> Book:
        return self._venue.current().book(listing.facts.id)

    def _top(self, listing: Listing, outcome: Outcome) -> Top:
        return top_of(self._state(listing)).seen_from(outcome)

    # --- prices

    async def midpoint(self, request: web.Request) -> web.Response:
        return reply({"mid": self._one(request, middle)})

    async def midpoints(self, request: web.Request) -> web.Response:
        return reply(await self._each(request, middle))

    async def spread(self, request: web.Request) -> web.Response:
        return reply({"spread": self._one(request, spread)})

    async def spreads(self, request: web.Request) -> web.Response:
        return reply(await self._each(request, spread))

    async def price(self, request: web.Request) -> web.Response:
        side = request.query.get("side", "")
        if side not in set(Side):
            raise Refused(400, "Invalid side")
        return reply({"price": self._one(request, lambda top: best(top, Side(side)))})

    async def prices(self, request: web.Request) -> web.Response:
        asked = price_list(await request.read())
        _many(None if asked is None else [token for token, _ in asked])
        found: dict[TokenId, dict[str, str]] = {}
        for token, side in asked or ():
            known = self._known(token)
            price = best(self._top(*known), side) if known else None
            if price is not None:
                found.setdefault(token, {})[side] = price
        return reply(found)

    def _one(self, request: web.Request, read: _Read) -> str:
        """A side without orders has no price, which the venue tells like a book that is not there."""
        found = read(self._top(*self._asked(request)))
        if found is None:
            raise Refused(404, NO_BOOK)
        return found

    async def _each(self, request: web.Request, read: _Read) -> dict[TokenId, str]:
        tokens = _many(token_list(await request.read()))
        found = {token: read(self._top(*self._venue.tokens[token])) for token in tokens if self._known(token)}
        return {token: text for token, text in found.items() if text is not None}

    # --- last trades

    async def last_trade_price(self, request: web.Request) -> web.Response:
        return reply(self._last_trade(self._asked(request)[0]))

    async def last_trades_prices(self, request: web.Request) -> web.Response:
        tokens = _many(token_list(await request.read()))
        known = [token for token in tokens if self._known(token)]
        return reply([{"token_id": token, **self._last_trade(self._venue.tokens[token][0])} for token in known])

    def _last_trade(self, listing: Listing) -> Json:
        """One value for the market, in terms of Up."""
        last = self._state(listing).last_trade
        if last is None:
            return {"price": "0.5", "side": ""}
        return {"price": show(last), "side": self._venue.last_sides.get(listing.facts.id, Side.BUY)}

    # --- parameters

    async def tick_size(self, request: web.Request) -> web.Response:
        listing, _ = self._asked(request)
        return reply({"minimum_tick_size": number(self._state(listing).tick)})

    async def neg_risk(self, request: web.Request) -> web.Response:
        return reply({"neg_risk": self._asked(request)[0].neg_risk})

    async def fee_rate(self, request: web.Request) -> web.Response:
        return reply({"base_fee": base_fee(self._asked(request, "fee rate not found for market")[0])})

    async def clob_market(self, request: web.Request) -> web.Response:
        listing = self._venue.listings.get(MarketId(request.match_info["market"]))
        if listing is None or self._faults.strikes(Fault.HYDRATED_LATE, listing.slug):
            raise Refused(404, "market not found")
        facts = listing.facts
        open_ = facts.id not in self._venue.closed_at and self._venue.now() >= facts.accepts_from
        since = moment(max(listing.listed_at, facts.accepts_from))
        return reply(compact_market(listing, self._state(listing).tick, accepting=open_) | {"aot": since})

    async def market_of(self, request: web.Request) -> web.Response:
        return reply(market_of_token(self._asked(request, "market not found")[0]))

    def _asked(self, request: web.Request, unknown: str = NO_BOOK) -> tuple[Listing, Outcome]:
        token = TokenId(request.match_info.get("token") or request.query.get("token_id", ""))
        if not token:
            raise Refused(400, "Invalid token id")
        known = self._known(token)
        if known is None:
            raise Refused(404, unknown)
        return known

    def _known(self, token: TokenId) -> tuple[Listing, Outcome] | None:
        """Whose token it is, unless a fault keeps that from the CLOB."""
        known = self._venue.tokens.get(token)
        if known is None or self._faults.strikes(Fault.HYDRATED_LATE, known[0].slug):
            return None
        return known


def _placeholder(book: Book) -> Book:
    """The nothing that the venue showed for real books (`FAULTS.md` 6): the outermost prices."""
    low, high = (book.tick, _EDGE), (mirror(book.tick), _EDGE)
    return replace(book, bids=(low,), asks=(high,))


def _many(tokens: list[TokenId] | None) -> list[TokenId]:
    if tokens is None:
        raise Refused(400, "Invalid payload")
    if len(tokens) > MOST_TOKENS:
        raise Refused(400, "Payload exceeds the limit")
    return tokens


def token_list(raw: bytes) -> list[TokenId] | None:
    """The tokens of a plural request, `[{"token_id": ...}]`; None for any other body."""
    try:
        return [asked.token_id for asked in _tokens(raw)]
    except UNREADABLE:
        return None


def price_list(raw: bytes) -> list[tuple[TokenId, Side]] | None:
    """The tokens and sides of `POST /prices`; None for any other body."""
    try:
        return [(asked.token_id, asked.side) for asked in _prices(raw)]
    except UNREADABLE:
        return None


class _Asked(msgspec.Struct):
    token_id: TokenId


class _AskedPrice(msgspec.Struct):
    token_id: TokenId
    side: Side


_tokens = msgspec.json.Decoder(list[_Asked]).decode
_prices = msgspec.json.Decoder(list[_AskedPrice]).decode
