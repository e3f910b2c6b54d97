"""What must hold on the venue's truth, whatever is refused, lost, late, repeated or taken back (`FAULTS.md` 2.1)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.account import reserved_by
from polystra.core.engine import Engine
from polystra.core.events import AnyEvent
from polystra.core.ids import OrderId
from polystra.core.lifecycle import MOST_RESENDS
from polystra.core.orders import Order, OrderState
from polystra.core.positions import position_of
from polystra.core.reasons import RefusalReason
from polystra.core.reversal import ReversalRules
from polystra.core.rules import Rules
from polystra.core.scale_in import ScaleInRules
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, slot_of
from polystra.core.units import SIZE_STEP, Instant, Nanos, Price, price, seconds, usd
from tests.core_cases import RULES, moment
from tests.core_market import in_order, market_day, weather
from tests.core_venue import MODES, TinyVenue, forbidden, live, started
from tests.property.test_engine_gate import (
    EXITS,
    GROWING,
    GROWING_AT_REST,
    HEDGED,
    REVERSED,
    STAKES,
    Chaser,
)
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
        self.resent: Counter[OrderId] = Counter()
        self.told_mode: tuple[RefusalReason, Instant] | None = None
        self.blocked = False
        self.drifted = False

    def pop(self) -> ev.AnyEvent:
        """What the trader is about to hear of the venue's modes: it holds for a second at least, or as long as the
        venue says, unless an order is taken."""
        event = super().pop()
        if isinstance(event, ev.OrderRefused) and event.reason in MODES:
            self.told_mode = event.reason, Instant(event.at + (event.retry_after or seconds(1)))
            self.seen[event.reason] += 1
        if isinstance(event, ev.OrderAccepted):
            self.told_mode = None
        return event

    def see(self, event: ev.AnyEvent) -> None:
        super().see(event)
        if isinstance(event, ev.GeoblockRead):
            self.blocked = event.blocked
        if isinstance(event, ev.ClockCompared):
            self.drifted = abs(event.ahead) > SETTINGS.max_clock_offset

    def hear(self, at: Instant, command: cm.AnyCommand) -> None:
        if isinstance(command, cm.PlaceOrder):
            self.seen[command.terms.purpose] += 1
            self._is_allowed(at, command.terms)
            self._replaces_nothing_in_doubt(command)
            if command.terms.side is Side.SELL:
                self._can_be_sold(command.terms)
        if isinstance(command, cm.ResendOrder):
            self.seen["resend"] += 1
            self.resent[command.order] += 1
            assert self.resent[command.order] <= MOST_RESENDS, f"o{command.order} was sent again and again"
            self._is_allowed(at, self.orders[command.order].terms)
        if isinstance(command, cm.CancelOrder):
            kind = self.orders[command.order].terms.time_in_force
            assert not kind.immediate, f"o{command.order}: an immediate order in flight was cancelled"
        super().hear(at, command)
        self._one_sell_each()
        self._within_limits()
        self._adds_up()

    def _is_allowed(self, at: Instant, terms: OrderTerms) -> None:
        """Nothing leaves that the venue said it does not take, and nothing at all where trading is blocked."""
        assert not self.blocked, f"sent {terms} from where trading is blocked"
        assert not self.drifted or terms.side is Side.SELL, "opened with a clock that is wrong"
        if self.told_mode is not None:
            mode, until = self.told_mode
            assert at >= until or not forbidden(mode, terms), f"{mode} until {until}: sent {terms} at {at}"

    def _replaces_nothing_in_doubt(self, command: cm.PlaceOrder) -> None:
        """I9: while an order's outcome is unknown no other is signed in its slot."""
        slot = slot_of(command.terms)
        others = [one for one in self.ours if one.live and one.id != command.order and slot_of(one.terms) == slot]
        assert not others, f"o{command.order} was placed beside {[(one.id, one.state) for one in others]}"

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
        """I3: held and possible, at worst, within the limit of the market. What is reserved for a live order has the
        fee of all of it, and what of it was bought has its own."""
        desk = self.engine._known.desks[WINDOW.id]
        twice = sum(fill.fee_usd for order in desk.live if order.terms.side is Side.BUY for fill in order.fills)
        stake = desk.position.up.cost + desk.position.down.cost + desk.reserved - twice
        assert stake <= SETTINGS.limits.max_market, f"{stake} at stake"

    def _adds_up(self) -> None:
        """What a desk keeps of its orders is what they say when asked one by one."""
        desk = self.engine._known.desks[WINDOW.id]
        assert list(desk.live) == [order for order in self.ours if order.live]
        assert desk.reserved == reserved_by(self.ours, WINDOW.fees)
        entries = [order for order in self.ours if order.terms.purpose is Purpose.ENTRY]
        assert desk.entries_working == sum(order.live for order in entries)
        assert desk.entries_made == sum(order.traded for order in entries)
        assert desk.position == position_of(self.ours, desk.adjustments)

    @property
    def ours(self) -> list[Order]:
        return list(self.engine._known.desks[WINDOW.id].orders.values())


def lived(
    seed: int,
    rest: Price | None,
    rules: Rules = SETTINGS,
    watched: type[Watched] = Watched,
    *,
    turns: bool = False,
) -> Watched:
    """75 s of misfortune, then 180 s in which nothing goes wrong and the book stands still."""
    chaser = Chaser(hurried=False, rest=rest, exits=ALWAYS, turns=turns)
    engine = started(Engine(rules, {WINDOW.series: chaser}, StandAside()))
    venue = watched(seed, engine)
    live(engine, venue, in_order(market_day(seed, 75), weather(seed, 60)), moment(76))
    venue.kind, venue.mode = True, None
    venue.pass_by(moment(76))
    quiet: list[AnyEvent] = []
    live(engine, venue, quiet, moment(260))
    return venue


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), rest=st.sampled_from([None, price("0.40")]))
def test_the_invariants_hold_and_everything_heals(seed: int, rest: Price | None) -> None:
    healed(lived(seed, rest))


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32),
    scale_in=st.sampled_from([GROWING, GROWING_AT_REST]),
    reversal=st.sampled_from([REVERSED, HEDGED]),
)
def test_the_invariants_hold_for_what_is_added_too(seed: int, scale_in: ScaleInRules, reversal: ReversalRules) -> None:
    healed(lived(seed, None, replace(SETTINGS, scale_in=scale_in, reversal=reversal), turns=True))


def healed(venue: Watched) -> None:
    """Nothing is in doubt, and venue and engine agree on everything."""
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
    for seed in range(80):
        seen.update(lived(seed, None).seen)
    assert min(seen[kind] for kind in (Purpose.ENTRY, Purpose.TARGET, Purpose.STOP, "resend")) >= 20, seen
    assert min(seen[mode] for mode in MODES) >= 10, seen


def test_the_lives_above_are_added_to_and_reversed() -> None:
    rules = replace(SETTINGS, scale_in=GROWING_AT_REST, reversal=HEDGED)
    seen: Counter[str] = Counter()
    for seed in range(80):
        seen.update(lived(seed, None, rules, turns=True).seen)
    assert min(seen[kind] for kind in (Purpose.SCALE_IN, Purpose.REVERSAL)) >= 5, seen
