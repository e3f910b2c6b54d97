"""The catalogue by slug and in pages (`PROTOCOL.md` B.8)."""

from collections.abc import Callable, Iterator

from aiohttp import web
from msgspec.structs import replace

from polystra.core.ids import MarketId
from polystra.core.units import NO_ASK, NO_BID
from polystra.exchange.catalogue import MARKETS_IN_ID, Entry, event_form, market_form
from polystra.exchange.faults import Fault, Faults
from polystra.exchange.groups import in_groups
from polystra.exchange.listings import Listing
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, Top, top_of

MOST_ROWS = 100
ROWS = 20

MAX_AGE = 300
"""Seconds for which Gamma's best prices stay as they are."""

_Form = Callable[[Entry], Json]


class Gamma:
    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults
        self._told: dict[MarketId, Entry] = {}
        self._tops: dict[MarketId, tuple[int, Top]] = {}

    def routes(self) -> Routes:
        return [
            web.get("/markets", self.markets),
            web.get("/markets/keyset", self.market_pages),
            web.get("/markets/slug/{slug}", self.market),
            web.get("/markets/{id}", self.market),
            web.get("/events", self.events),
            web.get("/events/keyset", self.event_pages),
            web.get("/events/slug/{slug}", self.event),
            web.get("/events/{id}", self.event),
            web.get("/public-search", self.search),
        ]

    async def market(self, request: web.Request) -> web.Response:
        return self._one(request, market_form, 1)

    async def event(self, request: web.Request) -> web.Response:
        return self._one(request, event_form, MARKETS_IN_ID)

    async def markets(self, request: web.Request) -> web.Response:
        return self._some(request, market_form)

    async def events(self, request: web.Request) -> web.Response:
        return self._some(request, event_form)

    async def market_pages(self, request: web.Request) -> web.Response:
        return self._pages(request, market_form, "markets")

    async def event_pages(self, request: web.Request) -> web.Response:
        return self._pages(request, event_form, "events")

    async def search(self, request: web.Request) -> web.Response:
        """Open events whose title or slug has all the words, in pages of `limit_per_type`."""
        wanted = request.query.get("q", "").lower().split()
        found = [entry for entry in self._asked(request) if all(word in _words(entry.listing) for word in wanted)]
        size = max(1, _number(request, "limit_per_type", ROWS))
        start = (max(1, _number(request, "page", 1)) - 1) * size
        more = {"hasMore": start + size < len(found), "totalResults": len(found)}
        events = [event_form(entry) for entry in found[start : start + size]]
        return _cached({"events": events, "tags": [], "profiles": [], "pagination": more})

    # --- which

    def _one(self, request: web.Request, form: _Form, in_id: int) -> web.Response:
        """By slug or by the catalogue's id."""
        asked = request.match_info
        named, what = (asked["slug"], "slug") if "slug" in asked else (asked["id"], "id")
        for listing in self._listed():
            if named == (listing.slug if what == "slug" else str(listing.number // in_id)):
                return _cached(form(self._entry(listing)))
        return _cached({"type": "not found error", "error": f"{what} not found"}, 404)

    def _some(self, request: web.Request, form: _Form) -> web.Response:
        offset = _number(request, "offset", 0)
        found = self._asked(request)[offset : offset + min(_number(request, "limit", ROWS), MOST_ROWS)]
        return _cached([form(entry) for entry in found])

    def _pages(self, request: web.Request, form: _Form, name: str) -> web.Response:
        if "offset" in request.query:
            raise Refused(422, "offset is not allowed on keyset endpoints")
        limit = min(_number(request, "limit", ROWS), MOST_ROWS)
        after = _number(request, "after_cursor", -1)
        found = [entry for entry in self._asked(request) if entry.listing.number > after]
        body: Json = {name: [form(entry) for entry in found[:limit]]}
        if len(found) > limit:
            body["next_cursor"] = str(found[limit - 1].listing.number)
        return _cached(body)

    def _asked(self, request: web.Request) -> list[Entry]:
        """By slug, condition, token, series and tag where given, in the order of ids; open ones unless closed are asked
        for."""
        query = request.query
        closed = query.get("closed", "false") == "true"
        slugs, markets, tokens = (query.getall(name, []) for name in ("slug", "condition_ids", "clob_token_ids"))
        found = [
            self._entry(listing)
            for listing in sorted(self._listed(), key=lambda listing: listing.number)
            if (not slugs or listing.slug in slugs)
            and (not markets or listing.facts.id in markets)
            and (not tokens or {listing.facts.up_token, listing.facts.down_token} & set(tokens))
            and in_groups(listing, query)
        ]
        return [entry for entry in found if entry.closed is closed]

    def _listed(self) -> Iterator[Listing]:
        """Those that the CLOB does not know yet, too."""
        now, venue = self._venue.now(), self._venue
        return (one for one in (*venue.coming.values(), *venue.listings.values()) if one.listed_at <= now)

    # --- what of it

    def _entry(self, listing: Listing) -> Entry:
        """As it is, but for faults. One that was never told before cannot be stale."""
        told = self._told.get(listing.facts.id)
        if told is None or not self._faults.strikes(Fault.CATALOGUE_STALE, listing.slug):
            told = self._told[listing.facts.id] = self._fresh(listing)
        bare = self._faults.strikes(Fault.TOKENS_MISSING, listing.slug) is not None
        strange = self._faults.strikes(Fault.GENERATION_UNKNOWN, listing.slug) is not None
        return replace(told, bare=bare, strange=strange)

    def _fresh(self, listing: Listing) -> Entry:
        venue, facts = self._venue, listing.facts
        if facts.id in venue.coming:
            nothing = Top(NO_BID, NO_ASK)
            return Entry(listing=listing, top=nothing, tick=facts.tick, accepting=False, hydrated=False)
        book = venue.current().book(facts.id)
        closed_at = venue.closed_at.get(facts.id)
        return Entry(
            listing=listing,
            top=self._top(facts.id, top_of(book)),
            tick=book.tick,
            accepting=closed_at is None and venue.now() >= facts.accepts_from,
            closed_at=closed_at,
            up_payout=venue.payouts.get(facts.id),
        )

    def _top(self, market: MarketId, fresh: Top) -> Top:
        """As it was when first asked for in this span of time."""
        span = self._venue.now() // (MAX_AGE * 1_000_000_000)
        known = self._tops.get(market)
        if known is None or known[0] != span:
            known = self._tops[market] = (span, fresh)
        return known[1]


def _words(listing: Listing) -> str:
    return f"{listing.question} {listing.slug}".lower()


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Refused(422, f"{name} must be a number")
    return int(text)


def _cached(body: object, http: int = 200) -> web.Response:
    response = reply(body, http)
    response.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
    return response
