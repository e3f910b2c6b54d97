"""What the pretend exchange keeps and shows: orders, trades, balances, books, and the whole truth.

These are readings: values of one moment. Orders and trades are in the terms of their own outcome, books in Up terms.
"""

from typing import NewType

from msgspec import Struct

from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Price, Shares, Usd

Account = NewType("Account", str)
"""Whose order it is: a wallet address, or any name in tests."""

STREET = Account("street")
"""Everybody in the recording. Mints and merges as needed, so its cash may be below zero and its shares never are."""

VENUE = Account("venue")
"""Collects the fees and the remainders below a millionth, and pays makers; its cash may be below zero by that."""


class OpenOrder(Struct, frozen=True, gc=False, kw_only=True):
    """One order. `size` and `matched` are shares; an immediate BUY, which is an order in cash, shows its limit size.

    `matched` is the sum of its trades that have not FAILED; a failed part does not come back into the book, so what
    still rests is `remaining` and not the difference of the other two. `expiration` is the stated one, in seconds.
    """

    id: VenueOrderId
    account: Account
    market: MarketId
    token: TokenId
    outcome: Outcome
    side: Side
    price: Price
    size: Shares
    matched: Shares
    remaining: Shares
    time_in_force: TimeInForce
    expiration: int
    created_at: Instant
    trades: tuple[TradeId, ...] = ()


class Leg(Struct, frozen=True, gc=False, kw_only=True):
    """One side of a trade, in the terms of its own order.

    `cash` is price x shares with the remainder dropped. A BUY pays `cash + fee` and gets `shares - fee_shares`; a SELL
    gives `shares` and gets `cash - fee`.
    """

    account: Account
    order: VenueOrderId
    token: TokenId
    outcome: Outcome
    side: Side
    price: Price
    shares: Shares
    cash: Usd
    fee: Usd = Usd(0)
    fee_shares: Shares = Shares(0)


class Trade(Struct, frozen=True, gc=False, kw_only=True):
    """One taker order met one maker order, or one level of the street: there is a trade for each such meeting."""

    id: TradeId
    market: MarketId
    taker: Leg
    maker: Leg
    stage: TradeStage
    matched_at: Instant
    updated_at: Instant


class Balances(Struct, frozen=True, gc=False, kw_only=True):
    """The exchange's cached picture of the chain, which is late: matched trades are not in it until they were mined
    and the cache has seen it. `shares` lists tokens with anything above zero, in order of first use.
    """

    cash: Usd
    shares: tuple[tuple[TokenId, Shares], ...]

    def of(self, token: TokenId) -> Shares:
        return next((held for name, held in self.shares if name == token), Shares(0))


class Book(Struct, frozen=True, gc=False, kw_only=True):
    """The published book, in Up terms, best first."""

    market: MarketId
    bids: tuple[tuple[Price, Shares], ...]
    asks: tuple[tuple[Price, Shares], ...]
    tick: Price
    min_shares: Shares
    last_trade: Price | None


class Holding(Struct, frozen=True, gc=False, kw_only=True):
    """`owned` counts every trade that has not failed, at once; `settled` only those mined; `reserved` is on offer."""

    token: TokenId
    owned: Shares
    settled: Shares
    reserved: Shares


class AccountTruth(Struct, frozen=True, gc=False, kw_only=True):
    """`cash` counts every trade that has not failed, at once; `settled` leaves out proceeds not yet mined."""

    account: Account
    cash: Usd
    settled: Usd
    reserved: Usd
    holdings: tuple[Holding, ...]

    def of(self, token: TokenId) -> Shares:
        return next((holding.owned for holding in self.holdings if holding.token == token), Shares(0))


class Supply(Struct, frozen=True, gc=False, kw_only=True):
    """How many shares of each outcome exist, and the collateral locked for them. All three are equal until a resolved
    market is redeemed; from then on the collateral covers what the shares left still pay.
    """

    market: MarketId
    up: Shares
    down: Shares
    collateral: Usd


class Truth(Struct, frozen=True, gc=False, kw_only=True):
    """Everything, exactly. `accounts` includes the street and the venue; `trades` also those that failed.

    `deposited` = the cash of all accounts + the collateral of all markets, always. `fees` is what takers paid (in
    collateral; fees in shares are holdings of the venue), `remainders` what dropped millionths brought or cost it, and
    `paid` what makers got of it as rewards and rebates: its cash is fees + remainders - paid.
    """

    accounts: tuple[AccountTruth, ...]
    orders: tuple[OpenOrder, ...]
    trades: tuple[Trade, ...]
    supply: tuple[Supply, ...]
    fees: Usd
    remainders: Usd
    deposited: Usd
    paid: Usd = Usd(0)

    def account(self, name: Account) -> AccountTruth:
        """Raises `StopIteration` for a name the exchange has never heard."""
        return next(known for known in self.accounts if known.account == name)
