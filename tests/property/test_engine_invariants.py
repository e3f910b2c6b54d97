"""What must hold on the venue's truth, whatever is refused, lost, late, repeated or taken back (`FAULTS.md` 2.1)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core import commands as cm
from polystra.core.account import reserved_by
from polystra.core.engine import Engine
from polystra.core.events import AnyEvent
from polystra.core.orders import Order, OrderState
from polystra.core.positions import position_of
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side
from polystra.core.units import SIZE_STEP, Instant, Nanos, Price, price, seconds, usd
from tests.core_cases import RULES, moment
from tests.core_venue import TinyVenue, live, market_day, started
from tests.property.test_engine_gate import EXITS, STAKES, Chaser
from tests.unit.core.samples import WINDOW

ALWAYS = replace(EXITS, hold_last=Nanos(0))

SETTINGS = replace(
    RULES,
    stakes=STAKES,
    doubt_patience=seconds(20),
    limits=replace(RULES.limits, max_market=usd(9), min_time_left=seconds(840)),
)


class Watched(TinyVenue):
    """Looks at every command as it arrives, before it is obeyed."""

    def __init__(self, seed: int, engine: Engine) -> None:
        super().__init__(seed)
        self.engine = engine
        self.seen: Counter[str] = Counter()

    def hear(self, at: Instant, command: cm.AnyCommand) -> None:
        if isinstance(command, cm.PlaceOrder):
            self.seen[command.terms.purpose] += 1
            if command.terms.side is Side.SELL:
                self._can_be_sold(command.terms)
        if isinstance(command, cm.CancelOrder):
            kind = self.orders[command.order].terms.time_in_force
            assert not kind.immediate, f"o{command.order}: an immediate order in flight was cancelled"
        super().hear(at, command)
        self._one_sell_each()
        self._within_limits()
        self._adds_up()

    def _can_be_sold(self, terms: OrderTerms) -> None:
        """I2: never more on offer than is there and settled."""
        there = self.settled[terms.outcome]
        offered = self.on_offer(terms.outcome) + terms.shares
        assert offered <= there, f"{terms.outcome}: {offered} on offer of {there} that are there"

    def _one_sell_each(self) -> None:
        """I1: accepted or unresolved, one sell of an outcome at most."""
        sells = Counter(order.terms.outcome for order in self.ours if order.live and order.terms.side is Side.SELL)
        assert all(count <= 1 for count in sells.values()), f"live sells: {sells}"
        resting = Counter(one.terms.outcome for one in self.orders.values() if one.live and one.terms.side is Side.SELL)
        assert all(count <= 1 for count in resting.values()), f"live at the venue: {resting}"

    def _within_limits(self) -> None:
        """I3: held and possible, at worst, within the limit of the market."""
        desk = self.engine._known.desks[WINDOW.id]
        stake = desk.position.up.cost + desk.position.down.cost + desk.reserved
        assert stake <= SETTINGS.limits.max_market, f"{stake} at stake"

    def _adds_up(self) -> None:
        """What a desk keeps of its orders is what they say when asked one by one."""
        desk = self.engine._known.desks[WINDOW.id]
        assert list(desk.live) == [order for order in self.ours if order.live]
        assert desk.reserved == reserved_by(self.ours, WINDOW.fees)
        entries = [order for order in self.ours if order.terms.purpose is Purpose.ENTRY]
        assert desk.entries_made == sum(order.matched > 0 or order.awaited > 0 for order in entries)
        assert desk.position == position_of(self.ours, desk.adjustments)

    @property
    def ours(self) -> list[Order]:
        return list(self.engine._known.desks[WINDOW.id].orders.values())


def lived(seed: int, rest: Price | None) -> Watched:
    """75 s of misfortune, then 180 s in which nothing goes wrong and the book stands still."""
    engine = started(Engine(SETTINGS, {WINDOW.series: Chaser(hurried=False, rest=rest, exits=ALWAYS)}, StandAside()))
    venue = Watched(seed, engine)
    live(engine, venue, market_day(seed, 75), moment(76))
    venue.kind = True
    venue.pass_by(moment(76))
    quiet: list[AnyEvent] = []
    live(engine, venue, quiet, moment(260))
    return venue


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), rest=st.sampled_from([None, price("0.40")]))
def test_the_invariants_hold_and_everything_heals(seed: int, rest: Price | None) -> None:
    venue = lived(seed, rest)
    desk = venue.engine._known.desks[WINDOW.id]
    open_states = {order.state for order in venue.ours if order.live}
    assert open_states <= {OrderState.WORKING}, "nothing is left in doubt"
    for outcome in Outcome:
        holding = desk.position.of(outcome)
        assert (holding.shares, holding.settled) == (venue.held[outcome], venue.settled[outcome])
        targets = [
            order.remaining
            for order in venue.ours
            if order.live and order.terms.purpose is Purpose.TARGET and order.terms.outcome is outcome
        ]
        if holding.settled >= WINDOW.min_shares:
            assert len(targets) == 1, f"{outcome}: {holding.settled} held, targets {targets}"
            assert abs(targets[0] - holding.settled) <= SIZE_STEP
    assert venue.engine._known.cash == venue.cash, "to the micro-unit"
    live_there = {number for number, one in venue.orders.items() if one.live}
    assert live_there == {order.id for order in venue.ours if order.live}
    assert desk.halted is None


def test_the_lives_above_trade() -> None:
    seen: Counter[str] = Counter()
    for seed in range(40):
        seen.update(lived(seed, None).seen)
    assert min(seen[purpose] for purpose in Purpose) >= 20, seen
