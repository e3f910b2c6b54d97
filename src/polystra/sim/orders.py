"""One accepted order while it lives: the exchange's own record, which changes as it fills."""

from msgspec import Struct

from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import Instant, Price, Shares, Usd, cost_of, mirror
from polystra.sim.records import Account, OpenOrder


class Order(Struct, kw_only=True, eq=False):
    """Compared by identity. `price` is that of its own outcome, `up_side` and `up_price` are its place in the book.

    `in_cash` marks an immediate BUY, which spends up to `budget`; for every other order `remaining` shares are wanted.
    `ahead` is how much of the background at its level will be served first.
    """

    id: VenueOrderId
    account: Account
    market: MarketId
    token: TokenId
    outcome: Outcome
    side: Side
    price: Price
    size: Shares
    remaining: Shares
    budget: Usd
    time_in_force: TimeInForce
    post_only: bool
    expiration: int
    created_at: Instant
    matched: Shares = Shares(0)
    trades: tuple[TradeId, ...] = ()
    ahead: Shares = Shares(0)
    answered: bool = False

    @property
    def in_cash(self) -> bool:
        return self.side is Side.BUY and self.time_in_force.immediate

    @property
    def up_side(self) -> Side:
        return self.side if self.outcome is Outcome.UP else self.side.other

    @property
    def up_price(self) -> Price:
        return self.own_price(self.price)

    def own_price(self, at: Price) -> Price:
        """A price in Up terms as this order's outcome sees it, and the reverse."""
        return at if self.outcome is Outcome.UP else mirror(at)

    @property
    def reserve(self) -> int:
        """What it holds back while it rests: cash of a BUY, shares of a SELL."""
        return cost_of(self.price, self.remaining) if self.side is Side.BUY else self.remaining

    def shown(self) -> OpenOrder:
        return OpenOrder(
            id=self.id,
            account=self.account,
            market=self.market,
            token=self.token,
            outcome=self.outcome,
            side=self.side,
            price=self.price,
            size=self.size,
            matched=self.matched,
            remaining=self.remaining,
            time_in_force=self.time_in_force,
            expiration=self.expiration,
            created_at=self.created_at,
            trades=self.trades,
        )
