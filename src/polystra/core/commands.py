"""Lists everything the engine may ask of the world. Imperative, frozen; answers come back as events."""

from typing import TypeAlias

from msgspec import Struct

from polystra.core.ids import MarketId, OrderId
from polystra.core.terms import OrderTerms


class Command(Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """Something we want done."""


class PlaceOrder(Command, frozen=True, kw_only=True):
    """Sign it, record the intent, send it once."""

    order: OrderId
    terms: OrderTerms


class CancelOrder(Command, frozen=True, kw_only=True):
    order: OrderId


class CancelMarket(Command, frozen=True, kw_only=True):
    """Every live order of the account in this market, also those we do not know."""

    market: MarketId


class ResendOrder(Command, frozen=True, kw_only=True):
    """Send the same bytes of an order again that the venue does not know: it refuses what it has already."""

    order: OrderId


class DropNotifications(Command, frozen=True, kw_only=True):
    """Tell the venue that these were read."""

    ids: tuple[str, ...]


class ReadBook(Command, frozen=True, kw_only=True):
    """Ask for a market's book, while the stream's cannot be trusted."""

    market: MarketId


class CancelAll(Command, frozen=True, kw_only=True):
    """Every live order of the account, also those we do not know."""


class QueryOrder(Command, frozen=True, kw_only=True):
    """Ask the venue what became of one order."""

    order: OrderId


class TakeSnapshot(Command, frozen=True, kw_only=True):
    """Read live orders, trades and balances, and report them as one `SnapshotTaken`."""


class Follow(Command, frozen=True, kw_only=True):
    """Stream this market's book."""

    market: MarketId


class Unfollow(Command, frozen=True, kw_only=True):
    market: MarketId


class ReadScoring(Command, frozen=True, kw_only=True):
    """Ask whether an order earns rewards as it rests."""

    order: OrderId


class LoadHistory(Command, frozen=True, kw_only=True):
    """What a strategy needs to know about the time before we followed."""

    market: MarketId


AnyCommand: TypeAlias = (
    PlaceOrder
    | ResendOrder
    | CancelOrder
    | CancelMarket
    | CancelAll
    | QueryOrder
    | TakeSnapshot
    | DropNotifications
    | Follow
    | Unfollow
    | ReadBook
    | LoadHistory
    | ReadScoring
)
