"""Learns events: what is. One method per kind of event, found by its type.

Learning changes desks, the underlying and the account, notes what changed, and names the markets that must be looked
at again. What to do about it is decided in `engine`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from polystra.core import events as ev
from polystra.core import lifecycle, merges
from polystra.core import notes as nt
from polystra.core.claims import ClaimStage
from polystra.core.desk import Desk
from polystra.core.errors import ContradictoryFacts
from polystra.core.ids import MarketId
from polystra.core.known import Known
from polystra.core.markets import Market, Series
from polystra.core.order_news import OrderNews
from polystra.core.reasons import RefusalReason
from polystra.core.reconcile import ShareDrift
from polystra.core.rules import Rules
from polystra.core.strategy import Strategy, Wake


class Knowledge(Known):
    """Learns events: what is. `on` says which method learns which kind."""

    def __init__(self, rules: Rules, strategies: Mapping[Series, Strategy], guardian: Strategy) -> None:
        super().__init__(rules, strategies, guardian)
        self._orders = OrderNews(self)
        self.on = self._methods()

    def _methods(self) -> dict[type, Callable[[Any], None]]:
        """Which method learns which kind of event."""
        return {
            ev.MarketListed: self._market_listed,
            ev.BookSnapshot: self._book_snapshot,
            ev.BookChanged: self._book_changed,
            ev.BestQuoted: self._best_quoted,
            ev.BookRead: self._book_read,
            ev.TradePrinted: self._trade_printed,
            ev.TickSizeChanged: self._tick_size_changed,
            ev.MarketClosed: self._market_closed,
            ev.MarketResolved: self._market_resolved,
            ev.PricePrinted: self._price_printed,
            ev.CandleClosed: self._candle_closed,
            ev.HistoryLoaded: self._history_loaded,
            ev.HistoryFailed: self._history_failed,
            ev.OrderAccepted: self._orders.order_accepted,
            ev.OrderRefused: self._orders.order_refused,
            ev.OrderOutcomeUnknown: self._orders.order_doubted,
            ev.OrderNotSent: self._orders.order_doubted,
            ev.OrderFilled: self._orders.order_filled,
            ev.OrderCancelled: self._orders.order_cancelled,
            ev.OrderExpired: self._orders.order_expired,
            ev.CancelRefused: self._orders.cancel_refused,
            ev.CancelOutcomeUnknown: self._orders.order_doubted,
            ev.OrderReported: self._orders.order_reported,
            ev.OrderNotFound: self._orders.order_not_found,
            ev.ScoringRead: self._orders.scoring_read,
            ev.OutsideFilled: self._orders.outside_filled,
            ev.SnapshotTaken: self._snapshot_taken,
            ev.SnapshotFailed: self._snapshot_failed,
            ev.ClockCompared: self._clock_compared,
            ev.GeoblockRead: self._geoblock_read,
            ev.NotificationsRead: self._notifications_read,
            ev.ClaimReported: self._claim_reported,
            ev.MergeReported: self._merge_reported,
            ev.LedgerLoaded: self._ledger_loaded,
            ev.Started: self._started,
            ev.StreamLost: self._stream_lost,
            ev.StreamRestored: self._stream_restored,
            ev.FeedTroubled: self._feed_troubled,
            ev.TradingStateSet: self._trading_state_set,
            ev.Woke: self._woke,
        }

    def learn(self, event: ev.AnyEvent) -> None:
        self.at = event.at
        self.on[type(event)](event)

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
        self.stir(market.id, forced=True)

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

    def _book_read(self, event: ev.BookRead) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.see_read(event)
            self.stir(event.market, forced=False)

    def _trade_printed(self, event: ev.TradePrinted) -> None:
        desk = self.desks.get(event.market)
        if desk is not None and desk.wakes_on(Wake.TRADE):
            self.stir(event.market, forced=True)

    def _tick_size_changed(self, event: ev.TickSizeChanged) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.retick(event.tick)
            self.stir(event.market, forced=True)

    def _market_closed(self, event: ev.MarketClosed) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.closed = True
            self.stir(event.market, forced=True)

    def _market_resolved(self, event: ev.MarketResolved) -> None:
        desk = self.desks.get(event.market)
        if desk is not None:
            desk.closed, desk.payout = True, event.payout
            self.stir(event.market, forced=True)

    def _desk_before_change(self, market: MarketId) -> Desk | None:
        """The desk whose book is about to change, its own price of the minute written from the book as it still is."""
        desk = self.desks.get(market)
        if desk is not None and desk.close_minute(self.at):
            self.stir(market, forced=True)
        return desk

    def _book_moved(self, desk: Desk) -> None:
        if desk.wakes_on(Wake.LEVEL_MOVED):
            self.stir(desk.market.id, forced=True)
        elif desk.is_due(self.at):
            self.stir(desk.market.id, forced=False)

    # --- the underlying --------------------------------------------------------------------------------------------

    def _price_printed(self, event: ev.PricePrinted) -> None:
        self.underlying.add(event)
        for desk in self.open_desks:
            if desk.market.series.asset != event.asset:
                continue
            if desk.wakes_on(Wake.ORACLE_TICK) or self._tells_strike(event, desk.market):
                self.stir(desk.market.id, forced=True)
            elif not desk.wait.spot_holds(self.underlying.settlement_price(desk.market)):
                self.stir(desk.market.id, forced=False)

    def _tells_strike(self, event: ev.PricePrinted, market: Market) -> bool:
        """A price stamped with the window's start is its price to beat, whatever the price is now."""
        return event.source is market.settlement and event.stamped_at == market.start

    def _candle_closed(self, event: ev.CandleClosed) -> None:
        self.underlying.add_candle(event.asset, event.candle)
        self.stir_all(event.asset)

    def _history_loaded(self, event: ev.HistoryLoaded) -> None:
        desk = self.desks.get(event.market)
        if desk is None:
            return
        desk.minutes.backfill(event.own_prices)
        self.underlying.add_history(desk.market.series.asset, event)
        self.stir(event.market, forced=True)

    def _history_failed(self, event: ev.HistoryFailed) -> None:
        self.notes.append(nt.ReadingFailed(why=f"history of {event.market}: {event.why}"))

    # --- the account -----------------------------------------------------------------------------------------------

    def _snapshot_taken(self, event: ev.SnapshotTaken) -> None:
        orders = [order for desk in self.open_desks for order in desk.orders.values()]
        positions = [(desk.market.id, desk.position) for desk in self.open_desks]
        for held in event.settled:
            if held.market in self.desks:
                self.desks[held.market].see_wallet(held.outcome, held.shares)
        for desk in self.open_desks:
            desk.lift(RefusalReason.NOT_ENOUGH_BALANCE)
            self.stir(desk.market.id, forced=False)
        if not any(desk.awaits_shares for desk in self.open_desks):
            self.readings.shares_shown(event.at)
        self.treasury.allowance = event.allowance
        moving = self.treasury.redeeming | {desk.market.id for desk in self.open_desks if desk.merging}
        for finding in self.readings.taken(event, self.cash, orders, positions, moving=moving):
            self.notes.extend(self.audit.act(finding, self.desks, event.at))
            if isinstance(finding, ShareDrift):
                self.stir(finding.market, forced=True)
        if self.readings.cash_agrees:
            self.stood(self.audit.cash_agrees(self.cash))

    def _snapshot_failed(self, event: ev.SnapshotFailed) -> None:
        self.readings.try_again(event.at)
        self._blinded(event.why)

    def _blinded(self, why: str) -> None:
        if self.readings.failed(why):
            self.notes.append(nt.ReadingFailed(why=why))

    def _claim_reported(self, event: ev.ClaimReported) -> None:
        if self.treasury.redeem(event.market, event.stage, event.claim, event.paid):
            self.notes.append(
                nt.ClaimMoved(market=event.market, stage=event.stage, claim=event.claim, paid=event.paid, why=event.why)
            )

    def _merge_reported(self, event: ev.MergeReported) -> None:
        """Once it is paid the pairs are cash: 1 USD each."""
        desk = self.desks.get(event.market)
        if desk is None:
            return
        before = desk.position.realised
        if not merges.heard(desk, event):
            return
        if event.stage is ClaimStage.PAID:
            self.treasury.move(event.pairs)
            self.treasury.realise(desk.position.realised - before, event.at)
        moved = nt.MergeMoved(
            market=event.market, merge=event.merge, stage=event.stage, pairs=event.pairs, why=event.why
        )
        self.notes.append(moved)
        self.stir(event.market, forced=True)

    # --- start, streams and control --------------------------------------------------------------------------------

    def _ledger_loaded(self, event: ev.LedgerLoaded) -> None:
        self.next_order, self.state, self.opened_at = event.next_order, event.state, event.opened_at
        self.treasury.open(event.cash, event.realised_today, event.at)
        self.treasury.owe(event.redeemable, event.redeeming)
        for market in event.markets:
            self._open_desk(market, self._strategies.get(market.series, self._guardian))
        self.market_of.update({stored.order: stored.terms.market for stored in event.orders})
        self.outside.update({one.outside: one.order for one in event.orders if one.outside is not None})
        lifecycle.remembered(self.desks, event)
        self.notes.clear()

    def _started(self, event: ev.Started) -> None:
        self.awake = True
        self.stir_all()

    def _stream_lost(self, event: ev.StreamLost) -> None:
        if event.stream is ev.Stream.MARKET:
            for desk in self.open_desks:
                desk.book.lose()
                self.notes.append(nt.BookDistrusted(market=desk.market.id, why="stream lost"))
            self.stir_all()
        if event.stream is ev.Stream.USER:
            self._blinded("user stream lost")

    def _stream_restored(self, event: ev.StreamRestored) -> None:
        """The user stream does not replay: what was missed must be read."""
        if event.stream is ev.Stream.USER:
            self.readings.next_at = event.at

    def _clock_compared(self, event: ev.ClockCompared) -> None:
        self.stood(self.standing.clock_compared(event))

    def _feed_troubled(self, event: ev.FeedTroubled) -> None:
        self.notes.append(nt.FeedTroubled(stream=event.stream, what=event.what))

    def _geoblock_read(self, event: ev.GeoblockRead) -> None:
        self.stood(self.standing.geoblock_read(event))

    def _notifications_read(self, event: ev.NotificationsRead) -> None:
        """Each counts once, as a hint to ask for what became of a live order. All may be forgotten by the venue once
        this event and what follows from it are kept."""
        for notice in event.notices:
            order = None if notice.order is None else self.order_of(notice.order)
            is_news = notice.id not in self._noticed
            if is_news and order is not None and order.live and order.id not in self.audit.missing:
                self.audit.missing.append(order.id)
            self._noticed.add(notice.id)
            if notice.id not in self.read:
                self.read.append(notice.id)

    def _trading_state_set(self, event: ev.TradingStateSet) -> None:
        before, self.state = self.state, event.state
        self.sweep = event.state is ev.TradingState.STOPPED
        self.notes.append(nt.StateChanged(before=before, after=event.state, who=event.who, why=event.why))
        self.stir_all()

    def _woke(self, event: ev.Woke) -> None:
        for desk in self.open_desks:
            if desk.is_due(event.at):
                self.stir(desk.market.id, forced=False)
