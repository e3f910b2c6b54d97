"""Says which shares have no exit, why, and for how long: one line for each placement that is not made (SPEC C1.A3)."""

from collections.abc import Iterator

from polystra.core.desk import Desk
from polystra.core.exits import SETTLING, TOO_YOUNG, ExitPlan
from polystra.core.notes import ExitUncovered
from polystra.core.terms import OrderTerms, Outcome, Side, slot_of
from polystra.core.units import SIZE_STEP, Instant, Nanos, Shares
from polystra.core.view import MarketView


def uncovered(desk: Desk, view: MarketView, exits: ExitPlan) -> tuple[ExitUncovered, ...]:
    """What the plan leaves without an exit, and the wanted exits whose slot rests after a refusal, or has an exit in it
    that could not be cancelled."""
    return tuple(
        ExitUncovered(
            market=desk.market.id,
            outcome=outcome,
            shares=shares,
            why=why,
            ledger=desk.position.of(outcome).shares,
            wallet=desk.in_wallet(outcome),
            age=_age(desk, outcome, view.at),
            left=None if until is None else Nanos(until - view.at),
        )
        for outcome, shares, why, until in _rows(desk, view, exits)
    )


def _rows(desk: Desk, view: MarketView, exits: ExitPlan) -> Iterator[tuple[Outcome, Shares, str, Instant | None]]:
    for outcome, shares, reason in exits.uncovered:
        why = "being merged" if reason == SETTLING and desk.merging else reason
        yield outcome, shares, why, _old_enough(desk, outcome) if why == TOO_YOUNG else None
    working = {slot_of(order.terms) for order in desk.live}
    for one in exits.orders:
        slot = slot_of(one.terms)
        rest = desk.suspended.get(slot)
        if rest is not None and rest.until > view.at and slot not in working:
            yield slot.outcome, one.terms.shares, f"rests: {rest.cause}", rest.until
        elif not one.kept:
            yield from _stuck(desk, one.terms, view.at)


def _stuck(desk: Desk, wanted: OrderTerms, at: Instant) -> Iterator[tuple[Outcome, Shares, str, Instant | None]]:
    """What an exit that could not be cancelled leaves bare, until that is tried again."""
    for order in desk.live:
        rest, terms = desk.uncancelled.get(order.id), order.terms
        bare = Shares(wanted.shares - order.remaining)
        same = terms.side is Side.SELL and terms.outcome is wanted.outcome
        if same and rest is not None and rest.until > at and not order.cancel_doubted and bare >= SIZE_STEP:
            yield wanted.outcome, bare, f"cancel failed: {rest.cause}", rest.until


def _old_enough(desk: Desk, outcome: Outcome) -> Instant | None:
    opened_at = desk.position.of(outcome).opened_at
    if opened_at is None or desk.decision is None:
        return None
    return Instant(opened_at + desk.market.in_proportion(desk.decision.exits.min_age))


def _age(desk: Desk, outcome: Outcome, at: Instant) -> Nanos | None:
    opened_at = desk.position.of(outcome).opened_at
    return None if opened_at is None else Nanos(at - opened_at)
