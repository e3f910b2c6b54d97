"""Queue position is read only at a trade: of statements of our level between two trades the smallest and last count.

That is what lets a replay pass over them. And the pessimism has a bound: never filled earlier than a plain model says.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Liquidity, Side, TradeStage
from polystra.core.units import Instant, Nanos, Price, Shares, Usd
from polystra.sim import messages as m
from polystra.sim.exchange import Exchange
from polystra.sim.records import Account
from polystra.sim.rules import Rules

MARKET, ANN, AT = MarketId("0xm"), Account("0xann"), Price(500_000)
OURS = Shares(50_000_000)

sizes = st.integers(0, 100).map(lambda hundred: Shares(hundred * 1_000_000))
scripts = st.lists(st.tuples(st.sampled_from(["state", "trade"]), sizes), max_size=30)


def joined(ahead: Shares) -> Exchange:
    exchange, now = Exchange(Rules(), Random(1)), Instant(0)
    facts = m.MarketFacts(id=MARKET, up_token=TokenId("1"), down_token=TokenId("2"), taker_hold=Nanos(0))
    order = m.Submit(
        account=ANN,
        order=VenueOrderId("0x1"),
        token=facts.up_token,
        side=Side.BUY,
        maker_amount=OURS // 2,
        taker_amount=OURS,
    )
    for request in (m.ListMarket(market=facts), m.Deposit(account=ANN, amount=Usd(100_000_000)), state(ahead), order):
        exchange.handle(request, now)
    return exchange


def state(size: Shares) -> m.ChangeLevels:
    return m.ChangeLevels(market=MARKET, changes=(m.LevelChange(Side.BUY, AT, size),))


def trade(exchange: Exchange, size: Shares) -> int:
    """What we got of it."""
    outputs = exchange.handle(m.PrintTrade(market=MARKET, price=AT, size=size, taker=Side.SELL), Instant(0))
    got = [u.own for u in outputs if isinstance(u, m.TradeUpdated) and u.trade.stage is TradeStage.MATCHED]
    assert all(u.liquidity is Liquidity.MAKER for u in outputs if isinstance(u, m.TradeUpdated))
    assert all(leg.price == AT for leg in got)
    return sum(leg.shares for leg in got)


@given(ahead=sizes, script=scripts)
def test_only_the_smallest_statement_between_two_trades_counts(ahead: Shares, script: list[tuple[str, Shares]]) -> None:
    whole, skipping = joined(ahead), joined(ahead)
    passed: list[Shares] = []
    for kind, size in script:
        if kind == "state":
            whole.handle(state(size), Instant(0))
            passed.append(size)
            continue
        if passed:
            skipping.handle(state(min(passed)), Instant(0))
            skipping.handle(state(passed[-1]), Instant(0))
            passed = []
        assert trade(whole, size) == trade(skipping, size)


@given(ahead=sizes, script=scripts)
def test_we_are_filled_exactly_when_the_plain_model_of_the_line_says(
    ahead: Shares, script: list[tuple[str, Shares]]
) -> None:
    exchange, before, left = joined(ahead), int(ahead), int(OURS)
    for kind, size in script:
        if kind == "state":
            exchange.handle(state(size), Instant(0))
            before = min(before, size)
            continue
        reached = max(0, size - before)
        before = max(0, before - size)
        expected = min(left, reached)
        left -= expected
        assert trade(exchange, size) == expected
