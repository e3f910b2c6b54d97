"""The gate leaves out nothing: an engine that looks at every instant commands the same.

The same strategy twice: once with the waits it really has, once in a hurry, asking to be woken again and again between
all events. So the hurried engine decides anew where the patient one sleeps, and any band or time of risk, exits or
planner that is too wide or too late makes the two differ.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from polystra.core.engine import Engine
from polystra.core.reversal import ReversalRules
from polystra.core.scale_in import ScaleInRules
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import (
    BreakEvenPolicy,
    Decision,
    ExitPolicy,
    Needs,
    Rung,
    RungAction,
    StopPolicy,
    WakesOn,
    Wish,
)
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import MICRO, Instant, Nanos, Price, price, seconds, usd
from polystra.core.view import ANYTHING, MarketView, Wait
from tests.core_cases import LIMITS, RULES, moment
from tests.core_market import in_order, market_day, weather
from tests.core_venue import TinyVenue, live, started
from tests.unit.core.samples import WINDOW

EXITS = ExitPolicy(
    target=price("0.90"),
    min_age=seconds(4),
    stop=StopPolicy(price=price("0.35"), distance=price("0.05"), min_age=seconds(2)),
    hold_last=seconds(840),
)
"""Selling ends 60 s into the window, so that a run of 90 s sees it end."""

GUARDED = ExitPolicy(target=price("0.90"), min_age=seconds(4), break_even=BreakEvenPolicy(arm=10_000))
BY_VALUE = ExitPolicy(
    target=price("0.90"),
    min_age=seconds(4),
    profit=300_000,
    ladder=(
        Rung(seconds(870), RungAction.SELL_INTO_BIDS),
        Rung(seconds(850), RungAction.HOLD),
        Rung(seconds(845), RungAction.NOTHING),
    ),
)
"""With a ladder for the first minute, which is the part that is lived."""

GROWING = ScaleInRules(time_left=seconds(880), min_price=price("0.20"), max_price=price("0.80"), multiplier=500_000)
"""From second 20 on."""

GROWING_AT_REST = replace(GROWING, rests=True)
REVERSED = ReversalRules(after_stop=True, within=seconds(20))
HEDGED = ReversalRules(after_stop=True, hedged=True, within=seconds(6), sell_at=price("0.25"), sell_after=seconds(7))

TURN = price("0.36")
"""Where the chaser that turns gives Up up."""

STAKES = replace(RULES.stakes, max_stake=usd(6))
UNFILLED = UnfilledRules(timeout=seconds(6), threshold=100_000, retry_above=0)
HURRY = seconds(0.15)
PATIENT = seconds(1_000)


class Chaser(Struct, frozen=True, kw_only=True):
    """Takes either outcome at 0.45 or less, once at a time, and rests a bid for Up at `rest`; says exactly when."""

    hurried: bool
    rest: Price | None = None
    exits: ExitPolicy = EXITS
    turns: bool = False

    @property
    def name(self) -> str:
        return "chaser"

    @property
    def needs(self) -> Needs:
        return Needs()

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn()

    @property
    def first_memory(self) -> None:
        return None

    def decide(self, view: MarketView, memory: object) -> Decision:
        wishes, wait = self._wishes(view)
        if self.hurried:
            wait = wait.both(Wait(until=Instant(view.at + HURRY)))
        chance, until = self._chance(view)
        return Decision(
            wishes=wishes,
            exits=self.exits,
            reason=f"{len(wishes)}",
            wait=wait.both(until),
            outcome=Outcome.UP,
            probability=chance,
        )

    def _chance(self, view: MarketView) -> tuple[Price, Wait]:
        """Of Up: a bit less than it costs; or so much that more of it is worth buying, until its bid falls, and then so
        little that Down is."""
        if not self.turns:
            return price("0.45"), ANYTHING
        if view.bid > TURN:
            return price("0.80"), Wait(bid_lo=Price(TURN + 1))
        return price("0.10"), Wait(bid_hi=TURN)

    def _wishes(self, view: MarketView) -> tuple[tuple[Wish, ...], Wait]:
        if not view.position.flat:
            return (), ANYTHING
        if self.rest is not None:
            return (_wish(Outcome.UP, self.rest, TimeInForce.GTC),), ANYTHING
        cheap = price("0.45")
        if view.ask <= cheap:
            return (_wish(Outcome.UP, view.ask, TimeInForce.FAK),), view.pinned()
        if view.bid >= MICRO - cheap:
            return (_wish(Outcome.DOWN, Price(MICRO - view.bid), TimeInForce.FAK),), view.pinned()
        return (), Wait(ask_lo=Price(cheap + 1), bid_hi=Price(MICRO - cheap - 1))


def _wish(outcome: Outcome, at: Price, kind: TimeInForce) -> Wish:
    return Wish(outcome=outcome, price=at, conviction=0, probability=price("0.60"), time_in_force=kind)


def life(
    seed: int,
    *,
    hurried: bool,
    rest: Price | None = None,
    late: bool = False,
    exits: ExitPolicy = EXITS,
    turns: bool = False,
    **changes: Any,
) -> list[tuple[int, str]]:
    """A window's first 75 seconds; `late` leaves entries 45 of them. Books are silent for up to five seconds."""
    limits = replace(LIMITS, min_time_left=seconds(855)) if late else LIMITS
    rules = replace(RULES, stakes=STAKES, limits=limits, doubt_patience=seconds(20), book_patience=PATIENT)
    rules = replace(rules, **changes)
    chaser = Chaser(hurried=hurried, rest=rest, exits=exits, turns=turns)
    engine = started(Engine(rules, {WINDOW.series: chaser}, StandAside()))
    return live(engine, TinyVenue(seed), in_order(market_day(seed, 75), weather(seed, 75)), moment(75))


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    rest=st.sampled_from([None, None, price("0.40"), price("0.30")]),
    late=st.booleans(),
    patience=st.sampled_from([PATIENT, seconds(3)]),
    exits=st.sampled_from([EXITS, GUARDED, BY_VALUE]),
    unfilled=st.sampled_from([None, UNFILLED]),
    scale_in=st.sampled_from([None, GROWING, GROWING_AT_REST]),
    reversal=st.sampled_from([None, REVERSED, HEDGED]),
    turns=st.booleans(),
)
def test_an_engine_that_looks_again_and_again_commands_the_same(
    seed: int,
    rest: Price | None,
    late: bool,
    patience: Nanos,
    exits: ExitPolicy,
    unfilled: UnfilledRules | None,
    scale_in: ScaleInRules | None,
    reversal: ReversalRules | None,
    turns: bool,
) -> None:
    same: dict[str, Any] = {
        "rest": rest,
        "late": late,
        "book_patience": patience,
        "exits": exits,
        "unfilled": unfilled,
        "scale_in": scale_in,
        "reversal": reversal,
        "turns": turns,
    }
    assert life(seed, hurried=False, **same) == life(seed, hurried=True, **same)


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), scale_in=st.sampled_from([None, GROWING, GROWING_AT_REST]))
def test_an_engine_that_looks_again_and_again_hedges_the_same(seed: int, scale_in: ScaleInRules | None) -> None:
    same: dict[str, Any] = {"scale_in": scale_in, "reversal": HEDGED, "turns": True}
    assert life(seed, hurried=False, **same) == life(seed, hurried=True, **same)


@given(seed=st.integers(0, 2**32))
def test_the_same_events_give_the_same_commands(seed: int) -> None:
    assert life(seed, hurried=False) == life(seed, hurried=False)


@pytest.mark.parametrize("rest", [None, price("0.40")])
def test_the_lives_above_are_full_of_what_they_are_about(rest: Price | None) -> None:
    """No comparison is worth anything where nothing happens."""
    seen: Counter[str] = Counter()
    for seed in range(80):
        for _, said in life(seed, hurried=False, rest=rest):
            words = said.split(" ")
            seen[words[2] if words[0] == "place" else words[0]] += 1
    kinds = ("entry", "target", "stop", "cancel", "query", "resend", "read", "drop")
    assert min(seen[kind] for kind in kinds) >= 20, seen


@pytest.mark.parametrize(("exits", "kind"), [(GUARDED, "stop"), (BY_VALUE, "sale")], ids=["guarded", "by value"])
def test_the_lives_of_other_policies_sell_by_them(exits: ExitPolicy, kind: str) -> None:
    said = [one for seed in range(80) for _, one in life(seed, hurried=False, exits=exits)]
    assert sum(one.startswith("place") and one.split(" ")[2] == kind for one in said) >= 10


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"scale_in": GROWING}, "scale-in"),
        ({"scale_in": GROWING_AT_REST}, "scale-in"),
        ({"reversal": REVERSED}, "reversal"),
        ({"reversal": HEDGED}, "reversal"),
    ],
    ids=["grows", "grows at rest", "reversed", "hedged"],
)
def test_the_lives_of_those_rules_are_full_of_what_they_add(changes: dict[str, Any], kind: str) -> None:
    said = [one for seed in range(80) for _, one in life(seed, hurried=False, turns=True, **changes)]
    assert sum(one.startswith("place") and one.split(" ")[2] == kind for one in said) >= 10
