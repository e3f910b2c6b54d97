"""In what our account and the venue's differ, and when a difference counts."""

from __future__ import annotations

from typing import Any

import pytest

from polystra.core.events import HeldShares, SnapshotTaken
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.orders import Order, OrderState
from polystra.core.positions import FLAT, MarketPosition
from polystra.core.readings import Readings
from polystra.core.reconcile import CashDrift, Finding, LiveThere, MissingThere, ShareDrift, UnknownToUs, diff
from polystra.core.terms import Outcome, TradeStage
from polystra.core.units import seconds, shares, usd
from tests.core_cases import moment
from tests.unit.core.samples import WINDOW, fill, order, selling
from tests.unit.core.test_exits import held

UP, DOWN = Outcome.UP, Outcome.DOWN
HELD = [(WINDOW.id, MarketPosition(held("10"), FLAT.down))]


def snapshot(at: float = 100, cash: str = "1000", up: str | None = None, **more: Any) -> SnapshotTaken:
    settled = () if up is None else (HeldShares(WINDOW.id, UP, shares(up)),)
    return SnapshotTaken(at=moment(at), cash=usd(cash), settled=settled, **({"live": ()} | more))


def found(of: SnapshotTaken, *orders: Order, cash: str = "1000", positions: Any = HELD) -> tuple[Finding, ...]:
    return diff(of, usd(cash), orders, positions)


def test_what_agrees_is_no_finding() -> None:
    assert found(snapshot(up="10"), positions=HELD) == ()
    assert found(snapshot()) == (), "an outcome the venue says nothing about is not zero"


def test_a_live_order_the_venue_does_not_list_is_missing_there() -> None:
    old = order(number=1)
    assert found(snapshot(), old) == (MissingThere(OrderId(1)),)
    assert found(snapshot(live=(OrderId(1),)), old) == ()
    assert found(snapshot(), order(number=1, state=OrderState.FILLED)) == ()


@pytest.mark.parametrize(("ended", "found_again"), [(90, True), (90.1, False)])
def test_an_ended_order_the_venue_still_lists_is_live_there(ended: float, found_again: bool) -> None:
    """A listing that began before it ended proves nothing."""
    one = order(number=1, state=OrderState.CANCELLED, decided_at=moment(0), state_at=moment(ended))
    expected = (LiveThere(OrderId(1)),) if found_again else ()
    assert found(snapshot(live=(OrderId(1),)), one) == expected
    assert found(snapshot(), one) == ()


@pytest.mark.parametrize(("decided", "moved", "missing"), [(90, 90, True), (90.1, 0, False), (0, 90.1, False)])
def test_a_recent_order_is_protected(decided: float, moved: float, missing: bool) -> None:
    """SPEC S13.A2: a reading may have begun before the order arrived, or before its last news."""
    one = order(number=1, decided_at=moment(decided), state_at=moment(moved))
    assert bool(found(snapshot(), one)) is missing


def test_an_order_no_intent_explains_is_unknown_to_us() -> None:
    assert found(snapshot(foreign=(VenueOrderId("0xa"),))) == (UnknownToUs(VenueOrderId("0xa")),)


@pytest.mark.parametrize("there", ["999.999999", "1000.000001", "0"])
def test_cash_that_differs_by_a_millionth_is_a_drift(there: str) -> None:
    assert found(snapshot(cash=there)) == (CashDrift(usd(1_000), usd(there)),)


@pytest.mark.parametrize(("there", "drifts"), [("9.99", True), ("9.990001", False), ("10.01", True), ("0", True)])
def test_shares_drift_from_a_step_on(there: str, drifts: bool) -> None:
    expected = (ShareDrift(WINDOW.id, UP, shares(10), shares(there)),) if drifts else ()
    assert found(snapshot(up=there)) == expected


@pytest.mark.parametrize(
    ("stage", "compares"),
    [
        (TradeStage.MATCHED, False),
        (TradeStage.RETRYING, False),
        (TradeStage.MINED, False),
        (TradeStage.CONFIRMED, True),
        (TradeStage.FAILED, True),
    ],
)
def test_balances_count_once_every_trade_is_confirmed(stage: TradeStage, compares: bool) -> None:
    traded = order(selling(), number=1, state=OrderState.FILLED, fills=(fill(stage=stage),))
    assert bool(found(snapshot(cash="900", up="3"), traded)) is compares


def test_an_answer_whose_trades_are_not_here_yet_holds_the_comparison_back() -> None:
    waits = order(number=1, state=OrderState.FILLED, answered=shares(6))
    assert found(snapshot(cash="900", up="3"), waits) == ()


def test_another_markets_trade_holds_only_the_cash_back() -> None:
    other = MarketId("0x02")
    positions = [*HELD, (other, FLAT)]
    traded = order(selling(market=other), number=1, state=OrderState.FILLED, fills=(fill(),))
    assert found(snapshot(cash="900", up="3"), traded, positions=positions) == (
        ShareDrift(WINDOW.id, UP, shares(10), shares(3)),
    )


# --- readings ----------------------------------------------------------------------------------------------------


def readings() -> Readings:
    return Readings(seconds(60), seconds(30))


def taken(keeper: Readings, at: float, **differs: Any) -> tuple[Finding, ...]:
    return keeper.taken(snapshot(at, **differs), usd(1_000), (), HELD)


def test_before_the_first_reading_nothing_is_known() -> None:
    keeper = readings()
    assert keeper.blind == "no reading of the venue yet"
    taken(keeper, 1)
    assert keeper.blind is None


def test_a_failure_is_new_once_per_cause() -> None:
    keeper = readings()
    assert keeper.failed("timeout")
    assert not keeper.failed("timeout")
    assert keeper.failed("500")
    assert keeper.blind == "reading the venue failed: 500"
    taken(keeper, 1)
    assert keeper.failed("500")


def test_the_next_reading_is_a_period_after_the_last_was_asked_for() -> None:
    keeper = readings()
    assert keeper.next_at is None
    keeper.asked(moment(5))
    assert keeper.next_at == moment(65)


def test_a_drift_counts_when_two_readings_thirty_seconds_apart_show_it() -> None:
    keeper = readings()
    drift = (CashDrift(usd(1_000), usd(900)),)
    assert taken(keeper, 0, cash="900") == ()
    assert taken(keeper, 29.9, cash="900") == ()
    assert taken(keeper, 30, cash="900") == drift
    assert taken(keeper, 31, cash="900") == drift, "and as long as it lasts"


@pytest.mark.parametrize("between", [{}, {"cash": "901"}])
def test_a_drift_that_changed_or_vanished_starts_anew(between: dict[str, str]) -> None:
    keeper = readings()
    taken(keeper, 0, cash="900")
    taken(keeper, 20, **between)
    assert taken(keeper, 40, cash="900") == ()
    assert taken(keeper, 70, cash="900") != ()


def test_each_subject_is_counted_for_itself() -> None:
    keeper = readings()
    taken(keeper, 0, cash="900")
    assert taken(keeper, 30, cash="900", up="3") == (CashDrift(usd(1_000), usd(900)),)
    assert taken(keeper, 60, up="3") == (ShareDrift(WINDOW.id, UP, shares(10), shares(3)),)
    assert taken(keeper, 61) == ()


def test_findings_about_orders_need_no_second_reading() -> None:
    keeper = readings()
    findings = keeper.taken(snapshot(foreign=(VenueOrderId("0xa"),)), usd(1_000), (order(number=1),), HELD)
    assert findings == (MissingThere(OrderId(1)), UnknownToUs(VenueOrderId("0xa")))
