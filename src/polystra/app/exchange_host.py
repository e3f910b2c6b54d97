"""Runs the exchange alone, for any client that speaks Polymarket's wire, with recordings as its market.

Whatever the exchange does by itself (taker hold, settlement, heartbeat) takes the time it takes, at any speed of the
recordings. When these are over every market is closed, and the exchange stays up.
"""

import asyncio
import contextlib
import hashlib
import math
import signal
from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from polystra.app.playback import Playback, listing_of
from polystra.app.recordings import examine
from polystra.app.settings import Settings
from polystra.app.world_rules import world_rules
from polystra.core.errors import PolystraError
from polystra.core.units import Usd
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.wallet import SignatureType
from polystra.edge.tapes.format import RecordingError, TapeFile
from polystra.exchange.listings import InvalidListing
from polystra.exchange.members import Members
from polystra.exchange.server import Endpoints, serve
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim

HOST = "127.0.0.1"
SLOWEST, FASTEST = 0.01, 1_000.0
MOST_ACCOUNTS = 1_000


class HostUnusable(PolystraError):
    """The exchange cannot be put up as it was asked for."""


class HostOptions(Struct, frozen=True, kw_only=True):
    """`speed` 1 plays as recorded; port 0 takes a free one. Raises `HostUnusable` for what is out of range."""

    settings: Settings
    files: Sequence[TapeFile]
    seed: int
    speed: float = 1.0
    accounts: int = 2
    port: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and SLOWEST <= self.speed <= FASTEST):
            raise HostUnusable(f"speed {self.speed:g}: give {SLOWEST:g} to {FASTEST:g}, 1 plays as recorded")
        if not 0 <= self.accounts <= MOST_ACCOUNTS:
            raise HostUnusable(f"accounts {self.accounts}: give 0 to {MOST_ACCOUNTS:,}")
        if not 0 <= self.port <= 65_535:
            raise HostUnusable(f"port {self.port}: give 1 to 65535, or 0 for any that is free")


class ThrowawayAccount(Struct, frozen=True, kw_only=True):
    """Anybody can make this key from the seed: it is worth nothing anywhere else."""

    address: Address
    private_key: str
    signature_type: SignatureType
    cash: Usd


class Hosted(Struct, frozen=True, kw_only=True):
    """What a client needs to know in order to attach."""

    urls: Endpoints
    accounts: tuple[ThrowawayAccount, ...]


def throwaway_accounts(seed: int, count: int, cash: Usd) -> tuple[ThrowawayAccount, ...]:
    """The same accounts for the same seed; each trades from its key's own account."""
    secrets = (hashlib.sha256(f"polystra throwaway test key {seed} {n}".encode()).digest() for n in range(1, count + 1))
    return tuple(
        ThrowawayAccount(
            address=SigningKey(secret).address,
            private_key=f"0x{secret.hex()}",
            signature_type=SignatureType.EOA,
            cash=cash,
        )
        for secret in secrets
    )


def refuse_untradable(files: Sequence[TapeFile]) -> None:
    """Reads every recording once; raises `RecordingError` for a broken one, for a window that is there twice, and for
    one whose ids clients could not sign for."""
    examine(files)
    for file in files:
        try:
            listing_of(file.market)
        except (InvalidListing, PolystraError) as error:
            raise RecordingError(file.path, str(error), "leave this recording out") from None


async def host(options: HostOptions, announce: Callable[[Hosted], None], stopped: asyncio.Event) -> None:
    """Serves until `stopped`; announces once clients can attach and the first market is open."""
    rules = world_rules(options.settings, options.seed)
    venue = Venue(
        rules=rules.exchange,
        rng=Random(f"{options.seed} exchange"),
        clock=WallClock(),
        members=Members(str(options.seed)),
    )
    accounts = throwaway_accounts(options.seed, options.accounts, rules.starting_cash)
    for account in accounts:
        held = venue.members.open_wallet(account.address, account.signature_type, account.address)
        venue.feed(sim.Deposit(account=held, amount=account.cash))
    playback = Playback(venue, options.files, rules, begins=venue.now(), speed=options.speed)
    async with contextlib.AsyncExitStack() as stack:
        try:
            urls = await stack.enter_async_context(serve(venue, host=HOST, port=options.port))
        except OSError as error:
            raise HostUnusable(f"port {options.port} cannot be taken ({error.strerror}): give another, or 0") from None
        _play_due(venue, playback)
        announce(Hosted(urls=urls, accounts=accounts))
        playing = asyncio.create_task(_play(venue, playback))
        playing.add_done_callback(lambda done: stopped.set() if not done.cancelled() and done.exception() else None)
        await stopped.wait()
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing


def run_host(options: HostOptions, announce: Callable[[Hosted], None]) -> None:
    """Until SIGINT or SIGTERM. Raises `HostUnusable` and `RecordingError` before anything is announced."""
    refuse_untradable(options.files)
    asyncio.run(_until_signal(options, announce))


async def _until_signal(options: HostOptions, announce: Callable[[Hosted], None]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await host(options, announce, stopped)


def _play_due(venue: Venue, playback: Playback) -> None:
    """All that is due at this moment, which does not move on meanwhile."""
    now = venue.now()
    while (due := playback.next_due()) is not None and due <= now:
        playback.step()


async def _play(venue: Venue, playback: Playback) -> None:
    while (due := playback.next_due()) is not None:
        await venue.until(due)
        playback.step()
