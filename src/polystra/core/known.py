"""Keeps everything the engine knows, and answers questions about it. What changes it is in `knowledge`."""

from collections.abc import Iterable, Mapping

from polystra.core import events as ev
from polystra.core import lifecycle
from polystra.core import notes as nt
from polystra.core.account import Account
from polystra.core.audit import Audit
from polystra.core.desk import Desk
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.markets import Market, Series
from polystra.core.orders import Heard, Order
from polystra.core.readings import Readings
from polystra.core.rules import Rules
from polystra.core.standing import Standing
from polystra.core.strategy import Strategy
from polystra.core.treasury import Treasury
from polystra.core.underlying import Underlying
from polystra.core.units import Instant, Usd
from polystra.core.view import Surroundings


class Known:
    """Everything the engine knows. Mutable; only those that learn events change it.

    `stirred` maps each market to look at to whether its strategy must be asked; `read` are notifications that the
    venue may forget; `sweep` asks for every order to be cancelled. All, and `notes`, are emptied by the engine each
    time. `short_said_at` is when a person last heard that cash is short; `outside` has our numbers of orders that are
    not ours, `opened_at` is when the ledger's first balance was read.
    """

    def __init__(self, rules: Rules, strategies: Mapping[Series, Strategy], guardian: Strategy) -> None:
        self.rules = rules
        self.desks: dict[MarketId, Desk] = {}
        self._open: dict[MarketId, Desk] = {}
        self.market_of: dict[OrderId, MarketId] = {}
        self.outside: dict[VenueOrderId, OrderId] = {}
        self.opened_at = Instant(0)
        self.underlying = Underlying()
        self.readings = Readings(rules.reading_every, rules.drift_confirmed_after)
        self.state = ev.TradingState.ARMED
        self.awake = False
        self.treasury = Treasury()
        self.audit = Audit(rules.auto_adjust)
        self.standing = Standing(rules.max_clock_offset)
        self.next_order = OrderId(1)
        self.at = Instant(0)
        self.notes: list[nt.AnyNote] = []
        self.stirred: dict[MarketId, bool] = {}
        self.read: list[str] = []
        self.sweep = False
        self.short_said_at: Instant | None = None
        self._strategies = dict(strategies)
        self._guardian = guardian
        self._noticed: set[str] = set()

    @property
    def open_desks(self) -> Iterable[Desk]:
        """The desks of markets that are not settled yet."""
        return self._open.values()

    def close_desk(self, desk: Desk) -> None:
        """Its market is settled: from here on only late news of it is listened to."""
        self._open.pop(desk.market.id, None)

    @property
    def cash(self) -> Usd:
        return self.treasury.cash

    @property
    def account(self) -> Account:
        return self.treasury.account(self.open_desks, self.at)

    @property
    def why_no_entries(self) -> str | None:
        """Why nothing may be opened in any market, None when it may."""
        return self.standing.why_no_entries or self.readings.blind or self.audit.cash_trouble

    def surroundings(self, market: Market, free_cash: Usd) -> Surroundings:
        return Surroundings(
            references=self.underlying.references(market, self.at),
            candles=self.underlying.candles(market.series.asset),
            strike=self.underlying.strike(market),
            free_cash=free_cash,
        )

    def tell(self, order: OrderId, heard: Heard, cause: str = "") -> None:
        """An order was told something, and its market must be looked at again."""
        desk = self.desk_of(order)
        if desk is not None:
            self.notes.extend(lifecycle.told(desk, order, heard, self.at, cause))
            self.stir(desk.market.id, forced=True)

    def number(self, desk: Desk) -> OrderId:
        """A new order's number, of this desk from now on."""
        order, self.next_order = self.next_order, OrderId(self.next_order + 1)
        self.market_of[order] = desk.market.id
        return order

    def desk_of(self, order: OrderId) -> Desk | None:
        """The desk of an order of ours; None for one that nobody knows."""
        market = self.market_of.get(order)
        return None if market is None else self.desks[market]

    def order_of(self, order: OrderId) -> Order | None:
        desk = self.desk_of(order)
        return None if desk is None else desk.orders[order]

    def stood(self, notes: Iterable[nt.AnyNote]) -> None:
        """How we stand with the venue has changed when there is something to say about it."""
        before = len(self.notes)
        self.notes.extend(notes)
        if len(self.notes) > before:
            self.stir_all()

    def stir_all(self, asset: str | None = None) -> None:
        for desk in self.open_desks:
            if asset in (None, desk.market.series.asset):
                self.stir(desk.market.id, forced=True)

    def stir(self, market: MarketId, *, forced: bool) -> None:
        self.stirred[market] = forced or self.stirred.get(market, False)
