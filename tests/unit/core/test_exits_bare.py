"""Shares that an exit leaves bare: what was added and has not settled, what cannot be exchanged, what was sold."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.exits import Sells, wanted_exits
from polystra.core.ids import OrderId
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Liquidity, Outcome
from polystra.core.units import Instant, price, seconds, shares
from tests.core_cases import AT_ONCE, FAILED, MATCHED, MINED, STOP, Bench, covered
from tests.unit.core.samples import WINDOW, order, selling
from tests.unit.core.test_exits import held, seen

UP = Outcome.UP
TARGET = order(selling("0.99", "6"))


def test_what_was_added_and_has_not_settled_is_said_beside_the_exit_of_the_rest() -> None:
    for bid, ask in (("0.52", "0.54"), ("0.20", "0.22")):
        policy = ExitPolicy(target=price("0.99"), stop=replace(STOP, min_age=seconds(0)))
        plan = wanted_exits(seen(bid, ask, held(settled="6")), policy)
        assert ([one.terms.shares for one in plan.orders], plan.uncovered) == (
            [shares(6)],
            ((UP, shares(4), "settling"),),
        )


def test_dust_that_has_not_settled_is_not_worth_a_word() -> None:
    assert wanted_exits(seen(up=held(settled="9.999999")), AT_ONCE).uncovered == ((UP, shares("0.01"), "settling"),)
    assert wanted_exits(seen(up=held("10.009", settled="10")), AT_ONCE).uncovered == ()


def test_where_nothing_is_taken_what_the_resting_order_does_not_cover_is_said() -> None:
    plan = wanted_exits(seen(up=held()), AT_ONCE, (TARGET,), Sells.NONE)
    assert plan.uncovered == ((UP, shares(4), "the venue takes no orders"),)
    assert wanted_exits(seen(up=held("6")), AT_ONCE, (TARGET,), Sells.NONE).uncovered == ()


def test_a_stop_that_holds_is_looked_at_when_what_is_held_is_kept_to_settlement() -> None:
    policy = ExitPolicy(stop=replace(STOP, min_age=seconds(0)), hold_last=seconds(839.5))
    plan = wanted_exits(seen("0.20", "0.22", held()), policy)
    assert plan.orders
    assert plan.wait.until == Instant(WINDOW.end - seconds(839.5) + 1)


def grown() -> Bench:
    """Ten shares with their target o2, and five more of the same entry, which have settled: o2 is to be replaced."""
    bench = covered()
    assert bench.fill(70, 1, "0.54", "5", MATCHED, trade="t2") == []
    assert bench.fill(71, 1, "0.54", "5", MINED, trade="t2") == ["cancel o2"]
    return bench


def test_an_exit_that_could_not_be_exchanged_leaves_what_was_added_bare_and_says_so() -> None:
    bench = grown()
    assert bench.hear(72, ev.CancelRefused, order=OrderId(2), text="not canceled") == ["query o2"]
    assert bench.hear(72, ev.OrderReported, order=OrderId(2), matched=shares(0)) == []
    last = bench.told(nt.ExitUncovered)[-1]
    assert (last.shares, last.why, last.left) == (shares(5), "cancel failed: not canceled", seconds(1))
    assert bench.pass_to(73) == [(73.0, "cancel o2")]


def test_an_exit_that_is_being_exchanged_is_not_called_bare() -> None:
    bench = grown()
    assert [said.why for said in bench.told(nt.ExitUncovered)][-1] == "settling"
    assert bench.cancelled(72, 2) == ["place o3 target SELL UP 15 @ 0.99 GTC"]


def test_what_was_sold_has_left_the_wallet_and_is_back_in_it_when_its_trade_fails() -> None:
    """Or what is bought next would be sold by the balance of what was there before."""
    bench = covered()
    bench.fill(70, 2, "0.99", "10", MATCHED, trade="t2", liquidity=Liquidity.MAKER)
    assert bench.desk.wallet[UP] == 0
    bench.fill(71, 2, "0.99", "10", FAILED, trade="t2", liquidity=Liquidity.MAKER)
    assert bench.desk.wallet[UP] == shares(10)


def test_what_is_bought_after_a_sale_waits_for_the_balance_to_show_it() -> None:
    bench = covered()
    bench.fill(70, 2, "0.99", "10", MINED, trade="t2", liquidity=Liquidity.MAKER)
    bench.fill(80, 1, "0.54", "12", MATCHED, trade="t3")
    assert bench.fill(81, 1, "0.54", "12", MINED, trade="t3", shown=False) == ["read account"]
    assert bench.shown(82) == ["place o3 target SELL UP 12 @ 0.99 GTC"]
