"""What live orders may still cost, and what is at stake."""

from __future__ import annotations

import pytest

from polystra.core.account import Account, reserved_by, stake_of
from polystra.core.fees import worst_fee
from polystra.core.orders import OrderState
from polystra.core.positions import position_of
from polystra.core.terms import Outcome, TradeStage
from polystra.core.units import Usd, shares, usd
from tests.unit.core.samples import CRYPTO, OLD_CRYPTO, fill, order, selling, taking, terms

MAKING = terms("0.50", "10", post_only=True)


def account(cash: str, reserved: str) -> Account:
    return Account(
        cash=usd(cash),
        reserved=usd(reserved),
        at_stake=usd(0),
        open_positions=0,
        redeemable=usd(50),
        realised_today=usd(0),
    )


def test_free_cash_is_what_no_order_may_still_spend() -> None:
    assert account("100", "30").free == usd(70)
    assert account("10", "30").free == -usd(20), "worst case: it may be below zero, and then nothing is free"


def test_redeemable_value_is_never_spendable() -> None:
    assert account("0", "0").free == 0


@pytest.mark.parametrize(
    ("state", "reserved"),
    [
        (OrderState.SUBMITTING, "5"),
        (OrderState.WORKING, "5"),
        (OrderState.CANCELLING, "5"),
        (OrderState.UNKNOWN, "5"),
        (OrderState.FILLED, "0"),
        (OrderState.CANCELLED, "0"),
        (OrderState.EXPIRED, "0"),
        (OrderState.REFUSED, "0"),
    ],
)
def test_an_order_reserves_until_we_know_its_end(state: OrderState, reserved: str) -> None:
    """An unknown order counts as live, and so does one whose cancel is not answered."""
    assert reserved_by([order(MAKING, state=state)], CRYPTO) == usd(reserved)


def test_a_sale_reserves_no_cash() -> None:
    assert reserved_by([order(selling("0.60", "10"))], CRYPTO) == 0


def test_an_order_that_may_take_reserves_its_fee_too() -> None:
    wanted = taking("0.50", "10")
    assert reserved_by([order(wanted)], CRYPTO) == usd(5) + worst_fee(CRYPTO, wanted)
    assert reserved_by([order(wanted)], OLD_CRYPTO) == usd(5), "that fee was paid in shares"
    assert reserved_by([order(wanted)], None) == usd(5)


def test_a_part_that_filled_has_left_the_reservation_for_good() -> None:
    part = order(MAKING, fills=(fill("0.50", "4"),))
    assert reserved_by([part], CRYPTO) == usd(3)


def test_a_failed_trade_comes_back_into_the_reservation() -> None:
    """Whether the venue puts it back into the book nobody documents: the worst case counts."""
    part = order(MAKING, fills=(fill("0.50", "4", stage=TradeStage.FAILED),))
    assert reserved_by([part], CRYPTO) == usd(5)


def test_dust_beyond_the_order_does_not_make_the_reservation_negative() -> None:
    assert reserved_by([order(MAKING, fills=(fill("0.50", "10.01"),))], CRYPTO) == 0


def test_what_an_ended_order_matched_stays_reserved_until_its_trades_arrive() -> None:
    """A killed FAK with 4 of 10 matched: the cash is gone at the venue and not yet here."""
    ended = order(taking("0.50", "10"), state=OrderState.CANCELLED, answered=shares(4))
    fee = worst_fee(CRYPTO, ended.terms)
    assert reserved_by([ended], CRYPTO) == usd(2) + fee
    paid = order(taking("0.50", "10"), state=OrderState.CANCELLED, answered=shares(4), fills=(fill("0.50", "4"),))
    assert reserved_by([paid], CRYPTO) == 0


def test_reservations_add_up() -> None:
    orders = [order(MAKING, 1), order(terms("0.40", "10", outcome=Outcome.DOWN, post_only=True), 2)]
    assert reserved_by(orders, CRYPTO) == usd(9)
    assert reserved_by([], CRYPTO) == 0


def test_at_stake_is_the_cost_of_what_is_held() -> None:
    up = order(terms("0.50", "10"), 1, fills=(fill("0.50", "10", fee_usd=usd("0.175")),))
    down = order(terms("0.40", "10", outcome=Outcome.DOWN), 2, fills=(fill("0.40", "10"),))
    assert stake_of(position_of([up, down])) == usd("9.175")
    assert stake_of(position_of([])) == Usd(0)
