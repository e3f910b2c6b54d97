"""A resting entry that nobody fills, through the whole engine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.ids import OrderId
from polystra.core.markets import PriceSource
from polystra.core.restored import RestoredOrder
from polystra.core.strategy import Decision, ExitPolicy, Needs, Tolerance, WakesOn, Wish
from polystra.core.terms import Liquidity, Outcome, TimeInForce
from polystra.core.unfilled import UnfilledRules, Why
from polystra.core.units import price, seconds, shares, usd
from polystra.core.view import ANYTHING, MarketView
from tests.core_cases import AT_ONCE, MINED, RULES, Bench, moment, wish
from tests.unit.core.samples import WINDOW

PATIENT = replace(RULES, unfilled=UnfilledRules())
BID = wish("0.50", time_in_force=TimeInForce.GTC, tolerance=Tolerance(shares=shares(1_000)), probability="0.90")


class Always(Struct, frozen=True, kw_only=True):
    """Wishes for the same whatever was filled."""

    wishes: tuple[Wish, ...] = (BID,)
    exits: ExitPolicy = AT_ONCE
    needs: Needs = Needs()
    wakes_on: WakesOn = WakesOn()
    first_memory: None = None
    name: str = "always"

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        return Decision(wishes=self.wishes, exits=self.exits, reason="always", wait=ANYTHING)


def resting(rules: Any = PATIENT, strategy: Any = None) -> Bench:
    """A bid o1 of 10.8 shares at 0.50 that rests since second 60, the book at 0.52 to 0.54, Up winning."""
    bench = Bench(strategy or Always(), rules)
    bench.start(0)
    bench.hear(1, ev.PricePrinted, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=100, stamped_at=moment(0))
    assert bench.book(60) == ["place o1 entry BUY UP 10.8 @ 0.5 GTC post-only"]
    assert bench.accepted(60, 1) == []
    return bench


def test_without_the_rules_it_rests_as_long_as_it_is_wished_for() -> None:
    bench = resting(RULES)
    assert bench.pass_to(800) == []
    assert bench.told(nt.EntryGivenUp) == []


def test_an_entry_that_is_too_old_is_cancelled_once_and_never_placed_again() -> None:
    bench = resting()
    assert bench.pass_to(360) == []
    ((at, said),) = bench.pass_to(361)
    assert said == "cancel o1"
    assert at == pytest.approx(360.001, abs=0.002)
    assert bench.cancelled(361, 1) == []
    assert bench.pass_to(800) == []
    (said,) = bench.told(nt.EntryGivenUp)
    assert (said.order, said.outcome, said.why, said.change) == (1, Outcome.UP, Why.AGED, 0)
    assert said.age == pytest.approx(seconds(300), abs=seconds(0.002))
    assert bench.told(nt.EntryRetried) == []
    assert bench.desk.reserved == 0


def test_a_fall_of_its_price_ends_it_and_that_the_price_comes_back_changes_nothing() -> None:
    """The middle falls from 0.53 to 0.45, 15.1 % less; while the cancel is on its way it is at 0.53 again."""
    bench = resting()
    assert bench.book(70, "0.45", "0.47") == []
    assert bench.book(71, "0.44", "0.46") == ["cancel o1"]
    assert bench.book(71.1) == []
    assert bench.cancelled(71.2, 1) == []
    assert bench.pass_to(800) == []
    (said,) = bench.told(nt.EntryGivenUp)
    assert (said.why, said.change) == (Why.FELL, -150_944)


def test_the_other_outcome_is_no_concern_of_it() -> None:
    down = replace(BID, outcome=Outcome.DOWN, price=price("0.40"))
    bench = Bench(Always(wishes=(BID, down)), PATIENT)
    bench.start(0)
    assert len(bench.book(60)) == 2
    bench.accepted(60, 1)
    bench.accepted(60, 2)
    assert bench.book(70, "0.44", "0.46") == ["cancel o1"]
    assert bench.cancelled(70.1, 1) == []
    assert bench.state(2) == "WORKING"


def test_what_is_too_old_and_would_have_won_is_tried_again_once_at_the_market() -> None:
    """From 0.53 to 0.60 is 13 % more; the size is that of the new price, the order one that fills or ends."""
    bench = resting()
    bench.book(359, "0.59", "0.61")
    assert [said for _, said in bench.pass_to(361)] == ["cancel o1"]
    assert bench.cancelled(361.1, 1) == ["place o2 entry BUY UP 8 @ 0.61 FAK"]
    (link,) = bench.told(nt.EntryRetried)
    assert (link.first, link.second) == (1, 2)
    assert bench.told(nt.OrderMoved)[-1].order == 2
    assert bench.killed(361.2, 2) == []
    assert bench.pass_to(800) == [], "there is no third"


def test_the_second_try_is_held_for_itself_and_not_by_the_age_of_the_first() -> None:
    bench = resting()
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    bench.cancelled(361.1, 1)
    assert bench.desk.orders[OrderId(2)].decided_at == moment(361.1)
    assert bench.pass_to(400) == [], "unanswered still, and not cancelled"
    assert bench.fill(401, 2, "0.61", "8") == []
    assert bench.desk.position.up.shares == shares("8")


def test_a_second_try_that_fills_in_the_same_instant_is_followed_by_no_third() -> None:
    bench = resting()
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    assert bench.cancelled(361.1, 1) == ["place o2 entry BUY UP 8 @ 0.61 FAK"]
    assert bench.fill(361.1, 2, "0.61", "8") == []
    assert bench.state(2) == "FILLED"
    assert bench.pass_to(800) == []


@pytest.mark.parametrize(("bid", "ask", "value"), [("0.55", "0.57", "price +5.7 %"), ("0.50", "0.52", "price -3.8 %")])
def test_what_did_not_become_dearer_is_not_tried_again(bid: str, ask: str, value: str) -> None:
    bench = resting()
    bench.book(359, bid, ask)
    bench.pass_to(361)
    assert bench.cancelled(361.1, 1) == []
    denied = bench.told(nt.EntryDenied)[-1]
    assert (denied.limit, denied.value, denied.allowed) == ("second try", value, "above +10.0 %")
    assert bench.book(362, "0.70", "0.72") == [], "later it is too late"


def test_what_loses_is_not_tried_again_however_dear_it_is() -> None:
    bench = resting()
    bench.hear(
        300, ev.PricePrinted, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=99, stamped_at=moment(300)
    )
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    assert bench.cancelled(361.1, 1) == []
    assert bench.told(nt.EntryDenied)[-1].value == "losing side"


@pytest.mark.parametrize(
    ("changes", "limit"),
    [({"limits": replace(RULES.limits, min_time_left=seconds(539.5))}, "time left"), ({"at": "0.89"}, "edge")],
    ids=["time left", "value gate"],
)
def test_a_second_try_passes_the_same_gates_as_any_entry(changes: dict[str, Any], limit: str) -> None:
    """538.9 s are left then; at 0.89 nothing is left of a chance of 0.90 after the fee."""
    ask = changes.pop("at", "0.61")
    bench = resting(replace(PATIENT, **changes))
    bench.book(359, f"{float(ask) - 0.02:.2f}", ask)
    assert [said for _, said in bench.pass_to(360.4)] == ["cancel o1"]
    assert bench.cancelled(361.1, 1) == []
    assert bench.told(nt.EntryRetried) == []
    assert bench.told(nt.EntryDenied)[-1].limit == limit


def test_there_is_no_second_try_when_it_is_switched_off() -> None:
    bench = resting(replace(PATIENT, unfilled=UnfilledRules(retries=False)))
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    assert bench.cancelled(361.1, 1) == []
    assert bench.told(nt.EntryRetried) == []
    assert [note.limit for note in bench.told(nt.EntryDenied)] == ["book"], "before the first book"


def test_what_fell_is_not_tried_again_although_it_rose_meanwhile() -> None:
    bench = resting()
    assert bench.book(70, "0.44", "0.46") == ["cancel o1"]
    bench.book(70.1, "0.59", "0.61")
    assert bench.cancelled(70.2, 1) == []
    assert bench.told(nt.EntryRetried) == []


def test_a_part_that_was_filled_is_held_and_sold_and_the_rest_cancelled() -> None:
    bench = resting()
    bench.fill(100, 1, "0.50", "4", liquidity=Liquidity.MAKER)
    said = bench.fill(101, 1, "0.50", "4", MINED, liquidity=Liquidity.MAKER)
    assert said == []
    bench.book(359, "0.59", "0.61")
    assert ("cancel o1" in [said for _, said in bench.pass_to(361)]) is True
    assert bench.cancelled(361.1, 1, "4") == []
    assert bench.told(nt.EntryRetried) == []
    assert bench.told(nt.EntryDenied)[-1].value == "filled in part"
    assert bench.desk.position.up.shares == shares("4")
    assert bench.desk.reserved == 0


def test_a_fill_during_the_cancel_counts_and_is_sold() -> None:
    bench = resting()
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    assert bench.fill(361.05, 1, "0.50", "10.8", liquidity=Liquidity.MAKER) == []
    assert bench.state(1) == "FILLED"
    said = bench.fill(362, 1, "0.50", "10.8", MINED, liquidity=Liquidity.MAKER)
    assert said == ["place o2 target SELL UP 10.8 @ 0.99 GTC"]
    assert bench.told(nt.EntryRetried) == []


def test_a_cancel_that_fails_is_tried_again_and_nothing_is_placed_beside_it() -> None:
    bench = resting()
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    assert bench.hear(361.1, ev.CancelRefused, order=OrderId(1), text="no") != ["place o2 entry BUY UP 8 @ 0.61 FAK"]
    asked = [said for _, said in bench.pass_to(380)]
    assert all(said in ("cancel o1", "query o1") for said in asked)
    assert bench.cancelled(380.1, 1) == ["place o2 entry BUY UP 8 @ 0.61 FAK"]


def test_an_entry_whose_outcome_is_unknown_is_given_up_by_its_age_too() -> None:
    """Cancelled by its hash, again and again; it may rest there."""
    bench = Bench(Always(), PATIENT)
    bench.start(0)
    bench.book(60)
    bench.hear(60.1, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout")
    bench.pass_to(361.5)
    assert [one.order for one in bench.told(nt.EntryGivenUp)] == [1]
    assert any(said == "cancel o1" for _, said in bench.log)


def loaded(given_up: tuple[int, ...]) -> Bench:
    """Started again at 400: o1 rested at 0.50 since second 60 and ended, given up or not."""
    bench = Bench(Always(), PATIENT)
    first = RestoredOrder(order=OrderId(1), terms=terms_of_bid(), decided_at=moment(60), ended=True)
    bench.hear(
        400,
        ev.LedgerLoaded,
        next_order=OrderId(2),
        cash=usd(1_000),
        markets=(WINDOW,),
        orders=(first,),
        given_up=tuple(OrderId(order) for order in given_up),
    )
    bench.reading(400, "1000")
    bench.hear(400, ev.Started)
    return bench


def terms_of_bid() -> Any:
    bench = resting()
    return bench.desk.orders[OrderId(1)].terms


def test_what_was_given_up_before_a_restart_stays_given_up() -> None:
    bench = loaded((1,))
    assert bench.book(401, "0.59", "0.61") == []
    assert bench.pass_to(800) == []


def test_what_ended_otherwise_before_a_restart_is_placed_again() -> None:
    assert loaded(()).book(401) == ["place o2 entry BUY UP 10.8 @ 0.5 GTC post-only"]


def test_an_order_that_is_not_among_those_restored_gives_nothing_up() -> None:
    assert loaded((7,)).book(401) == ["place o2 entry BUY UP 10.8 @ 0.5 GTC post-only"]


class Fickle(Always, frozen=True, kw_only=True):
    """Takes its wish back for a while."""

    wakes_on: WakesOn = WakesOn(every=seconds(1))

    def decide(self, view: MarketView, memory: Struct | None) -> Decision:
        away = seconds(361) <= view.age < seconds(365)
        return Decision(wishes=() if away else self.wishes, exits=self.exits, reason="fickle", wait=ANYTHING)


def test_whoever_takes_the_wish_back_at_its_end_gets_no_second_try_later() -> None:
    bench = resting(strategy=Fickle())
    bench.book(359, "0.59", "0.61")
    assert [said for _, said in bench.pass_to(361)] == ["cancel o1"]
    assert bench.cancelled(361.1, 1) == []
    assert bench.pass_to(800) == []


def test_a_slot_that_rests_at_its_end_gets_no_second_try() -> None:
    """In doubt, cancelled by its hash, and then gone: the venue took it away without having been asked, as far as we
    know, so its slot rests; the one moment passes."""
    bench = Bench(Always(), PATIENT)
    bench.start(0)
    bench.hear(1, ev.PricePrinted, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=100, stamped_at=moment(0))
    bench.book(60)
    bench.hear(60.1, ev.OrderOutcomeUnknown, order=OrderId(1), why="timeout")
    bench.pass_to(358.999)
    bench.book(359, "0.59", "0.61")
    bench.pass_to(361)
    bench.pass_to(361.1)
    assert bench.cancelled(361.1, 1) == []
    assert bench.pass_to(800) == []
    assert [note.cause for note in bench.told(nt.SlotSuspended)] == ["asked"]
