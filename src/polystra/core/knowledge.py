"""Learns events: what is. One method per kind of event, found by its type.

Learning changes desks, the underlying and the account, notes what changed, and names the markets that must be looked
at again. What to do about it is decided in `engine`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, assert_never

from polystra.core import events as ev
from polystra.core import lifecycle
from polystra.core import notes as nt
from polystra.core.account import Account
from polystra.core.desk import Desk
from polystra.core.errors import ContradictoryFacts
from polystra.core.ids import MarketId, OrderId
from polystra.core.markets import Market, Series
from polystra.core.orders import Heard, Order, OrderState
from polystra.core.readings import Readings
from polystra.core.reconcile import RECENT, CashDrift, Finding, LiveThere, MissingThere, ShareDrift, UnknownToUs
from polystra.core.rules import Rules
from polystra.core.strategy import Strategy, Wake
from polystra.core.treasury import Treasury
from polystra.core.underlying import Underlying
from polystra.core.units import Instant, Usd
from polystra.core.view import Surroundings

_DOUBTS = {
    ev.OrderOutcomeUnknown: Heard.NO_ANSWER,
    ev.OrderNotSent: Heard.NOT_SENT,
    ev.CancelOutcomeUnknown: Heard.CANCEL_DOUBTED,
}


class Knowledge:
    """Everything the engine knows. Mutable; changed by `learn` alone.

    `stirred` maps each market to look at to whether its strategy must be asked; `missing` are live orders that
    the venue did not list, `revenants` ended ones that it did. All, and `notes`, are emptied by the engine each time.
    """

    def __init__(self, rules: Rules, strategies: Mapping[Series, Strategy], guardian: Strategy) -> None:
        self.rules = rules
        self.desks: dict[MarketId, Desk] = {}
        self._open: dict[MarketId, Desk] = {}
        self.market_of: dict[OrderId, MarketId] = {}
        self.underlying = Underlying()
        self.readings = Readings(rules.reading_every, rules.drift_confirmed_after)
        self.state = ev.TradingState.ARMED
        self.awake = False
        self.treasury = Treasury()
        self.cash_trouble: str | None = None
        self.next_order = OrderId(1)
        self.at = Instant(0)
        self.notes: list[nt.AnyNote] = []
        self.stirred: dict[MarketId, bool] = {}
        self.missing: list[OrderId] = []
        self.revenants: list[OrderId] = []
        self._strategies = dict(strategies)
        self._guardian = guardian
        self._told: set[Finding] = set()
        self.on = self._methods()

    def _methods(self) -> dict[type, Callable[[Any], None]]:
        """Which method learns which kind of event."""
        return {
            ev.MarketListed: self._market_listed,
            ev.BookSnapshot: self._book_snapshot,
            ev.BookChanged: self._book_changed,
            ev.BestQuoted: self._best_quoted,
            ev.TradePrinted: self._trade_printed,
            ev.TickSizeChanged: self._tick_size_changed,
            ev.MarketClosed: self._market_closed,
            ev.MarketResolved: self._market_resolved,
            ev.PricePrinted: self._price_printed,
            ev.CandleClosed: self._candle_closed,
            ev.HistoryLoaded: self._history_loaded,
            ev.HistoryFailed: self._history_failed,
            ev.OrderAccepted: self._order_accepted,
            ev.OrderRefused: self._order_refused,
            ev.OrderOutcomeUnknown: self._order_doubted,
            ev.OrderNotSent: self._order_doubted,
            ev.OrderFilled: self._order_filled,
            ev.OrderCancelled: self._order_cancelled,
            ev.OrderExpired: self._order_expired,
            ev.CancelRefused: self._cancel_refused,
            ev.CancelOutcomeUnknown: self._order_doubted,
            ev.OrderReported: self._order_reported,
            ev.OrderNotFound: self._order_not_found,
            ev.SnapshotTaken: self._snapshot_taken,
            ev.SnapshotFailed: self._snapshot_failed,
            ev.LedgerLoaded: self._ledger_loaded,
            ev.Started: self._started,
            ev.StreamLost: self._stream_lost,
            ev.StreamRestored: self._stream_restored,
            ev.TradingStateSet: self._trading_state_set,
            ev.Woke: self._woke,
        }

    def learn(self, event: ev.AnyEvent) -> None:
        self.at = event.at
        self.on[type(event)](event)

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

    def surroundings(self, market: Market, free_cash: Usd) -> Surroundings:
        return Surroundings(
            references=self.underlying.references(market, self.at),
            candles=self.underlying.candles(market.series.asset),
            strike=self.underlying.strike(market),
            free_cash=free_cash,
        )

    # --- markets and books -----------------------------------------------------------------------------------------

    def _market_listed(self, event: ev.MarketListed) -> None:
        self._open_desk(event.market, self._strategies.get(event.market.series))

    def _open_desk(self, market: Market, strategy: Strategy | None) -> None:
        known = self.desks.get(market.id)
        if known is not None:
            if (known.market.up_token, known.market.down_token) != (market.up_token, market.down_token):
                raise ContradictoryFacts(f"market {market.id} was listed with other tokens before: {market.slug}")
            return
        if strategy is None:
            return
        desk = Desk(market, strategy, self.rules.book_patience)
        self.desks[market.id] = self._open[market.id] = desk
        self.notes.append(nt.MarketFollowed(market=market))
        self._stir(market.id, forced=True)

    def _book_snapshot(self, event: ev.BookSnapshot) -> None:
        desk = self._desk_before_change(event.market)
        if desk is not None:
            desk.book.replace(event.bids, event.asks, event.at)
            self._book_moved(desk)

    def _book_changed(self, event: ev.BookChanged) -> None:
        desk = self._desk_before_change(event.market)
        if desk is not None:
            desk.book.change(event)
            self._book_moved(desk)

    def _best_quoted(self, event: ev.BestQuoted) -> None:
        desk = self._desk_before_change(event.market)
        if desk is not None:
            desk.book.quote(event.bid, event.ask, event.at)
            self._book_moved(desk)

    def _trade_printed(self, event: ev.TradePrinted) -> None:
        desk = self.desks.get(event.market)
        if desk is not None and desk.wakes_on(Wake.TRADE):
            self._stir(event.market, forced=True)

    def _tick_size_changed(self, event: ev.TickSizeChanged) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.retick(event.tick)
            self._stir(event.market, forced=True)

    def _market_closed(self, event: ev.MarketClosed) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.closed = True
            self._stir(event.market, forced=True)

    def _market_resolved(self, event: ev.MarketResolved) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.closed, desk.payout = True, event.payout
            self._stir(event.market, forced=True)

    def _desk_before_change(self, market: MarketId) -> Desk | None:
        """The desk whose book is about to change, its own price of the minute written from the book as it still is."""
        desk = self.desks.get(market)
        if desk is not None and desk.close_minute(self.at):
            self._stir(market, forced=True)
        return desk

    def _book_moved(self, desk: Desk) -> None:
        if desk.wakes_on(Wake.LEVEL_MOVED):
            self._stir(desk.market.id, forced=True)
        elif desk.is_due(self.at):
            self._stir(desk.market.id, forced=False)

    # --- the underlying --------------------------------------------------------------------------------------------

    def _price_printed(self, event: ev.PricePrinted) -> None:
        self.underlying.add(event)
        for desk in self.open_desks:
            if desk.market.series.asset != event.asset:
                continue
            if desk.wakes_on(Wake.ORACLE_TICK) or self._tells_strike(event, desk.market):
                self._stir(desk.market.id, forced=True)
            elif not desk.wait.spot_holds(self.underlying.settlement_price(desk.market)):
                self._stir(desk.market.id, forced=False)

    def _tells_strike(self, event: ev.PricePrinted, market: Market) -> bool:
        """A price stamped with the window's start is its price to beat, whatever the price is now."""
        return event.source is market.settlement and event.stamped_at == market.start

    def _candle_closed(self, event: ev.CandleClosed) -> None:
        self.underlying.add_candle(event.asset, event.candle)
        self._stir_all(event.asset)

    def _history_loaded(self, event: ev.HistoryLoaded) -> None:
        desk = self.desks.get(event.market)
        if desk is None:
            return
        desk.minutes.backfill(event.own_prices)
        self.underlying.add_history(desk.market.series.asset, event)
        self._stir(event.market, forced=True)

    def _history_failed(self, event: ev.HistoryFailed) -> None:
        self.notes.append(nt.ReadingFailed(why=f"history of {event.market}: {event.why}"))

    # --- orders ----------------------------------------------------------------------------------------------------

    def _order_accepted(self, event: ev.OrderAccepted) -> None:
        desk = self._desk_of(event.order)
        if desk is not None:
            whole = lifecycle.answered(desk, event.order, event.matched, event.paid)
            self._tell(event.order, Heard.FILLED if whole else Heard.RESTS if event.rests else Heard.KILLED)

    def _order_refused(self, event: ev.OrderRefused) -> None:
        """A duplicate is refused because its twin, the same bytes, is there already (SPEC 1)."""
        duplicated = event.reason is ev.RefusalReason.DUPLICATED
        self._tell(event.order, Heard.NO_ANSWER if duplicated else Heard.REFUSED, event.reason)

    def _order_doubted(self, event: ev.OrderOutcomeUnknown | ev.OrderNotSent | ev.CancelOutcomeUnknown) -> None:
        self._tell(event.order, _DOUBTS[type(event)], event.why)

    def _order_filled(self, event: ev.OrderFilled) -> None:
        desk = self._desk_of(event.order)
        if desk is None:
            return
        before, order = desk.position, desk.orders[event.order]
        self.notes.extend(lifecycle.booked(desk, event))
        self.treasury.move(lifecycle.cash_of(desk.orders[event.order]) - lifecycle.cash_of(order))
        self.treasury.realise(desk.position.realised - before.realised, event.at)
        if event.stage.settled:
            desk.lift(ev.RefusalReason.NOT_ENOUGH_BALANCE)
            if desk.awaits_shares and order.fills != desk.orders[event.order].fills:
                self.readings.await_shares(event.at)
        self._stir(desk.market.id, forced=True)

    def _order_cancelled(self, event: ev.OrderCancelled) -> None:
        """The user stream may say that a market is resolved before the market stream does."""
        desk = self._desk_of(event.order)
        if desk is not None:
            desk.closed = desk.closed or event.reason is ev.CancelReason.MARKET_RESOLVED
            lifecycle.cancelled(desk, event.order, event.matched)
        self._tell(event.order, Heard.CANCELLED, event.reason)

    def _order_expired(self, event: ev.OrderExpired) -> None:
        self._tell(event.order, Heard.EXPIRED)

    def _cancel_refused(self, event: ev.CancelRefused) -> None:
        self._tell(event.order, Heard.CANCEL_DOUBTED, event.text)

    def _order_reported(self, event: ev.OrderReported) -> None:
        """The venue lists it as live. A cancel still under way is not disproved by a listing that overlapped it."""
        order = self._order_of(event.order)
        if order is not None and (order.state is not OrderState.CANCELLING or order.cancel_doubted):
            self._tell(event.order, Heard.SEEN_LIVE)

    def _order_not_found(self, event: ev.OrderNotFound) -> None:
        """Its trades came before this answer. Too young, or never heard of, it may still arrive: ask again later."""
        order = self._order_of(event.order)
        if order is None or not order.live:
            return
        in_doubt = order.state in (OrderState.UNKNOWN, OrderState.SUBMITTING)
        resolved = self.desks[order.terms.market].payout is not None
        patience = self.rules.doubt_patience if in_doubt and not resolved else RECENT
        if event.at - order.decided_at >= patience:
            self._tell(event.order, Heard.GONE, ev.CancelReason.NOT_FOUND)

    def _tell(self, order: OrderId, heard: Heard, cause: str = "") -> None:
        desk = self._desk_of(order)
        if desk is not None:
            self.notes.extend(lifecycle.told(desk, order, heard, self.at, cause))
            self._stir(desk.market.id, forced=True)

    def _desk_of(self, order: OrderId) -> Desk | None:
        market = self.market_of.get(order)
        return None if market is None else self.desks[market]

    def _order_of(self, order: OrderId) -> Order | None:
        desk = self._desk_of(order)
        return None if desk is None else desk.orders[order]

    # --- the account -----------------------------------------------------------------------------------------------

    def _snapshot_taken(self, event: ev.SnapshotTaken) -> None:
        orders = [order for desk in self.open_desks for order in desk.orders.values()]
        positions = [(desk.market.id, desk.position) for desk in self.open_desks]
        for held in event.settled:
            if held.market in self.desks:
                self.desks[held.market].see_wallet(held.outcome, held.shares)
        for desk in self.open_desks:
            desk.lift(ev.RefusalReason.NOT_ENOUGH_BALANCE)
            self._stir(desk.market.id, forced=False)
        if not any(desk.awaits_shares for desk in self.open_desks):
            self.readings.shares_shown(event.at)
        for finding in self.readings.taken(event, self.cash, orders, positions):
            self._found(finding)

    def _found(self, finding: Finding) -> None:
        match finding:
            case MissingThere(order):
                self.missing.append(order)
            case LiveThere(order):
                self.revenants.append(order)
            case UnknownToUs(venue_order):
                self._say_once(finding, nt.ForeignOrderSeen(venue_order=venue_order))
            case CashDrift(ledger, venue):
                why = "no fill explains it: entries stop"
                drift = nt.DriftFound(subject="cash", market=None, ledger=ledger, venue=venue, why=why)
                self._say_once(finding, drift)
                self.cash_trouble = "cash differs from the venue's"
            case ShareDrift(market):
                self.notes.extend(lifecycle.drifted(self.desks[market], finding, self.rules.auto_adjust, self.at))
                self._stir(market, forced=True)
            case _:
                assert_never(finding)

    def _say_once(self, finding: Finding, note: nt.AnyNote) -> None:
        """Every reading shows it anew."""
        if finding not in self._told:
            self._told.add(finding)
            self.notes.append(note)

    def _snapshot_failed(self, event: ev.SnapshotFailed) -> None:
        self._blinded(event.why)

    def _blinded(self, why: str) -> None:
        if self.readings.failed(why):
            self.notes.append(nt.ReadingFailed(why=why))

    # --- start, streams and control --------------------------------------------------------------------------------

    def _ledger_loaded(self, event: ev.LedgerLoaded) -> None:
        self.next_order, self.state = event.next_order, event.state
        self.treasury.open(event.cash, event.realised_today, event.at)
        for market in event.markets:
            self._open_desk(market, self._strategies.get(market.series, self._guardian))
        self.market_of.update({stored.order: stored.terms.market for stored in event.orders})
        lifecycle.remembered(self.desks, event)
        self.notes.clear()

    def _started(self, event: ev.Started) -> None:
        self.awake = True
        self._stir_all()

    def _stream_lost(self, event: ev.StreamLost) -> None:
        if event.stream is ev.Stream.MARKET:
            for desk in self.open_desks:
                desk.book.lose()
                self.notes.append(nt.BookDistrusted(market=desk.market.id, why="stream lost"))
            self._stir_all()
        if event.stream is ev.Stream.USER:
            self._blinded("user stream lost")

    def _stream_restored(self, event: ev.StreamRestored) -> None:
        """The user stream does not replay: what was missed must be read."""
        if event.stream is ev.Stream.USER:
            self.readings.next_at = event.at

    def _trading_state_set(self, event: ev.TradingStateSet) -> None:
        before, self.state = self.state, event.state
        self.notes.append(nt.StateChanged(before=before, after=event.state, who=event.who, why=event.why))
        self._stir_all()

    def _woke(self, event: ev.Woke) -> None:
        for desk in self.open_desks:
            if desk.is_due(event.at):
                self._stir(desk.market.id, forced=False)

    def _stir_all(self, asset: str | None = None) -> None:
        for desk in self.open_desks:
            if asset in (None, desk.market.series.asset):
                self._stir(desk.market.id, forced=True)

    def _stir(self, market: MarketId, *, forced: bool) -> None:
        self.stirred[market] = forced or self.stirred.get(market, False)
