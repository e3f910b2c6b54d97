"""Puts a venue on one port. The CLOB is at the root, because its clients sign the path; the others stand beside it."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from msgspec import Struct

from polystra.exchange.account import Accounts
from polystra.exchange.approvals import Approvals
from polystra.exchange.auth import ApiKeys, Gate
from polystra.exchange.binance import BinanceRest
from polystra.exchange.binance_streams import BinanceStream
from polystra.exchange.builders import Builders
from polystra.exchange.control import CONTROL, Control, Pace, local_only
from polystra.exchange.data_api import DataApi
from polystra.exchange.faults import Faults
from polystra.exchange.gamma import Gamma
from polystra.exchange.groups import Groups
from polystra.exchange.limits import Limits, Tier, stated
from polystra.exchange.lock_step import LockStep
from polystra.exchange.market_pages import MarketPages
from polystra.exchange.market_statistics import MarketStatistics
from polystra.exchange.markets import Markets
from polystra.exchange.memory import Memory
from polystra.exchange.notifications import Notifications
from polystra.exchange.orders import Orders
from polystra.exchange.pace import SteppedClock, SteppedPace, WallPace
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.price_history import PriceHistory
from polystra.exchange.realtime import RealtimeStream
from polystra.exchange.relayer import Relayer
from polystra.exchange.replies import breaks, faulty, refusals
from polystra.exchange.rewards import Rewards
from polystra.exchange.rpc import Rpc
from polystra.exchange.rtds import RtdsStream
from polystra.exchange.spot import SpotMarket
from polystra.exchange.standings import Standings
from polystra.exchange.streams import MarketStream, UserStream
from polystra.exchange.venue import Venue

_GAMMA = "/gamma"
_RELAYER = "/relayer"
_DATA = "/data-api"
_BINANCE = "/binance"
_SHUTDOWN = 1.0
"""Seconds that open requests have to end."""


class Endpoints(Struct, frozen=True, kw_only=True):
    """Where clients find the services."""

    clob: str
    market_ws: str
    user_ws: str
    gamma: str
    relayer: str
    rpc: str
    data: str
    prices: str
    realtime: str
    binance: str
    binance_ws: str
    control: str


@contextlib.asynccontextmanager
async def serve(  # noqa: PLR0913 - options, each with a default
    venue: Venue,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Faults | None = None,
    stepped: SteppedClock | None = None,
    lock_step: LockStep | None = None,
    speed: float = 1.0,
    prices: PriceBoard | None = None,
    spot: SpotMarket | None = None,
    tier: Tier = Tier.STANDARD,
    memory: Memory | None = None,
) -> AsyncIterator[Endpoints]:
    """Serves until the block ends; port 0 takes a free one. With `stepped`, which must be the venue's clock, time moves
    only by `/control/time`, with `lock_step` only with its trader; without either the venue wakes by the wall, and its
    clock runs `speed` times as fast. The price feeds tell what `prices` is told, Binance what `spot` makes of it.
    Signers are held to the limits of `tier`. `memory` is there where the venue has had inputs before."""
    board = prices or PriceBoard()
    pace = lock_step or (SteppedPace(venue, stepped) if stepped is not None else WallPace(venue, speed))
    spot, limits = spot or SpotMarket(board), Limits(venue.now, tier)
    parts = _Parts(faults or Faults(), board, spot, limits, memory or Memory(venue))
    runner = web.AppRunner(
        _application(venue, pace, parts),
        access_log=None,
        shutdown_timeout=_SHUTDOWN,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield _endpoints(host, runner.addresses[0][1])
    finally:
        pace.stop()
        await runner.cleanup()


class _Parts(Struct, frozen=True):
    """What stands beside the venue."""

    faults: Faults
    prices: PriceBoard
    spot: SpotMarket
    limits: Limits
    memory: Memory


def _application(venue: Venue, pace: Pace, parts: _Parts) -> web.Application:
    gate, faults, limits = Gate(venue), parts.faults, parts.limits
    faults.later, faults.seed = venue.later, venue.seed_for("faults")
    relayer = Relayer(venue)
    binance = BinanceStream(venue, faults, parts.spot)
    streams = (
        MarketStream(venue, faults),
        UserStream(venue, faults),
        RtdsStream(venue, faults, parts.prices),
        RealtimeStream(venue, faults, parts.prices),
    )
    steps = [pace.middleware(spared=CONTROL)] if isinstance(pace, LockStep) else []
    clob = web.Application(middlewares=[breaks, *steps, faulty(venue, faults, spared=CONTROL), stated, refusals])
    pages = (Markets(venue, faults), MarketPages(venue, faults), PriceHistory(venue))
    public = (*pages, Builders(venue), Rpc(venue, relayer))
    members = (
        ApiKeys(venue, gate),
        Orders(venue, gate, faults=faults, limits=limits),
        Accounts(venue, gate),
        Rewards(venue, gate),
        Notifications(venue, gate, parts.memory.notices),
    )
    data = (DataApi(venue, parts.memory.deeds, faults), Approvals(venue), MarketStatistics(venue), Standings(venue))
    for area in (*public, *members, *streams):
        clob.add_routes(area.routes())
    control = web.Application(middlewares=[local_only])
    control.add_routes(Control(venue, faults=faults, pace=pace, limits=limits, gate=gate).routes())
    control.add_routes(pace.routes() if isinstance(pace, LockStep) else [])
    clob.add_subapp(CONTROL, control)
    services = (
        (_GAMMA, [*Gamma(venue, faults).routes(), *Groups(venue).routes()]),
        (_RELAYER, relayer.routes()),
        (_DATA, [route for area in data for route in area.routes()]),
        (_BINANCE, [*BinanceRest(venue, parts.spot).routes(), *binance.routes()]),
    )
    for prefix, routes in services:
        service = web.Application()
        service.add_routes(routes)
        clob.add_subapp(prefix, service)

    async def close_streams(_: web.Application) -> None:
        for stream in (*streams, binance):
            stream.close_all()

    clob.on_shutdown.append(close_streams)
    return clob


def _endpoints(host: str, port: int) -> Endpoints:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Endpoints(
        clob=f"http://{place}",
        market_ws=f"ws://{place}/ws/market",
        user_ws=f"ws://{place}/ws/user",
        gamma=f"http://{place}{_GAMMA}",
        relayer=f"http://{place}{_RELAYER}",
        rpc=f"http://{place}/rpc",
        data=f"http://{place}{_DATA}",
        prices=f"ws://{place}/prices/rtds",
        realtime=f"ws://{place}/prices/realtime",
        binance=f"http://{place}{_BINANCE}",
        binance_ws=f"ws://{place}{_BINANCE}",
        control=f"http://{place}{CONTROL}",
    )
