"""What is asked of the Data API: whose rows, of which markets, from where to where; and its pages."""

from collections.abc import Sequence

from aiohttp import web

from polystra.edge.polymarket.addresses import InvalidAddress, address
from polystra.exchange.catalogue import MARKETS_IN_ID
from polystra.exchange.listings import Listing
from polystra.exchange.price_history import whole
from polystra.exchange.replies import Refused
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json
from polystra.sim.records import Account

ROWS = 100
MOST_ROWS = 1_000


def account_asked(request: web.Request) -> Account:
    try:
        return Account(address(request.query.get("user", "")))
    except InvalidAddress as error:
        raise Refused(400, f"user: {error}") from None


def markets_asked(request: web.Request) -> set[str]:
    """Condition ids, in any of the three names; empty for all."""
    return {one.lower() for name in ("market", "condition", "condition_id") for one in words(request, name)}


def words(request: web.Request, name: str) -> list[str]:
    """What stands between commas, each once."""
    return list(dict.fromkeys(filter(None, request.query.get(name, "").split(","))))


def event_number(listing: Listing) -> int:
    """The catalogue's id of the event; each has one market."""
    return listing.number // MARKETS_IN_ID


def listings_asked(venue: Venue, request: web.Request) -> list[Listing]:
    """By condition and event where given, in the order of listing; of a Protocol-V2 condition 31 bytes are enough."""
    markets, events = markets_asked(request), words(request, "event_id")
    return [
        one
        for one in venue.listings.values()
        if (not markets or any(one.facts.id in (name, f"{name}00") for name in markets))
        and (not events or str(event_number(one)) in events)
    ]


def row_limit(request: web.Request) -> int:
    limit = whole(request.query.get("limit"), "limit")
    return ROWS if limit is None else max(1, min(limit, MOST_ROWS))


def data_page(request: web.Request, rows: Sequence[Json]) -> Json:
    """The cursor is the number of rows before it."""
    start = whole(request.query.get("cursor"), "cursor") or 0
    end = start + row_limit(request)
    more = end < len(rows)
    return {"data": rows[start:end], "pagination": {"has_more": more, "next_cursor": str(end) if more else None}}
