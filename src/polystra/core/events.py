"""Lists everything the engine may learn. Past tense, frozen, each with the moment `at` which we learned it.

Market data is in *Up terms*: the two outcomes of a market share one book (Up at 0.53 is Down at 0.47), so a bid for
Down arrives here as an ask for Up. Orders and fills are in the terms of their own outcome. `at` never decreases; times
of the venue (`venue_at`) are data. The journal stores these structures as they are. Those about orders are in
`order_events`.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from polystra.core.claims import ClaimStage
from polystra.core.event import Event
from polystra.core.ids import MarketId, MergeId, OrderId, VenueOrderId
from polystra.core.markets import Market, Payout, PriceSource
from polystra.core.notices import Notice
from polystra.core.order_events import (
    CancelOutcomeUnknown,
    CancelRefused,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderNotFound,
    OrderNotSent,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderReported,
    OutsideFilled,
    ScoringRead,
)
from polystra.core.restored import (
    Memory,
    RestoredAdjustment,
    RestoredArming,
    RestoredFill,
    RestoredMerge,
    RestoredOrder,
)
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, Nanos, Price, Shares, Tick, Usd


class Stream(StrEnum):
    MARKET = "market"
    USER = "user"
    PRICES = "prices"


class TradingState(StrEnum):
    """Armed trades; paused opens nothing; reduce-only places sells alone; stopped cancels all and places nothing."""

    ARMED = "armed"
    PAUSED = "paused"
    REDUCE_ONLY = "reduce-only"
    STOPPED = "stopped"


# --- markets and books -------------------------------------------------------------------------------------------

Level: TypeAlias = tuple[Price, Shares]


class MarketListed(Event, frozen=True, kw_only=True):
    """The catalogue knows a window, or knows it better than before."""

    market: Market


class BookSnapshot(Event, frozen=True, kw_only=True):
    """The whole book; both sides best first."""

    market: MarketId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    venue_at: Instant | None = None


class LevelChange(Struct, frozen=True, gc=False):
    """The new total size resting at one price; zero takes the level away."""

    side: Side
    price: Price
    size: Shares


class BookChanged(Event, frozen=True, kw_only=True):
    """Levels that changed together, with the best prices which the venue says result, where it says so."""

    market: MarketId
    changes: tuple[LevelChange, ...]
    best_bid: Price | None = None
    best_ask: Price | None = None
    venue_at: Instant | None = None


class BestQuoted(Event, frozen=True, kw_only=True):
    """Best prices without sizes. They inform, but nothing can be sized on them."""

    market: MarketId
    bid: Price
    ask: Price


class TradePrinted(Event, frozen=True, kw_only=True):
    """Somebody traded. `taker` is the side of the order that crossed, None where a recording does not say."""

    market: MarketId
    price: Price
    size: Shares
    taker: Side | None = None


class BookRead(Event, frozen=True, kw_only=True):
    """The whole book as it was asked for, while the stream's is not trusted; `venue_at` is its last change."""

    market: MarketId
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    venue_at: Instant


class TickSizeChanged(Event, frozen=True, kw_only=True):
    market: MarketId
    tick: Tick


class MarketClosed(Event, frozen=True, kw_only=True):
    """The market accepts no more orders."""

    market: MarketId


class MarketResolved(Event, frozen=True, kw_only=True):
    market: MarketId
    payout: Payout


# --- prices of the underlying ------------------------------------------------------------------------------------


class PricePrinted(Event, frozen=True, kw_only=True):
    """A price of the underlying in USD, millionths; `stamped_at` is the source's own time, which settlement goes by."""

    asset: str
    source: PriceSource
    value: int
    stamped_at: Instant


class Candle(Struct, frozen=True, gc=False, kw_only=True):
    """Prices in millionths of a USD, volumes in millionths of the asset; `taker_buy` is None where nobody says."""

    opened_at: Instant
    length: Nanos
    open: int
    high: int
    low: int
    close: int
    volume: int
    taker_buy: int | None = None


class CandleClosed(Event, frozen=True, kw_only=True):
    asset: str
    source: PriceSource
    candle: Candle


class OwnPrice(Struct, frozen=True, gc=False):
    """The middle of the Up book at a whole minute."""

    minute: Instant
    mid: Price


class HistoryLoaded(Event, frozen=True, kw_only=True):
    """What happened before we followed: the answer to `LoadHistory`. Empty means that nobody knows."""

    market: MarketId
    own_prices: tuple[OwnPrice, ...] = ()
    candles: tuple[Candle, ...] = ()
    prices: tuple[PricePrinted, ...] = ()


class HistoryFailed(Event, frozen=True, kw_only=True):
    market: MarketId
    why: str


# --- account, start and control ----------------------------------------------------------------------------------


class HeldShares(Struct, frozen=True, gc=False):
    market: MarketId
    outcome: Outcome
    shares: Shares


class SnapshotTaken(Event, frozen=True, kw_only=True):
    """One complete reading of our account at the venue, its pages all read.

    Every trade and live order of ours in it came before it as `OrderFilled` and `OrderReported`. `settled` lists only
    outcomes that we asked about or hold. `foreign` are live orders that no intent of ours explains. `allowance` is how
    much of our cash the exchange's contract may take, None where nobody says.
    """

    cash: Usd
    allowance: Usd | None = None
    settled: tuple[HeldShares, ...]
    live: tuple[OrderId, ...]
    foreign: tuple[VenueOrderId, ...] = ()


class SnapshotFailed(Event, frozen=True, kw_only=True):
    """A reading that failed or was incomplete. It is evidence of nothing."""

    why: str


class ClaimReported(Event, frozen=True, kw_only=True):
    """How far the redemption of a settled market is. `claim` is what we expect of it, `paid` what it brought."""

    market: MarketId
    stage: ClaimStage
    claim: Usd
    paid: Usd = Usd(0)
    why: str = ""


class MergeReported(Event, frozen=True, kw_only=True):
    """How far a merge of pairs is; once it is paid it has brought 1 USD a pair. `stepped_at` is the ledger's moment."""

    market: MarketId
    merge: MergeId
    stage: ClaimStage
    pairs: Shares
    stepped_at: Instant
    why: str = ""


class LedgerLoaded(Event, frozen=True, kw_only=True):
    """Everything the ledger knows that still matters, given to an engine that is asleep. `opened_at` is when its first
    balance was read: what was traded before is in that balance."""

    next_order: OrderId
    cash: Usd
    markets: tuple[Market, ...] = ()
    orders: tuple[RestoredOrder, ...] = ()
    fills: tuple[RestoredFill, ...] = ()
    adjustments: tuple[RestoredAdjustment, ...] = ()
    memories: tuple[Memory, ...] = ()
    realised_today: Usd = Usd(0)
    state: TradingState = TradingState.ARMED
    halted: tuple[MarketId, ...] = ()
    given_up: tuple[OrderId, ...] = ()
    armings: tuple[RestoredArming, ...] = ()
    redeemable: Usd = Usd(0)
    redeeming: tuple[MarketId, ...] = ()
    merges: tuple[RestoredMerge, ...] = ()
    opened_at: Instant = Instant(0)


class Started(Event, frozen=True, kw_only=True):
    """Ledger and venue agree, or their differences are booked: from here on the engine may command."""


class ClockCompared(Event, frozen=True, kw_only=True):
    """The venue told its time. `ahead` is how far the machine's clock is before it; `at` is corrected already."""

    ahead: Nanos


class GeoblockRead(Event, frozen=True, kw_only=True):
    """Whether the venue lets anybody trade from where we are, and where that is."""

    blocked: bool
    place: str


class NotificationsRead(Event, frozen=True, kw_only=True):
    """What the venue has noted for us since it was last told that we know. The same ones come again until then."""

    notices: tuple[Notice, ...]


class StreamLost(Event, frozen=True, kw_only=True):
    stream: Stream


class StreamRestored(Event, frozen=True, kw_only=True):
    """Connected again. What was missed is not replayed; the books wait for their snapshots."""

    stream: Stream


class FeedTroubled(Event, frozen=True, kw_only=True):
    """A stream has no connection, or said what nobody could use: a message was left out. `what` is in words."""

    stream: Stream
    what: str


class TradingStateSet(Event, frozen=True, kw_only=True):
    """A person, or the shell on a person's behalf, changed what the engine may do."""

    state: TradingState
    who: str
    why: str


class Woke(Event, frozen=True, kw_only=True):
    """The alarm the engine asked for."""


# fmt: off
AnyEvent: TypeAlias = (
    MarketListed | BookSnapshot | BookChanged | BestQuoted | BookRead | TradePrinted | TickSizeChanged
    | MarketClosed | MarketResolved
    | PricePrinted | CandleClosed | HistoryLoaded | HistoryFailed
    | OrderAccepted | OrderRefused | OrderOutcomeUnknown | OrderNotSent | OrderFilled | OrderCancelled | OrderExpired
    | CancelRefused | CancelOutcomeUnknown | OrderReported | OrderNotFound | ScoringRead | OutsideFilled
    | SnapshotTaken | SnapshotFailed | ClockCompared | GeoblockRead | NotificationsRead | ClaimReported
    | MergeReported | LedgerLoaded | Started | StreamLost | StreamRestored | FeedTroubled | TradingStateSet | Woke
)
# fmt: on
"""The closed list that the journal decodes and the engine dispatches on; a test holds it equal to both."""
