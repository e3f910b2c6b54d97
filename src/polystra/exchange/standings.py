"""What the Data API's second version says about traders and builders (`PROTOCOL.md` B.9): volume, profit and ranks.

Profit is in dollars and volume in shares. It is folded from what the chain has now, since the exchange began: windows
of time and categories are accepted, and everything counts in all of them. A series of profits is its newest point.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from aiohttp import web

from polystra.exchange.catalogue import moment
from polystra.exchange.data_queries import account_asked, data_page, event_number
from polystra.exchange.positions import Position, positions
from polystra.exchange.price_history import whole
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.rpc import BLOCK
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, number, seconds_of
from polystra.sim.records import STREET, Account, Leg, Trade

_INTERVALS = ("max", "all", "1m", "1w", "1d", "12h", "6h")
_FIDELITIES = ("1d", "18h", "12h", "3h", "1h")
_ORDERS = ("PNL", "VOLUME")


class Standings:
    """A part of the Data API."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        return [
            web.get("/v2/user-stats", self.stats),
            web.get("/v2/user-pnl", self.profit),
            web.get("/v2/user-volume", self.volume),
            web.get("/v2/leaderboard", self.leaders),
            web.get("/v2/biggest-winners", self.winners),
            web.get("/v2/builders/leaderboard", self.builders),
            web.get("/v2/builders/volume", self.builder_volume),
        ]

    # --- one trader

    async def stats(self, request: web.Request) -> web.Response:
        """`trades` counts markets; `data` is null for whoever never traded."""
        account = account_asked(request)
        trades = [trade for trade, _ in self._legs(account)]
        if not trades:
            return reply({"data": None})
        wins = [one.realized + one.unrealized for one in positions(self._venue, account)]
        form: Json = {
            "proxy_wallet": account,
            "trades": len({trade.market for trade in trades}),
            "biggest_win": number(max([0, *wins])),
            "views": 0,
            "join_date": seconds_of(min(trade.matched_at for trade in trades)),
            "all_time_pnl": self._point(account),
        }
        return reply({"data": form})

    async def profit(self, request: web.Request) -> web.Response:
        account = account_asked(request)
        interval, fidelity = request.query.get("interval", "max"), request.query.get("fidelity", "1d")
        for name, said, known in (("interval", interval, _INTERVALS), ("fidelity", fidelity, _FIDELITIES)):
            if said not in known:
                raise Refused(400, f"{name} {said[:20]}: known are {', '.join(known)}")
        form: Json = {
            "proxy_wallet": account,
            "interval": interval,
            "fidelity": fidelity,
            "source_fidelity": fidelity,
            "points": [self._point(account)],
        }
        return reply({"data": form})

    async def volume(self, request: web.Request) -> web.Response:
        """Between two moments in seconds, both included, where given."""
        start, end = whole(request.query.get("start"), "start"), whole(request.query.get("end"), "end")
        legs = [
            leg
            for trade, leg in self._legs(account_asked(request))
            if (start is None or start <= seconds_of(trade.matched_at))
            and (end is None or seconds_of(trade.matched_at) <= end)
        ]
        return reply({"data": _traded(legs)})

    def _point(self, account: Account) -> Json:
        held = positions(self._venue, account)
        now, realized = seconds_of(self._venue.now()), sum(one.realized for one in held)
        traded = _traded([leg for _, leg in self._legs(account)])
        return {
            "timestamp": now,
            "source_block": now // BLOCK,
            "realized_market_pnl": number(realized),
            "realized_lp_pnl": 0,
            "realized_combo_pnl": 0,
            "realized_pnl": number(realized),
            **traded,
            "unrealized_pnl": number(sum(one.unrealized for one in held)),
            "fees_paid": number(sum(one.fees for one in held)),
        }

    # --- all of them

    async def leaders(self, request: web.Request) -> web.Response:
        """Whoever traded, by profit or by volume; with `user` where that one stands in both."""
        profits, volumes = self._profits(), self._volumes()
        if "user" in request.query:
            account = account_asked(request)
            if account not in profits:
                return reply({"data": None})
            row = _trader(account, profits, volumes)
            ranks = {"rank_pnl": _rank(account, profits), "rank_volume": _rank(account, volumes)}
            return reply({"data": row | ranks})
        order = request.query.get("sort_by", "PNL").upper()
        if order not in _ORDERS:
            raise Refused(400, f"sort_by {order[:20]}: known are {', '.join(_ORDERS)}")
        by = profits if order == "PNL" else volumes
        ranked = sorted(profits, key=lambda one: (-by[one], one))
        rows = [{"rank": place, **_trader(one, profits, volumes)} for place, one in enumerate(ranked, 1)]
        return reply(data_page(request, rows))

    async def winners(self, request: web.Request) -> web.Response:
        """Positions of markets that are resolved and brought more than they cost."""
        held = [one for account in self._profits() for one in positions(self._venue, account)]
        won = [one for one in held if one.payout is not None and one.realized + one.unrealized > 0]
        won.sort(key=lambda one: -(one.realized + one.unrealized))
        return reply(data_page(request, [self._win(place, one) for place, one in enumerate(won, 1)]))

    def _win(self, place: int, one: Position) -> Json:
        profit, listing = one.realized + one.unrealized, one.listing
        return {
            "win_rank": place,
            "user_id": one.account,
            "pnl": number(profit),
            "initial_value": number(one.spent),
            "final_value": number(one.spent + profit),
            "resolved_at": moment(self._venue.closed_at[listing.facts.id]),
            "event_title": listing.question,
            "kind": "market",
            "condition_id": listing.facts.id,
            "position_id": one.token,
            "event_id": str(event_number(listing)),
            "event_slug": listing.slug,
        }

    # --- builders

    async def builders(self, request: web.Request) -> web.Response:
        return reply(data_page(request, list(self._builders())))

    async def builder_volume(self, _: web.Request) -> web.Response:
        """All of it in today's bucket."""
        today = moment(self._venue.now())[:10]
        return reply({"data": [{**row, "date": today} for row in self._builders()]})

    def _builders(self) -> Iterator[Json]:
        """By volume; a builder's name here is its code."""
        volumes, users = Counter[str](), dict[str, set[Account]]()
        for leg in self._all_legs():
            if code := self._venue.builders.get(leg.order):
                volumes[code] += leg.shares
                users.setdefault(code, set()).add(leg.account)
        for place, (code, volume) in enumerate(volumes.most_common(), 1):
            yield {
                "rank": place,
                "builder_name": code,
                "builder_code": code,
                "verified": False,
                "volume": number(volume),
                "active_users": len(users[code]),
            }

    # --- what there is

    def _legs(self, account: Account) -> list[tuple[Trade, Leg]]:
        trades = [trade for trade in self._venue.current().trades(account) if trade.stage.settled]
        return [(trade, leg) for trade in trades for leg in (trade.taker, trade.maker) if leg.account == account]

    def _all_legs(self) -> Iterator[Leg]:
        """What clients did, on the chain."""
        for trade in self._venue.current().truth().trades:
            if trade.stage.settled:
                yield from (leg for leg in (trade.taker, trade.maker) if leg.account != STREET)

    def _volumes(self) -> Counter[Account]:
        found = Counter[Account]()
        for leg in self._all_legs():
            found[leg.account] += leg.shares
        return found

    def _profits(self) -> dict[Account, int]:
        """Of whoever traded, what is realised and what is not."""
        return {
            account: sum(one.realized + one.unrealized for one in positions(self._venue, account))
            for account in self._volumes()
        }


def _traded(legs: Iterable[Leg]) -> Json:
    shares = cash = count = 0
    for leg in legs:
        shares, cash, count = shares + leg.shares, cash + leg.cash, count + 1
    return {"volume": number(shares), "volume_usdc": number(cash), "trade_count": count}


def _trader(account: Account, profits: dict[Account, int], volumes: Counter[Account]) -> Json:
    return {
        "user_id": account,
        "pnl": number(profits[account]),
        "volume": number(volumes[account]),
        "user_name": "",
        "profile_image": "",
        "x_username": "",
        "verified": False,
    }


def _rank(account: Account, by: dict[Account, int]) -> int:
    return 1 + sum(other > by[account] for other in by.values())
