"""Compares our account with the venue's. Findings are values; what to do about them is the engine's business.

A missed fill never appears here: a reading delivers every trade as an ordinary fill event before its balances. What is
left is orders that one side does not know, and balances that no trade explains.
"""

from collections.abc import Collection, Iterable
from typing import TypeAlias

from msgspec import Struct

from polystra.core.events import SnapshotTaken
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.orders import Order
from polystra.core.positions import MarketPosition
from polystra.core.terms import Outcome, TradeStage
from polystra.core.units import SIZE_STEP, Instant, Nanos, Shares, Usd, seconds

RECENT = seconds(10)
"""An order this young may be missing from a reading that began before it arrived (SPEC S13.A2)."""


class MissingThere(Struct, frozen=True, gc=False):
    """We believe it live, the venue does not list it."""

    order: OrderId


class LiveThere(Struct, frozen=True, gc=False):
    """We gave it up or heard that it ended, the venue still lists it."""

    order: OrderId


class UnknownToUs(Struct, frozen=True, gc=False):
    venue_order: VenueOrderId


class CashDrift(Struct, frozen=True, gc=False):
    ledger: Usd
    venue: Usd


class ShareDrift(Struct, frozen=True, gc=False):
    market: MarketId
    outcome: Outcome
    ledger: Shares
    venue: Shares


Finding: TypeAlias = MissingThere | LiveThere | UnknownToUs | CashDrift | ShareDrift


def diff(
    snapshot: SnapshotTaken,
    cash: Usd,
    orders: Iterable[Order],
    positions: Iterable[tuple[MarketId, MarketPosition]],
    protection: Nanos = RECENT,
    *,
    moving: Collection[MarketId] = (),
) -> tuple[Finding, ...]:
    """Everything in which ledger and venue differ, orders first.

    Balances are compared only for markets none of whose trades is short of CONFIRMED: until then they may lag.
    While a redemption or a merge may be on its way in some markets (`moving`) cash is not compared either, nor are the
    shares of these.
    """
    orders = tuple(orders)
    listed = set(snapshot.live)
    settling = on_their_way(orders, moving)
    findings: list[Finding] = [
        MissingThere(order.id)
        for order in orders
        if order.live and order.id not in listed and not _is_recent(order, snapshot.at, protection)
    ]
    findings.extend(
        LiveThere(order.id)
        for order in orders
        if not order.live and order.id in listed and not _is_recent(order, snapshot.at, protection)
    )
    findings.extend(UnknownToUs(foreign) for foreign in snapshot.foreign)
    if not settling and snapshot.cash != cash:
        findings.append(CashDrift(cash, snapshot.cash))
    at_venue = {(held.market, held.outcome): held.shares for held in snapshot.settled}
    for market, position in positions:
        for outcome in Outcome if market not in settling else ():
            held = position.of(outcome)
            ours = Shares(held.shares + held.left_alone)
            theirs = at_venue.get((market, outcome))
            if theirs is not None and abs(theirs - ours) >= SIZE_STEP:
                findings.append(ShareDrift(market, outcome, ours, theirs))
    return tuple(findings)


def on_their_way(orders: Iterable[Order], moving: Collection[MarketId]) -> set[MarketId]:
    """The markets in which something moves shares or cash; while there is one, nobody knows what cash should be."""
    return {order.terms.market for order in orders if _is_on_its_way(order)} | set(moving)


def _is_on_its_way(order: Order) -> bool:
    return order.awaited > 0 or any(fill.counts and fill.stage is not TradeStage.CONFIRMED for fill in order.fills)


def _is_recent(order: Order, at: Instant, protection: Nanos) -> bool:
    return at - max(order.decided_at, order.state_at) < protection
