"""The seam between a trading idea and the engine."""

from __future__ import annotations

from msgspec import Struct

from polystra.core.strategy import (
    Decision,
    ExitPolicy,
    Needs,
    StopPolicy,
    Strategy,
    Tolerance,
    Wake,
    WakesOn,
    Wish,
)
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import SIZE_STEP, price, seconds
from polystra.core.view import ANYTHING, MarketView


class Sleeper(Struct, frozen=True):
    """The least that is a strategy."""

    @property
    def name(self) -> str:
        return "sleeper"

    @property
    def needs(self) -> Needs:
        return Needs()

    @property
    def wakes_on(self) -> WakesOn:
        return WakesOn()

    @property
    def first_memory(self) -> Struct | None:
        return None

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        return Decision(reason="sleeps", wait=ANYTHING)


class Mute(Struct, frozen=True):
    """Knows its name and nothing else."""

    @property
    def name(self) -> str:
        return "mute"


def test_five_members_make_a_strategy_and_no_base_class() -> None:
    assert isinstance(Sleeper(), Strategy)
    assert Strategy not in Sleeper.__mro__
    assert not isinstance(Mute(), Strategy)


def test_a_strategy_that_says_nothing_needs_nothing_and_is_called_on_best_prices() -> None:
    assert Needs() == Needs(depth=0, own_prices=0, history=False, strike=False, spot=False, candles=False)
    assert WakesOn().events == (Wake.BEST_MOVED,)
    assert WakesOn().every is None


def test_a_decision_without_wishes_wants_no_order_and_holds_to_settlement() -> None:
    decision = Decision(reason="no edge", wait=ANYTHING)
    assert decision.wishes == ()
    assert (decision.exits.target, decision.exits.stop) == (None, None)
    assert (decision.probability, decision.price, decision.fee, decision.edge) == (None,) * 4, "unknown is never zero"


def test_a_wish_takes_at_once_unless_it_says_otherwise() -> None:
    wish = Wish(outcome=Outcome.UP, price=price("0.53"), conviction=0, probability=600_000)
    assert wish.time_in_force is TimeInForce.FAK
    assert wish.tolerance == Tolerance(shares=SIZE_STEP)
    assert wish.tolerance.price == 0


def test_a_stop_that_names_no_level_is_off() -> None:
    stop = StopPolicy()
    assert (stop.price, stop.fraction) == (None, None)
    assert stop.min_age == seconds(30)
    assert ExitPolicy(stop=stop).stop is stop
