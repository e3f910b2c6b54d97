"""Connects a trader to a venue over its wire, by the time that this venue keeps."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TypeVar

import aiohttp
from msgspec import Struct

from polystra.app.exchange_clock import ClockFacts, TimeMode
from polystra.app.lock_step import SteppedDialer, SteppedRest, attach
from polystra.app.outbox import OrderNames
from polystra.app.throwaway import seeded_salts
from polystra.app.wire_upkeep import Upkeep
from polystra.app.wire_venue import Client, Tell, WireVenue
from polystra.core.errors import PolystraError
from polystra.core.ids import OrderId, TokenId
from polystra.core.units import Instant, Nanos, Usd
from polystra.edge.clock import ScaledClock, Time, WallClock, draw_salt
from polystra.edge.polymarket.account_readings import AccountReadings
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.catalogue import Catalogue
from polystra.edge.polymarket.dialing import Dialer, SocketDialer
from polystra.edge.polymarket.market_feed import MarketFeed
from polystra.edge.polymarket.pacing import Pacing
from polystra.edge.polymarket.price_feed import PriceFeed
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed, api_credentials
from polystra.edge.polymarket.public import PublicReadings, whereabouts
from polystra.edge.polymarket.relayer import Relayer
from polystra.edge.polymarket.rest import CONNECTIONS, Asking, Rest, open_rest
from polystra.edge.polymarket.server_clock import VenueTime, clock_offset
from polystra.edge.polymarket.user_feed import UserFeed
from polystra.edge.polymarket.venue import Venue
from polystra.edge.polymarket.wallet import SignatureType, Wallet
from polystra.edge.polymarket.wire import Fill

_T = TypeVar("_T")


class VenueUnreachable(PolystraError):
    """The venue did not answer what must be known before trading begins."""


class TradingBlocked(PolystraError):
    """The venue's rules forbid trading from where this machine is."""


ALL_AT_ONCE = 0
"""As many connections as there are requests: in lock step time stands still until all have arrived, so that one which
waited for another's answer would wait for ever."""

RELAYER_KEY = "POLYSTRA_RELAYER_KEY"
"""In the environment, the venue's key for its relayer; the simulated one takes any."""

CLOCK_ASKS = 3
"""Questions for the venue's time before trading begins: they narrow a second to less than half of one."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a venue is and how its time goes. Without `prices` nobody tells what settles its markets."""

    clob: str
    market_ws: str
    user_ws: str
    gamma: str
    prices: str = ""
    relayer: str = ""
    rpc: str = ""
    control: str = ""
    mode: TimeMode = TimeMode.WALL
    clock: ClockFacts | None = None
    pid: int = 0


class Habits(Struct, frozen=True, kw_only=True):
    """What a client does by the clock: whether its heart beats, how often it reads notifications, and how often it
    renews its connection to the market stream, which it never does in lock step (None: never). `paced` keeps it to
    what the venue lets a signer send."""

    heartbeat: bool = True
    paced: bool = True
    notifications_every: Nanos | None = None
    renew_every: Nanos | None = None


BY_DEFAULT = Habits()


@contextlib.asynccontextmanager
async def connected(
    place: Place, wallet: Wallet, *, seed: int, habits: Habits = BY_DEFAULT
) -> AsyncIterator[WireVenue]:
    """A venue to trade one wallet at. In lock step the salts come from the seed, so that a run can be repeated.

    Raises `VenueUnreachable`, `TradingBlocked` and `ExchangeGone`. What is asked here first takes none of the venue's
    time.
    """
    connections = ALL_AT_ONCE if place.mode is TimeMode.LOCK_STEP else CONNECTIONS
    async with (
        open_rest(connections=connections) as plain,
        aiohttp.ClientSession() as session,
        contextlib.AsyncExitStack() as stack,
    ):
        steps = await attach(session, place.control) if place.mode is TimeMode.LOCK_STEP else None
        venue_time = await _venue_time(plain, place) if place.mode is TimeMode.WALL else None
        clock = steps or venue_time or clock_of(place)
        await _refuse_where_blocked(plain, place)
        credentials, cash = await _introduced(plain, place, wallet, clock)
        if steps is None:
            await stack.enter_async_context(_kept_warm(plain, place))
        rest: Asking = plain if steps is None else SteppedRest(plain, steps)
        dialer: Dialer = SocketDialer() if steps is None else SteppedDialer(SocketDialer(), steps)
        public = PublicReadings(rest, place.clob)
        private = _private(rest, place, wallet, credentials, clock)
        pacing = Pacing(clock) if habits.paced else None
        venue = Venue(private, wallet=wallet, api_key=credentials.api_key, pacing=pacing)
        feeds = _Feeds(place, dialer, clock, credentials, public, wallet.maker)
        upkeep = Upkeep(
            clock=clock,
            venue=venue,
            account=AccountReadings(private, venue),
            rest=rest,
            clob=place.clob,
            venue_time=venue_time,
            heartbeat=habits.heartbeat,
            notifications_every=habits.notifications_every,
        )
        far = WireVenue(
            Client(
                wallet=wallet,
                clock=clock,
                opening_cash=cash,
                salt=seeded_salts(seed) if steps is not None else _drawn,
                steps=steps,
                speed=1.0 if place.clock is None else place.clock.speed,
                venue=venue,
                upkeep=upkeep,
                catalogue=Catalogue(rest, gamma=place.gamma, clob=place.clob),
                public=public,
                market_feed=feeds.market,
                user_feed=feeds.user,
                price_feed=feeds.prices if place.prices else None,
                renew_every=habits.renew_every if steps is None else None,
                relayer=relayer_of(plain, place, wallet) if steps is None else None,
            )
        )
        try:
            yield far
        finally:
            await far.close()


async def _introduced(rest: Asking, place: Place, wallet: Wallet, clock: Time) -> tuple[Credentials, Usd]:
    """The API key of the wallet, and the cash that it shows before it trades."""
    credentials = _known(await api_credentials(rest, place.clob, key=wallet.key, clock=clock), "its API key")
    private = _private(rest, place, wallet, credentials, clock)
    balances = await Venue(private, wallet=wallet, api_key=credentials.api_key).balances()
    return credentials, _known(balances, "its cash").cash


@contextlib.asynccontextmanager
async def _kept_warm(rest: Rest, place: Place) -> AsyncIterator[None]:
    """Connections stand open, so that no order waits for a handshake."""
    url = f"{place.clob.rstrip('/')}/ok"
    warming = asyncio.create_task(rest.keep_warm(url))
    try:
        yield
    finally:
        warming.cancel()
        await asyncio.wait({warming})


def relayer_of(rest: Asking, place: Place, wallet: Wallet) -> Relayer | None:
    """Who redeems for a wallet; None where the place has nobody, or the wallet is of another kind."""
    if not (place.relayer and place.rpc) or wallet.kind is not SignatureType.POLY_1271:
        return None
    return relayer_at(place, rest, wallet)


def relayer_at(place: Place, rest: Asking, wallet: Wallet) -> Relayer:
    """The relayer of a place that has one, for whatever wallet; its key comes from the environment."""
    return Relayer(rest, wallet, relayer=place.relayer, rpc=place.rpc, api_key=os.environ.get(RELAYER_KEY, "none"))


class _Feeds(Struct, frozen=True):
    """Makes the streams of one trader, once it is known who is to be told."""

    place: Place
    dialer: Dialer
    clock: Time
    credentials: Credentials
    public: PublicReadings
    account: str

    def market(self, put: Tell, hear_of: Callable[[str], None]) -> MarketFeed:
        return MarketFeed(
            self.dialer,
            self.place.market_ws,
            time=self.clock,
            put=put,
            on_new_market=hear_of,
            newest_book=_book_time(self.public),
        )

    def user(self, put: Tell, names: OrderNames, outside: Callable[[Fill], None]) -> UserFeed:
        return UserFeed(
            self.dialer,
            self.place.user_ws,
            credentials=self.credentials,
            time=self.clock,
            put=put,
            names=names.ours,
            account=self.account,
            outside=outside,
        )

    def prices(self, put: Tell, assets: Collection[str]) -> PriceFeed:
        return PriceFeed(self.dialer, self.place.prices, time=self.clock, put=put, assets=assets)


def _private(rest: Asking, place: Place, wallet: Wallet, credentials: Credentials, clock: Time) -> PrivateRest:
    return PrivateRest(rest, place.clob, credentials=credentials, account=wallet.key.address, clock=clock)


async def _venue_time(rest: Asking, place: Place) -> VenueTime:
    """The machine's clock, corrected by what the venue says its time is."""
    own = WallClock()
    return VenueTime(own, _known(await clock_offset(rest, place.clob, time=own, asks=CLOCK_ASKS), "its time"))


async def _refuse_where_blocked(rest: Asking, place: Place) -> None:
    found = _known(await whereabouts(rest, place.clob), "whether trading is allowed from here")
    if found.blocked:
        where = f"{found.country} {found.region}".strip()
        raise TradingBlocked(f"Polymarket does not allow trading from {where}, where this machine is")


def clock_of(place: Place) -> Time:
    facts = place.clock
    return WallClock() if facts is None else ScaledClock(facts.start, facts.speed, facts.origin)


def _book_time(public: PublicReadings) -> Callable[[TokenId], Awaitable[Instant | None]]:
    async def newest(token: TokenId) -> Instant | None:
        at = await public.book_time(token)
        return None if isinstance(at, ReadingFailed) else at

    return newest


def _drawn(order: OrderId) -> int:
    return draw_salt()


def _known(answer: _T | ReadingFailed, what: str) -> _T:
    if isinstance(answer, ReadingFailed):
        raise VenueUnreachable(f"the venue did not tell {what}: {answer.why}")
    return answer
