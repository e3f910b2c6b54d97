"""Says what to buy beside the strategy's wishes, for what is held or was stopped: scale-ins and reversals."""

from collections.abc import Iterable

from polystra.core.asks import NOTHING_ASKED, Asked
from polystra.core.desk import Desk
from polystra.core.exits import ExitPlan
from polystra.core.reversal import wanted_reversals
from polystra.core.risk import Approved
from polystra.core.rules import Rules
from polystra.core.sales import chance_of
from polystra.core.scale_in import wanted_scale_ins
from polystra.core.terms import Outcome, Purpose, slot_of
from polystra.core.view import MarketView


def adds(desk: Desk, approved: Iterable[Approved]) -> bool:
    """Whether something that a rule asked for may leave now: not what rests already."""
    return any(
        one.terms.purpose is not Purpose.ENTRY and desk.resting_in(slot_of(one.terms)) is None for one in approved
    )


def additions(desk: Desk, view: MarketView, exits: ExitPlan, rules: Rules) -> Asked:
    """What both rules ask for, beside the exits that are wanted now."""
    if not desk.orders or desk.decision is None or (rules.scale_in is None and rules.reversal is None):
        return NOTHING_ASKED
    orders = tuple(desk.orders.values())
    chances = {outcome: chance_of(desk.decision, outcome) for outcome in Outcome}
    asked = NOTHING_ASKED
    if rules.scale_in is not None:
        ending = frozenset(one.terms.outcome for one in exits.orders if one.terms.purpose.ends_it)
        asked = wanted_scale_ins(view, rules.scale_in, orders, ending, chances)
    if rules.reversal is not None:
        stopping = {outcome: level for outcome, _, level in exits.stops}
        asked = asked.and_(wanted_reversals(view, rules.reversal, orders, stopping, chances))
    return asked
