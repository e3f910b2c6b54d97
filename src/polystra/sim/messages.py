"""What goes into the pretend exchange and what comes out of it.

Requests of clients carry what the wire carries: token, amounts in base units, the order's hash. The background of a
market (recorded or invented) arrives in Up terms: Down at 0.47 is Up at 0.53, and a bid for Down an ask for Up.

Outputs have three audiences, told by their type: an *answer* goes back on the request of `account`, an *update* on the
user stream of `account`, and whatever is *public* on the market stream of `market`; what a maker was *paid* is seen on
the chain alone. All carry the moment `at` which the exchange sent them; how late they arrive is the business of
`latency`. Prices, shares and money are millionths.
"""

from enum import StrEnum
from typing import NewType, TypeAlias

from msgspec import Struct

from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId
from polystra.core.terms import Liquidity, Side, TimeInForce
from polystra.core.units import MICRO, Instant, Price, Shares, Usd
from polystra.sim.records import Account, Leg, OpenOrder, Trade
from polystra.sim.world import (
    ChangeLevels,
    CloseMarket,
    Deposit,
    Level,
    LevelChange,
    ListMarket,
    MarketFacts,
    Mishap,
    Mode,
    PrintTrade,
    Publish,
    Resolve,
    Restart,
    Restriction,
    SetBook,
    SetMishap,
    SetMode,
    SetRestriction,
    SetTick,
)

# Everything a caller names, with what stands in `world` and the name of an account.
# fmt: off
__all__ = [
    "Account", "Answer", "Beat", "BeatAnswered", "Cancel", "CancelAll", "CancelAnswered", "CancelMarket", "CashMoved",
    "ChangeLevels", "CloseMarket", "Deposit", "HeartbeatId", "Income", "Level", "LevelChange", "ListMarket",
    "MakerPaid", "MarketFacts", "Merge", "Mishap", "Mode", "OrderAccepted", "OrderAnswer", "OrderChange",
    "OrderRejected", "OrderUpdated", "Output", "PrintTrade", "Public", "PublicBook", "PublicClose", "PublicLevels",
    "PublicResolution", "PublicTick", "PublicTrade", "Publish", "Redeem", "RefreshBalances", "Request",
    "RequestRejected", "Resolve", "Restart", "Restriction", "SetBook", "SetMishap", "SetMode", "SetRestriction",
    "SetTick", "Split", "Submit", "TradeUpdated", "Transfer", "Update",
]
# fmt: on

HeartbeatId = NewType("HeartbeatId", str)
"""What the exchange returns on a heartbeat and wants back with the next; empty with the first."""


class OrderAnswer(StrEnum):
    """The status word of an accepted order. DELAYED says nothing about its fate."""

    LIVE = "live"
    MATCHED = "matched"
    DELAYED = "delayed"


class OrderChange(StrEnum):
    """What an order update is about."""

    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


# --- requests of clients -----------------------------------------------------------------------------------------


class Submit(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """One order as posted. A BUY gives `maker_amount` of cash for `taker_amount` of shares, a SELL the reverse.

    `order` is the hash that the client computed; `expiration` is in seconds since 1970 and zero unless GTD.
    """

    account: Account
    order: VenueOrderId
    token: TokenId
    side: Side
    maker_amount: int
    taker_amount: int
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    expiration: int = 0


class Cancel(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    account: Account
    orders: tuple[VenueOrderId, ...]


class CancelAll(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    account: Account


class CancelMarket(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The account's orders of a market, of a token, or of both when both are given."""

    account: Account
    market: MarketId | None = None
    token: TokenId | None = None


class Beat(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The dead-man heartbeat: once begun, a pause of 10 s cancels every order of the account."""

    account: Account
    heartbeat: HeartbeatId = HeartbeatId("")


class RefreshBalances(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Have the exchange read the chain now instead of when its cache next does. No answer."""

    account: Account


class Redeem(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Turn the settled shares of a resolved market into cash."""

    account: Account
    market: MarketId


class Split(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Lock collateral for as many Up and as many Down shares."""

    account: Account
    market: MarketId
    shares: Shares


class Merge(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Give back as many Up and as many Down shares for their collateral."""

    account: Account
    market: MarketId
    shares: Shares


class Transfer(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Send shares to another account, for nothing and without the exchange: no trade tells of it. No answer."""

    account: Account
    to: Account
    token: TokenId
    shares: Shares


Request: TypeAlias = (
    Submit
    | Cancel
    | CancelAll
    | CancelMarket
    | Beat
    | RefreshBalances
    | Redeem
    | Split
    | Merge
    | Transfer
    | ListMarket
    | SetBook
    | ChangeLevels
    | PrintTrade
    | SetTick
    | CloseMarket
    | Resolve
    | Publish
    | Deposit
    | SetMode
    | SetRestriction
    | Restart
    | SetMishap
)


# --- answers -----------------------------------------------------------------------------------------------------


class OrderAccepted(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """`making` is what the order gave and `taking` what it got in matches, before fees, in base units."""

    at: Instant
    account: Account
    order: VenueOrderId
    status: OrderAnswer
    making: int = 0
    taking: int = 0
    trades: tuple[TradeId, ...] = ()


class OrderRejected(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """`http` is the status of a single post; `code` and `retry_after` (seconds) stand beside the text in the body."""

    at: Instant
    account: Account
    order: VenueOrderId
    http: int
    text: str
    code: str = ""
    retry_after: int | None = None


class CancelAnswered(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Which orders are gone, and for the others why not."""

    at: Instant
    account: Account
    canceled: tuple[VenueOrderId, ...]
    not_canceled: tuple[tuple[VenueOrderId, str], ...] = ()


class RequestRejected(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """A request other than an order that was refused whole."""

    at: Instant
    account: Account
    http: int
    text: str


class BeatAnswered(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """`heartbeat` is the id to send next, also when the one sent was wrong (`accepted` is False: HTTP 400)."""

    at: Instant
    account: Account
    accepted: bool
    heartbeat: HeartbeatId


class CashMoved(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The answer to `Redeem`, `Split` and `Merge`: what came in (negative: what was locked)."""

    at: Instant
    account: Account
    market: MarketId
    cash: Usd


# --- on the chain ---------------------------------------------------------------------------------------------------


class Income(StrEnum):
    """What a maker is paid for, in the venue's words."""

    REWARD = "REWARD"
    MAKER_REBATE = "MAKER_REBATE"


class MakerPaid(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """What an account earned on the UTC day that ends with `at`, over all markets. No stream tells it."""

    at: Instant
    account: Account
    income: Income
    cash: Usd


# --- user stream -------------------------------------------------------------------------------------------------


class OrderUpdated(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """`status` is the word of the wire: LIVE, MATCHED, CANCELED, CANCELED_MARKET_RESOLVED ..."""

    at: Instant
    account: Account
    change: OrderChange
    status: str
    order: OpenOrder


class TradeUpdated(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """One trade at one stage, as told to one of its two sides.

    `own` is that side's leg: its order, outcome, side, price, shares and fee. The wire shows the taker's on top and the
    maker's inside; both are in `trade`. An account that stands on both sides never happens.
    """

    at: Instant
    account: Account
    liquidity: Liquidity
    trade: Trade

    @property
    def own(self) -> Leg:
        return self.trade.taker if self.liquidity is Liquidity.TAKER else self.trade.maker


# --- public ------------------------------------------------------------------------------------------------------


class PublicBook(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """The whole published book, best first: background less what we took, plus our resting orders."""

    at: Instant
    market: MarketId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    tick: Price
    last_trade: Price | None = None


class PublicLevels(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Changed levels and the best prices that result; 0 is no bid and 1,000,000 no ask."""

    at: Instant
    market: MarketId
    changes: tuple[LevelChange, ...]
    best_bid: Price = Price(0)
    best_ask: Price = Price(MICRO)


class PublicTrade(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """A trade of others or of ours, in Up terms."""

    at: Instant
    market: MarketId
    price: Price
    size: Shares
    taker: Side | None


class PublicTick(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    at: Instant
    market: MarketId
    old: Price
    new: Price


class PublicClose(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    at: Instant
    market: MarketId


class PublicResolution(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    at: Instant
    market: MarketId
    up_payout: Usd


Answer: TypeAlias = OrderAccepted | OrderRejected | CancelAnswered | RequestRejected | BeatAnswered | CashMoved
Update: TypeAlias = OrderUpdated | TradeUpdated
Public: TypeAlias = PublicBook | PublicLevels | PublicTrade | PublicTick | PublicClose | PublicResolution
Output: TypeAlias = Answer | Update | Public | MakerPaid
