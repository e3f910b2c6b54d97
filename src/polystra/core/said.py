"""Says what changed where a decision was made: once per change, not once per look."""

from collections.abc import Iterator

import msgspec

from polystra.core import notes as nt
from polystra.core.account import Account
from polystra.core.cover import uncovered
from polystra.core.desk import Desk
from polystra.core.entries import EntryPlan
from polystra.core.exits import ExitPlan
from polystra.core.known import Known
from polystra.core.strategy import Decision
from polystra.core.units import seconds
from polystra.core.view import MarketView

SHORT_AGAIN = seconds(3_600)
"""How often at most a person hears that what can be redeemed is missing as cash."""


def decided(desk: Desk, decision: Decision) -> Iterator[nt.AnyNote]:
    """What the strategy wants to be remembered of it, and what it decided."""
    if decision.memory is not None and decision.memory != desk.memory:
        desk.memory = decision.memory
        value = msgspec.msgpack.encode(desk.memory)
        yield nt.MemoryKept(market=desk.market.id, strategy=desk.strategy.name, value=value)
    if desk.says("decision", (bool(decision.wishes), decision.outcome, decision.reason)):
        yield nt.EntryDecided(
            market=desk.market.id,
            strategy=desk.strategy.name,
            action="enter" if decision.wishes else "stand aside",
            reason=decision.reason,
            outcome=decision.outcome,
            probability=decision.probability,
            price=decision.price,
            fee=decision.fee,
            edge=decision.edge,
            signals=decision.signals,
        )


def changed(desk: Desk, view: MarketView, entries: EntryPlan, exits: ExitPlan) -> Iterator[nt.AnyNote]:
    """What is denied now, has no exit now, or is stopped now, and was not before."""
    market = desk.market.id
    if desk.says("denied", tuple((wish.outcome, denied.limit) for wish, denied in entries.denied)):
        for wish, one in entries.denied:
            yield nt.EntryDenied(
                market=market, outcome=wish.outcome, limit=one.limit, value=one.value, allowed=one.allowed
            )
    bare = uncovered(desk, view, exits)
    if desk.says("uncovered", tuple((one.outcome, one.why) for one in bare)):
        yield from bare
    if desk.says("stops", tuple(outcome for outcome, _, _ in exits.stops)):
        for outcome, bid, level in exits.stops:
            held = desk.position.of(outcome).settled
            yield nt.StopTriggered(market=market, outcome=outcome, bid=bid, level=level, shares=held)


def short_of_cash(known: Known, account: Account) -> Iterator[nt.AnyNote]:
    """Nothing becomes cash by itself, so a person hears of it."""
    if known.short_said_at is None or known.at - known.short_said_at >= SHORT_AGAIN:
        known.short_said_at = known.at
        yield nt.CashShort(free=account.free, redeemable=account.redeemable)
