"""What a ledger answers: one structure for each kind of line in a report. All amounts are whole millionths."""

from msgspec import Struct

from polystra.core.ids import MarketId, OrderId, TradeId, VenueOrderId
from polystra.core.markets import Score
from polystra.core.terms import Liquidity, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Price, Shares, Usd


class Run(Struct, frozen=True, kw_only=True):
    """`ended_at` is None for a run that goes on or was killed."""

    id: int
    started_at: Instant
    mode: str
    version: str
    strategy: str
    seed: int
    settings_digest: str
    strategy_digest: str
    calibration_digest: str
    tape_digest: str
    journal: str
    ended_at: Instant | None
    journal_sha256: str | None


class Decision(Struct, frozen=True, kw_only=True):
    """What a strategy made of a market: `probability` and `edge` in millionths, `signals` from -1 to 1 or unknown."""

    at: Instant
    strategy: str
    action: str
    reason: str
    outcome: Outcome | None
    probability: int | None
    price: Price | None
    fee: Usd | None
    edge: int | None
    signals: dict[str, float | None]


class Rewards(Struct, frozen=True, kw_only=True):
    """What is known of liquidity rewards. `scores` is the venue's last word of each exit it was asked about; `conceded`
    what the moved exits would bring less, filled whole where they rest now. `estimate` is what they were thought to
    earn, None where nobody could say it of one of them. What the venue pays is not booked."""

    scores: tuple[tuple[Score, int], ...]
    moves: int
    conceded: Usd
    estimate: Usd | None


class Denial(Struct, frozen=True):
    at: Instant
    market: MarketId
    outcome: Outcome
    limit: str
    value: str
    allowed: str


class OrderStep(Struct, frozen=True):
    at: Instant
    before: str
    after: str
    cause: str


class OrderLine(Struct, frozen=True, kw_only=True):
    """An intent, what traded of it (failed trades not counted) and its life; `state` is the last step's."""

    order: OrderId
    venue_order: VenueOrderId | None
    market: MarketId
    outcome: Outcome
    side: Side
    purpose: Purpose
    price: Price
    shares: Shares
    time_in_force: TimeInForce
    post_only: bool
    decided_at: Instant
    filled: Shares
    state: str
    steps: tuple[OrderStep, ...]


class FillLine(Struct, frozen=True, kw_only=True):
    """A fill with its latest stage; one that FAILED is listed and counts nowhere. `cash` is signed, fee included."""

    trade: TradeId
    order: OrderId
    at: Instant
    market: MarketId
    outcome: Outcome
    side: Side
    price: Price
    shares: Shares
    liquidity: Liquidity
    fee: Usd
    fee_shares: Shares
    cash: Usd
    late: bool
    stage: TradeStage


class Position(Struct, frozen=True, kw_only=True):
    """One outcome of a market: `shares` = bought - sold + adjusted - merged; `paid` and `received` have the
    fees in them."""

    market: MarketId
    outcome: Outcome
    shares: Shares
    bought: Shares
    sold: Shares
    adjusted: Shares
    merged: Shares
    paid: Usd
    received: Usd
    fee: Usd


class Window(Struct, frozen=True, kw_only=True):
    """One market in a line. `decision` is the last one before its first order, or simply the last.

    `merged` is what pairs brought that were merged. `pnl` = cash of its fills + `merged` + `redeemable`; None until
    it has settled.
    """

    market: MarketId
    slug: str
    asset: str
    start: Instant
    end: Instant
    assumptions: tuple[str, ...]
    decisions: int
    denials: int
    decision: Decision | None
    orders: int
    fills: int
    fees: Usd
    cash: Usd
    merged: Usd
    settled_at: Instant | None
    payout_up: Usd | None
    redeemable: Usd
    pnl: Usd | None


class Totals(Struct, frozen=True, kw_only=True):
    """`cash` = `deposited` + `traded` + `redeemed` + `merged`.

    `redeemable` waits to be claimed and is not cash; `realised` is the profit of the settled markets.
    """

    cash: Usd
    deposited: Usd
    traded: Usd
    redeemed: Usd
    merged: Usd
    redeemable: Usd
    fees: Usd
    realised: Usd
    orders: int
    fills: int
    windows: int
    settled: int


class Transition(Struct, frozen=True, kw_only=True):
    """A change of what the trader may do (`TradingState`), by whom and why."""

    at: Instant
    before: str
    after: str
    who: str
    why: str


class ActionCount(Struct, frozen=True):
    """How often a strategy took an action for a reason."""

    strategy: str
    action: str
    reason: str
    count: int
