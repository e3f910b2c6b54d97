"""Puts a venue on one port. The CLOB is at the root, because its clients sign the path; the others stand beside it."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from msgspec import Struct

from polystra.exchange.account import Accounts
from polystra.exchange.auth import ApiKeys, Gate
from polystra.exchange.builders import Builders
from polystra.exchange.control import CONTROL, Control, Pace, local_only
from polystra.exchange.data_api import DataApi
from polystra.exchange.faults import Faults
from polystra.exchange.gamma import Gamma, Relayer
from polystra.exchange.lock_step import LockStep
from polystra.exchange.market_pages import MarketPages
from polystra.exchange.markets import Markets
from polystra.exchange.notifications import Notifications
from polystra.exchange.orders import Orders
from polystra.exchange.pace import SteppedClock, SteppedPace, WallPace
from polystra.exchange.price_feeds import PriceBoard
from polystra.exchange.price_history import PriceHistory
from polystra.exchange.realtime import RealtimeStream
from polystra.exchange.replies import breaks, faulty, refusals
from polystra.exchange.rewards import Rewards
from polystra.exchange.rtds import RtdsStream
from polystra.exchange.streams import MarketStream, UserStream
from polystra.exchange.venue import Venue

_GAMMA = "/gamma"
_RELAYER = "/relayer"
_DATA = "/data-api"
_SHUTDOWN = 1.0
"""Seconds that open requests have to end."""


class Endpoints(Struct, frozen=True, kw_only=True):
    """Where clients find the services."""

    clob: str
    market_ws: str
    user_ws: str
    gamma: str
    relayer: str
    data: str
    prices: str
    realtime: str
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
) -> AsyncIterator[Endpoints]:
    """Serves until the block ends; port 0 takes a free one. With `stepped`, which must be the venue's clock, time moves
    only by `/control/time`, with `lock_step` only with its trader; without either the venue wakes by the wall, and its
    clock runs `speed` times as fast. The price feeds tell what `prices` is told."""
    pace = lock_step or (SteppedPace(venue, stepped) if stepped is not None else WallPace(venue, speed))
    runner = web.AppRunner(
        _application(venue, faults or Faults(), pace, prices or PriceBoard()),
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


def _application(venue: Venue, faults: Faults, pace: Pace, prices: PriceBoard) -> web.Application:
    gate = Gate(venue)
    streams = (
        MarketStream(venue, faults),
        UserStream(venue, faults),
        RtdsStream(venue, faults, prices),
        RealtimeStream(venue, faults, prices),
    )
    steps = [pace.middleware(spared=CONTROL)] if isinstance(pace, LockStep) else []
    clob = web.Application(middlewares=[breaks, *steps, faulty(venue, faults, spared=CONTROL), refusals])
    public = (Markets(venue), MarketPages(venue), PriceHistory(venue), Builders(venue))
    members = (
        ApiKeys(venue, gate),
        Orders(venue, gate),
        Accounts(venue, gate),
        Rewards(venue, gate),
        Notifications(venue, gate),
    )
    for area in (*public, *members, *streams):
        clob.add_routes(area.routes())
    control = web.Application(middlewares=[local_only])
    control.add_routes(Control(venue, faults, pace).routes())
    control.add_routes(pace.routes() if isinstance(pace, LockStep) else [])
    clob.add_subapp(CONTROL, control)
    for prefix, other in ((_GAMMA, Gamma(venue)), (_RELAYER, Relayer(venue)), (_DATA, DataApi(venue))):
        service = web.Application()
        service.add_routes(other.routes())
        clob.add_subapp(prefix, service)

    async def close_streams(_: web.Application) -> None:
        for stream in streams:
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
        data=f"http://{place}{_DATA}",
        prices=f"ws://{place}/prices/rtds",
        realtime=f"ws://{place}/prices/realtime",
        control=f"http://{place}{CONTROL}",
    )
