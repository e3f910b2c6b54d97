"""What a person asks a venue beside the trader: orders, trades, balances, a book. Reads only."""

from collections.abc import Iterable

from msgspec import Struct

from polystra.app.access import told
from polystra.core.errors import PolystraError
from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.terms import Side, TradeStage
from polystra.core.units import Price, Shares, Tick, Usd
from polystra.edge.polymarket.account_readings import OrderDetails
from polystra.edge.polymarket.account_wire import OrderRow
from polystra.edge.polymarket.catalogue import NotListed
from polystra.edge.polymarket.client import Client
from polystra.edge.polymarket.market_wire import MarketName, RestBook
from polystra.edge.polymarket.order_status import OrderStatus, absent_status, order_status
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.slugs import series_of
from polystra.edge.polymarket.wire import Fill, OpenOrder


class Unknown(PolystraError):
    """The venue knows no such market or order."""


class Label(Struct, frozen=True, gc=False):
    """The name of a market and of an outcome; None where the venue does not tell."""

    slug: str | None
    outcome: str | None


class LabelledOrder(Struct, frozen=True, gc=False):
    order: OpenOrder
    label: Label


class LabelledFill(Struct, frozen=True, gc=False):
    fill: Fill
    label: Label


class OrderStory(Struct, frozen=True, gc=False, kw_only=True):
    """One order. `row` is None once it is not live; `fills` are its trades at any stage, newest first."""

    id: VenueOrderId
    status: OrderStatus
    label: Label
    row: OrderRow | None
    fills: tuple[Fill, ...]


class LabelledShares(Struct, frozen=True, gc=False):
    token: TokenId
    label: Label
    shares: Shares


class Purse(Struct, frozen=True, gc=False):
    """What the venue believes the account has. `allowance` is None where it says nothing of that; `held` are the shares
    of each token that the account's trades left it with."""

    cash: Usd
    allowance: Usd | None
    held: tuple[LabelledShares, ...]


class MarketBook(Struct, frozen=True, gc=False):
    """The book of a window in terms of Up. Down's is its mirror."""

    market: Market
    tick: Tick
    book: RestBook

    @property
    def spread(self) -> Price | None:
        """None while a side is empty."""
        book = self.book
        return Price(book.asks[0][0] - book.bids[0][0]) if book.bids and book.asks else None


async def orders(client: Client) -> tuple[LabelledOrder, ...]:
    """Everything live under the API key. Raises `NoAnswer`."""
    names, found = _Names(client), told(await client.venue.open_orders())
    return tuple([LabelledOrder(one, await names.label(one.market, one.token)) for one in found])


async def order(client: Client, asked: VenueOrderId) -> OrderStory:
    """Raises `Unknown` for an order that is not live and never traded, and `NoAnswer`."""
    names, found = _Names(client), told(await client.account.order(asked))
    if isinstance(found, OrderDetails):
        row, fills = found.row, found.fills
        status = order_status(row.status, size=row.order.size, matched=row.order.matched, fills=fills)
        label = await names.label(row.order.market, row.order.token)
        return OrderStory(id=asked, status=status, label=label, row=row, fills=fills)
    fills = tuple(fill for fill in told(await client.venue.trades()) if fill.order == asked)
    if not fills:
        raise Unknown(f"order {asked}: the venue has no live order and no trade of it: it ended, or never arrived")
    label = await names.label(fills[0].market, fills[0].token)
    return OrderStory(id=asked, status=absent_status(fills, size=None), label=label, row=None, fills=fills)


async def trades(client: Client, slug: str | None) -> tuple[LabelledFill, ...]:
    """The account's part of every trade, or of those in one window, newest first. Raises `Unknown`, `NoAnswer`."""
    names = _Names(client)
    market = None if slug is None else (await window(client, slug)).id
    found = told(await client.venue.trades(market=market))
    return tuple([LabelledFill(one, await names.label(one.market, one.token)) for one in found])


async def purse(client: Client) -> Purse:
    """Raises `NoAnswer`."""
    names, fills = _Names(client), told(await client.venue.trades())
    tokens = _left_with(fills)
    balances = told(await client.venue.balances(tokens))
    held = [
        LabelledShares(token, await names.label(market, token), balances.shares[token])
        for token, market in tokens.items()
        if balances.shares[token]
    ]
    return Purse(balances.cash, balances.allowance, tuple(held))


async def book(client: Client, slug: str) -> MarketBook:
    """Raises `Unknown`, also for a window that takes no orders any more, and `NoAnswer`."""
    market = await window(client, slug)
    found = await client.public.book(market.up_token)
    if isinstance(found, ReadingFailed):
        state = await client.catalogue.state(slug)
        if not isinstance(state, NotListed | ReadingFailed) and not state.accepting:
            raise Unknown(f"{slug}: that window takes no orders any more, so that it has no book")
    return MarketBook(market, told(await client.public.tick(market.up_token)), told(found))


async def window(client: Client, slug: str) -> Market:
    """Raises `Unknown`, `NoAnswer`."""
    if series_of(slug) is None:
        raise Unknown(f"{slug[:80]}: that is no name of a window, such as btc-updown-15m-1790586000")
    found = await client.catalogue.market(slug)
    if isinstance(found, NotListed):
        raise Unknown(found.why)
    return told(found)


class _Names:
    """Names of markets, each asked for once. What is not told has none. Mutable."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[MarketId, MarketName | ReadingFailed] = {}

    async def label(self, market: MarketId, token: TokenId) -> Label:
        if market not in self._known:
            self._known[market] = await self._client.public.market_name(market)
        name = self._known[market]
        return Label(None, None) if isinstance(name, ReadingFailed) else Label(name.slug, name.outcomes.get(token))


def _left_with(fills: Iterable[Fill]) -> dict[TokenId, MarketId]:
    """The tokens of which more was bought than sold."""
    left: dict[TokenId, int] = {}
    markets: dict[TokenId, MarketId] = {}
    for fill in fills:
        if fill.stage is not TradeStage.FAILED:
            moved = fill.shares if fill.side is Side.BUY else -fill.shares
            left[fill.token] = left.get(fill.token, 0) + moved
            markets[fill.token] = fill.market
    return {token: markets[token] for token, shares in left.items() if shares > 0}
