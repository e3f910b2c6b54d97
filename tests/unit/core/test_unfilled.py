"""What becomes of a resting entry that nobody fills."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.markets import PriceSource
from polystra.core.orders import Order, OrderState
from polystra.core.positions import FLAT
from polystra.core.risk import Denied
from polystra.core.strategy import Tolerance, Wish
from polystra.core.terms import Outcome, TimeInForce
from polystra.core.unfilled import (
    UnfilledRules,
    Why,
    at_market,
    change_of,
    why_give_up,
    why_no_retry,
)
from polystra.core.units import mirror, price, seconds, shares
from polystra.core.view import ANYTHING, MarketView, Reference
from tests.core_cases import moment, wish
from tests.unit.core.samples import WINDOW, fill, order, terms

RULES = UnfilledRules()


def seen(bid: str, ask: str, at: float = 10, **changes: Any) -> MarketView:
    """The market with the underlying at its strike, where Up wins."""
    known: dict[str, Any] = {
        "market": WINDOW,
        "at": moment(at),
        "bid": price(bid),
        "ask": price(ask),
        "trouble": None,
        "position": FLAT,
        "strike": 100,
        "references": (Reference(source=PriceSource.CHAINLINK_TWAP_60, value=100, age=seconds(0)),),
    }
    return MarketView(**(known | changes))


def bid_at(at: str = "0.49", quoted: str | None = "0.50", outcome: Outcome = Outcome.UP, **changes: Any) -> Order:
    """An entry that rests since the window began, when its token's middle was `quoted`."""
    known = None if quoted is None else price(quoted)
    return order(terms(at, post_only=True, outcome=outcome), quoted=known, **changes)


# --- when it is given up


@pytest.mark.parametrize(("age", "why"), [(0, None), (300, None), (300.000000001, Why.AGED), (301, Why.AGED)])
def test_an_entry_rests_for_the_timeout_and_not_longer(age: float, why: Why | None) -> None:
    assert why_give_up(bid_at(), seen("0.49", "0.51", age), RULES) is why


def test_the_timeout_is_in_proportion_to_the_window() -> None:
    """300 s of a 15-minute window are 100 s of a 5-minute one, which would else never time out."""
    five, hour = (replace(WINDOW, series=replace(WINDOW.series, length=seconds(length))) for length in (300, 3_600))
    assert five.in_proportion(RULES.timeout) == seconds(100)
    assert hour.in_proportion(RULES.timeout) == seconds(1_200)


@pytest.mark.parametrize(
    ("bid", "ask", "why"),
    [
        ("0.42", "0.43", Why.FELL),
        ("0.42", "0.431", None),
        ("0.30", "0.32", Why.FELL),
        ("0.60", "0.62", None),
    ],
    ids=["15 %", "a tenth of a tick less", "more", "it rose"],
)
def test_an_entry_whose_token_became_cheaper_by_the_threshold_is_given_up(bid: str, ask: str, why: Why | None) -> None:
    """From 0.50, 0.425 is 15 % less."""
    assert why_give_up(bid_at(), seen(bid, ask), RULES) is why


def test_an_entry_for_down_goes_by_the_price_of_down() -> None:
    """Up at 0.58 is Down at 0.42, 16 % less than 0.50; Up at 0.42 is Down at 0.58."""
    down = bid_at(outcome=Outcome.DOWN)
    assert why_give_up(down, seen("0.57", "0.59"), RULES) is Why.FELL
    assert why_give_up(down, seen("0.41", "0.43"), RULES) is None


@pytest.mark.parametrize(
    "view",
    [seen("0.10", "0.12", trouble="silent too long"), seen("0", "0.12"), seen("0.10", "1")],
    ids=["stale", "nobody bids", "nobody offers"],
)
def test_a_price_that_nobody_can_be_sure_of_ends_nothing(view: MarketView) -> None:
    assert why_give_up(bid_at(), view, RULES) is None
    assert why_give_up(bid_at(), replace(view, at=moment(301)), RULES) is Why.AGED


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (OrderState.SUBMITTING, None),
        (OrderState.WORKING, Why.AGED),
        (OrderState.UNKNOWN, Why.AGED),
        (OrderState.CANCELLING, None),
    ],
)
def test_what_is_unanswered_or_being_cancelled_is_left_to_that(state: OrderState, why: Why | None) -> None:
    assert why_give_up(bid_at(state=state), seen("0.49", "0.51", 301), RULES) is why


def test_after_a_restart_the_limit_stands_for_the_price_at_placement() -> None:
    assert change_of(bid_at("0.40", None), seen("0.49", "0.51")) == 250_000
    assert change_of(bid_at("0.40", "0.50"), seen("0.49", "0.51")) == 0


# --- whether it is tried again


def denied(value: str, allowed: str) -> Denied:
    return Denied(limit="second try", value=value, allowed=allowed, wait=ANYTHING)


@pytest.mark.parametrize(
    ("bid", "ask", "against"),
    [
        ("0.55", "0.57", None),
        ("0.54", "0.56", denied("price +10.0 %", "above +10.0 %")),
        ("0.45", "0.47", denied("price -8.0 %", "above +10.0 %")),
    ],
)
def test_a_second_try_needs_more_than_ten_percent(bid: str, ask: str, against: Denied | None) -> None:
    assert why_no_retry(bid_at(state=OrderState.CANCELLED), seen(bid, ask), RULES) == against


@pytest.mark.parametrize(
    "changes",
    [{"references": (Reference(source=PriceSource.CHAINLINK_TWAP_60, value=99, age=seconds(0)),)}, {"strike": None}],
    ids=["it loses", "nobody knows"],
)
def test_there_is_none_on_the_losing_side_and_what_is_unknown_loses(changes: dict[str, Any]) -> None:
    ended = bid_at(state=OrderState.CANCELLED)
    assert why_no_retry(ended, seen("0.60", "0.62", **changes), RULES) == denied("losing side", "winning side")


def test_there_is_none_of_what_was_filled_in_part_be_it_by_the_venues_word_alone() -> None:
    held = denied("filled in part", "nothing filled")
    ended = bid_at(state=OrderState.CANCELLED)
    view = seen("0.60", "0.62")
    assert why_no_retry(replace(ended, fills=(fill("0.49", "2"),)), view, RULES) == held
    assert why_no_retry(replace(ended, answered=shares("2")), view, RULES) == held
    assert why_no_retry(ended, view, RULES) is None


def test_there_is_none_while_the_price_is_unknown() -> None:
    ended = bid_at(state=OrderState.CANCELLED)
    view = seen("0.60", "0.62", trouble="crossed")
    assert why_no_retry(ended, view, RULES) == denied("unknown price", "above +10.0 %")


def test_a_second_try_is_filled_at_the_best_price_or_not_at_all() -> None:
    first = wish("0.49", time_in_force=TimeInForce.GTD, good_for=seconds(90), tolerance=Tolerance(price=price("0.02")))
    again = at_market(first, price("0.57"))
    assert again == wish("0.57")
    assert isinstance(again, Wish)


def test_the_middle_of_down_is_the_mirror_of_the_middle_of_up() -> None:
    view = seen("0.40", "0.44")
    assert view.mid_of(Outcome.UP) == price("0.42")
    assert view.mid_of(Outcome.DOWN) == mirror(price("0.42"))
