"""Pays makers at 00:00 UTC what they earned on the day before: rewards and fee rebates (`PROTOCOL.md` F.2, F.4).

Each kind is added up over all markets of an account; less than a dollar is not paid, and not kept for another day. That
rebates are paid at that hour too is inferred: the source says daily. The money comes from the venue's own account,
which has what takers paid; if that does not cover the rewards, its cash goes below zero. A trade that fails after
midnight leaves its rebate as it was paid.

A switch (`Rules.pays_makers`) turns it on. The end of a day is waited for only if an order rested on that day.
"""

from collections.abc import Iterable
from functools import partial

from polystra.core.units import Instant, Usd
from polystra.sim.floor import Floor
from polystra.sim.messages import Income, MakerPaid
from polystra.sim.rebates import rebates
from polystra.sim.records import STREET, Account
from polystra.sim.rewards import DAY

LEAST = Usd(1_000_000)


def expect(floor: Floor) -> None:
    """An order came to rest, so its owner may earn something today."""
    if floor.rules.pays_makers and floor.payday is None:
        _await_midnight(floor)


def _await_midnight(floor: Floor) -> None:
    day = floor.now // DAY
    floor.payday = Instant((day + 1) * DAY)
    floor.set_alarm(floor.payday, partial(_pay_day, floor, day))


def _pay_day(floor: Floor, day: int, now: Instant) -> None:
    floor.payday = None
    rewarded = ((one.account, one.earned) for one in floor.rewards.earnings() if one.day == day)
    _pay(floor, Income.REWARD, rewarded)
    rebated = ((one.account, one.amount) for one in rebates(floor.trades.values(), floor.markets, day))
    _pay(floor, Income.MAKER_REBATE, rebated)
    if floor.resting:
        _await_midnight(floor)


def _pay(floor: Floor, income: Income, earned: Iterable[tuple[Account, Usd]]) -> None:
    owed: dict[Account, Usd] = {}
    for account, amount in earned:
        owed[account] = Usd(owed.get(account, 0) + amount)
    for account, amount in owed.items():
        if account != STREET and amount >= LEAST:
            floor.accounts.pay_out(account, amount)
            floor.paid = Usd(floor.paid + amount)
            floor.out.append(MakerPaid(at=floor.now, account=account, income=income, cash=amount))
