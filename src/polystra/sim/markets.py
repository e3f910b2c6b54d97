"""One market as the exchange runs it: its state, its book, and the collateral locked for its shares."""

from enum import Enum

from polystra.core.terms import Outcome, Side
from polystra.core.units import MICRO, Price, Shares, Usd
from polystra.sim.accounts import Accounts
from polystra.sim.book import Ladder
from polystra.sim.messages import MarketFacts
from polystra.sim.orders import Order
from polystra.sim.records import Book, Supply


class MarketState(Enum):
    LISTED = "listed"
    CLOSED = "closed"
    RESOLVED = "resolved"


class Market:
    """Mutable. `up` and `down` are the shares that exist, `collateral` what is locked for them."""

    def __init__(self, facts: MarketFacts) -> None:
        self.facts = facts
        self.tick = facts.tick
        self.state = MarketState.LISTED
        self.payout = Usd(0)
        self.bids = Ladder(Side.BUY)
        self.asks = Ladder(Side.SELL)
        self.last_trade: Price | None = None
        self.up = Shares(0)
        self.down = Shares(0)
        self.collateral = Usd(0)

    @property
    def published(self) -> bool:
        return self.bids.watched

    def publish(self, on: bool) -> None:
        self.bids.watched = self.asks.watched = on

    @property
    def has_orders(self) -> bool:
        return bool(self.bids.own or self.asks.own)

    def ladder(self, side: Side) -> Ladder:
        return self.bids if side is Side.BUY else self.asks

    def crosses(self, order: Order) -> bool:
        """Whether it would meet anything at once."""
        if order.up_side is Side.BUY:
            return self.asks.best() <= order.up_price
        return self.bids.best() >= order.up_price

    def forget_books(self) -> None:
        """Once resolved nobody can trade any more, and old books are memory for nothing."""
        self.bids, self.asks = self.bids.emptied(), self.asks.emptied()

    def pairs(self, shares: int) -> None:
        """So many pairs of Up and Down come to be (or, negative, cease to), each for one unit of collateral."""
        self.up = Shares(self.up + shares)
        self.down = Shares(self.down + shares)
        self.collateral = Usd(self.collateral + shares)

    def burn(self, outcome: Outcome, shares: Shares) -> None:
        """Shares of one outcome cease to be."""
        if outcome is Outcome.UP:
            self.up = Shares(self.up - shares)
        else:
            self.down = Shares(self.down - shares)

    def even_out(self, accounts: Accounts) -> None:
        """The street mints what it sold without having it, and merges what it holds of both outcomes."""
        purse = accounts.street
        up, down = purse.token(self.facts.up_token), purse.token(self.facts.down_token)
        pairs = -min(up.owned, down.owned)
        up.owned += pairs
        down.owned += pairs
        purse.cash.owned -= pairs
        self.pairs(pairs)

    def pays(self, outcome: Outcome, shares: int) -> int:
        """What shares of an outcome bring once resolved, a remainder below a millionth dropped."""
        each = self.payout if outcome is Outcome.UP else MICRO - self.payout
        return shares * each // MICRO

    def book(self) -> Book:
        return Book(
            market=self.facts.id,
            bids=self.bids.levels(),
            asks=self.asks.levels(),
            tick=self.tick,
            min_shares=self.facts.min_shares,
            last_trade=self.last_trade,
        )

    def supply(self) -> Supply:
        return Supply(market=self.facts.id, up=self.up, down=self.down, collateral=self.collateral)
