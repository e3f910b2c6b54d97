"""What a simulated venue answers when it is asked, in the forms in which a client reads it."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from polystra.app.translation import fill_of, live_order, rewarded
from polystra.core.events import OwnPrice
from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.markets import Market, Payout
from polystra.core.units import Instant, Tick
from polystra.edge.polymarket.venue import UNLIMITED, AccountReading, Balances, NoSuchOrder, OrderFate
from polystra.edge.polymarket.wire import SECOND, Fill
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.records import Account


class End(Struct, frozen=True):
    """How far a market is on its way to its payout, which is None until it is certain."""

    accepting: bool
    payout: Payout | None


class Readings:
    """Questions about one exchange, and about one account of it. Mutable: it must be told what is listed and said."""

    def __init__(self, exchange: Exchange, account: Account) -> None:
        self._exchange = exchange
        self._account = account
        self._by_slug: dict[str, Market] = {}
        self._changed_at: dict[MarketId, Instant] = {}
        self._closed: set[MarketId] = set()
        self._payouts: dict[MarketId, Payout] = {}

    def listed(self, market: Market) -> None:
        self._by_slug.setdefault(market.slug, market)

    def said(self, output: sim.Public) -> None:
        match output:
            case sim.PublicBook() | sim.PublicLevels() | sim.PublicTrade():
                self._changed_at[output.market] = output.at
            case sim.PublicClose():
                self._closed.add(output.market)
            case sim.PublicResolution():
                self._payouts[output.market] = Payout(output.up_payout)
            case _:
                pass

    # --- markets

    def named(self, slug: str) -> Market | None:
        return self._by_slug.get(slug)

    def terms(self, market: Market) -> Market:
        """As it is traded now, on its present grid, and rewarded."""
        return replace(market, tick=Tick(self._exchange.book(market.id).tick), rewards=rewarded(market))

    def end(self, market: MarketId) -> End:
        return End(market not in self._closed, self._payouts.get(market))

    def book(self, market: MarketId) -> sim.PublicBook:
        """As it stands, stamped with its last change."""
        book = self._exchange.book(market)
        return sim.PublicBook(
            at=self._changed_at[market],
            market=market,
            bids=book.bids,
            asks=book.asks,
            tick=book.tick,
            last_trade=book.last_trade,
        )

    def history(self, market: MarketId, since: Instant, now: Instant) -> tuple[OwnPrice, ...]:
        """The middle of the book at each whole minute."""
        return tuple(OwnPrice(at, middle) for at, middle in self._exchange.history(market, now) if at >= since)

    # --- the account

    def account(self, tokens: Iterable[TokenId], since: Instant | None) -> AccountReading:
        """With the trades that were matched in the second of `since` or later; None for all."""
        balances = self._exchange.balances(self._account)
        return AccountReading(
            orders=tuple(live_order(order) for order in self._exchange.open_orders(self._account)),
            trades=self._fills(since),
            balances=Balances(balances.cash, {token: balances.of(token) for token in tokens}, UNLIMITED),
        )

    def fate(self, order: VenueOrderId) -> OrderFate:
        found = self._exchange.order(order)
        return OrderFate(
            order=NoSuchOrder(order) if found is None else live_order(found),
            trades=tuple(fill for fill in self._fills(None) if fill.order == order),
        )

    def scores(self, order: VenueOrderId, now: Instant) -> bool:
        """By the same rules as the exchange behind the wire."""
        return self._exchange.scores(order, now)

    def _fills(self, since: Instant | None) -> tuple[Fill, ...]:
        """Newest first."""
        second = 0 if since is None else since // SECOND
        trades = self._exchange.trades(self._account)
        return tuple(fill_of(one, self._account) for one in trades if one.matched_at // SECOND >= second)
