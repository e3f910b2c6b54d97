"""Translates what the venue client learned into the engine's events: words only, no decisions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, assert_never

from polystra.core import events as ev
from polystra.core.ids import OrderId, TokenId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.notices import Notice, NoticeKind
from polystra.core.reasons import CancelReason
from polystra.core.terms import OrderTerms, Outcome, Side
from polystra.core.units import Instant, Shares, Usd
from polystra.edge.polymarket import account_wire
from polystra.edge.polymarket import outcomes as oc
from polystra.edge.polymarket.venue import AccountReading
from polystra.edge.polymarket.wire import Fill

Ours: TypeAlias = Callable[[VenueOrderId], OrderId | None]

_NOW = Instant(0)
"""The inbox stamps every event when it arrives."""


def placement_event(order: OrderId, terms: OrderTerms, outcome: oc.PlacementOutcome) -> ev.AnyEvent:
    """What became of a placement."""
    match outcome:
        case oc.Accepted():
            got, gave = outcome.taking, outcome.making
            if terms.side is Side.SELL:
                got, gave = gave, got
            return ev.OrderAccepted(
                at=_NOW,
                order=order,
                rests=not terms.time_in_force.immediate,
                matched=Shares(got),
                paid=Usd(gave),
            )
        case oc.Refused():
            return ev.OrderRefused(
                at=_NOW,
                order=order,
                reason=outcome.reason,
                text=outcome.text,
                retry_after=outcome.retry_after,
            )
        case oc.OutcomeUnknown():
            return ev.OrderOutcomeUnknown(at=_NOW, order=order, why=outcome.why)
        case oc.NotSent():
            return ev.OrderNotSent(at=_NOW, order=order, why=outcome.why)
        case _:
            assert_never(outcome)


def cancel_event(order: OrderId, outcome: oc.CancelOutcome) -> ev.AnyEvent:
    """What became of a cancel."""
    match outcome:
        case oc.Cancelled():
            return ev.OrderCancelled(at=_NOW, order=order, reason=CancelReason.ASKED)
        case oc.NotCancelled():
            return ev.CancelRefused(at=_NOW, order=order, text=outcome.text)
        case oc.CancelUnknown():
            return ev.CancelOutcomeUnknown(at=_NOW, order=order, why=outcome.why)
        case _:
            assert_never(outcome)


_KINDS = {
    account_wire.NoticeKind.CANCELLED: NoticeKind.CANCELLED,
    account_wire.NoticeKind.FILLED: NoticeKind.FILLED,
    account_wire.NoticeKind.FILL_FAILED: NoticeKind.FILLED,
    account_wire.NoticeKind.RESOLVED: NoticeKind.RESOLVED,
}


def notices_event(told: Iterable[account_wire.Notice], ours: Ours) -> ev.NotificationsRead:
    """What the venue noted, oldest first."""
    notices = [
        Notice(
            id=one.id,
            kind=_KINDS.get(one.kind, NoticeKind.OTHER),
            order=None if one.order is None else ours(one.order),
        )
        for one in told
    ]
    return ev.NotificationsRead(at=_NOW, notices=tuple(reversed(notices)))


def fill_event(order: OrderId, fill: Fill) -> ev.OrderFilled:
    return ev.OrderFilled(
        at=_NOW,
        order=order,
        trade=fill.trade,
        price=fill.price,
        shares=fill.shares,
        liquidity=fill.liquidity,
        stage=fill.stage,
        traded_at=fill.matched_at,
    )


def reading_events(
    reading: AccountReading,
    ours: Ours,
    tokens: Mapping[TokenId, tuple[Market, Outcome]],
    outside: Callable[[Fill], ev.OutsideFilled | None],
) -> Iterator[ev.AnyEvent]:
    """One whole reading: the account's fills from the oldest on, our live orders, then what they add up to."""
    for fill in reversed(reading.trades):
        order = ours(fill.order)
        event = outside(fill) if order is None else fill_event(order, fill)
        if event is not None:
            yield event
    live: list[OrderId] = []
    foreign: list[VenueOrderId] = []
    for found in reading.orders:
        order = ours(found.id)
        if order is None:
            foreign.append(found.id)
            continue
        live.append(order)
        yield ev.OrderReported(at=_NOW, order=order, matched=found.matched)
    settled = tuple(
        ev.HeldShares(market.id, outcome, reading.balances.shares[token])
        for token, (market, outcome) in tokens.items()
        if token in reading.balances.shares
    )
    yield ev.SnapshotTaken(
        at=_NOW,
        cash=reading.balances.cash,
        allowance=reading.balances.allowance,
        settled=settled,
        live=tuple(live),
        foreign=tuple(foreign),
    )


def fill_events(newest_first: Iterable[Fill], ours: Ours) -> Iterator[ev.OrderFilled]:
    """Those of orders of ours, oldest first."""
    for fill in reversed(tuple(newest_first)):
        order = ours(fill.order)
        if order is not None:
            yield fill_event(order, fill)
