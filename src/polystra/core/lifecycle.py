"""Applies news of an order to its desk, and says what changed.

News can be late, repeated or out of order; the tables of `orders` decide what it may do. News that contradicts what we
know is not an accident to crash on: the market is halted for entries and a person is told.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from polystra.core import merges
from polystra.core.desk import Desk
from polystra.core.errors import ContradictoryFacts, IllegalTransition
from polystra.core.events import LedgerLoaded, OrderFilled, OutsideFilled
from polystra.core.fees import NO_FEE, fee_of_fill
from polystra.core.ids import MarketId, OrderId
from polystra.core.notes import (
    AdjustmentBooked,
    AnyNote,
    BreakEvenArmed,
    DriftFound,
    EntryGivenUp,
    EntryRetried,
    FillBooked,
    MarketHalted,
    OrderMoved,
    OutsideOrderSeen,
    SlotSuspended,
    TradeStageMoved,
)
from polystra.core.orders import Fill, Heard, Order, OrderState, answers_whole, filled, is_whole, moved, overfill_of
from polystra.core.planner import CANCEL_WAITS, suspension_after
from polystra.core.positions import Adjustment
from polystra.core.reconcile import ShareDrift
from polystra.core.restored import RestoredFill, RestoredOrder
from polystra.core.sales import Armed
from polystra.core.standing import MODES, Mode, forbids
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, Slot, slot_of
from polystra.core.unfilled import GivenUp, Why, change_of
from polystra.core.units import MICRO, SIZE_STEP, Instant, Nanos, Shares, Usd, seconds, show
from polystra.core.view import MarketView

MOST_RESENDS = 2
"""How often the same bytes of a resting order are sent again while its outcome is unknown (I9). An immediate one never:
it may have been killed, which leaves no trace either."""

MISSING_AFTER = seconds(120)
"""How old a holding must be that is closed because the venue shows nothing of it (SPEC H2)."""


def born(desk: Desk, order: OrderId, terms: OrderTerms, at: Instant) -> AnyNote:
    """A new intent of ours."""
    resends = 0 if terms.time_in_force.immediate else MOST_RESENDS
    quoted = desk.quoted(terms.outcome)
    desk.keep(Order(id=order, terms=terms, decided_at=at, state_at=at, resends=resends, quoted=quoted))
    asks = f"{terms.purpose} {terms.side} {terms.outcome} {show(terms.shares)} @ {show(terms.price)}"
    return OrderMoved(order=order, market=desk.market.id, before="", after=OrderState.SUBMITTING, cause=asks)


def gave_up(desk: Desk, slot: Slot, given: GivenUp, view: MarketView) -> AnyNote:
    """The entry that rests in a slot is not wanted any more, and no other will be in this window."""
    desk.given_up[slot] = given
    order = desk.orders[given.order]
    return EntryGivenUp(
        market=desk.market.id,
        order=order.id,
        outcome=slot.outcome,
        why=given.why,
        age=Nanos(view.at - order.decided_at),
        change=change_of(order, view),
    )


def retried(desk: Desk, order: OrderId, terms: OrderTerms) -> tuple[AnyNote, ...]:
    """A new order in a slot that was just given up is the second try: link it to the first."""
    given = desk.given_up.get(slot_of(terms))
    if given is None or given.why is not Why.AGED or given.second is not None:
        return ()
    desk.given_up[slot_of(terms)] = replace(given, second=order)
    return (EntryRetried(market=desk.market.id, first=given.order, second=order),)


def told(desk: Desk, order: OrderId, heard: Heard, at: Instant, cause: str = "") -> tuple[AnyNote, ...]:
    """The order was told something. An end without a fill lets its slot rest for a while."""
    before = desk.orders[order]
    try:
        after = moved(before, heard, at)
    except IllegalTransition as contradiction:
        return halted(desk, str(contradiction))
    desk.keep(after)
    cause = cause or str(heard)
    if heard is Heard.CANCEL_DOUBTED and after.live:
        desk.uncancelled[order] = suspension_after(desk.uncancelled.get(order), cause, at, CANCEL_WAITS)
    if after.state is before.state:
        return ()
    said = OrderMoved(order=order, market=desk.market.id, before=before.state, after=after.state, cause=cause)
    return (said, *_rest_of(desk, before, after, cause, at))


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
    note = _note_of(desk, after, fill, late=before.state.ended and before.terms.purpose.ours)
    whole = told(desk, event.order, Heard.FILLED, event.at) if after.live and is_whole(after) else ()
    too_much = overfill_of(after)
    return (note, *whole, *(halted(desk, too_much) if too_much is not None else ()))


def met(desk: Desk, order: OrderId, purpose: Purpose, event: OutsideFilled) -> tuple[AnyNote, ...]:
    """An order that is not ours has traded: it gets a number, and has ended as far as we may do anything about it."""
    terms = OrderTerms(
        market=event.market,
        outcome=event.outcome,
        side=event.side,
        purpose=purpose,
        price=event.price,
        shares=event.shares,
    )
    desk.keep(Order(id=order, terms=terms, decided_at=event.traded_at, state=OrderState.FILLED, state_at=event.at))
    seen = OutsideOrderSeen(
        order=order, venue_order=event.venue_order, market=event.market, terms=terms, traded_at=event.traded_at
    )
    moved_there = OrderMoved(order=order, market=event.market, before="", after=OrderState.FILLED, cause=str(purpose))
    return (seen, moved_there)


def cash_of(order: Order) -> int:
    """What an order's trades did to our cash, those that failed taken out."""
    return sum(fill.cash(order.terms.side) for fill in order.fills if fill.counts)


def answered(desk: Desk, order: OrderId, matched: Shares, paid: Usd) -> bool:
    """Remember what the venue's answer said was matched, until its trades replace it; true when that is all of it."""
    known = desk.orders[order]
    desk.keep(replace(known, answered=matched))
    return answers_whole(known.terms, matched, paid)


def cancelled(desk: Desk, order: OrderId, matched: Shares | None) -> None:
    """Remember what the venue says had traded when the order was cancelled, until its trades are here."""
    known = desk.orders[order]
    if matched is not None and matched > known.answered:
        desk.keep(replace(known, answered=matched))


def missed(desk: Desk, order: OrderId) -> None:
    """Remember that the venue does not know an order whose outcome is unknown."""
    desk.keep(replace(desk.orders[order], missed=True))


def resent(desk: Desk, order: OrderId, at: Instant) -> None:
    """The same bytes leave again; what the venue says next is about these."""
    known = desk.orders[order]
    desk.keep(replace(known, missed=False, resends=known.resends - 1, asked_at=at, resent_at=at))


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


def remembered(desks: Mapping[MarketId, Desk], ledger: LedgerLoaded) -> None:
    """Give each desk its orders, adjustments, memory and halt; raises `ContradictoryFacts` without the desk."""
    fills: dict[OrderId, list[RestoredFill]] = {}
    for fill in ledger.fills:
        fills.setdefault(fill.order, []).append(fill)
    for stored in ledger.orders:
        restored(_desk_in(desks, stored.terms.market), stored, tuple(fills.get(stored.order, ())))
    for one in ledger.adjustments:
        desk = _desk_in(desks, one.market)
        desk.adjustments = (*desk.adjustments, Adjustment(outcome=one.outcome, shares=one.shares, at=one.at))
        desk.refold()
    for merge in ledger.merges:
        merges.remembered(_desk_in(desks, merge.market), merge)
    for memory in ledger.memories:
        _desk_in(desks, memory.market).remember(memory)
    terms = {stored.order: stored.terms for stored in ledger.orders}
    for order in ledger.given_up:
        if order in terms:
            given = GivenUp(order=order, why=Why.RESTORED)
            _desk_in(desks, terms[order].market).given_up[slot_of(terms[order])] = given
    for arming in ledger.armings:
        desk = _desk_in(desks, arming.market)
        desk.armed = {**desk.armed, arming.outcome: arming.bought}
    for market in ledger.halted:
        _desk_in(desks, market).halted = "halted before the restart"


def _desk_in(desks: Mapping[MarketId, Desk], market: MarketId) -> Desk:
    if market not in desks:
        raise ContradictoryFacts(f"the ledger knows something of market {market}, which is not among its markets")
    return desks[market]


def armed(desk: Desk, view: MarketView, before: Armed) -> tuple[AnyNote, ...]:
    """What to say of the holdings whose break-even protection is armed and was not before."""
    return tuple(
        BreakEvenArmed(market=desk.market.id, outcome=outcome, bought=bought, bid=view.sure_bid_of(outcome))
        for outcome, bought in desk.armed.items()
        if before.get(outcome) != bought
    )


def halted(desk: Desk, why: str) -> tuple[AnyNote, ...]:
    """No more entries in this market until a person looked; exits go on."""
    if desk.halted is not None:
        return ()
    desk.halted = why
    return (MarketHalted(market=desk.market.id, why=why),)


def drifted(desk: Desk, drift: ShareDrift, auto_adjust: int, at: Instant) -> tuple[AnyNote, ...]:
    """Shares that the venue does not show: write off a small part in the open, halt the market on more, and
    close what is missing altogether (SPEC 1). What was written off and is there again is ours again, as the fills say.
    """
    lost = drift.ledger - drift.venue
    if 0 < -lost <= _lost_before(desk, drift.outcome):
        return (_adjusted(desk, drift, "venue shows again what was written off", at),)
    if 0 < lost <= drift.ledger * auto_adjust // MICRO:
        return (_adjusted(desk, drift, "venue shows less on two readings, no trade explains it", at),)
    if _is_missing(desk, drift, at):
        why = f"{drift.outcome} shares are missing"
        return (_adjusted(desk, drift, "missing: venue shows none, no trade explains it", at), *halted(desk, why))
    if not desk.says(f"{drift.outcome} drift", drift):
        return ()
    said = DriftFound(
        subject=drift.outcome, market=drift.market, ledger=drift.ledger, venue=drift.venue, why="no fill explains it"
    )
    return (said, *halted(desk, f"{drift.outcome} shares differ from the venue's"))


def _lost_before(desk: Desk, outcome: Outcome) -> int:
    """What adjustments took from a holding."""
    return -sum(one.shares for one in desk.adjustments if one.outcome is outcome)


def _adjusted(desk: Desk, drift: ShareDrift, cause: str, at: Instant) -> AnyNote:
    """What the venue does not show leaves the holding; its cost stays: what a market brought is what its trades say."""
    adjustment = Adjustment(outcome=drift.outcome, shares=Shares(drift.venue - drift.ledger), at=at)
    desk.adjustments = (*desk.adjustments, adjustment)
    desk.refold()
    return AdjustmentBooked(
        market=drift.market, outcome=drift.outcome, cause=cause, before=drift.ledger, after=drift.venue
    )


def _is_missing(desk: Desk, drift: ShareDrift, at: Instant) -> bool:
    """A holding of some age of which the venue shows nothing, with no order of ours that could hold it (SPEC H2)."""
    opened_at = desk.position.of(drift.outcome).opened_at
    young = opened_at is None or at - opened_at < MISSING_AFTER
    selling = any(order.terms.outcome is drift.outcome and order.terms.side is Side.SELL for order in desk.live)
    return drift.venue < SIZE_STEP <= drift.ledger and not young and not selling


def suspended(desk: Desk, terms: OrderTerms, cause: str, at: Instant) -> AnyNote:
    """Let an order's slot rest, longer each time in a row."""
    slot = slot_of(terms)
    rest = suspension_after(desk.suspended.get(slot), cause, at)
    desk.suspended[slot] = rest
    return SlotSuspended(slot=slot, cause=cause, until=rest.until)


def _rest_of(desk: Desk, before: Order, order: Order, cause: str, at: Instant) -> tuple[AnyNote, ...]:
    """What a new state means for the slot: accepted, the count of failures ends; refused, killed, expired or taken
    away without our asking, it rests."""
    slot = slot_of(order.terms)
    if order.state in (OrderState.WORKING, OrderState.FILLED):
        desk.suspended.pop(slot, None)
        return ()
    told_mode = forbids(_mode_of(cause), order.terms)
    if order.state.ended and before.state is not OrderState.CANCELLING and not told_mode:
        if order.matched or order.awaited:
            desk.suspended.pop(slot, None)
        return (suspended(desk, order.terms, cause, at),)
    return ()


def _mode_of(cause: str) -> Mode:
    """The mode of the venue that a cause tells of; open where it tells of none."""
    return next((mode for reason, mode in MODES.items() if reason == cause), Mode.OPEN)


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
