"""Series and tags of the catalogue (`PROTOCOL.md` B.8): all windows of one coin and length, and what all of them share.

The ids of tags are those that bots ask for, and the id of Bitcoin's windows of five minutes is a recorded one. All
other ids are made of the name.
"""

import hashlib
from collections.abc import Mapping, Sequence

from aiohttp import web
from msgspec import Struct

from polystra.exchange.listings import Listing
from polystra.exchange.replies import Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json

TAGS: Sequence[Json] = (
    {"id": "21", "label": "Crypto", "slug": "crypto"},
    {"id": "102127", "label": "Up or Down", "slug": "up-or-down"},
)
"""Of every market here."""

_KNOWN = {"btc-up-or-down-5m": "10684"}
_MINUTE = 60_000_000_000
_RECURRENCES = {5: "5m", 15: "15m", 60: "hourly", 240: "4h", 1440: "daily"}
"""By minutes."""

_COINS = {"bitcoin": "btc", "ethereum": "eth", "solana": "sol"}
"""Windows of an hour have the coin's long name in their slug."""


class Series(Struct, frozen=True):
    coin: str
    recurrence: str

    @property
    def slug(self) -> str:
        return f"{self.coin}-up-or-down-{self.recurrence}"

    @property
    def id(self) -> str:
        return _KNOWN.get(self.slug) or str(int.from_bytes(hashlib.sha256(self.slug.encode()).digest()[:3], "big"))


class Groups:
    """A part of Gamma."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        return [
            web.get("/series", self.all_series),
            web.get("/series/{id}", self.series),
            web.get("/tags", self.tags),
            web.get("/tags/{id}", self.tag),
            web.get("/tags/slug/{slug}", self.tag),
            web.get("/markets/{id}/tags", self.tags),
            web.get("/events/{id}/tags", self.tags),
        ]

    async def all_series(self, request: web.Request) -> web.Response:
        """By slug and recurrence where given."""
        slugs, recurrence = request.query.getall("slug", []), request.query.get("recurrence")
        found = [
            one for one in self._series() if (not slugs or one.slug in slugs) and recurrence in (None, one.recurrence)
        ]
        return reply(_cut(request, [series_form(one) for one in found]))

    async def series(self, request: web.Request) -> web.Response:
        named = request.match_info["id"]
        found = next((series_form(one) for one in self._series() if one.id == named), None)
        return _missing() if found is None else reply(found)

    async def tags(self, request: web.Request) -> web.Response:
        return reply(_cut(request, TAGS))

    async def tag(self, request: web.Request) -> web.Response:
        (name, named), *_ = request.match_info.items()
        found = next((one for one in TAGS if one[name] == named), None)
        return _missing() if found is None else reply(found)

    def _series(self) -> list[Series]:
        now = self._venue.now()
        listed = (one for one in self._venue.listings.values() if one.listed_at <= now)
        return list(dict.fromkeys(series_of(one) for one in listed))


def series_of(listing: Listing) -> Series:
    """By the coin of the slug and the length of the window."""
    minutes = (listing.facts.end - listing.facts.start) // _MINUTE
    coin = listing.slug.partition("-")[0]
    return Series(_COINS.get(coin, coin), _RECURRENCES.get(minutes, f"{minutes}m"))


def series_form(one: Series) -> Json:
    return {
        "id": one.id,
        "ticker": one.slug,
        "slug": one.slug,
        "title": f"{one.coin.upper()} Up or Down {one.recurrence}",
        "seriesType": "single",
        "recurrence": one.recurrence,
        "active": True,
        "closed": False,
        "archived": False,
    }


def in_groups(listing: Listing, query: Mapping[str, str]) -> bool:
    """Whether it is of the series and the tag that are asked for, if any is."""
    series, tag, word = query.get("series_id"), query.get("tag_id"), query.get("tag_slug")
    return (
        series in (None, series_of(listing).id)
        and (tag is None or any(tag == one["id"] for one in TAGS))
        and (word is None or any(word == one["slug"] for one in TAGS))
    )


def _cut(request: web.Request, rows: Sequence[Json]) -> list[Json]:
    """What is no number counts as not said."""
    offset, limit = (request.query.get(name, "") for name in ("offset", "limit"))
    start = int(offset) if _is_number(offset) else 0
    return list(rows[start : start + int(limit) if _is_number(limit) else None])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _missing() -> web.Response:
    return reply({"type": "not found error", "error": "id not found"}, 404)
