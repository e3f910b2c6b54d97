"""Entries that nobody fills, in lives full of misfortune: given up for good, and tried again once at most."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core import commands as cm
from polystra.core.ids import OrderId
from polystra.core.terms import Purpose, Slot, slot_of
from polystra.core.unfilled import GivenUp, Why
from polystra.core.units import Instant, Price, price
from tests.property.test_engine_gate import UNFILLED
from tests.property.test_engine_invariants import SETTINGS, Watched, healed, lived
from tests.unit.core.samples import WINDOW

RULES = replace(SETTINGS, unfilled=UNFILLED)


class WatchedEntries(Watched):
    """Looks at what is placed where an entry was given up."""

    def hear(self, at: Instant, command: cm.AnyCommand) -> None:
        if isinstance(command, cm.PlaceOrder) and command.terms.purpose is Purpose.ENTRY:
            given = self.given_up.get(slot_of(command.terms))
            if given is not None:
                self._is_the_second_try(command.order, given)
        super().hear(at, command)

    def _is_the_second_try(self, order: OrderId, given: GivenUp) -> None:
        self.seen["second try"] += 1
        first, second = (self.engine._known.desks[WINDOW.id].orders[one] for one in (given.order, order))
        assert given.second == order, f"o{order} is not linked to o{given.order}"
        assert given.why is Why.AGED
        assert second.terms.time_in_force.immediate
        assert not first.live
        assert not first.matched
        assert first.state_at == second.decided_at

    @property
    def given_up(self) -> dict[Slot, GivenUp]:
        given: dict[Slot, GivenUp] = self.engine._known.desks[WINDOW.id].given_up
        return given


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), rest=st.sampled_from([price("0.30"), price("0.40"), price("0.46")]))
def test_what_was_given_up_stays_so_and_everything_heals(seed: int, rest: Price) -> None:
    venue = lived(seed, rest, RULES, WatchedEntries)
    healed(venue)
    assert isinstance(venue, WatchedEntries)
    for slot, one in venue.given_up.items():
        later = [order.id for order in venue.ours if slot_of(order.terms) == slot and order.id > one.order]
        assert later == ([] if one.second is None else [one.second])


def test_the_lives_above_give_up_and_try_again() -> None:
    seen: Counter[str] = Counter()
    for seed in range(120):
        venue = lived(seed, price("0.40"), RULES, WatchedEntries)
        assert isinstance(venue, WatchedEntries)
        seen.update(str(given.why) for given in venue.given_up.values())
        seen["second try"] += venue.seen["second try"]
    assert min(seen[kind] for kind in (Why.AGED, Why.FELL)) >= 10, seen
    assert seen["second try"] >= 3, seen
