"""A clock that leaps over waits, a wire that notes what goes over it, and the exchange's own view of an account."""

from collections.abc import Mapping

import pytest

from polystra.core.ids import VenueOrderId
from polystra.core.units import Instant
from polystra.edge.polymarket.account_readings import AccountReadings
from polystra.edge.polymarket.private_rest import PrivateRest
from polystra.edge.polymarket.rest import Answer, Asking
from polystra.edge.polymarket.retries import Retries
from polystra.edge.polymarket.venue import Deadlines, Venue
from polystra.sim.records import Account, Trade
from tests.edge.exchange_cases import START, Running, Trader
from tests.edge.venue_cases import Client


class LeapingTime:
    """Whoever waits is there at once. `waits` are the lengths, in nanoseconds."""

    def __init__(self, start: Instant = START) -> None:
        self._now = start
        self.waits: list[int] = []

    def now(self) -> Instant:
        return self._now

    async def until(self, instant: Instant) -> None:
        self.waits.append(instant - self._now)
        self._now = max(self._now, instant)


class NotedRest:
    """Passes requests on and notes them."""

    def __init__(self, rest: Asking) -> None:
        self._rest = rest
        self.asked: list[tuple[str, bytes]] = []

    async def ask(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        self.asked.append((f"{method} /{url.split('/', 3)[3]}", body))
        return await self._rest.ask(method, url, deadline=deadline, headers=headers, query=query, body=body)


class PatientVenue:
    """A client of one trader that retries in a time of its own."""

    def __init__(self, rest: Asking, trader: Trader, *, clob: str = "", deadlines: Deadlines | None = None) -> None:
        self.time = LeapingTime()
        self.noted = NotedRest(rest)
        retries = Retries(time=self.time)
        private = PrivateRest(
            self.noted,
            clob or trader.running.urls.clob,
            credentials=trader.credentials,
            account=trader.key.address,
            clock=self.time,
            retries=retries,
        )
        self.venue = Venue(
            private,
            wallet=trader.wallet,
            api_key=trader.credentials.api_key,
            deadlines=deadlines,
            retries=retries,
        )

    @property
    def asked(self) -> list[tuple[str, bytes]]:
        return self.noted.asked


def account(ours: Client, trader: Trader, url: str = "") -> AccountReadings:
    """The readings of a trader, of the exchange or of a server that pretends to be it."""
    clob = url or trader.running.urls.clob
    rest = PrivateRest(ours.rest, clob, credentials=trader.credentials, account=trader.key.address, clock=LeapingTime())
    return AccountReadings(rest, ours.venue(trader, clob=clob))


class Truth:
    """What the exchange itself has, whatever it answered."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def resting(self, trader: Trader) -> set[VenueOrderId]:
        venue = self._running.venue
        orders = self._running.on_loop(lambda: venue.current().open_orders(Account(trader.account)))
        return {order.id for order in orders}

    def trades(self, trader: Trader) -> tuple[Trade, ...]:
        venue = self._running.venue
        return self._running.on_loop(lambda: tuple(venue.current().trades(Account(trader.account))))


@pytest.fixture
def exchange_truth(running: Running) -> Truth:
    return Truth(running)
