"""Runs the exchange alone, for any client that speaks Polymarket's wire, with recordings as its market.

Whatever the exchange does by itself (taker hold, settlement, heartbeat) takes the time it takes by the exchange's own
clock. When the recordings are over every market is closed, and the exchange stays up.
"""

import asyncio
import contextlib
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from polystra.app.exchange_accounts import OWN, ThrowawayAccount
from polystra.app.exchange_clock import ClockFacts, TimeMode
from polystra.app.playback import Playback, listing_of
from polystra.app.recordings import Recording, digest_of, examine
from polystra.app.settings import Settings
from polystra.app.standing_exchange import Blueprint, Standing, stand
from polystra.core.errors import PolystraError
from polystra.core.units import Nanos
from polystra.edge.clock import ScaledClock
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.tapes.format import RecordingError, TapeFile
from polystra.exchange.limits import Tier
from polystra.exchange.listings import InvalidListing
from polystra.exchange.lock_step import LockStep
from polystra.exchange.pace import SteppedClock
from polystra.exchange.server import Endpoints, serve
from polystra.exchange.venue import Venue
from polystra.sim.latency import Latency

HOST = "127.0.0.1"
STDIN = 0
SLOWEST, FASTEST = 0.01, 1_000.0
MOST_ACCOUNTS = 1_000


class HostUnusable(PolystraError):
    """The exchange cannot be put up as it was asked for."""


class HostOptions(Struct, frozen=True, kw_only=True):
    """`speed` 1 plays as recorded, and is not looked at in lock step; port 0 takes a free one. `signature_types` take
    turns among the accounts, `ahead` is as for `Playback`. Raises `HostUnusable` for what is out of range."""

    settings: Settings
    files: Sequence[TapeFile]
    seed: int
    mode: TimeMode = TimeMode.WALL
    speed: float = 1.0
    accounts: int = 2
    signature_types: Sequence[SignatureType] = OWN
    port: int = 0
    log: Path | None = None
    with_parent: bool = False
    ahead: Nanos = Nanos(0)
    tier: Tier = Tier.STANDARD

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and SLOWEST <= self.speed <= FASTEST):
            raise HostUnusable(f"speed {self.speed:g}: give {SLOWEST:g} to {FASTEST:g}, 1 plays as recorded, or max")
        if not 0 <= self.accounts <= MOST_ACCOUNTS:
            raise HostUnusable(f"accounts {self.accounts}: give 0 to {MOST_ACCOUNTS:,}")
        if not self.signature_types:
            raise HostUnusable("signature types: give at least one of 0, 1, 2, 3")
        if not 0 <= self.port <= 65_535:
            raise HostUnusable(f"port {self.port}: give 1 to 65535, or 0 for any that is free")


class Hosted(Struct, frozen=True, kw_only=True):
    """What a client needs to know in order to attach. `clock` is there where recorded time runs at a speed; `notes` are
    what a person should hear."""

    urls: Endpoints
    accounts: tuple[ThrowawayAccount, ...]
    clock: ClockFacts | None
    notes: tuple[str, ...]


def refuse_untradable(files: Sequence[TapeFile]) -> tuple[Recording, ...]:
    """Reads every recording once; raises `RecordingError` for a broken one, for a window that is there twice, and for
    one whose ids clients could not sign for."""
    recordings = examine(files)
    for file in files:
        try:
            listing_of(file.market)
        except (InvalidListing, PolystraError) as error:
            raise RecordingError(file.path, str(error), "leave this recording out") from None
    return recordings


def run_host(options: HostOptions, announce: Callable[[Hosted], None]) -> None:
    """Until SIGINT, SIGTERM or the end of the parent. Raises `HostUnusable`, `RecordingError`, `LogUnusable` and
    `LogDiffers` before anything is announced."""
    standing = stand(
        Blueprint(
            settings=options.settings,
            files=options.files,
            recordings=digest_of(refuse_untradable(options.files)),
            seed=options.seed,
            mode=options.mode,
            speed=options.speed,
            accounts=options.accounts,
            signature_types=options.signature_types,
            log=options.log,
            ahead=options.ahead,
        )
    )
    try:
        asyncio.run(_until_stopped(standing, options, announce))
    finally:
        standing.log.close()


async def _until_stopped(standing: Standing, options: HostOptions, announce: Callable[[Hosted], None]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    if options.with_parent:
        _stop_with_parent(stopped)
    await host(standing, announce, stopped, port=options.port, tier=options.tier)


async def host(
    standing: Standing,
    announce: Callable[[Hosted], None],
    stopped: asyncio.Event,
    *,
    port: int,
    tier: Tier = Tier.STANDARD,
) -> None:
    """Serves until `stopped`, then closes the log with the truth; announces once clients can attach and, but for lock
    step, the first market is open."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            urls = await stack.enter_async_context(_served(standing, port, tier))
        except OSError as error:
            raise HostUnusable(f"port {port} cannot be taken ({error.strerror}): give another, or 0") from None
        if not isinstance(standing.clock, SteppedClock):
            await stack.enter_async_context(_played(standing.venue, standing.playback, stopped))
        announce(Hosted(urls=urls, accounts=standing.accounts, clock=standing.clock_facts, notes=standing.notes))
        await stopped.wait()
    standing.end()


def _served(standing: Standing, port: int, tier: Tier) -> contextlib.AbstractAsyncContextManager[Endpoints]:
    venue, clock = standing.venue, standing.clock
    served = partial(
        serve,
        venue,
        host=HOST,
        port=port,
        prices=standing.prices,
        spot=standing.spot,
        memory=standing.memory,
        tier=tier,
    )
    if isinstance(clock, SteppedClock):
        latency = Latency(standing.rules.delays, standing.rules.seed)
        steps = LockStep(venue, clock, latency=latency, world=standing.playback)
        return served(lock_step=steps)
    speed = clock.speed if isinstance(clock, ScaledClock) else 1.0
    return served(speed=speed)


@contextlib.asynccontextmanager
async def _played(venue: Venue, playback: Playback, stopped: asyncio.Event) -> AsyncIterator[None]:
    """The recordings play while the block runs, all that is due before it begins. Stops everything when one is broken,
    and raises what was wrong with it."""
    _play_due(venue, playback)
    playing = asyncio.create_task(_play(venue, playback))
    playing.add_done_callback(lambda done: stopped.set() if not done.cancelled() and done.exception() else None)
    try:
        yield
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing


def _play_due(venue: Venue, playback: Playback) -> None:
    """All that is due at this moment, which does not move on meanwhile."""
    now = venue.now()
    while (due := playback.next_due()) is not None and due <= now:
        playback.step()


async def _play(venue: Venue, playback: Playback) -> None:
    while (due := playback.next_due()) is not None:
        await venue.until(due)
        playback.step()


def _stop_with_parent(stopped: asyncio.Event) -> None:
    """At the end of stdin, which the parent holds open as long as it lives."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(STDIN, 4_096):
            loop.remove_reader(STDIN)
            stopped.set()

    try:
        loop.add_reader(STDIN, read)
    except OSError:  # a plain file or nothing at all: nobody holds it open
        stopped.set()
