"""Runs a trader over the wire: at an exchange that it brings along, or at one that is there already."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from polystra.app.connection import Habits, Place, connected
from polystra.app.embedded import EmbeddedOptions, embedded
from polystra.app.run_plan import SETTINGS, Plan
from polystra.app.runtime import Listener
from polystra.app.session import EXCHANGE_LOG, Trader
from polystra.app.settings import Settings
from polystra.app.throwaway import throwaway_wallet
from polystra.core.markets import Series
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time, WallClock
from polystra.edge.polymarket.wallet import Wallet
from polystra.edge.wallet_lock import WalletLock, lock_folder

EXCHANGE = "exchange.json"
"""Where the embedded exchange of a run is, for whoever wants to look on."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WireRun(Struct, frozen=True, kw_only=True):
    """One life of a trader over the wire. It ends at SIGINT or SIGTERM, at the end of the world in lock step, or at the
    moment `until` of the venue's time."""

    trader: Trader
    plan: Plan
    folder: Path
    series: Collection[Series]
    tell: Listener
    until: Instant | None = None


async def trade_embedded(run: WireRun) -> bool:
    """Brings its own exchange, which goes on from its log where there is one. True when a signal ended it.

    Raises `NoExchange`, `ExchangeGone`, `VenueUnreachable`.
    """
    options = EmbeddedOptions(
        market=run.plan.market_options,
        seed=run.plan.seed,
        speed=run.plan.speed,
        log=run.folder / EXCHANGE_LOG,
        settings=run.folder / SETTINGS,
    )
    async with _stop_signals() as stopped, embedded(options) as place:
        (run.folder / EXCHANGE).write_bytes(msgspec.json.encode(place))
        return await _trade(run, place, throwaway_wallet(1), stopped)


async def trade_at(run: WireRun, place: Place, wallet: Wallet) -> bool:
    """Trades one wallet at a venue that is there already. True when a signal ended it.

    Raises `ExchangeGone`, `VenueUnreachable`, and `WalletBusy` while another process of this machine trades the wallet.
    """
    async with _stop_signals() as stopped:
        return await _trade(run, place, wallet, stopped)


async def _trade(run: WireRun, place: Place, wallet: Wallet, stopped: asyncio.Event) -> bool:
    host = urlsplit(place.clob).netloc
    with WalletLock(wallet.maker, host, lock_folder(os.environ), data=run.folder, at=WallClock().now()):
        async with connected(place, wallet, seed=run.plan.seed, habits=_habits(run.plan.chosen_settings)) as far:
            ending = asyncio.create_task(_end(far.clock, run.until, stopped))
            try:
                await run.trader.trade(far, run.series, run.tell, stopped=stopped)
                return stopped.is_set() and not ending.done()
            finally:
                ending.cancel()


def _habits(settings: Settings) -> Habits:
    venue = settings.venue
    return Habits(
        heartbeat=venue.heartbeat,
        notifications_every=_every(venue.notifications_every_seconds),
        renew_every=_every(venue.stream_renewed_every_seconds),
    )


def _every(length: float) -> Nanos | None:
    return seconds(length) if length else None


async def _end(clock: Time, moment: Instant | None, stopped: asyncio.Event) -> None:
    """Stops the run when its moment has come; without one, never."""
    if moment is None:
        await asyncio.Event().wait()
    else:
        await clock.until(moment)
        stopped.set()


@contextlib.asynccontextmanager
async def _stop_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set; a second one has its ordinary, rude effect."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopped.set()
        restore()

    def restore() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield stopped
    finally:
        restore()
