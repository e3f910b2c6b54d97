"""The exit plan over random fills, cancels, failures, prices and settings, step by step.

Each life is some fifty steps of a venue that is unkind (`tests.core_venue`). After every step the plan is held
to four promises: one live exit on a token, never more on sale than can be sold, every old share covered or a reason
said, and a plan that asks for nothing new when nothing is new.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.engine import Engine
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy, Rung, RungAction, StopPolicy
from polystra.core.terms import Outcome, Side
from polystra.core.units import SIZE_STEP, Instant, Nanos, Price, price, seconds
from tests.core_cases import moment
from tests.core_market import in_order, market_day, weather
from tests.core_venue import TinyVenue, live, started
from tests.property.test_engine_gate import Chaser
from tests.property.test_engine_invariants import SETTINGS
from tests.unit.core.samples import WINDOW

LIVES = 250
"""Each of more than fifty steps, so that CI sees more than ten thousand."""


def a_policy(dice: Random) -> ExitPolicy:
    """Any mixture of rules, with ladders for the part that is lived."""
    rungs = [Rung(seconds(880 - 10 * step), dice.choice(list(RungAction))) for step in range(dice.randint(0, 4))]
    return ExitPolicy(
        target=dice.choice([None, price("0.90"), price("0.70")]),
        min_age=dice.choice([Nanos(0), seconds(4)]),
        hold_last=dice.choice([Nanos(0), Nanos(0), seconds(850)]),
        stop=dice.choice([None, StopPolicy(price=price("0.35"), distance=Price(50_000), min_age=seconds(2))]),
        break_even=dice.choice([None, BreakEvenPolicy(arm=20_000)]),
        profit=dice.choice([None, 300_000]),
        ladder=tuple(rungs),
        pairs_need_no_stop=dice.random() < 0.5,
    )


class Judged(TinyVenue):
    """Judges the desk whenever the engine commands something, and after each event that it is told."""

    def __init__(self, seed: int, engine: Engine) -> None:
        super().__init__(seed)
        self.engine = engine
        self.seen: Counter[str] = Counter()

    def hear(self, at: Instant, command: cm.AnyCommand) -> None:
        if isinstance(command, cm.PlaceOrder) and command.terms.side is Side.SELL:
            self.seen[command.terms.purpose] += 1
            there, offered = self.settled[command.terms.outcome], self.on_offer(command.terms.outcome)
            assert offered + command.terms.shares <= there, f"{offered} + {command.terms.shares} of {there}"
        super().hear(at, command)
        self._one_exit_each()

    def see(self, event: ev.AnyEvent) -> None:
        """Before an event is told: what the last step left behind."""
        self._one_exit_each()
        self._asks_for_nothing_new()
        self._covered_or_said()
        self.seen["step"] += 1
        super().see(event)

    def _one_exit_each(self) -> None:
        desk = self.engine._known.desks[WINDOW.id]
        sells = Counter(order.terms.outcome for order in desk.live if order.terms.side is Side.SELL)
        assert all(count == 1 for count in sells.values()), f"live exits: {sells}"

    def _covered_or_said(self) -> None:
        """An old share has a live exit, or the reason why not was the last thing said of it."""
        desk = self.engine._known.desks[WINDOW.id]
        if desk.decision is None or desk.closed:
            return
        said = {note[0] for note in desk.said.get("uncovered", ())}  # type: ignore[attr-defined]
        selling = [one for one in desk.orders.values() if one.terms.side is Side.SELL]
        for outcome in Outcome:
            holding = desk.position.of(outcome)
            gone = sum(one.awaited for one in selling if one.terms.outcome is outcome and not one.live)
            at = self.engine._known.at
            old = holding.opened_at is not None and at - holding.opened_at > desk.decision.exits.min_age
            if holding.shares - gone >= SIZE_STEP and old:
                covered = any(one.live and one.terms.outcome is outcome for one in selling)
                assert covered or outcome in said, f"{outcome}: {holding.shares} at {at}, nothing covers or says it"
                self.seen["covered" if covered else "said"] += 1

    def _asks_for_nothing_new(self) -> None:
        """A fixed point: told to look again at the same moment, it neither places nor cancels an exit."""
        again = self.engine.handle(ev.Started(at=self.engine._known.at)).commands
        desk = self.engine._known.desks[WINDOW.id]
        for command in again:
            if isinstance(command, cm.PlaceOrder | cm.CancelOrder):
                terms = desk.orders[command.order].terms
                assert terms.side is Side.BUY, f"at once again: {command}"


def lived(seed: int) -> Judged:
    policy = a_policy(Random(seed))
    engine = started(Engine(SETTINGS, {WINDOW.series: Chaser(hurried=False, exits=policy)}, StandAside()))
    venue = Judged(seed, engine)
    live(engine, venue, in_order(market_day(seed, 75), weather(seed, 75)), moment(75))
    return venue


@settings(max_examples=LIVES)
@given(seed=st.integers(0, 2**32))
def test_the_exit_plan_keeps_its_promises(seed: int) -> None:
    lived(seed)


def test_the_lives_above_take_ten_thousand_steps_and_sell_in_every_way() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        seen.update(lived(seed).seen)
    assert seen["step"] * LIVES / 60 >= 10_000, seen
    assert min(seen[kind] for kind in ("target", "stop", "sale", "covered", "said")) >= 10, seen
