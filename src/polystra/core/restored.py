"""Lists what the ledger remembers, in the forms in which it tells an engine that is asleep."""

from msgspec import Struct

from polystra.core.ids import MarketId, MergeId, OrderId, TradeId, VenueOrderId
from polystra.core.terms import Liquidity, OrderTerms, Outcome, TradeStage
from polystra.core.units import Instant, Price, Shares


class RestoredOrder(Struct, frozen=True, gc=False, kw_only=True):
    """An order as the ledger remembers it. Unless it had `ended`, nobody knows what became of it. `outside` is the
    venue's id of one that was not ours."""

    order: OrderId
    terms: OrderTerms
    decided_at: Instant
    ended: bool
    outside: VenueOrderId | None = None


class RestoredFill(Struct, frozen=True, gc=False, kw_only=True):
    order: OrderId
    trade: TradeId
    price: Price
    shares: Shares
    liquidity: Liquidity
    stage: TradeStage
    filled_at: Instant


class Memory(Struct, frozen=True, gc=False):
    """What a strategy asked to be told again, encoded by the strategy itself."""

    market: MarketId
    strategy: str
    value: bytes


class RestoredArming(Struct, frozen=True, gc=False):
    """Break-even protection of a holding was armed when so much of it had been bought."""

    market: MarketId
    outcome: Outcome
    bought: Shares


class RestoredAdjustment(Struct, frozen=True, gc=False, kw_only=True):
    """Shares written off `at` a moment, as the ledger remembers it: negative when they left."""

    market: MarketId
    outcome: Outcome
    shares: Shares
    at: Instant


class RestoredMerge(Struct, frozen=True, gc=False, kw_only=True):
    """Pairs that were merged `at` a moment, or may be on their way to be (`open`), as the ledger remembers it."""

    market: MarketId
    merge: MergeId
    pairs: Shares
    at: Instant
    open: bool
