"""The venue client as a library of its own: one wallet, opened, used and closed, without engine or ledger.

    async with open_client(addresses, wallet) as client:
        market = await client.catalogue.market("btc-updown-15m-1795432200")
        outcome = await client.place(terms, market)

An order is checked, signed and sent once. Whoever wants to know after a crash what became of it keeps the id of
`prepare` before `send`: it is the venue's own. `docs/venue.md` says what each outcome means.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.events import AnyEvent
from polystra.core.ids import OrderId, TokenId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.terms import OrderTerms, Outcome
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.clock import Time, WallClock, draw_salt
from polystra.edge.polymarket.account_readings import AccountReadings
from polystra.edge.polymarket.answer_wire import Cancels
from polystra.edge.polymarket.auth import Credentials
from polystra.edge.polymarket.catalogue import Catalogue
from polystra.edge.polymarket.contracts import exchange_of
from polystra.edge.polymarket.dialing import SocketDialer
from polystra.edge.polymarket.market_feed import MarketFeed
from polystra.edge.polymarket.order_body import order_body
from polystra.edge.polymarket.outcomes import CancelOutcome, PlacementOutcome
from polystra.edge.polymarket.pacing import Pacing, Unpaced
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed, api_credentials
from polystra.edge.polymarket.public import PublicReadings
from polystra.edge.polymarket.rest import Asking, open_rest
from polystra.edge.polymarket.retries import PatientRest, Retries
from polystra.edge.polymarket.server_clock import ClockOffset, VenueTime, clock_offset
from polystra.edge.polymarket.signing import OrderSigner
from polystra.edge.polymarket.user_feed import UserFeed
from polystra.edge.polymarket.validation import TODAY, OrderRules, Present, faults_of
from polystra.edge.polymarket.venue import Venue
from polystra.edge.polymarket.wallet import Wallet

_T = TypeVar("_T")

RENEW_EVERY = seconds(900)
"""How long a connection of the market stream is used: one that stands for long may fall silent (`PROTOCOL.md` C.5)."""


class CannotOpen(PolystraError):
    """The venue did not answer what must be known first: its time, or the API key of the wallet."""


class VenueAddresses(Struct, frozen=True, kw_only=True):
    """Base URLs, as `polystra exchange --json` prints them."""

    clob: str
    gamma: str
    market_ws: str
    user_ws: str


class Invalid(Struct, frozen=True, gc=False):
    """The order breaks rules that are known here. Nothing was signed and nothing sent; each fault is a sentence."""

    faults: tuple[str, ...]


class Prepared(Struct, frozen=True, gc=False):
    """An order that is ready to be sent. `order` will be its id at the venue, `number` is its own in events."""

    order: VenueOrderId
    number: OrderId
    body: bytes


Placed: TypeAlias = PlacementOutcome | Invalid


class Client:
    """`open_client` makes it. Mutable: it numbers the orders that it prepares, in `numbers`."""

    def __init__(
        self, rest: Asking, private: PrivateRest, addresses: VenueAddresses, *, wallet: Wallet, opened: "_Opened"
    ) -> None:
        self.time = opened.time
        self.venue = Venue(
            private,
            wallet=wallet,
            api_key=opened.credentials.api_key,
            retries=opened.retries,
            pacing=opened.pacing,
        )
        self.account = AccountReadings(private, self.venue)
        self.public = PublicReadings(rest, addresses.clob)
        self.catalogue = Catalogue(rest, gamma=addresses.gamma, clob=addresses.clob)
        self.numbers: dict[VenueOrderId, OrderId] = {}
        self._addresses = addresses
        self._opened = opened
        self._rest = rest
        self._signer = OrderSigner(wallet, draw_salt=draw_salt)

    # --- orders

    def prepare(self, terms: OrderTerms, market: Market, *, present: Present | None = None) -> Prepared | Invalid:
        """Checks and signs, without a request. What is not `present` is taken as it was when the market was found."""
        faults = faults_of(
            terms,
            market,
            present=present or Present(tick=market.tick),
            now=self.time.now(),
            rules=self._opened.rules,
        )
        if faults:
            return Invalid(faults)
        signed = self._signer.sign(
            terms,
            token=market.token(terms.outcome),
            exchange=exchange_of(market.generation, neg_risk=False),
            at=self.time.now(),
        )
        body = order_body(
            signed,
            owner=self.venue.api_key,
            time_in_force=terms.time_in_force,
            expires_at=terms.expires_at,
            post_only=terms.post_only,
        )
        return Prepared(signed.id, self.number(signed.id), body)

    def number(self, order: VenueOrderId) -> OrderId:
        """The number by which events name an order; also makes one placed earlier known to `own_events`."""
        return self.numbers.setdefault(order, OrderId(len(self.numbers) + 1))

    async def send(self, prepared: Prepared) -> PlacementOutcome:
        """Once."""
        return await self.venue.place(prepared.order, prepared.body)

    async def place(self, terms: OrderTerms, market: Market, *, present: Present | None = None) -> Placed:
        """Checks, signs and sends an order once."""
        prepared = self.prepare(terms, market, present=present)
        return prepared if isinstance(prepared, Invalid) else await self.send(prepared)

    async def place_many(self, orders: Sequence[tuple[OrderTerms, Market]]) -> tuple[Placed, ...]:
        """In batches, one outcome for each order in the order given. What is invalid stays behind, the others go."""
        prepared = [self.prepare(terms, market) for terms, market in orders]
        ready = [(one.order, one.body) for one in prepared if isinstance(one, Prepared)]
        outcomes = iter(await self.venue.place_batch(ready))
        return tuple(one if isinstance(one, Invalid) else next(outcomes) for one in prepared)

    async def cancel(self, *orders: VenueOrderId) -> tuple[CancelOutcome, ...]:
        """One outcome for each different order."""
        return await self.venue.cancel(orders)

    async def cancel_market(self, market: Market, outcome: Outcome | None = None) -> Cancels | ReadingFailed:
        """Everything in a market, or on one of its outcomes."""
        return await self.venue.cancel_market(market.id, None if outcome is None else market.token(outcome))

    async def cancel_all(self) -> Cancels | ReadingFailed:
        """Everything under the API key, of all its wallets, whoever placed it."""
        return await self.venue.cancel_all()

    # --- time

    async def set_clock(self, asks: int = 1) -> ClockOffset | ReadingFailed:
        """Measures anew how far our clock is from the venue's. After a failure the last difference stays."""
        offset = await clock_offset(self._rest, self._addresses.clob, time=self._opened.own_time, asks=asks)
        if isinstance(offset, ClockOffset):
            self.time.offset = offset
        return offset

    # --- streams

    @contextlib.asynccontextmanager
    async def market_events(
        self, *markets: Market, renew_every: Nanos | None = RENEW_EVERY
    ) -> AsyncIterator[AsyncIterator[AnyEvent]]:
        """Books, trades and ticks of these markets, from their whole books on. A reader that is slow misses nothing,
        but what it has not read yet takes memory. `renew_every` is how long a connection is used, None for as long as
        it stands."""
        heard: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        feed = MarketFeed(
            SocketDialer(),
            self._addresses.market_ws,
            time=self.time,
            put=heard.put_nowait,
            on_new_market=lambda _: None,
            newest_book=self._newest_book,
        )
        for market in markets:
            feed.follow(market)
        async with _running(feed.run(renew_every), feed.wait_connected, heard) as events:
            yield events

    @contextlib.asynccontextmanager
    async def own_events(self) -> AsyncIterator[AsyncIterator[AnyEvent]]:
        """What becomes of the orders that this client prepared, or was told of by `number`."""
        heard: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        feed = UserFeed(
            SocketDialer(),
            self._addresses.user_ws,
            credentials=self._opened.credentials,
            time=self.time,
            put=heard.put_nowait,
            names=self.numbers.get,
        )
        async with _running(feed.run(), feed.wait_connected, heard) as events:
            yield events

    async def _newest_book(self, token: TokenId) -> Instant | None:
        at = await self.public.book_time(token)
        return None if isinstance(at, ReadingFailed) else at


class _Opened(Struct, frozen=True):
    """What was learned or given when the client was opened."""

    own_time: Time
    time: VenueTime
    credentials: Credentials
    retries: Retries | None
    rules: OrderRules
    pacing: Unpaced


@contextlib.asynccontextmanager
async def open_client(  # noqa: PLR0913 - options, each with a default
    addresses: VenueAddresses,
    wallet: Wallet,
    *,
    time: Time | None = None,
    credentials: Credentials | None = None,
    retries: Retries | None = None,
    rules: OrderRules = TODAY,
    pacing: Unpaced | None = None,
) -> AsyncIterator[Client]:
    """A client by the venue's time. An API key that is not given is made, or derived where the wallet has one.

    Without `retries` every request is sent once. Without `pacing` it keeps to the rate limits of the lowest tier, until
    the venue tells another; clients of one signer share a `Pacing`. Raises `CannotOpen`.
    """
    own_time = time or WallClock()
    async with open_rest() as plain:
        rest: Asking = plain if retries is None else PatientRest(plain, retries)
        offset = _known(await clock_offset(rest, addresses.clob, time=own_time), "its time")
        venue_time = VenueTime(own_time, offset)
        if credentials is None:
            asked = await api_credentials(plain, addresses.clob, key=wallet.key, clock=venue_time)
            credentials = _known(asked, "the API key of the wallet")
        private = PrivateRest(
            plain,
            addresses.clob,
            credentials=credentials,
            account=wallet.key.address,
            clock=venue_time,
            retries=retries,
        )
        opened = _Opened(own_time, venue_time, credentials, retries, rules, pacing or Pacing(own_time))
        yield Client(rest, private, addresses, wallet=wallet, opened=opened)


def _known(answer: _T | ReadingFailed, what: str) -> _T:
    if isinstance(answer, ReadingFailed):
        raise CannotOpen(f"the venue did not tell {what}: {answer.why}")
    return answer


@contextlib.asynccontextmanager
async def _running(
    work: Awaitable[None], connected: Callable[[], Awaitable[None]], heard: "asyncio.Queue[AnyEvent | None]"
) -> AsyncIterator[AsyncIterator[AnyEvent]]:
    """A feed that runs as long as somebody listens; an error of its own ends the events and is raised at the end."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        await connected()
        yield _each(heard)
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


async def _each(heard: "asyncio.Queue[AnyEvent | None]") -> AsyncIterator[AnyEvent]:
    while (event := await heard.get()) is not None:
        yield event
