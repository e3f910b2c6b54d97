"""Acts on what a reading of the account proved: what to look up, what to take back, what to tell a person."""

from collections.abc import Mapping
from typing import assert_never

from polystra.core import lifecycle
from polystra.core import notes as nt
from polystra.core.desk import Desk
from polystra.core.ids import MarketId, OrderId
from polystra.core.reconcile import CashDrift, Finding, LiveThere, MissingThere, ShareDrift, UnknownToUs
from polystra.core.units import Instant, Usd


class Audit:
    """Mutable. `missing` are live orders that the venue did not list, `revenants` ended ones that it did; both are
    emptied by the engine each time. `cash_trouble` stops entries until cash agrees again."""

    def __init__(self, auto_adjust: int) -> None:
        self._auto_adjust = auto_adjust
        self._told: set[Finding] = set()
        self.missing: list[OrderId] = []
        self.revenants: list[OrderId] = []
        self.cash_trouble: str | None = None

    def act(self, finding: Finding, desks: Mapping[MarketId, Desk], at: Instant) -> tuple[nt.AnyNote, ...]:
        match finding:
            case MissingThere(order):
                self.missing.append(order)
                return ()
            case LiveThere(order):
                self.revenants.append(order)
                return ()
            case UnknownToUs(venue_order):
                return self._once(finding, nt.ForeignOrderSeen(venue_order=venue_order))
            case CashDrift(ledger, venue):
                self.cash_trouble = "cash differs from the venue's"
                why = "no fill explains it: entries stop"
                drift = nt.DriftFound(subject="cash", market=None, ledger=ledger, venue=venue, why=why)
                return self._once(finding, drift)
            case ShareDrift(market):
                return lifecycle.drifted(desks[market], finding, self._auto_adjust, at)
            case _:
                assert_never(finding)

    def cash_agrees(self, cash: Usd) -> tuple[nt.AnyNote, ...]:
        """A reading that may be compared shows what the ledger has: the drift was a trade not heard of yet."""
        if self.cash_trouble is None:
            return ()
        self.cash_trouble = None
        self._told = {finding for finding in self._told if not isinstance(finding, CashDrift)}
        return (nt.DriftGone(cash=cash),)

    def _once(self, finding: Finding, note: nt.AnyNote) -> tuple[nt.AnyNote, ...]:
        """Every reading shows it anew."""
        if finding in self._told:
            return ()
        self._told.add(finding)
        return (note,)
