"""Whatever clients and world do, the pretend exchange keeps its books: checked after every single request."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, Usd
from polystra.sim import messages as m
from polystra.sim.exchange import Exchange
from polystra.sim.latency import Span
from polystra.sim.records import Account
from polystra.sim.rules import Rules
from tests.exchange_invariants import Sides, check, follow, published, worth

SECOND = 1_000_000_000
MARKET, UP, DOWN = MarketId("0xm"), TokenId("111"), TokenId("222")
FACTS = m.MarketFacts(id=MARKET, up_token=UP, down_token=DOWN)
CLIENTS = [Account(name) for name in ("0xann", "0xbob", "0xcarl")]
BUSY = Rules(
    mined_after=Span(Nanos(0), Nanos(3 * SECOND)),
    confirmed_after=Span(Nanos(0), Nanos(3 * SECOND)),
    balance_lag=Span(Nanos(0), Nanos(2 * SECOND)),
    failure_rate=0.2,
    retry_rate=0.1,
)


def step_of(chance: Random, known: list[VenueOrderId], tick: int, now: int) -> m.Request:
    """One request: mostly orders near the middle, so that they meet; a background that wanders through them."""
    account = chance.choice(CLIENTS)
    kind = chance.choices(
        [
            "order",
            "cancel",
            "book",
            "level",
            "trade",
            "split",
            "merge",
            "refresh",
            "cancel all",
            "mode",
            "deposit",
            "mishap",
            "restart",
        ],
        [40, 8, 8, 16, 12, 3, 3, 4, 1, 1, 1, 2, 1],
    )[0]
    if kind == "order":
        return order_of(chance, account, known, tick, now)
    middle = chance.randrange(30, 70)
    if kind == "book":
        bids = tuple((Price((middle - i) * 10_000), size_of(chance)) for i in range(1, 4))
        asks = tuple((Price((middle + i) * 10_000), size_of(chance)) for i in range(1, 4))
        return m.SetBook(market=MARKET, bids=bids, asks=asks)
    price, side = Price(middle * 10_000), chance.choice(list(Side))
    pairs = Shares(chance.randrange(0, 2_000) * 10_000)
    steps: dict[str, m.Request] = {
        "cancel": m.Cancel(account=account, orders=tuple(chance.sample(known, min(len(known), 3)))),
        "level": m.ChangeLevels(market=MARKET, changes=(m.LevelChange(side, price, size_of(chance)),)),
        "trade": m.PrintTrade(
            market=MARKET, price=price, size=Shares(size_of(chance) + 1), taker=chance.choice([None, *Side])
        ),
        "split": m.Split(account=account, market=MARKET, shares=pairs),
        "merge": m.Merge(account=account, market=MARKET, shares=pairs),
        "refresh": m.RefreshBalances(account=account),
        "cancel all": m.CancelAll(account=account),
        "mode": m.SetMode(mode=chance.choice([m.Mode.NORMAL, m.Mode.NORMAL, m.Mode.POST_ONLY])),
        "mishap": m.SetMishap(
            mishap=chance.choice(list(m.Mishap)),
            times=chance.randrange(3),
            chance=chance.choice([1_000, 300]),
            delay=Nanos(chance.randrange(2) * SECOND),
        ),
        "restart": m.Restart(down=Nanos(chance.randrange(2) * SECOND), post_only=Nanos(chance.randrange(2) * SECOND)),
        "deposit": m.Deposit(account=account, amount=Usd(chance.randrange(10_000_000))),
    }
    return steps[kind]


def order_of(chance: Random, account: Account, known: list[VenueOrderId], tick: int, now: int) -> m.Submit:
    cents = chance.randrange(30, 70)
    price = cents * 10_000 + (chance.randrange(10) * 1_000 if tick == 1_000 else 0)
    size = chance.randrange(500, 3_000) * 10_000
    side, tif = chance.choice(list(Side)), chance.choice([TimeInForce.GTC, *TimeInForce])
    cash = price * size // MICRO
    if tif.immediate and side is Side.BUY:
        cash = cash // 10_000 * 10_000
        size = cash * MICRO // price // 100 * 100
    name = VenueOrderId(f"0x{len(known):064x}")
    known.append(name)
    return m.Submit(
        account=account,
        order=name,
        token=chance.choice([UP, DOWN]),
        side=side,
        maker_amount=cash if side is Side.BUY else size,
        taker_amount=size if side is Side.BUY else cash,
        time_in_force=tif,
        post_only=not tif.immediate and chance.random() < 0.2,
        expiration=now // SECOND + 181 + chance.randrange(9) if tif is TimeInForce.GTD else 0,
    )


def pause(chance: Random) -> int:
    return chance.choices([0, 1_000, 100_000_000, 2 * SECOND, 30 * SECOND], [8, 8, 8, 8, 1])[0]


def size_of(chance: Random) -> Shares:
    return Shares(chance.choice([0, chance.randrange(1, 4_000) * 10_000, chance.randrange(1, 20_000_000)]))


def opened(seed: int, rules: Rules, **facts: Any) -> Exchange:
    exchange, start = Exchange(rules, Random(seed)), Instant(1_000_000 * SECOND)
    exchange.handle(m.ListMarket(market=replace(FACTS, **facts)), start)
    exchange.handle(m.Publish(market=MARKET), start)
    for account in CLIENTS:
        exchange.handle(m.Deposit(account=account, amount=Usd(90_000_000)), start)
        exchange.handle(m.Split(account=account, market=MARKET, shares=Shares(60_000_000)), start)
    return exchange


@pytest.mark.parametrize(("in_shares", "tick"), [(False, 10_000), (True, 10_000), (False, 1_000)])
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_money_shares_and_orders_add_up_after_every_request(in_shares: bool, tick: int, seed: int) -> None:
    chance = Random(seed)
    facts = {"fee_rate": 70_000, "fee_in_shares": in_shares, "tick": Price(tick)}
    exchange = opened(seed, BUSY, taker_hold=Nanos(chance.choice([0, 150_000_000])), **facts)
    now, known = 1_000_000 * SECOND, list[VenueOrderId]()
    shown: dict[MarketId, Sides] = {MARKET: published(exchange, MARKET)}
    for _ in range(120):
        now += pause(chance)
        outputs = exchange.handle(step_of(chance, known, tick, now), Instant(now))
        check(exchange, [FACTS])
        follow(shown, outputs)
        assert shown[MARKET] == published(exchange, MARKET)
    settle_and_redeem(exchange, Usd(chance.choice([0, 500_000, MICRO])), now)


def settle_and_redeem(exchange: Exchange, payout: Usd, now: int) -> None:
    """The end of every market: redeemed at once and again when all is settled; the cached view ends at the truth."""
    exchange.handle(m.Resolve(market=MARKET, up_payout=payout), Instant(now))
    for _ in range(3):
        for account in CLIENTS:
            truth = exchange.truth().account(account)
            (moved,) = redeemed(exchange, account, now)
            each = {UP: payout, DOWN: MICRO - payout}
            assert moved == sum(worth(holding.settled, each[holding.token]) for holding in truth.holdings)
        now += 60 * SECOND
        exchange.advance(Instant(now))
    truth_at_end = exchange.truth()
    for account in CLIENTS:
        truth, cached = truth_at_end.account(account), exchange.balances(account)
        assert cached.cash == truth.cash == truth.settled >= 0
        assert (cached.shares, truth.reserved) == ((), 0)
    assert truth_at_end.orders == ()
    (supply,) = truth_at_end.supply
    left = worth(supply.up, payout) + worth(supply.down, MICRO - payout)
    assert left <= supply.collateral <= left + 12
    cash = sum(account.cash for account in truth_at_end.accounts)
    assert cash + supply.collateral == truth_at_end.deposited


def redeemed(exchange: Exchange, account: Account, now: int) -> list[int]:
    outputs = exchange.handle(m.Redeem(account=account, market=MARKET), Instant(now))
    return [output.cash for output in outputs if isinstance(output, m.CashMoved)]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_what_an_order_said_last_is_the_sum_of_its_trades(seed: int) -> None:
    """With no failures: the size in the last update of an order, ended or not, is that of all its trades."""
    chance = Random(seed)
    exchange = opened(seed, Rules(), fee_rate=70_000, taker_hold=Nanos(50_000_000))
    now, known = 1_000_000 * SECOND, list[VenueOrderId]()
    outputs: list[m.Output] = []
    for _ in range(120):
        now += pause(chance)
        step = step_of(chance, known, 10_000, now)
        if not isinstance(step, m.SetMishap):
            outputs += exchange.handle(step, Instant(now))
    outputs += exchange.advance(Instant(now + SECOND))
    traded: dict[VenueOrderId, list[int]] = {}
    for trade in exchange.truth().trades:
        for leg in (trade.taker, trade.maker):
            traded.setdefault(leg.order, []).append(leg.shares)
    last = {output.order.id: output.order for output in outputs if isinstance(output, m.OrderUpdated)}
    for trade in exchange.truth().trades:
        for leg in (trade.taker, trade.maker):
            limit = last[leg.order].price if leg.order in last else leg.price
            assert leg.price == limit or (leg is trade.taker and (leg.price < limit) == (leg.side is Side.BUY))
    for order in last.values():
        assert order.matched == sum(traded.get(order.id, []))
        assert len(order.trades) == len(traded.get(order.id, []))
    for output in outputs:
        if isinstance(output, m.OrderAccepted) and output.trades:
            legs = [trade.taker for trade in exchange.truth().trades if trade.id in output.trades]
            cash, shares = sum(leg.cash for leg in legs), sum(leg.shares for leg in legs)
            buys = legs[0].side is Side.BUY
            assert (output.making, output.taking) == ((cash, shares) if buys else (shares, cash))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_an_account_can_be_told_from_its_own_updates_alone(seed: int) -> None:
    """What a client adds up from its trade updates, stage by stage, is what the exchange says it owns."""
    chance = Random(seed)
    exchange = opened(seed, BUSY, fee_rate=70_000, taker_hold=Nanos(50_000_000))
    now, known = 1_000_000 * SECOND, list[VenueOrderId]()
    before = {account: exchange.truth().account(account) for account in CLIENTS}
    outputs: list[m.Output] = []
    moved = dict.fromkeys(CLIENTS, 0)
    pairs = dict.fromkeys(CLIENTS, 0)
    for _ in range(120):
        now += pause(chance)
        request = step_of(chance, known, 10_000, now)
        sent = exchange.handle(request, Instant(now))
        outputs += sent
        if isinstance(request, m.Deposit):
            moved[request.account] += request.amount
        for output in sent:
            if isinstance(output, m.CashMoved):
                moved[output.account] += output.cash
                pairs[output.account] -= output.cash
    outputs += exchange.advance(Instant(now + 60 * SECOND))
    for account in CLIENTS:
        told = {u.trade.id: u for u in outputs if isinstance(u, m.TradeUpdated) and u.account == account}
        cash, up = before[account].cash + moved[account], before[account].of(UP) + pairs[account]
        for update in told.values():
            assert update.trade.stage in (TradeStage.CONFIRMED, TradeStage.FAILED)
            if update.trade.stage is TradeStage.CONFIRMED:
                leg = update.own
                cash += -(leg.cash + leg.fee) if leg.side is Side.BUY else leg.cash - leg.fee
                if leg.outcome is Outcome.UP:
                    up += leg.shares - leg.fee_shares if leg.side is Side.BUY else -leg.shares
        assert exchange.truth().account(account).cash == cash
        assert exchange.truth().account(account).of(UP) == up
