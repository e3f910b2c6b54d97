"""What is let through, and which limit says no."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.account import Account
from polystra.core.events import TradingState
from polystra.core.fees import FeeSchedule
from polystra.core.markets import Generation
from polystra.core.risk import LOOK_AGAIN, Approved, Denied, Situation, cost_of_worst, edge_of, review
from polystra.core.strategy import Wish
from polystra.core.terms import OrderTerms, Outcome, TimeInForce
from polystra.core.units import Usd, micro, price, seconds, shares, usd
from polystra.core.view import NEVER, MarketView
from tests.core_cases import LIMITS, moment, wish
from tests.unit.core.samples import CRYPTO, WINDOW, taking, terms, view

RICH = Account(
    cash=usd(1_000), reserved=Usd(0), at_stake=Usd(0), open_positions=0, redeemable=Usd(0), realised_today=Usd(0)
)
RESTING = wish("0.50", time_in_force=TimeInForce.GTC)


def situation(of: MarketView | None = None, **changes: Any) -> Situation:
    known: dict[str, Any] = {
        "view": of or view(at=moment(60)),
        "account": RICH,
        "market_stake": Usd(0),
        "state": TradingState.ARMED,
        "offered": shares(1_000),
    }
    return Situation(**(known | changes))


def judged(wish_: Wish | None = None, asked: OrderTerms | None = None, limits: Any = LIMITS, **now: Any) -> str:
    """`approved`, or the limit that said no with its value and what is allowed."""
    verdict = review(wish_ or wish(), asked or taking("0.54", "10"), limits, situation(**now))
    if isinstance(verdict, Approved):
        return "approved"
    return f"{verdict.limit}: {verdict.value}, {verdict.allowed}"


def test_an_entry_within_all_limits_is_approved_with_its_edge() -> None:
    verdict = review(wish(), taking("0.54", "10"), LIMITS, situation())
    assert isinstance(verdict, Approved)
    assert verdict.edge == micro("0.70") - price("0.54") - micro("0.01739"), "fee 0.07 x 0.54 x 0.46, to five decimals"


@pytest.mark.parametrize("state", [TradingState.PAUSED, TradingState.REDUCE_ONLY, TradingState.STOPPED])
def test_only_armed_opens(state: TradingState) -> None:
    assert judged(state=state) == f"trading state: {state}, armed"


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        (-1, "phase: upcoming, open"),
        (0, "approved"),
        (885, "approved"),
        (886, "time left: 14 s, at least 15 s"),
        (900, "phase: ended, open"),
    ],
)
def test_an_entry_needs_an_open_window_with_time_left(at: float, verdict: str) -> None:
    assert judged(of=view(at=moment(at))) == verdict


def test_what_is_unknown_denies() -> None:
    assert judged(halted="a drift") == "market halted: a drift, not halted"
    assert (
        judged(of=view(market=replace(WINDOW, generation=Generation.UNKNOWN))) == "contract generation: unknown, known"
    )
    assert judged(of=view(market=replace(WINDOW, fees=None))) == "fee schedule: unknown, known"
    assert judged(of=view(trouble="crossed")) == "book: crossed, trusted"
    assert judged(unknown_need="strike") == "need: strike unknown, known"
    assert judged(of=view("0.52", "1")) == "spread: unknown, known"


@pytest.mark.parametrize(("bid", "ask", "outcome"), [("0", "0.05", Outcome.UP), ("0.95", "1", Outcome.DOWN)])
def test_a_one_sided_book_has_no_spread_however_near_its_price_is_to_the_end(
    bid: str, ask: str, outcome: Outcome
) -> None:
    """SPEC 2, filters: an unknown spread is a no. 0 stands for no bid, and is not a price five cents away."""
    assert judged(wish("0.05", outcome), taking("0.05", "100"), of=view(bid, ask)) == "spread: unknown, known"


@pytest.mark.parametrize(
    ("ask", "probability", "verdict"),
    [
        ("0.54", "0.577390", "approved"),
        ("0.54", "0.577389", "edge: 0.019999, at least 0.02"),
        ("0.54", "0.1", "edge: -0.45739, at least 0.02"),
        ("0.67", "0.99", "approved"),
        ("0.68", "0.99", "spread: 0.16, at most 0.15"),
    ],
)
def test_the_value_gate(ask: str, probability: str, verdict: str) -> None:
    assert judged(wish(ask, probability=probability), taking(ask, "10"), of=view("0.52", ask)) == verdict


def test_a_resting_order_is_judged_at_its_own_price_without_a_fee() -> None:
    of = view("0.52", "0.60")
    assert edge_of(RESTING, terms("0.50", "10"), of) == micro("0.20")
    assert edge_of(RESTING, terms("0.50", "10"), replace(of, ask=price("1"))) == micro("0.20")
    assert edge_of(wish(), taking("0.54", "10"), replace(of, ask=price("1"))) is None
    assert edge_of(RESTING, terms("0.50", "10"), replace(of, market=replace(WINDOW, fees=None))) is None


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (taking("0.50", "2"), "approved"),
        (taking("0.50", "1.98"), "order value: 0.99, at least 1"),
        (taking("0.54", "0"), "order value: 0, at least 1"),
        (terms("0.50", "5"), "approved"),
        (terms("0.50", "4.99"), "order size: 4.99, at least 5"),
    ],
)
def test_the_venues_least_sizes(asked: OrderTerms, verdict: str) -> None:
    assert judged(wish(time_in_force=asked.time_in_force), asked) == verdict


COST = cost_of_worst(taking("0.54", "10"), CRYPTO)


def test_the_worst_cost_counts_the_fee() -> None:
    assert usd("5.40") < COST < usd("5.79")
    assert cost_of_worst(terms("0.50", "10", post_only=True), CRYPTO) == usd(5)
    assert cost_of_worst(taking("0.54", "10"), None) == usd("5.40")
    assert cost_of_worst(taking("0.54", "10"), FeeSchedule(rate=0)) == usd("5.405")


@pytest.mark.parametrize("limit", ["order cost", "free cash", "market exposure", "total exposure"])
def test_each_limit_of_money_alone_says_no_by_a_millionth(limit: str) -> None:
    """SPEC X4.A1: at the limit it passes, a millionth beyond it does not, and it says which and by how much."""
    for allowed, passes in ((COST, True), (COST - 1, False)):
        limits = LIMITS
        now: dict[str, Any] = {}
        match limit:
            case "order cost":
                limits = replace(LIMITS, max_order=Usd(allowed))
            case "free cash":
                now = {"account": replace(RICH, cash=Usd(allowed + usd(3)), reserved=usd(3))}
            case "market exposure":
                limits = replace(LIMITS, max_market=Usd(allowed + usd(4)))
                now = {"market_stake": usd(4)}
            case "total exposure":
                limits = replace(LIMITS, max_total=Usd(allowed + usd(7)))
                now = {"account": replace(RICH, at_stake=usd(5), reserved=usd(2))}
        verdict = judged(limits=limits, **now)
        assert verdict == "approved" if passes else verdict.startswith(f"{limit}: ")


def test_what_the_exchanges_contract_may_take_is_a_limit_too() -> None:
    """Cash that was never approved to it cannot be spent; reservations of other orders are counted."""
    allowed = replace(RICH, reserved=usd(3), allowance=Usd(COST + usd(3)))
    assert judged(account=allowed) == "approved"
    verdict = judged(account=replace(allowed, allowance=Usd(COST + usd(3) - 1)))
    assert verdict.startswith("allowance: ")
    assert verdict.endswith("approve the exchange's contract with this wallet")
    assert judged(account=replace(RICH, allowance=Usd(0))).startswith("allowance: 0, ")
    assert judged(account=replace(RICH, allowance=None)) == "approved", "nobody says"


def test_depth_cash_orders_must_be_on_offer() -> None:
    assert judged(offered=shares(10)) == "approved"
    assert judged(offered=shares("9.99")) == "depth: 9.99, at least 10"
    assert judged(RESTING, terms("0.50", "10"), offered=shares(0)) == "approved", "a resting order needs no depth"


def test_the_loss_of_the_day() -> None:
    assert judged(account=replace(RICH, realised_today=usd(-50))) == "approved"
    assert judged(account=replace(RICH, realised_today=usd("-50.000001"))) == "daily loss: 50.000001, at most 50"


@pytest.mark.parametrize(
    ("open_", "stake", "verdict"),
    [
        (3, 0, "approved"),
        (4, 0, "open positions: 5, at most 4"),
        (4, 1, "approved"),
        (5, 1, "open positions: 5, at most 4"),
    ],
)
def test_open_positions_count_this_market_once(open_: int, stake: int, verdict: str) -> None:
    assert judged(account=replace(RICH, open_positions=open_), market_stake=Usd(stake)) == verdict


# --- the wait ----------------------------------------------------------------------------------------------------


def test_a_verdict_holds_while_nothing_it_rests_on_changes() -> None:
    for verdict in (
        review(wish(), taking("0.54", "10"), LIMITS, situation()),
        review(wish(probability="0.1"), taking("0.54", "10"), LIMITS, situation()),
    ):
        wait = verdict.wait
        assert wait.best_holds(price("0.52"), price("0.54"))
        assert not wait.best_holds(price("0.53"), price("0.54"))
        assert not wait.best_holds(price("0.52"), price("0.55"))
        assert wait.until == moment(60) + LOOK_AGAIN < NEVER


def test_an_approval_ends_when_too_little_time_is_left() -> None:
    late = review(wish(), taking("0.54", "10"), LIMITS, situation(view(at=moment(884.5))))
    assert isinstance(late, Approved)
    assert late.wait.until == moment(885) + 1
    no_limit = replace(LIMITS, min_time_left=seconds(0))
    last = review(wish(), taking("0.54", "10"), no_limit, situation(view(at=moment(899.5))))
    assert last.wait.until == moment(900)
    assert isinstance(review(wish(), taking("0.54", "10"), no_limit, situation(view(at=moment(900)))), Denied)
