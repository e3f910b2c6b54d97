"""Makers are paid their rewards and rebates at midnight, out of the venue's own account, if the venue pays at all."""

from __future__ import annotations

from msgspec.structs import replace

from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Usd, usd
from polystra.sim import messages as m
from polystra.sim.records import STREET, VENUE, Account
from polystra.sim.rewards import DAY
from tests.unit.sim.bench import ANN, BOB, MARKET, PUNCTUAL, SECOND, Bench

PAYING = replace(PUNCTUAL, pays_makers=True)
RATE = usd(1_440)
"""A dollar a minute."""


def bench(*, pays: bool = True, rate: Usd = RATE, size: str = "60") -> Bench:
    made = Bench(PAYING if pays else PUNCTUAL, reward_rate=rate, fee_rate=70_000, rebate_rate=200_000)
    made.book({"0.48": size}, {"0.52": size})
    for account in (ANN, BOB):
        made.tell(m.Deposit(account=account, amount=usd(10_000)))
    return made


def to_midnight(made: Bench) -> list[m.MakerPaid]:
    """The next one, and what was paid then."""
    left = DAY - made.now % DAY
    return paid(made.wait(left / SECOND))


def paid(outputs: list[m.Output]) -> list[m.MakerPaid]:
    return [one for one in outputs if isinstance(one, m.MakerPaid)]


def cash(made: Bench, account: Account) -> int:
    return made.exchange.truth().account(account).cash


def conserved(made: Bench) -> bool:
    truth = made.exchange.truth()
    whole = sum(one.cash for one in truth.accounts) + sum(one.collateral for one in truth.supply)
    return whole == truth.deposited and truth.account(VENUE).cash == truth.fees + truth.remainders - truth.paid


def trade(made: Bench, size: str) -> None:
    """Ann makes, Bob takes."""
    made.buy("0.50", size)
    made.buy("0.50", size, outcome=Outcome.DOWN, account=BOB, time_in_force=TimeInForce.GTC)


def test_the_rewards_of_a_day_are_paid_at_its_end_and_at_no_other_time() -> None:
    made = bench()
    made.buy("0.49", "90")
    before = cash(made, ANN)
    assert paid(made.wait(3_600)) == []
    assert cash(made, ANN) == before
    (one,) = to_midnight(made)
    earned = sum(earning.earned for earning in made.exchange.earnings(made.now) if earning.day == 11)
    assert (one.at % DAY, one.account, one.income, one.cash) == (0, ANN, m.Income.REWARD, earned)
    assert cash(made, ANN) == before + earned == made.exchange.balances(ANN).cash
    assert cash(made, VENUE) == -earned
    assert conserved(made)


def test_a_venue_that_does_not_pay_keeps_its_cash_and_waits_for_nothing() -> None:
    made = bench(pays=False)
    made.buy("0.49", "90")
    assert made.exchange.next_due() is None
    before = cash(made, ANN)
    assert to_midnight(made) == []
    assert cash(made, ANN) == before
    assert made.exchange.truth().paid == 0


def test_an_order_that_rests_on_is_paid_every_midnight_until_it_is_gone() -> None:
    made = bench()
    made.buy("0.49", "90")
    first, second = to_midnight(made), to_midnight(made)
    earned = [one.earned for one in made.exchange.earnings(made.now)][:2]
    assert [(one.account, one.cash) for one in (*first, *second)] == [(ANN, amount) for amount in earned]
    made.wait(3_600)
    made.cancel("o1")
    assert len(paid(made.wait(86_400))) == 1
    assert made.exchange.next_due() is None
    assert paid(made.wait(86_400)) == []


def test_two_orders_of_a_day_wait_for_one_midnight() -> None:
    made = bench()
    made.buy("0.49", "90")
    made.buy("0.49", "90", account=BOB)
    assert [one.account for one in to_midnight(made)] == [ANN, BOB]


def test_a_maker_gets_back_its_part_of_the_fees_from_what_takers_paid() -> None:
    made = bench(rate=Usd(0))
    trade(made, "600")
    (fee,) = [one.taker.fee for one in made.exchange.truth().trades]
    before = (cash(made, ANN), cash(made, VENUE))
    (one,) = to_midnight(made)
    assert (one.account, one.income, one.cash) == (ANN, m.Income.MAKER_REBATE, fee // 5)
    assert (cash(made, ANN), cash(made, VENUE)) == (before[0] + fee // 5, before[1] - fee // 5)
    assert conserved(made)


def test_less_than_a_dollar_is_not_paid_and_not_kept_for_another_day() -> None:
    made = bench(rate=Usd(0))
    for _ in range(2):
        trade(made, "200")
        (rebate,) = made.exchange.rebates(made.now // DAY)
        assert 0 < rebate.amount < usd(1)
        assert to_midnight(made) == []
    assert conserved(made)


def test_the_background_is_a_maker_and_is_not_paid() -> None:
    made = bench(size="5000")
    made.buy("0.40", "90", account=BOB)
    made.buy("0.52", "1000")
    assert [one.account for one in made.exchange.rebates(made.now // DAY)] == [STREET]
    assert to_midnight(made) == []


def test_a_trade_that_failed_brings_no_rebate() -> None:
    made = bench(rate=Usd(0))
    made.tell(m.SetMishap(mishap=m.Mishap.TRADE_FAILED))
    trade(made, "600")
    assert to_midnight(made) == []
    assert made.exchange.rebates(11) == ()


def test_other_days_and_free_markets_bring_no_rebate() -> None:
    made = bench(rate=Usd(0))
    trade(made, "600")
    assert made.exchange.rebates(made.now // DAY + 1) == ()
    free = Bench(PAYING)
    free.book({"0.40": "60"}, {"0.60": "60"})
    free.buy("0.50", "50")
    free.trade("0.50", "50", Side.SELL)
    assert free.exchange.rebates(free.now // DAY) == ()
    assert MARKET in {one.market for one in made.exchange.rebates(made.now // DAY)}
