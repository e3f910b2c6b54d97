"""What everything is worth, and who hears that what can be redeemed is missing as cash."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.account import Equity
from polystra.core.claims import ClaimStage
from polystra.core.ids import MarketId, OrderId
from polystra.core.units import Usd, usd
from tests.core_cases import AT_ONCE, RULES, Bench, Wanting, covered, holding, moment, wish, with_exits

TENTH = replace(RULES, stakes=replace(RULES.stakes, max_stake=usd(500)))
ELSEWHERE = MarketId("0xelsewhere")


def owed(cash: str, redeemable: str) -> Bench:
    """A start with cash, and with claims of markets that are settled."""
    bench = Bench(Wanting(wishes=(wish(),)), TENTH)
    bench.hear(0, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(cash), redeemable=usd(redeemable))
    bench.reading(0, cash)
    bench.hear(0, ev.Started)
    bench.hear(0, ev.MarketListed, market=bench.market)
    return bench


def worth(bench: Bench, at: float) -> nt.EquityWatched:
    *_, last = bench.engine.positions(moment(at))
    assert isinstance(last, nt.EquityWatched)
    return last


def test_all_parts_add_up() -> None:
    whole = Equity(cash=usd(1), at_bid=usd(2), at_cost=usd(4), redeemable=usd(8))
    assert whole.total == usd(15)
    assert Equity(cash=usd(3)).total == usd(3)


def test_what_is_held_is_worth_its_bid() -> None:
    bench = covered()
    found = worth(bench, 72)
    account = bench.known.account
    assert found == nt.EquityWatched(
        cash=account.cash, at_bid=usd("5.20"), at_cost=Usd(0), redeemable=Usd(0), free=account.free
    )


def test_without_a_bid_it_counts_at_cost_and_is_called_so() -> None:
    bench = holding(with_exits(AT_ONCE))
    bench.hear(61, ev.StreamLost, stream=ev.Stream.MARKET)
    found = worth(bench, 62)
    assert found.at_bid == 0
    assert found.at_cost == bench.desk.position.up.cost > usd("5.40"), "with its fee"
    assert found.cash + found.at_cost == usd(1000)


def test_what_can_be_redeemed_is_worth_something_and_buys_nothing() -> None:
    bench = owed("100", "900")
    assert bench.known.account.free == usd(100)
    (said,) = bench.book(60)
    assert said == "place o1 entry BUY UP 4.5 @ 0.54 FAK", "half of a twentieth of 100 USD"
    assert bench.told(nt.CashShort) == []


def test_a_person_hears_once_an_hour_that_cash_is_short_while_claims_wait() -> None:
    bench = owed("3.10", "55.20")
    assert bench.book(60) == []
    assert bench.told(nt.EntryDenied)[-1].limit == "order value"
    assert bench.told(nt.CashShort) == [nt.CashShort(free=usd("3.10"), redeemable=usd("55.20"))]
    for second in range(61, 120):
        bench.book(second, "0.51" if second % 2 else "0.52")
    assert len(bench.told(nt.CashShort)) == 1
    assert bench.known.short_said_at == moment(60)
    bench.known.short_said_at = moment(120 - 3_600)
    bench.book(120)
    assert len(bench.told(nt.CashShort)) == 2


@pytest.mark.parametrize(
    ("cash", "redeemable"),
    [("3.10", "0"), ("3.10", "2"), ("1000", "0")],
    ids=["nothing waits", "it would not do either", "enough"],
)
def test_nobody_is_told_to_redeem_where_that_would_not_help(cash: str, redeemable: str) -> None:
    bench = owed(cash, redeemable)
    bench.book(60)
    assert bench.told(nt.CashShort) == []


def test_a_denial_for_another_reason_says_nothing_of_cash() -> None:
    bench = owed("3.10", "55.20")
    bench.hear(1, ev.TradingStateSet, state=ev.TradingState.PAUSED, who="ann", why="lunch")
    bench.book(60)
    assert bench.told(nt.EntryDenied)[-1].limit == "trading state"
    assert bench.told(nt.CashShort) == []


def test_once_it_is_redeemed_it_is_cash_and_the_entry_is_made() -> None:
    bench = owed("3.10", "55.20")
    bench.book(60)
    bench.hear(
        61,
        ev.ClaimReported,
        market=ELSEWHERE,
        stage=ClaimStage.PAID,
        claim=usd("55.20"),
        paid=usd("55.20"),
    )
    account = bench.known.account
    assert (account.free, account.redeemable) == (usd("58.30"), 0)
    assert bench.pass_to(61) == [(61, "place o1 entry BUY UP 2.5 @ 0.54 FAK")]
