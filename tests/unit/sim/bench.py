"""One pretend exchange on the bench: a market, clients and a clock, spoken to in the trader's words."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Nanos, Price, Shares, Usd, price, shares, usd
from polystra.sim import messages as m
from polystra.sim.exchange import Exchange
from polystra.sim.latency import fixed
from polystra.sim.records import Account, AccountTruth
from polystra.sim.rules import Rules

SECOND = 1_000_000_000
MS = 1_000_000
ANN, BOB = Account("0xann"), Account("0xbob")
MARKET = MarketId("0xmarket")
UP, DOWN = TokenId("111"), TokenId("222")
OTHER = m.MarketFacts(id=MarketId("0xother"), up_token=TokenId("777"), down_token=TokenId("888"))

PUNCTUAL = Rules(
    mined_after=fixed(Nanos(3 * SECOND)),
    confirmed_after=fixed(Nanos(4 * SECOND)),
    balance_lag=fixed(Nanos(SECOND)),
    cross_rate=0.0,
)
"""Every delay at one length, and the street always across on the same outcome."""

Kind = TypeVar("Kind")


class Bench:
    """The clock starts at 1,000,000 s; both clients have 100 USD; the market has no taker hold unless asked."""

    def __init__(self, rules: Rules = PUNCTUAL, seed: int = 1, **facts: Any) -> None:
        self.exchange = Exchange(rules, Random(seed))
        self.now = Instant(1_000_000 * SECOND)
        self._orders = 0
        known: dict[str, Any] = {"id": MARKET, "up_token": UP, "down_token": DOWN, "taker_hold": Nanos(0)}
        self.tell(m.ListMarket(market=m.MarketFacts(**(known | facts))))
        for account in (ANN, BOB):
            self.tell(m.Deposit(account=account, amount=usd(100)))

    # --- the world

    def tell(self, request: m.Request) -> list[m.Output]:
        return self.exchange.handle(request, self.now)

    def wait(self, length: float) -> list[m.Output]:
        """So many seconds pass."""
        self.now = Instant(self.now + round(length * SECOND))
        return self.exchange.advance(self.now)

    def book(self, bids: dict[str, str], asks: dict[str, str]) -> list[m.Output]:
        return self.tell(m.SetBook(market=MARKET, bids=_levels(bids), asks=_levels(asks)))

    def level(self, side: Side, at: str, size: str) -> list[m.Output]:
        change = m.LevelChange(side, price(at), shares(size))
        return self.tell(m.ChangeLevels(market=MARKET, changes=(change,)))

    def trade(self, at: str, size: str, taker: Side | None = None) -> list[m.Output]:
        return self.tell(m.PrintTrade(market=MARKET, price=price(at), size=shares(size), taker=taker))

    # --- the clients

    def buy(self, at: str, size: str, **how: Any) -> list[m.Output]:
        return self.order(Side.BUY, at, size, **how)

    def sell(self, at: str, size: str, **how: Any) -> list[m.Output]:
        return self.order(Side.SELL, at, size, **how)

    def order(self, side: Side, at: str, size: str, account: Account = ANN, **how: Any) -> list[m.Output]:
        return self.tell(self.request(side, at, size, account, **how))

    def request(
        self, side: Side, at: str, size: str, account: Account = ANN, outcome: Outcome = Outcome.UP, **how: Any
    ) -> m.Submit:
        """A limit order of `size` shares at a price; `how` replaces any field of the request."""
        self._orders += 1
        cash, amount = int(price(at) * shares(size) // 1_000_000), int(shares(size))
        fields: dict[str, Any] = {
            "account": account,
            "order": VenueOrderId(f"o{self._orders}"),
            "token": UP if outcome is Outcome.UP else DOWN,
            "side": side,
            "maker_amount": cash if side is Side.BUY else amount,
            "taker_amount": amount if side is Side.BUY else cash,
        }
        return m.Submit(**(fields | how))

    def take(self, side: Side, at: str, size: str, **how: Any) -> list[m.Output]:
        return self.order(side, at, size, time_in_force=TimeInForce.FAK, **how)

    def cancel(self, *orders: str, account: Account = ANN) -> list[m.Output]:
        return self.tell(m.Cancel(account=account, orders=tuple(VenueOrderId(order) for order in orders)))

    def split(self, pairs: str, account: Account = ANN) -> None:
        """Up and Down shares of each so many, settled."""
        self.tell(m.Split(account=account, market=MARKET, shares=shares(pairs)))

    # --- readings

    def truth(self, account: Account = ANN) -> AccountTruth:
        return self.exchange.truth().account(account)

    def held(self, token: TokenId = UP, account: Account = ANN) -> Shares:
        return self.truth(account).of(token)

    def cash(self, account: Account = ANN) -> Usd:
        return self.truth(account).cash

    def bids(self) -> dict[Price, Shares]:
        return dict(self.exchange.book(MARKET).bids)

    def asks(self) -> dict[Price, Shares]:
        return dict(self.exchange.book(MARKET).asks)


def _levels(levels: dict[str, str]) -> tuple[tuple[Price, Shares], ...]:
    return tuple((price(at), shares(size)) for at, size in levels.items())


def of(outputs: list[m.Output], kind: type[Kind]) -> list[Kind]:
    return [output for output in outputs if isinstance(output, kind)]


def only(outputs: list[m.Output], kind: type[Kind]) -> Kind:
    (found,) = of(outputs, kind)
    return found


def fills(outputs: list[m.Output], account: Account = ANN) -> list[tuple[str, str, Price, Shares]]:
    """What an account traded now: side, outcome, price and shares in its own terms."""
    return [
        (update.own.side.value, update.own.outcome.value, update.own.price, update.own.shares)
        for update in of(outputs, m.TradeUpdated)
        if update.account == account and update.trade.stage is TradeStage.MATCHED
    ]
