"""Applies news of an order to its desk, and says what changed.

News can be late, repeated or out of order; the tables of `orders` decide what it may do. News that contradicts what we
know is not an accident to crash on: the market is halted for entries and a person is told.
"""

from msgspec.structs import replace

from polystra.core.desk import Desk
from polystra.core.errors import IllegalTransition
from polystra.core.events import OrderFilled, RestoredFill, RestoredOrder
from polystra.core.fees import NO_FEE, fee_of_fill
from polystra.core.ids import OrderId
from polystra.core.notes import (
    AdjustmentBooked,
    AnyNote,
    DriftFound,
    FillBooked,
    MarketHalted,
    OrderMoved,
    SlotSuspended,
    TradeStageMoved,
)
from polystra.core.orders import Fill, Heard, Order, OrderState, answers_whole, filled, is_whole, moved
from polystra.core.planner import suspension_after
from polystra.core.positions import Adjustment
from polystra.core.reconcile import ShareDrift
from polystra.core.terms import OrderTerms, slot_of
from polystra.core.units import MICRO, Instant, Shares, Usd, show


def born(desk: Desk, order: OrderId, terms: OrderTerms, at: Instant) -> AnyNote:
    """A new intent of ours."""
    desk.keep(Order(id=order, terms=terms, decided_at=at, state_at=at))
    asks = f"{terms.purpose} {terms.side} {terms.outcome} {show(terms.shares)} @ {show(terms.price)}"
    return OrderMoved(order=order, market=desk.market.id, before="", after=OrderState.SUBMITTING, cause=asks)


def told(desk: Desk, order: OrderId, heard: Heard, at: Instant, cause: str = "") -> tuple[AnyNote, ...]:
    """The order was told something. An end without a fill lets its slot rest for a while."""
    before = desk.orders[order]
    try:
        after = moved(before, heard, at)
    except IllegalTransition as contradiction:
        return halted(desk, str(contradiction))
    desk.keep(after)
    if after.state is before.state:
        return ()
    said = OrderMoved(
        order=order, market=desk.market.id, before=before.state, after=after.state, cause=cause or str(heard)
    )
    return (said, *_rest_of(desk, after, cause or str(heard), at))


def booked(desk: Desk, event: OrderFilled) -> tuple[AnyNote, ...]:
    """A trade, or a further stage of one. Counts once, in every state, also after the order's end."""
    before = desk.orders[event.order]
    known = next((fill for fill in before.fills if fill.trade == event.trade), None)
    fill = _fill_of(desk, before.terms, event) if known is None else replace(known, stage=event.stage)
    if known is not None and (known.price, known.shares) != (event.price, event.shares):
        fill = replace(fill, price=event.price, shares=event.shares)
    try:
        after = filled(before, fill)
    except IllegalTransition as contradiction:
        return halted(desk, str(contradiction))
    if after is before:
        return ()
    desk.keep(after)
    if known is not None:
        return (TradeStageMoved(order=event.order, trade=event.trade, stage=event.stage),)
    note = _note_of(desk, after, fill, late=before.state.ended)
    whole = told(desk, event.order, Heard.FILLED, event.at) if after.live and is_whole(after) else ()
    return (note, *whole)


def answered(desk: Desk, order: OrderId, matched: Shares, paid: Usd) -> bool:
    """Remember what the venue's answer said was matched, until its trades replace it; true when that is all of it."""
    known = desk.orders[order]
    desk.keep(replace(known, answered=matched))
    return answers_whole(known.terms, matched, paid)


def asked(desk: Desk, order: OrderId, at: Instant) -> None:
    """Remember that we asked the venue about an order."""
    desk.keep(replace(desk.orders[order], asked_at=at))


def restored(desk: Desk, stored: RestoredOrder, fills: tuple[RestoredFill, ...]) -> None:
    """An order as the ledger remembers it. Unless it had ended, nobody knows what became of it."""
    kept = tuple(_restored_fill(desk, stored.terms, fill) for fill in fills)
    order = Order(
        id=stored.order,
        terms=stored.terms,
        decided_at=stored.decided_at,
        state=OrderState.CANCELLED if stored.ended else OrderState.UNKNOWN,
        state_at=stored.decided_at,
        fills=kept,
    )
    if is_whole(order):
        order = replace(order, state=OrderState.FILLED)
    desk.keep(order)


def halted(desk: Desk, why: str) -> tuple[AnyNote, ...]:
    """No more entries in this market until a person looked; exits go on."""
    if desk.halted is not None:
        return ()
    desk.halted = why
    return (MarketHalted(market=desk.market.id, why=why),)


def drifted(desk: Desk, drift: ShareDrift, auto_adjust: int, at: Instant) -> tuple[AnyNote, ...]:
    """Shares that the venue does not show: write off a small part in the open, halt the market on more (SPEC 1)."""
    lost = drift.ledger - drift.venue
    if 0 < lost <= drift.ledger * auto_adjust // MICRO:
        adjustment = Adjustment(outcome=drift.outcome, shares=Shares(-lost), at=at)
        desk.adjustments = (*desk.adjustments, adjustment)
        desk.refold()
        cause = "venue shows less on two readings, no trade explains it"
        return (
            AdjustmentBooked(
                market=drift.market, outcome=drift.outcome, cause=cause, before=drift.ledger, after=drift.venue
            ),
        )
    if desk.halted is not None:
        return ()
    said = DriftFound(
        subject=drift.outcome, market=drift.market, ledger=drift.ledger, venue=drift.venue, why="no fill explains it"
    )
    return (said, *halted(desk, f"{drift.outcome} shares differ from the venue's"))


def suspended(desk: Desk, terms: OrderTerms, cause: str, at: Instant) -> AnyNote:
    """Let an order's slot rest, longer each time in a row."""
    slot = slot_of(terms)
    rest = suspension_after(desk.suspended.get(slot), cause, at)
    desk.suspended[slot] = rest
    return SlotSuspended(slot=slot, cause=cause, until=rest.until)


def _rest_of(desk: Desk, order: Order, cause: str, at: Instant) -> tuple[AnyNote, ...]:
    """What a new state means for the slot: accepted, the count of failures ends; refused or killed, it rests."""
    slot = slot_of(order.terms)
    if order.state in (OrderState.WORKING, OrderState.FILLED):
        desk.suspended.pop(slot, None)
        return ()
    immediate = order.terms.time_in_force.immediate
    if order.state in (OrderState.REFUSED, OrderState.EXPIRED) or (order.state is OrderState.CANCELLED and immediate):
        if order.matched or order.awaited:
            desk.suspended.pop(slot, None)
        return (suspended(desk, order.terms, cause, at),)
    return ()


def _fill_of(desk: Desk, terms: OrderTerms, event: OrderFilled) -> Fill:
    fees = desk.market.fees
    fee = NO_FEE if fees is None else fee_of_fill(fees, terms.side, event.liquidity, event.price, event.shares)
    return Fill(
        trade=event.trade,
        price=event.price,
        shares=event.shares,
        liquidity=event.liquidity,
        stage=event.stage,
        at=event.traded_at if event.traded_at is not None else event.at,
        fee_usd=fee.usd,
        fee_shares=fee.shares,
    )


def _restored_fill(desk: Desk, terms: OrderTerms, stored: RestoredFill) -> Fill:
    again = OrderFilled(
        at=stored.filled_at,
        order=stored.order,
        trade=stored.trade,
        price=stored.price,
        shares=stored.shares,
        liquidity=stored.liquidity,
        stage=stored.stage,
    )
    return _fill_of(desk, terms, again)


def _note_of(desk: Desk, order: Order, fill: Fill, *, late: bool) -> AnyNote:
    return FillBooked(
        order=order.id,
        trade=fill.trade,
        market=desk.market.id,
        outcome=order.terms.outcome,
        side=order.terms.side,
        price=fill.price,
        shares=fill.shares,
        liquidity=fill.liquidity,
        stage=fill.stage,
        fee_usd=fill.fee_usd,
        fee_shares=fill.fee_shares,
        cash=fill.cash(order.terms.side),
        late=late,
    )
