"""Lists what the engine may learn of orders and fills, in the terms of their own outcome. Part of `events`."""

from polystra.core.event import Event
from polystra.core.ids import MarketId, OrderId, TradeId, VenueOrderId
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import Instant, Nanos, Price, Shares, Usd


class OrderAccepted(Event, frozen=True, kw_only=True):
    """The venue took the order. What it matched at once is provisional until the trades arrive.

    `rests` is False for an immediate order: whatever it did not match is gone.
    """

    order: OrderId
    rests: bool
    matched: Shares = Shares(0)
    paid: Usd = Usd(0)


class OrderRefused(Event, frozen=True, kw_only=True):
    """The venue said no, and we know it. `retry_after` is how long it wants to be left alone, where it says."""

    order: OrderId
    reason: RefusalReason
    text: str
    retry_after: Nanos | None = None


class OrderOutcomeUnknown(Event, frozen=True, kw_only=True):
    """No answer, or one that proves nothing: the order may rest, may have traded, may never have arrived."""

    order: OrderId
    why: str


class OrderNotSent(Event, frozen=True, kw_only=True):
    """It could not be signed or recorded, so not a byte left."""

    order: OrderId
    why: str


class OrderFilled(Event, frozen=True, kw_only=True):
    """A trade of our order, repeated at each stage of its settlement. The same trade counts once."""

    order: OrderId
    trade: TradeId
    price: Price
    shares: Shares
    liquidity: Liquidity
    stage: TradeStage
    traded_at: Instant | None = None


class OutsideFilled(Event, frozen=True, kw_only=True):
    """A trade of the account by an order that is not ours, repeated at each stage of its settlement."""

    venue_order: VenueOrderId
    market: MarketId
    outcome: Outcome
    side: Side
    trade: TradeId
    price: Price
    shares: Shares
    liquidity: Liquidity
    stage: TradeStage
    traded_at: Instant


class OrderCancelled(Event, frozen=True, kw_only=True):
    """The order is gone; `matched` is what it had traded, where the venue says."""

    order: OrderId
    reason: CancelReason
    matched: Shares | None = None


class OrderExpired(Event, frozen=True, kw_only=True):
    order: OrderId


class CancelRefused(Event, frozen=True, kw_only=True):
    """The venue found nothing to cancel. A question, not a success: the order may have been filled."""

    order: OrderId
    text: str


class CancelOutcomeUnknown(Event, frozen=True, kw_only=True):
    order: OrderId
    why: str


class OrderReported(Event, frozen=True, kw_only=True):
    """The venue's own record of a live order, from a listing or a question."""

    order: OrderId
    matched: Shares


class ScoringRead(Event, frozen=True, kw_only=True):
    """Whether an order earned rewards when the venue was asked; None: it did not answer."""

    order: OrderId
    scoring: bool | None


class OrderNotFound(Event, frozen=True, kw_only=True):
    """The venue has no live order of this id: ended, or never arrived."""

    order: OrderId
