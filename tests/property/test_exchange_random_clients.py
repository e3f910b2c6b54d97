"""Anybody does anything, in two markets at once, until both have paid: the exchange's books hold after every step.

The background is coherent here (it never crosses itself), so no book may ever be crossed. What single requests do to
each other in a crossed background is in `test_exchange_truth`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import MICRO, SIZE_STEP, Instant, Nanos, Price, Shares, Usd, mirror
from polystra.sim import messages as m
from polystra.sim.exchange import Exchange
from polystra.sim.latency import Span
from polystra.sim.records import Account, Leg, Truth
from polystra.sim.rules import Rules
from tests.exchange_invariants import Sides, check, follow, published, up_terms, worth

SECOND = 1_000_000_000
START = Instant(1_000_000 * SECOND)
CLIENTS = [Account(name) for name in ("0xann", "0xbob", "0xcarl", "0xdora")]
STEPS = 100
CENT = 10_000

LATE = Span(Nanos(0), Nanos(20 * SECOND))
RULES = Rules(mined_after=LATE, confirmed_after=LATE, balance_lag=LATE, failure_rate=0.1, retry_rate=0.1)

OLD = m.MarketFacts(
    id=MarketId("0xold"), up_token=TokenId("11"), down_token=TokenId("12"), fee_rate=70_000, fee_in_shares=True
)
NEW = m.MarketFacts(id=MarketId("0xnew"), up_token=TokenId("21"), down_token=TokenId("22"), fee_rate=70_000)
REFUSALS = m.OrderRejected | m.RequestRejected


class Town:
    """Random clients and a random world around one exchange. Mutable; all chance is of one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = Random(seed)
        self.exchange = Exchange(RULES, Random(seed))
        self.now = START
        self.facts = [self._variant(facts) for facts in (OLD, NEW)]
        self.street: dict[MarketId, Sides] = {}
        self.shown: dict[MarketId, Sides] = {}
        self.payouts: dict[MarketId, Usd] = {}
        self.closed: set[MarketId] = set()
        self.submitted: list[m.Submit] = []
        self.answered: Counter[VenueOrderId] = Counter()
        self.beats: dict[Account, m.HeartbeatId] = {}
        self.mode = m.Mode.NORMAL
        self.deposited = 0
        for facts in self.facts:
            self.street[facts.id] = {side: {} for side in Side}
            self.shown[facts.id] = {side: {} for side in Side}
            self.do(m.ListMarket(market=facts))
            self.do(m.Publish(market=facts.id))
        for account in CLIENTS:
            self.do(m.Deposit(account=account, amount=Usd(chance.randrange(100, 400) * MICRO)))
            for facts in self.facts:
                self.do(m.Split(account=account, market=facts.id, shares=Shares(chance.randrange(5, 40) * MICRO)))

    def _variant(self, facts: m.MarketFacts) -> m.MarketFacts:
        hold = Nanos(self.chance.choice([0, 150_000_000, 3 * SECOND]))
        tick = Price(self.chance.choice([CENT, CENT, 1_000]))
        return replace(facts, taker_hold=hold, tick=tick, answers_delayed=self.chance.random() < 0.5)

    # --- one request and what must hold after it

    def do(self, request: m.Request) -> list[m.Output]:
        due = self.exchange.advance(self.now)
        before = belongings(self.exchange.truth())
        outputs = self.exchange.handle(request, self.now)
        if outputs and all(isinstance(output, REFUSALS) for output in outputs):
            assert belongings(self.exchange.truth()) == before, "refused, and something was done"
        if isinstance(request, m.Deposit):
            self.deposited += request.amount
        self._heard([*due, *outputs])
        return outputs

    def wait(self, how_long: int) -> None:
        self.now = Instant(self.now + how_long)
        self._heard(self.exchange.advance(self.now))

    def _heard(self, outputs: Sequence[m.Output]) -> None:
        follow(self.shown, outputs)
        for output in outputs:
            if isinstance(output, m.OrderAccepted | m.OrderRejected):
                self.answered[output.order] += 1
            elif isinstance(output, m.BeatAnswered):
                self.beats[output.account] = output.heartbeat

    def look(self) -> None:
        check(self.exchange, self.facts, self.payouts)
        assert self.exchange.truth().deposited == self.deposited
        for facts in self.facts:
            if facts.id not in self.payouts:  # the book of a resolved market is let go of, and nobody is told
                assert self.shown[facts.id] == published(self.exchange, facts.id)
            check_uncrossed(self.shown[facts.id])
            self._check_levels(facts.id)
        for account in CLIENTS:
            seen = self.exchange.balances(account)
            assert min([seen.cash, *(held for _, held in seen.shares)]) >= 0

    def _check_levels(self, market: MarketId) -> None:
        """A level is what rests of clients and what is left of the background, of which never more than was stated."""
        left = {side: dict(levels) for side, levels in self.shown[market].items()}
        for order in self.exchange.truth().orders:
            if order.market == market:
                side, price = up_terms(order)
                left[side][price] = Shares(left[side][price] - order.remaining)
        for side, levels in left.items():
            stated = self.street[market][side]
            assert all(0 <= size <= stated.get(price, 0) for price, size in levels.items())

    # --- what happens

    def step(self) -> None:
        deeds: list[tuple[int, Callable[[], object]]] = [
            (40, self.order),
            (4, self.order_again),
            (4, self.batch),
            (8, self.cancel),
            (2, self.cancel_many),
            (22, self.background),
            (10, self.print),
            (6, self.pairs),
            (2, self.redeem),
            (5, self.account_changes),
            (7, self.venue_changes),
            (1, self.market_changes),
        ]
        self.chance.choices([act for _, act in deeds], [weight for weight, _ in deeds])[0]()
        self.look()

    def order(self) -> None:
        self.submitted.append(self._order(f"0x{len(self.submitted):064x}"))
        self.do(self.submitted[-1])

    def order_again(self) -> None:
        """The same bytes once more. While the first lives or after it was matched nothing happens."""
        if self.submitted:
            again = self.chance.choice(self.submitted)
            self.submitted.append(again)
            rests = self.exchange.order(again.order) is not None
            answers = self.do(again)
            assert not rests or [type(answer) for answer in answers] == [m.OrderRejected]

    def batch(self) -> None:
        for _ in range(self.chance.randrange(2, 16)):
            self.order()

    def cancel(self) -> None:
        """Of anybody's orders; only one's own go."""
        names = [order.order for order in self.submitted] or [VenueOrderId("0xnone")]
        wanted = tuple(self.chance.sample(names, min(len(names), 5)))
        account = self._client()
        others = [order for order in self.exchange.truth().orders if order.account != account]
        (answer, *_) = self.do(m.Cancel(account=account, orders=wanted))
        if isinstance(answer, m.CancelAnswered):
            assert {*answer.canceled, *(name for name, _ in answer.not_canceled)} == set(wanted)
            assert not any(self.exchange.order(name) for name in wanted if name in answer.canceled)
        assert others == [order for order in self.exchange.truth().orders if order.account != account]

    def cancel_many(self) -> None:
        account, facts = self._client(), self._market()
        token = self.chance.choice([None, facts.up_token, facts.down_token])
        everywhere = self.chance.random() < 0.5
        some = m.CancelMarket(account=account, market=facts.id, token=token)
        answers = self.do(m.CancelAll(account=account) if everywhere else some)
        if everywhere and isinstance(answers[0], m.CancelAnswered):
            assert self.exchange.open_orders(account) == ()

    def background(self) -> None:
        """A book or a level anew. A recording ends when its market closes."""
        facts = self._market()
        if facts.id in self.closed:
            return
        if self.chance.random() < 0.3:
            middle = self.chance.randrange(25, 75)
            for side, step in ((Side.BUY, -1), (Side.SELL, 1)):
                prices = (Price((middle + step * n) * CENT) for n in range(1, self.chance.randrange(1, 6)))
                self.street[facts.id][side] = {price: self._size() for price in prices}
            bids, asks = (tuple(self.street[facts.id][side].items()) for side in (Side.BUY, Side.SELL))
            self.do(m.SetBook(market=facts.id, bids=bids, asks=asks))
            return
        changes = tuple(change for _ in range(self.chance.randrange(1, 4)) if (change := self._level(facts.id)))
        self.do(m.ChangeLevels(market=facts.id, changes=changes))

    def _level(self, market: MarketId) -> m.LevelChange | None:
        side, price = self.chance.choice(list(Side)), Price(self.chance.randrange(20, 80) * CENT)
        across = self.street[market][side.other]
        if any(price >= at if side is Side.BUY else price <= at for at in across):
            return None
        size = Shares(self.chance.choice([0, self._size()]))
        self.street[market][side].pop(price, None)
        if size:
            self.street[market][side][price] = size
        return m.LevelChange(side, price, size)

    def print(self) -> None:
        market = self._market().id
        price = Price(self.chance.randrange(20, 80) * CENT)
        if market not in self.closed:
            self.do(
                m.PrintTrade(market=market, price=price, size=self._size(), taker=self.chance.choice([None, *Side]))
            )

    def pairs(self) -> None:
        account, market = self._client(), self._market().id
        amount = Shares(self.chance.choice([0, self.chance.randrange(20_000_000), 10**12]))
        split = m.Split(account=account, market=market, shares=amount)
        self.do(split if self.chance.random() < 0.5 else m.Merge(account=account, market=market, shares=amount))

    def redeem(self) -> None:
        account, facts = self._client(), self._market()
        held = {one.token: one.settled for one in self.exchange.truth().account(account).holdings}
        (answer,) = self.do(m.Redeem(account=account, market=facts.id))
        payout = self.payouts.get(facts.id)
        if payout is None:
            assert isinstance(answer, m.RequestRejected)
            return
        assert isinstance(answer, m.CashMoved)
        each = {facts.up_token: payout, facts.down_token: MICRO - payout}
        assert answer.cash == sum(worth(held.get(token, 0), paid) for token, paid in each.items())

    def account_changes(self) -> None:
        account = self._client()
        restriction = self.chance.choice([*[m.Restriction.NONE] * 6, *m.Restriction])
        beat = self.chance.choice([self.beats.get(account, m.HeartbeatId("")), m.HeartbeatId("wrong")])
        requests: list[m.Request] = [
            m.Deposit(account=account, amount=Usd(self.chance.randrange(20_000_000))),
            m.RefreshBalances(account=account),
            m.Beat(account=account, heartbeat=beat),
            m.SetRestriction(account=account, restriction=restriction),
        ]
        self.do(self.chance.choice(requests))

    def venue_changes(self) -> None:
        mishap, times = self.chance.choice(list(m.Mishap)), self.chance.choice([0, 1, 2, None])
        self.mode = self.chance.choice(list(m.Mode)) if self.mode is m.Mode.NORMAL else m.Mode.NORMAL
        requests: list[m.Request] = [
            m.SetMode(mode=self.mode),
            m.SetMishap(mishap=mishap, times=times),
            m.Restart(down=Nanos(SECOND), post_only=Nanos(2 * SECOND)),
        ]
        self.do(requests[0] if self.mode is m.Mode.NORMAL else self.chance.choice(requests))

    def market_changes(self) -> None:
        """A finer tick, a close, a payout: each once, and a second time is a mistake that changes nothing."""
        facts = self._market()
        kind = self.chance.choice(["tick", "close", "resolve"])
        if kind == "tick":
            finer = self.exchange.book(facts.id).tick > 1_000
            self._world(m.SetTick(market=facts.id, tick=Price(1_000)), allowed=finer)
        elif kind == "close":
            self._world(m.CloseMarket(market=facts.id), allowed=facts.id not in self.closed)
            self.closed.add(facts.id)
        else:
            self.resolve(facts)

    def resolve(self, facts: m.MarketFacts) -> None:
        payout = Usd(self.chance.choice([MICRO, 0, MICRO // 2]))
        self._world(m.Resolve(market=facts.id, up_payout=payout), allowed=facts.id not in self.payouts)
        self.payouts.setdefault(facts.id, payout)
        self.closed.add(facts.id)

    def _world(self, request: m.SetTick | m.CloseMarket | m.Resolve, *, allowed: bool) -> None:
        if allowed:
            self.do(request)
            return
        with pytest.raises(ValueError, match=request.market):
            self.do(request)

    def pass_time(self) -> None:
        pauses = [0, 1_000, 100_000_000, 2 * SECOND, 30 * SECOND]
        self.wait(self.chance.choices(pauses, [10, 8, 8, 6, 1])[0])

    # --- draws

    def _client(self) -> Account:
        return self.chance.choice(CLIENTS)

    def _market(self) -> m.MarketFacts:
        return self.chance.choice(self.facts)

    def _size(self) -> Shares:
        return Shares(self.chance.choice([self.chance.randrange(1, 3_000) * CENT, self.chance.randrange(1, 9_000_000)]))

    def _order(self, name: str) -> m.Submit:
        """Mostly near the middle, so that they meet; now and then for more than anybody has."""
        facts, chance = self._market(), self.chance
        price = chance.randrange(25, 75) * CENT
        side, tif = chance.choice(list(Side)), chance.choice([TimeInForce.GTC, *TimeInForce])
        size = (chance.randrange(500, 2_500) if chance.random() < 0.95 else 10_000_000) * CENT
        cash = price * size // MICRO
        if tif.immediate and side is Side.BUY:
            cash = cash // CENT * CENT
            size = cash * MICRO // price // 100 * 100
        return m.Submit(
            account=self._client(),
            order=VenueOrderId(name),
            token=facts.token(chance.choice(list(Outcome))),
            side=side,
            maker_amount=cash if side is Side.BUY else size,
            taker_amount=size if side is Side.BUY else cash,
            time_in_force=tif,
            post_only=not tif.immediate and chance.random() < 0.3,
            expiration=self.now // SECOND + 181 + chance.randrange(9) if tif is TimeInForce.GTD else 0,
        )


def belongings(truth: Truth) -> tuple[object, ...]:
    """All that a refused request must leave alone. An account may have been heard of for the first time."""
    money = {one.account: (one.cash, one.settled, one.reserved) for one in truth.accounts if one.cash or one.settled}
    shares = {(one.account, held) for one in truth.accounts for held in one.holdings if held.owned}
    return money, shares, truth.orders, truth.trades, truth.supply, truth.fees, truth.remainders, truth.deposited


def check_uncrossed(sides: Sides) -> None:
    """Neither in Up terms nor as a bid for Up against a bid for Down, which together would buy a pair for a dollar."""
    bid, ask = max(sides[Side.BUY], default=0), min(sides[Side.SELL], default=MICRO)
    assert bid < ask
    assert bid + mirror(Price(ask)) < MICRO


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_books_money_and_orders_hold_whatever_anybody_does(seed: int) -> None:
    town = Town(seed)
    for _ in range(STEPS):
        town.pass_time()
        town.look()
        town.step()
    everything_ends(town)


def everything_ends(town: Town) -> None:
    """All markets pay, all trades get to their end, everybody redeems: nothing is left over, and nothing unanswered."""
    for facts in town.facts:
        if facts.id not in town.payouts:
            town.resolve(facts)
    assert town.exchange.truth().orders == ()
    while (due := town.exchange.next_due()) is not None and due < town.now + 600 * SECOND:
        town.wait(due - town.now)
        town.look()
    for account in CLIENTS:
        for facts in town.facts:
            town.do(m.Redeem(account=account, market=facts.id))
            town.look()
    truth = town.exchange.truth()
    for account in CLIENTS:
        owned, seen = truth.account(account), town.exchange.balances(account)
        assert (owned.cash, owned.reserved, seen.shares) == (owned.settled, 0, ())
        assert seen.cash == owned.cash
    assert town.answered == Counter(order.order for order in town.submitted)
    check_limits(truth, {order.order: order for order in town.submitted})


def check_limits(truth: Truth, submitted: dict[VenueOrderId, m.Submit]) -> None:
    """No order traded at a worse price than its own, nor more than it said but for the dust of a mishap, which is worth
    no more than its shares; failed trades do not come back."""
    given: Counter[VenueOrderId] = Counter()
    for trade in truth.trades:
        for leg in (trade.taker, trade.maker):
            order = submitted.get(leg.order)
            if order is not None:
                assert (leg.account, leg.token, leg.side) == (order.account, order.token, order.side)
                assert not_worse(leg, order)
                given[leg.order] += leg.cash if order.side is Side.BUY else leg.shares
    assert all(amount <= submitted[name].maker_amount + SIZE_STEP for name, amount in given.items())


def not_worse(leg: Leg, order: m.Submit) -> bool:
    """An immediate order's ratio may miss its price by 0.0001."""
    cash, shares = sorted((order.maker_amount, order.taker_amount))
    slack = 100 if order.time_in_force.immediate else 0
    if order.side is Side.BUY:
        return (leg.price - slack) * shares <= cash * MICRO
    return (leg.price + slack) * shares >= cash * MICRO
