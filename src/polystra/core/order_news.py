"""Learns what becomes of orders: one method for each kind of news."""

from polystra.core import events as ev
from polystra.core import lifecycle
from polystra.core.desk import Desk
from polystra.core.ids import OrderId
from polystra.core.known import Known
from polystra.core.notes import OpeningCorrected, ScoreSeen
from polystra.core.orders import Heard, OrderState
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.reconcile import RECENT
from polystra.core.standing import MODES
from polystra.core.terms import Purpose, Side
from polystra.core.units import Usd

_DOUBTS = {
    ev.OrderOutcomeUnknown: Heard.NO_ANSWER,
    ev.OrderNotSent: Heard.NOT_SENT,
    ev.CancelOutcomeUnknown: Heard.CANCEL_DOUBTED,
}


class OrderNews:
    def __init__(self, known: Known) -> None:
        self._known = known

    def order_accepted(self, event: ev.OrderAccepted) -> None:
        desk = self._known.desk_of(event.order)
        if desk is not None:
            order = desk.orders[event.order]
            self._known.stood(self._known.standing.accepted(order.terms, order.sent_at))
            whole = lifecycle.answered(desk, event.order, event.matched, event.paid)
            self._known.tell(event.order, Heard.FILLED if whole else Heard.RESTS if event.rests else Heard.KILLED)

    def order_refused(self, event: ev.OrderRefused) -> None:
        """A duplicate is refused because its twin, the same bytes, is there already (SPEC 1)."""
        if event.reason in MODES:
            self._known.stood(self._known.standing.refused(event.reason, event.at, event.retry_after))
        in_doubt = event.reason is RefusalReason.DUPLICATED or self._has_twin(event.order)
        self._known.tell(event.order, Heard.NO_ANSWER if in_doubt else Heard.REFUSED, event.reason)

    def order_doubted(self, event: ev.OrderOutcomeUnknown | ev.OrderNotSent | ev.CancelOutcomeUnknown) -> None:
        heard = _DOUBTS[type(event)]
        if heard is Heard.NOT_SENT and self._has_twin(event.order):
            heard = Heard.NO_ANSWER
        self._known.tell(event.order, heard, event.why)

    def _has_twin(self, order: OrderId) -> bool:
        """Sent more than once: what is said of one copy proves nothing about another, which may still arrive."""
        known = self._known.order_of(order)
        return known is not None and known.resent_at is not None

    def order_filled(self, event: ev.OrderFilled) -> None:
        desk = self._known.desk_of(event.order)
        if desk is None:
            return
        before, order = desk.position, desk.orders[event.order]
        self._known.notes.extend(lifecycle.booked(desk, event))
        self._known.treasury.move(lifecycle.cash_of(desk.orders[event.order]) - lifecycle.cash_of(order))
        self._known.treasury.realise(desk.position.realised - before.realised, event.at)
        if event.stage.settled:
            desk.lift(RefusalReason.NOT_ENOUGH_BALANCE)
            if desk.awaits_shares and order.fills != desk.orders[event.order].fills:
                self._known.readings.await_shares(event.at)
        self._known.stir(desk.market.id, forced=True)

    def outside_filled(self, event: ev.OutsideFilled) -> None:
        """Booked like a fill of ours, of an order that gets a number when it is met. What was traded before the first
        balance was read has moved that balance already."""
        known, desk = self._known, self._known.desks.get(event.market)
        if desk is None:
            return
        order = known.outside.get(event.venue_order)
        if order is None:
            order = known.number(desk)
            known.outside[event.venue_order] = order
            known.notes.extend(lifecycle.met(desk, order, self._purpose_of(desk, event), event))
        is_news = all(fill.trade != event.trade for fill in desk.orders[order].fills)
        before = known.cash
        self.order_filled(
            ev.OrderFilled(
                at=event.at,
                order=order,
                trade=event.trade,
                price=event.price,
                shares=event.shares,
                liquidity=event.liquidity,
                stage=event.stage,
                traded_at=event.traded_at,
            )
        )
        moved = known.cash - before
        if is_news and moved and event.traded_at < known.opened_at:
            known.treasury.move(-moved)
            known.notes.append(OpeningCorrected(market=event.market, trade=event.trade, amount=Usd(-moved)))

    def _purpose_of(self, desk: Desk, event: ev.OutsideFilled) -> Purpose:
        """What is sold beyond the shares that are left alone is ours."""
        if self._known.rules.adopts:
            return Purpose.OUTSIDE
        beyond = event.side is Side.SELL and event.shares > desk.position.of(event.outcome).left_alone
        return Purpose.OUTSIDE if beyond else Purpose.LEFT_ALONE

    def order_cancelled(self, event: ev.OrderCancelled) -> None:
        """The user stream may say that a market is resolved before the market stream does."""
        desk = self._known.desk_of(event.order)
        if desk is not None:
            desk.closed = desk.closed or event.reason is CancelReason.MARKET_RESOLVED
            lifecycle.cancelled(desk, event.order, event.matched)
        self._known.tell(event.order, Heard.CANCELLED, event.reason)

    def order_expired(self, event: ev.OrderExpired) -> None:
        self._known.tell(event.order, Heard.EXPIRED)

    def cancel_refused(self, event: ev.CancelRefused) -> None:
        self._known.tell(event.order, Heard.CANCEL_DOUBTED, event.text)

    def order_reported(self, event: ev.OrderReported) -> None:
        """The venue lists it as live. A cancel still under way is not disproved by a listing that overlapped it."""
        order = self._known.order_of(event.order)
        if order is not None and (order.state is not OrderState.CANCELLING or order.cancel_doubted):
            self._known.tell(event.order, Heard.SEEN_LIVE)

    def order_not_found(self, event: ev.OrderNotFound) -> None:
        """Its trades came before this answer. Too young, or never heard of, it may still arrive: ask again later."""
        order = self._known.order_of(event.order)
        if order is None or not order.live:
            return
        in_doubt = order.state in (OrderState.UNKNOWN, OrderState.SUBMITTING)
        resolved = self._known.desks[order.terms.market].payout is not None
        if order.state is OrderState.UNKNOWN:
            lifecycle.missed(self._known.desks[order.terms.market], event.order)
            self._known.stir(order.terms.market, forced=False)
        patience = self._known.rules.doubt_patience if in_doubt and not resolved else RECENT
        if event.at - order.sent_at >= patience:
            self._known.tell(event.order, Heard.GONE, CancelReason.NOT_FOUND)

    def scoring_read(self, event: ev.ScoringRead) -> None:
        """Of an order that rests; of one that ended nobody wants to know any more."""
        desk, order = self._known.desk_of(event.order), self._known.order_of(event.order)
        if desk is None or order is None or not order.live:
            return
        score = desk.rewards.hear(event.order, event.scoring, event.at)
        if score is not None:
            self._known.notes.append(ScoreSeen(order=event.order, market=desk.market.id, score=score))
        self._known.stir(desk.market.id, forced=False)
