"""Lists everything a person should hear, which is also everything that the ledger keeps.

A note is returned when something *changed*, never once per cycle. The shell prints notes and records them; the core
does neither. The ledger writes orders, fills, decisions, adjustments and settlements from these and from the commands
of the same step, so what a person reads and what is stored cannot differ.
"""

from typing import TypeAlias

from msgspec import Struct

from polystra.core.claims import ClaimStage
from polystra.core.events import Stream, TradingState
from polystra.core.ids import MarketId, MergeId, OrderId, TradeId, VenueOrderId
from polystra.core.markets import Market, Payout, Score
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Side, Slot, TradeStage
from polystra.core.units import Instant, Nanos, Price, Shares, Usd


class Note(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Something that changed."""


class MarketFollowed(Note, frozen=True, kw_only=True):
    market: Market


class EntryDecided(Note, frozen=True, kw_only=True):
    """What the strategy made of a market: the numbers of SPEC X3, the action and its reason in plain words.

    `probability` is our estimate that `outcome` wins; `price` the price an entry would pay; `fee` per share; `edge` =
    probability - price - fee, all in millionths. None is unknown, never zero.
    """

    market: MarketId
    strategy: str
    action: str
    reason: str
    outcome: Outcome | None = None
    probability: int | None = None
    price: Price | None = None
    fee: Usd | None = None
    edge: int | None = None
    signals: tuple[tuple[str, float | None], ...] = ()


class EntryDenied(Note, frozen=True, kw_only=True):
    """Risk said no: which limit, the value that met it, and the limit."""

    market: MarketId
    outcome: Outcome
    limit: str
    value: str
    allowed: str


class EntryGivenUp(Note, frozen=True, kw_only=True):
    """A resting entry is not wanted any more, since it is too old or its token's price fell: the slot is done for this
    window. `age` since it was decided; `change` of the token's price since then, in millionths, None where unknown."""

    market: MarketId
    order: OrderId
    outcome: Outcome
    why: str
    age: Nanos
    change: int | None


class EntryRetried(Note, frozen=True, kw_only=True):
    """An entry that rested too long was tried again at the market, once: `second` stands for `first`."""

    market: MarketId
    first: OrderId
    second: OrderId


class OrderMoved(Note, frozen=True, kw_only=True):
    """A step in an order's life; `before` is empty at its birth."""

    order: OrderId
    market: MarketId
    before: str
    after: str
    cause: str = ""


class FillBooked(Note, frozen=True, kw_only=True):
    """A fill that counts, once, with what it cost. `cash` is signed: negative paid, positive received, fee included."""

    order: OrderId
    trade: TradeId
    market: MarketId
    outcome: Outcome
    side: Side
    price: Price
    shares: Shares
    liquidity: Liquidity
    stage: TradeStage
    fee_usd: Usd
    fee_shares: Shares
    cash: Usd
    late: bool = False


class TradeStageMoved(Note, frozen=True, kw_only=True):
    order: OrderId
    trade: TradeId
    stage: TradeStage


class SlotSuspended(Note, frozen=True, kw_only=True):
    """A place where nothing is tried for a while, and why."""

    slot: Slot
    cause: str
    until: Instant | None


class ExitUncovered(Note, frozen=True, kw_only=True):
    """Shares that no exit covers, and why; what the ledger and the venue's balance show of them, how old they are, and
    how long it will be so, None where that depends on news."""

    market: MarketId
    outcome: Outcome
    shares: Shares
    why: str
    ledger: Shares = Shares(0)
    wallet: Shares = Shares(0)
    age: Nanos | None = None
    left: Nanos | None = None


class StopTriggered(Note, frozen=True, kw_only=True):
    market: MarketId
    outcome: Outcome
    bid: Price
    level: Price
    shares: Shares


class BookDistrusted(Note, frozen=True, kw_only=True):
    market: MarketId
    why: str


class MarketHalted(Note, frozen=True, kw_only=True):
    """No more entries here until a person looked."""

    market: MarketId
    why: str


class DriftFound(Note, frozen=True, kw_only=True):
    """Ledger and venue differ and no fill explains it. `subject` is `cash` or an outcome of `market`."""

    subject: str
    market: MarketId | None
    ledger: int
    venue: int
    why: str


class DriftGone(Note, frozen=True, kw_only=True):
    """Cash that differed is the same again at ledger and venue, with nothing on its way: entries go on."""

    cash: Usd


class AdjustmentBooked(Note, frozen=True, kw_only=True):
    """The ledger was moved to what the venue shows: cause, before, after."""

    market: MarketId
    outcome: Outcome
    cause: str
    before: Shares
    after: Shares


class ForeignOrderSeen(Note, frozen=True, kw_only=True):
    """A live order at the venue that no intent of ours explains. It is left alone."""

    venue_order: VenueOrderId


class OutsideOrderSeen(Note, frozen=True, kw_only=True):
    """An order of the account that is not ours has traded, for the first time; from here on it has a number of ours.
    `terms` say of its price and size what that first trade says."""

    order: OrderId
    venue_order: VenueOrderId
    market: MarketId
    terms: OrderTerms
    traded_at: Instant


class OpeningCorrected(Note, frozen=True, kw_only=True):
    """A trade from before the first balance was read: that balance has its cash already, so what its fill moves comes
    back as `amount`, which is negative for a sale."""

    market: MarketId
    trade: TradeId
    amount: Usd


class MarketSettled(Note, frozen=True, kw_only=True):
    """A window is over. `pnl` is everything it brought; `redeemable` waits to be claimed and is not cash."""

    market: MarketId
    payout: Payout
    up_shares: Shares
    down_shares: Shares
    redeemable: Usd
    pnl: Usd


class ClaimMoved(Note, frozen=True, kw_only=True):
    """A claim is on its way to become cash, is cash (`paid`), or could not be redeemed."""

    market: MarketId
    stage: ClaimStage
    claim: Usd
    paid: Usd
    why: str


class BreakEvenArmed(Note, frozen=True, kw_only=True):
    """The bid was far enough above the entry: from now on the holding is not to end in a loss. `bought` names it."""

    market: MarketId
    outcome: Outcome
    bought: Shares
    bid: Price | None


class MergeMoved(Note, frozen=True, kw_only=True):
    """Pairs are on their way to become cash, are cash (`paid`), or could not be merged."""

    market: MarketId
    merge: MergeId
    stage: ClaimStage
    pairs: Shares
    why: str


class MemoryKept(Note, frozen=True, kw_only=True):
    market: MarketId
    strategy: str
    value: bytes


class StateChanged(Note, frozen=True, kw_only=True):
    before: TradingState
    after: TradingState
    who: str
    why: str


class VenueModeChanged(Note, frozen=True, kw_only=True):
    """The venue takes less than everything, or everything again. `until` is when we find out anew."""

    before: str
    after: str
    until: Instant | None = None


class ClockDrifted(Note, frozen=True, kw_only=True):
    """The machine's clock is too far from the venue's to trade by: entries wait. With `over`, it is near again."""

    ahead: Nanos
    over: bool = False


class PositionUnpriced(Note, frozen=True, kw_only=True):
    """Neither the stream nor the venue, when it is asked, tells a price for what is held here: no stop can hold."""

    market: MarketId
    since: Instant


class PositionWatched(Note, frozen=True, kw_only=True):
    """How a position stands, once a minute. No step has it, so no journal. `entry` is the price of a share, `pnl` what
    a sale at the `bid` would bring before fees; None where nobody can say. `exit` in plain words; `score` is whether
    the target earns rewards, None while that is not watched or no target rests."""

    market: MarketId
    outcome: Outcome
    shares: Shares
    entry: Price | None
    bid: Price | None
    pnl: Usd | None
    exit: str
    score: Score | None = None


class ScoreSeen(Note, frozen=True, kw_only=True):
    """Whether an exit earns rewards has changed, by the venue's word."""

    order: OrderId
    market: MarketId
    score: Score


class RewardMoved(Note, frozen=True, kw_only=True):
    """An exit that did not score rests at another price now, as `order`. `conceded` is what a sale there brings less
    than one at `before`, negative where it brings more; `estimate` what the place was thought to earn until the
    window's end, None where nobody can say."""

    order: OrderId
    market: MarketId
    outcome: Outcome
    before: Price
    after: Price
    shares: Shares
    conceded: Usd
    estimate: Usd | None


class EquityWatched(Note, frozen=True, kw_only=True):
    """What everything is worth, once a minute while something is held: `cash`, what is held at its bids, what of it has
    none at what it cost, and what can be redeemed. Of all that only `free` can be spent."""

    cash: Usd
    at_bid: Usd
    at_cost: Usd
    redeemable: Usd
    free: Usd


class CashShort(Note, frozen=True, kw_only=True):
    """An entry was denied for want of `free` cash that `redeemable` would be. Once an hour."""

    free: Usd
    redeemable: Usd


class FeedTroubled(Note, frozen=True, kw_only=True):
    """A stream has no connection, or said what nobody could use. Who is to decide by it hears so elsewhere."""

    stream: Stream
    what: str


class ReadingFailed(Note, frozen=True, kw_only=True):
    """A reading of the venue failed: entries wait until one succeeds."""

    why: str


AnyNote: TypeAlias = (
    MarketFollowed
    | EntryDecided
    | EntryDenied
    | EntryGivenUp
    | EntryRetried
    | OrderMoved
    | FillBooked
    | TradeStageMoved
    | SlotSuspended
    | ExitUncovered
    | StopTriggered
    | BreakEvenArmed
    | BookDistrusted
    | MarketHalted
    | DriftFound
    | DriftGone
    | AdjustmentBooked
    | ForeignOrderSeen
    | OutsideOrderSeen
    | OpeningCorrected
    | MarketSettled
    | ClaimMoved
    | MergeMoved
    | MemoryKept
    | StateChanged
    | ReadingFailed
    | VenueModeChanged
    | ClockDrifted
    | PositionUnpriced
    | PositionWatched
    | EquityWatched
    | CashShort
    | FeedTroubled
    | ScoreSeen
    | RewardMoved
)
