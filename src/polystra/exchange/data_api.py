"""What anybody may read of any account (`PROTOCOL.md` B.9), first version and second: positions, trades, activity,
value, and the prices of a token by the minute.

It knows what the chain knows: a trade appears once it was mined. The real one is late by seconds to minutes, which is
a fault (`data_cache`).
"""

from collections.abc import Callable, Iterator, Mapping

from aiohttp import web

from polystra.core.errors import InvalidQuantity
from polystra.core.ids import TokenId
from polystra.core.units import micro
from polystra.exchange import data_rows
from polystra.exchange.data_cache import ACTIVITY, POSITIONS, TRADES, DataCache
from polystra.exchange.data_queries import account_asked, data_page, markets_asked, row_limit
from polystra.exchange.data_rows import Deed
from polystra.exchange.deeds import DEPOSIT, Deeds
from polystra.exchange.faults import Faults
from polystra.exchange.positions import Position, own_legs, positions
from polystra.exchange.price_history import history, span_of, thinned, whole
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, number, seconds_of
from polystra.sim.records import STREET, Account, Trade

DUST = "1"
"""Shares; smaller positions are left out of the first version unless they are asked for."""

_MINUTE = 60


class DataApi:
    """Its routes stand below a prefix of their own. `deeds` knows what is no trade."""

    def __init__(self, venue: Venue, deeds: Deeds, faults: Faults) -> None:
        self._venue = venue
        self._other = deeds
        self._cache = DataCache(venue, faults)

    def routes(self) -> Routes:
        late = self._cache.before
        return [
            web.get("/positions", late(self.positions_v1, POSITIONS)),
            web.get("/trades", late(self.trades_v1, TRADES)),
            web.get("/activity", late(self.activity_v1, ACTIVITY)),
            web.get("/value", self.value_v1),
            web.get("/v2/positions", late(self.positions_v2, POSITIONS)),
            web.get("/v2/trades", late(self.trades_v2, TRADES)),
            web.get("/v2/activity", late(self.activity_v2, ACTIVITY)),
            web.get("/v2/value", self.value_v2),
            web.get("/v2/prices-history", self.prices),
        ]

    # --- version 1

    async def positions_v1(self, request: web.Request) -> web.Response:
        """The largest first."""
        least = _shares(request, "sizeThreshold", DUST)
        held = [
            one
            for one in self._held(request)
            if one.size > 0
            and one.size >= least
            and request.query.get("redeemable") in (None, _flag(one.redeemable))
            and request.query.get("mergeable") in (None, _flag(one.mergeable))
        ]
        held.sort(key=lambda one: one.size, reverse=True)
        return reply(_slice(request, [data_rows.position_v1(one) for one in held]))

    async def trades_v1(self, request: web.Request) -> web.Response:
        """Without what makers did, unless `takerOnly` is false."""
        taken = request.query.get("takerOnly", "true") == "true"
        return reply(_slice(request, [data_rows.trade_v1(one) for one in self._trades(request, takers_only=taken)]))

    async def activity_v1(self, request: web.Request) -> web.Response:
        """Without deposits, which the first version does not have."""
        found = [one for one in self._activity(request) if one.kind != DEPOSIT]
        return reply(_slice(request, [data_rows.activity_v1(one) for one in found]))

    async def value_v1(self, request: web.Request) -> web.Response:
        return reply([{"user": account_asked(request), "value": self._value(request)}])

    # --- version 2

    async def positions_v2(self, request: web.Request) -> web.Response:
        """The most valuable first."""
        status = request.query.get("status")
        if status not in _STATUSES:
            raise Refused(400, f"status {status}: known are {', '.join(filter(None, _STATUSES))}")
        held = [one for one in self._held(request) if _STATUSES[status](one)]
        held.sort(key=lambda one: one.value, reverse=True)
        return reply(data_page(request, [data_rows.position_v2(one) for one in held]))

    async def trades_v2(self, request: web.Request) -> web.Response:
        """With what makers did, unless `taker_only` is true."""
        taken = request.query.get("taker_only", "false").lower() == "true"
        return reply(data_page(request, [data_rows.trade_v2(one) for one in self._trades(request, takers_only=taken)]))

    async def activity_v2(self, request: web.Request) -> web.Response:
        return reply(data_page(request, [data_rows.activity_v2(one) for one in self._activity(request)]))

    async def value_v2(self, request: web.Request) -> web.Response:
        return reply({"data": {"proxy_wallet": account_asked(request), "value": self._value(request)}})

    async def prices(self, request: web.Request) -> web.Response:
        """Buckets are rounded down to whole minutes."""
        query = request.query
        bucket = whole(query.get("bucket_seconds"), "bucket_seconds")
        span = span_of(
            now=seconds_of(self._venue.now()),
            start=whole(query.get("start"), "start"),
            end=whole(query.get("end"), "end"),
            interval=query.get("interval"),
            step=None if bucket is None else bucket // _MINUTE,
        )
        points = thinned(history(self._venue, TokenId(query.get("token_id", ""))), span)
        resolution = span.step * _MINUTE
        rows: list[Json] = [
            {"timestamp": at, "price": number(price), "resolution_seconds": resolution} for at, price in points
        ]
        return reply(data_page(request, rows))

    # --- what there is

    def _held(self, request: web.Request) -> list[Position]:
        markets = markets_asked(request)
        found = positions(self._venue, account_asked(request))
        return [one for one in found if not markets or one.listing.facts.id in markets]

    def _value(self, request: web.Request) -> float | int:
        """Of all that is held, without cash."""
        return number(sum(one.value for one in self._held(request)))

    def _trades(self, request: web.Request, *, takers_only: bool) -> list[Deed]:
        """Newest first; of every account when none is named."""
        exchange = self._venue.current()
        account = account_asked(request) if "user" in request.query else None
        trades = exchange.truth().trades if account is None else tuple(reversed(exchange.trades(account)))
        found = [deed for trade in trades for deed in self._deeds(trade, account, takers_only=takers_only)]
        return _newest_first(found, request)

    def _deeds(self, trade: Trade, account: Account | None, *, takers_only: bool) -> Iterator[Deed]:
        """What clients did in a trade that is on the chain."""
        legs = (trade.taker, trade.maker) if account is None else own_legs(trade, account)
        for leg in legs if trade.stage.settled else ():
            if leg.account != STREET and not (takers_only and leg is not trade.taker):
                yield data_rows.deed_of(trade, leg, self._venue.listings[trade.market])

    def _activity(self, request: web.Request) -> list[Deed]:
        """Newest first."""
        account, kinds = account_asked(request), set(filter(None, request.query.get("type", "").split(",")))
        trades = self._venue.current().trades(account)
        found = [deed for trade in reversed(trades) for deed in self._deeds(trade, account, takers_only=False)]
        found += self._other.of(account)
        return [deed for deed in _newest_first(found, request) if not kinds or deed.kind in kinds]


_STATUSES: Mapping[str | None, Callable[[Position], bool]] = {
    None: lambda one: one.size > 0,
    "OPEN": lambda one: one.size > 0 and one.payout is None,
    "REDEEMABLE": lambda one: one.redeemable,
    "REDEEMABLE_LOST": lambda one: one.redeemable and one.payout == 0,
    "MERGEABLE": lambda one: one.mergeable,
    "CLOSED": lambda one: one.size == 0,
}


# --- what is asked


def _newest_first(found: list[Deed], request: web.Request) -> list[Deed]:
    """By market, side and time (seconds, both included) where given."""
    markets, side = markets_asked(request), request.query.get("side")
    start, end = whole(request.query.get("start"), "start"), whole(request.query.get("end"), "end")
    wanted = [
        one
        for one in reversed(found)
        if (not markets or one.market in markets)
        and side in (None, one.side)
        and (start is None or start <= seconds_of(one.at))
        and (end is None or seconds_of(one.at) <= end)
    ]
    return sorted(wanted, key=lambda one: one.at, reverse=True)


def _slice(request: web.Request, rows: list[Json]) -> list[Json]:
    start = whole(request.query.get("offset"), "offset") or 0
    return rows[start : start + row_limit(request)]


def _shares(request: web.Request, name: str, default: str) -> int:
    try:
        return micro(request.query.get(name, default))
    except InvalidQuantity as error:
        raise Refused(400, f"{name}: {error}") from None


def _flag(holds: bool) -> str:
    return "true" if holds else "false"
