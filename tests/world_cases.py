"""A trader without an engine: it sends what a test tells it to the world, and keeps what comes back.

It follows a market as the real one does, once it was told of it: with the usual delays a second after it was listed.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames
from polystra.app.venue_signer import VenueSigner
from polystra.app.world import World
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.markets import Market, Series
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.ready import Ready
from tests.truth import SERIES, START

Kind = TypeVar("Kind", bound=ev.AnyEvent)


class Client:
    """Numbers its orders from `first`, and knows the names of the `known` ones and the `markets` of its ledger. What it
    heard is in `heard`, oldest first."""

    def __init__(
        self,
        world: World,
        first: int = 1,
        known: dict[VenueOrderId, OrderId] | None = None,
        markets: Iterable[Market] = (),
        series: Collection[Series] = (SERIES,),
    ) -> None:
        self.world = world
        self.names = OrderNames(known)
        self.inbox = Inbox(world.clock, world.wait)
        self.heard: list[ev.AnyEvent] = []
        self._signer = VenueSigner(
            world.wallet, markets=world.markets, clock=world.clock, owner=world.owner, salt=world.salt
        )
        self._next = first
        world.attach(self.inbox, self.names, remembering(markets), series)

    # --- what it does

    def tell(self, command: cm.AnyCommand) -> None:
        self.world.send([Ready(command=command)])

    def place(self, market: Market, side: Side, at: str, size: str, **changes: Any) -> OrderId:
        order = OrderId(self._next)
        self._next += 1
        fields: dict[str, Any] = {
            "market": market.id,
            "outcome": Outcome.UP,
            "side": side,
            "purpose": Purpose.ENTRY if side is Side.BUY else Purpose.TARGET,
            "price": price(at),
            "shares": shares(size),
        }
        ready = self._signer.sign(cm.PlaceOrder(order=order, terms=OrderTerms(**(fields | changes))))
        assert ready.venue_order is not None
        self.names.add(order, ready.venue_order)
        self.world.send([ready])
        return order

    def follow(self, market: Market) -> None:
        self.tell(cm.Follow(market=market.id))

    # --- what it hears

    def until(self, second: float) -> list[ev.AnyEvent]:
        """Lets time pass to a second of the first window, and returns what came since."""
        before = len(self.heard)
        asyncio.run(self._listen(Instant(START + seconds(second))))
        return self.heard[before:]

    def to_the_end(self) -> list[ev.AnyEvent]:
        before = len(self.heard)
        asyncio.run(self._listen(None))
        return self.heard[before:]

    async def _listen(self, until: Instant | None) -> None:
        self.inbox.wake_at(until)
        async for event in self.inbox:
            if isinstance(event, ev.Woke):
                return
            self.heard.append(event)

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.heard if isinstance(event, kind)]


def of(events: Iterable[ev.AnyEvent], kind: type[Kind]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def remembering(markets: Iterable[Market] = ()) -> ev.LedgerLoaded:
    """What a ledger says that remembers these markets and nothing else."""
    return ev.LedgerLoaded(at=Instant(0), next_order=OrderId(1), cash=usd(1_000), markets=tuple(markets))
