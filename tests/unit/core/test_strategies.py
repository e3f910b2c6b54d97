"""The two strategies, by hand-worked numbers."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from polystra.core.scale_in import ScaleInRules
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategies.tilted_prior import Leaned, TiltedPrior
from polystra.core.strategy import Decision, Strategy, Wish
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.units import micro, price, seconds, usd
from polystra.core.view import ANYTHING, NEVER, MarketView
from tests.core_cases import AT_ONCE, EXITS, RULES, Bench, moment
from tests.unit.core.samples import WINDOW, levels, view
from tests.unit.core.test_signals import points

UP, DOWN = Outcome.UP, Outcome.DOWN
RISING = points("0.50", "0.50", "0.50", "0.50", "0.51")
FALLING = points("0.51", "0.50", "0.50", "0.50", "0.50")

TILTED = TiltedPrior(
    momentum_weight=1.0,
    imbalance_weight=0.5,
    min_edge=micro("0.02"),
    earliest=seconds(60),
    latest=seconds(120),
    min_price=price("0.10"),
    max_price=price("0.90"),
    every=seconds(5),
    depth=5,
    exits=EXITS,
)


def seen(bid: str = "0.52", ask: str = "0.54", **more: Any) -> MarketView:
    """A rising window with a book three times heavier on the bid side: momentum 0.4 and imbalance 0.5, both Up."""
    known: dict[str, Any] = {
        "at": moment(300),
        "own_prices": RISING,
        "bids": levels(p52="30"),
        "asks": levels(p54="10"),
    }
    return view(bid, ask, **(known | more))


def decided(of: MarketView, memory: Any = None, strategy: TiltedPrior = TILTED) -> Decision:
    return strategy.decide(of, memory)


def leaning(mid: float, lean: float) -> int:
    odds = mid / (1 - mid) * math.exp(lean)
    return round(1_000_000 * odds / (1 + odds))


def test_it_is_a_strategy() -> None:
    assert isinstance(TILTED, Strategy)
    assert isinstance(StandAside(), Strategy)
    assert (TILTED.needs.depth, TILTED.needs.own_prices, TILTED.needs.history, TILTED.needs.strike) == (
        5,
        5,
        True,
        False,
    )
    assert (TILTED.wakes_on.events, TILTED.wakes_on.every) == ((), seconds(5))


def test_a_rising_window_is_bought_by_hand_worked_numbers() -> None:
    """logit 0.53 + 1.0 x 0.4 + 0.5 x 0.5 = 0.1201 + 0.65: P(Up) 0.683551; fee at 0.54: 0.07 x 0.2484 = 0.01739."""
    decision = decided(seen())
    assert decision.probability == leaning(0.53, 0.65)
    assert abs(leaning(0.53, 0.65) - 683_551) <= 1_000
    assert (decision.price, decision.fee) == (price("0.54"), usd("0.01739"))
    assert decision.edge == leaning(0.53, 0.65) - price("0.54") - usd("0.01739")
    assert decision.wishes == (Wish(outcome=UP, price=price("0.54"), conviction=0, probability=leaning(0.53, 0.65)),)
    assert decision.wishes[0].time_in_force is TimeInForce.FAK
    assert dict(decision.signals) == {"prior": 0.53, "momentum": pytest.approx(0.4), "imbalance": 0.5}
    assert (decision.reason, decision.outcome, decision.memory, decision.wait) == (
        "edge after fee",
        UP,
        Leaned(UP),
        ANYTHING,
    )


def test_a_falling_window_is_the_mirror() -> None:
    """Down at 0.54 where Up stood at 0.46 to 0.48, with everything turned round."""
    momentum = 0.01 / 0.51 * 20
    decision = decided(seen("0.46", "0.48", own_prices=FALLING, bids=levels(p46="10"), asks=levels(p48="30")))
    up = leaning(0.47, -momentum - 0.25)
    assert (decision.outcome, decision.price, decision.probability) == (DOWN, price("0.54"), 1_000_000 - up)
    assert decision.wishes[0].outcome is DOWN


def test_without_a_lean_the_prior_itself_is_never_worth_its_price() -> None:
    still = points("0.50", "0.50", "0.50", "0.50", "0.50")
    decision = decided(seen(own_prices=still, bids=levels(p52="10")))
    assert (decision.wishes, decision.reason) == ((), "edge too small")
    assert decision.probability == micro("0.53")
    assert decision.edge == micro("0.53") - price("0.54") - usd("0.01739")


@pytest.mark.parametrize(("least", "enters"), [(0, True), (1, False)])
def test_the_edge_at_its_least_is_enough(least: int, enters: bool) -> None:
    edge = decided(seen()).edge
    assert edge is not None
    assert bool(decided(seen(), strategy=replace(TILTED, min_edge=edge + least)).wishes) is enters


@pytest.mark.parametrize(
    ("at", "reason", "until"),
    [
        (-10, "too early", 60),
        (59, "too early", 60),
        (60, None, None),
        (780, None, None),
        (781, "too late", None),
        (950, "too late", None),
    ],
)
def test_it_trades_in_the_middle_of_a_window(at: float, reason: str | None, until: float | None) -> None:
    decision = decided(seen(at=moment(at)))
    assert bool(decision.wishes) is (reason is None)
    if reason is not None:
        assert decision.reason == reason
        assert decision.wait.until == (NEVER if until is None else moment(until))
        assert (decision.probability, decision.edge, decision.signals) == (None, None, ())


def test_one_entry_a_window() -> None:
    assert decided(seen(entries_made=1)).reason == "this window's entry is made"
    assert decided(seen(entries_working=1)).reason == "entry under way"
    assert decided(seen(entries_made=1, entries_working=1)).wishes == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"trouble": "crossed"}, "prior unknown"),
        ({"bid": price("0")}, "prior unknown"),
        ({"own_prices": RISING[:4]}, "momentum unknown"),
        ({"bids": ()}, "imbalance unknown"),
        ({"market": replace(WINDOW, fees=None)}, "no price to pay, or no fee schedule"),
        ({"bid": price("0.92"), "ask": price("0.94")}, "price outside the range it trades"),
    ],
)
def test_what_is_unknown_is_recorded_as_unknown_and_opens_nothing(change: dict[str, Any], reason: str) -> None:
    """Unknown is not neutral: the other signals alone must not carry an entry."""
    decision = decided(replace(seen(), **change))
    assert (decision.wishes, decision.reason) == ((), reason)
    if reason.endswith(" unknown"):
        name = reason.removesuffix(" unknown")
        assert dict(decision.signals)[name] is None
        assert (decision.outcome, decision.probability, decision.price, decision.fee, decision.edge) == (None,) * 5


def test_a_crossed_view_offers_no_price() -> None:
    """Bid 1 and ask 0 are no prices; a book like that is never trusted, and here it is not paid either."""
    strange = replace(seen(), bid=price("1"), ask=price("0"))
    assert TILTED._best_offer(strange, 500_000) is None
    assert TILTED._best_offer(replace(strange, ask=price("0.5")), 900_000).outcome is UP  # type: ignore[union-attr]


def test_it_does_not_change_sides_within_a_window() -> None:
    assert decided(seen(), Leaned(UP)).wishes != ()
    turned = decided(seen(), Leaned(DOWN))
    assert (turned.wishes, turned.reason) == ((), "leans to the other side than before")
    assert turned.memory == Leaned(DOWN)
    assert turned.edge is not None, "what it would have been worth is kept"


def test_a_memory_that_is_not_its_own_is_none() -> None:
    assert decided(seen(), StandAside()).memory == Leaned(UP)
    assert TILTED.first_memory == Leaned()


def test_its_memory_survives_a_restart() -> None:
    kept = msgspec.msgpack.encode(Leaned(DOWN))
    assert msgspec.msgpack.decode(kept, type=Leaned) == Leaned(DOWN)


def test_whatever_it_decides_the_holding_keeps_its_exits() -> None:
    for of in (seen(), seen(at=moment(0)), seen(entries_made=1), seen(trouble="crossed")):
        assert decided(of).exits == EXITS


def test_it_trades_a_window_from_the_clock_alone() -> None:
    bench = Bench(replace(TILTED, min_edge=micro("0.02")))
    assert bench.start(0) == ["follow", "load history"]
    for minute, (bid, ask) in enumerate((("0.49", "0.51"),) * 5 + (("0.52", "0.54"),)):
        bench.book(60 * minute + 1, bid, ask)
    assert bench.pass_to(359) == []
    assert bench.pass_to(360) == [(360, "place o1 entry BUY UP 10 @ 0.54 FAK")]
    assert bench.desk.memory == Leaned(UP)


@pytest.mark.parametrize("working", [0, 1])
def test_while_it_holds_it_goes_on_saying_what_it_thinks_of_what_it_bought(working: int) -> None:
    """The chance of Up is as worked by hand above; of Down it is what is left of one."""
    made = seen(entries_made=1, entries_working=working)
    up, down = decided(made, Leaned(UP)), decided(made, Leaned(DOWN))
    assert (up.outcome, up.probability) == (UP, leaning(0.53, 0.65))
    assert (down.outcome, down.probability) == (DOWN, 1_000_000 - leaning(0.53, 0.65))
    assert (up.wishes, up.price, up.edge, up.signals, up.wait) == ((), None, None, (), ANYTHING)
    assert decided(replace(made, at=moment(890)), Leaned(UP)).probability == up.probability, "however late it is"


@pytest.mark.parametrize(
    "change", [{"trouble": "crossed"}, {"own_prices": RISING[:4]}, {"bids": ()}], ids=["prior", "momentum", "imbalance"]
)
def test_while_it_holds_and_a_signal_is_unknown_so_is_the_chance(change: dict[str, Any]) -> None:
    decision = decided(replace(seen(entries_made=1), **change), Leaned(UP))
    assert (decision.outcome, decision.probability) == (UP, None)


def test_of_a_side_that_it_does_not_remember_it_says_nothing() -> None:
    decision = decided(seen(entries_made=1))
    assert (decision.outcome, decision.probability) == (None, None)


def test_while_nothing_is_made_yet_it_estimates_nothing() -> None:
    for nothing in (seen(entries_working=1), seen(at=moment(0)), seen(at=moment(890))):
        assert decided(nothing, Leaned(UP)).probability is None


def test_what_it_bought_is_added_to_on_its_own_estimate() -> None:
    """Late in the window it asks for half as much again, at the ask, on the chance of the last five seconds."""
    rules = replace(RULES, scale_in=ScaleInRules(min_price=price("0.50"), multiplier=micro("0.5")))
    bench = Bench(TILTED, rules)
    bench.start(0)
    for minute, (bid, ask) in enumerate((("0.49", "0.51"),) * 5 + (("0.52", "0.54"),)):
        bench.book(60 * minute + 1, bid, ask)
    assert bench.pass_to(360) == [(360, "place o1 entry BUY UP 10 @ 0.54 FAK")]
    bench.fill(360.2, 1, "0.54", "10")
    bench.book(421, "0.54", "0.56")
    assert bench.pass_to(449.999) == []
    assert bench.pass_to(450) == [(450, "place o2 scale-in BUY UP 5 @ 0.56 FAK")]


def test_stand_aside_opens_nothing_and_looks_after_what_is_held() -> None:
    decision = StandAside(exits=AT_ONCE).decide(seen(), None)
    assert (decision.wishes, decision.exits, decision.wait) == ((), AT_ONCE, ANYTHING)
    assert (StandAside().name, StandAside().first_memory, StandAside().wakes_on.events) == ("stand_aside", None, ())
    assert TILTED.name == "tilted_prior"
