"""Translates between the pretend exchange's messages and the engine's events: words only, no decisions.

An event says as much as the wire would say: moments of trades in whole seconds, of books in whole milliseconds.
"""

from polystra.app.outbox import OrderNames
from polystra.core import events as ev
from polystra.core.fees import FeeSchedule
from polystra.core.ids import OrderId
from polystra.core.markets import Market, Payout, PriceSource, RewardTerms
from polystra.core.reasons import CancelReason
from polystra.core.terms import Liquidity, Side
from polystra.core.units import MICRO, Instant, Nanos, Price, Shares, Tick, Usd, seconds
from polystra.edge.polymarket.refusals import EXPIRED, cancel_reason_of, refusal_of
from polystra.edge.polymarket.wire import MILLISECOND, SECOND, Fill, OpenOrder
from polystra.exchange.price_feeds import Feed, Print
from polystra.sim import messages as sim
from polystra.sim.records import Account, Leg, Trade
from polystra.sim.records import OpenOrder as Resting

_HEARD = {Feed.CHAINLINK: PriceSource.CHAINLINK_SPOT, Feed.TWAP_60: PriceSource.CHAINLINK_TWAP_60}
"""What a trader asks for on the price stream (`edge.polymarket.price_feed`)."""

_NOW = Instant(0)
"""The inbox stamps every event when it arrives."""


USUAL = RewardTerms(min_shares=Shares(50_000_000), max_spread=Price(45_000), min_age=Nanos(30_000_000_000), daily=None)
"""What crypto markets ask of an order that is to be rewarded (`PROTOCOL.md` F.4), without a programme that pays."""


def market_facts(market: Market, taker_hold: Nanos) -> sim.MarketFacts:
    """A market as the exchange runs it; one without a fee schedule is run without fees, one without terms of rewards by
    the usual ones, which pay nothing."""
    fees = market.fees or FeeSchedule(rate=0)
    terms = rewarded(market)
    return sim.MarketFacts(
        id=market.id,
        up_token=market.up_token,
        down_token=market.down_token,
        tick=market.tick.size,
        min_shares=market.min_shares,
        fee_rate=fees.rate,
        fee_exponent=fees.exponent,
        rebate_rate=fees.rebate_rate,
        fee_in_shares=fees.in_shares_on_buys,
        taker_hold=taker_hold,
        start=market.start,
        end=market.end,
        reward_min=terms.min_shares,
        reward_spread=terms.max_spread,
        reward_age=terms.min_age,
        reward_rate=terms.daily or Usd(0),
    )


def rewarded(market: Market) -> RewardTerms:
    """What the pretend venue says of rewards in a market: what is known of it, or what is usual there."""
    return market.rewards or USUAL


def background(event: ev.AnyEvent) -> sim.Request | None:
    """A recorded event as what it does to the exchange's market; None when it does nothing there."""
    match event:
        case ev.BookSnapshot():
            return sim.SetBook(market=event.market, bids=event.bids, asks=event.asks)
        case ev.BookChanged():
            changes = tuple(sim.LevelChange(one.side, one.price, one.size) for one in event.changes)
            return sim.ChangeLevels(market=event.market, changes=changes)
        case ev.TradePrinted():
            return sim.PrintTrade(market=event.market, price=event.price, size=event.size, taker=event.taker)
        case ev.TickSizeChanged():
            return sim.SetTick(market=event.market, tick=event.tick.size)
        case _:
            return None


def public_event(output: sim.Public) -> ev.AnyEvent | None:
    """What the market stream tells everybody. It is silent about a mere close, and names no payout that has no winner.
    Where nobody knows who took, it calls the trade a BUY of Up."""
    match output:
        case sim.PublicBook():
            return ev.BookSnapshot(
                at=_NOW, market=output.market, bids=output.bids, asks=output.asks, venue_at=milliseconds(output.at)
            )
        case sim.PublicLevels():
            return ev.BookChanged(
                at=_NOW,
                market=output.market,
                changes=tuple(ev.LevelChange(one.side, one.price, one.size) for one in output.changes),
                best_bid=output.best_bid,
                best_ask=output.best_ask,
                venue_at=milliseconds(output.at),
            )
        case sim.PublicTrade():
            taker = output.taker or Side.BUY
            return ev.TradePrinted(at=_NOW, market=output.market, price=output.price, size=output.size, taker=taker)
        case sim.PublicTick():
            return ev.TickSizeChanged(at=_NOW, market=output.market, tick=Tick(output.new))
        case sim.PublicResolution() if output.up_payout in (0, MICRO):
            return ev.MarketResolved(at=_NOW, market=output.market, payout=Payout(output.up_payout))
        case _:
            return None


def price_event(told: Print) -> ev.PricePrinted | None:
    """What the price stream tells a trader; None for what it does not ask for."""
    source = _HEARD.get(told.feed)
    if source is None:
        return None
    stamped = milliseconds(told.at)
    return ev.PricePrinted(at=_NOW, asset=told.asset, source=source, value=told.value, stamped_at=stamped)


def answer_events(output: sim.Answer, names: OrderNames, sides: dict[OrderId, tuple[Side, bool]]) -> list[ev.AnyEvent]:
    """What the answer to a request of ours says about our orders. `sides` knows each order's side, and if it rests."""
    match output:
        case sim.OrderAccepted():
            order = names.ours(output.order)
            return [] if order is None else [_accepted(order, output, *sides[order])]
        case sim.OrderRejected():
            order = names.ours(output.order)
            return [] if order is None else [_rejected(order, output)]
        case sim.CancelAnswered():
            return _cancel_events(output, names)
        case _:
            return []


def user_event(output: sim.Update, names: OrderNames) -> ev.AnyEvent | None:
    """What the user stream says about an order of ours; None for what is news to nobody here."""
    if isinstance(output, sim.TradeUpdated):
        order = names.ours(output.own.order)
        return None if order is None else fill_event(order, output)
    order = names.ours(output.order.id)
    if order is None:
        return None
    if output.change is sim.OrderChange.CANCELLATION:
        if output.status == EXPIRED:
            return ev.OrderExpired(at=_NOW, order=order)
        reason = cancel_reason_of(output.status)
        if output.order.time_in_force.immediate and reason is CancelReason.ASKED:
            reason = CancelReason.REMAINDER_KILLED  # nobody can ask for it: it never rested
        return ev.OrderCancelled(at=_NOW, order=order, reason=reason, matched=output.order.matched)
    return ev.OrderReported(at=_NOW, order=order, matched=output.order.matched)


def fill_event(order: OrderId, update: sim.TradeUpdated) -> ev.OrderFilled:
    """One trade of one of our orders at its present stage."""
    return ev.OrderFilled(
        at=_NOW,
        order=order,
        trade=update.trade.id,
        price=update.own.price,
        shares=update.own.shares,
        liquidity=update.liquidity,
        stage=update.trade.stage,
        traded_at=_seconds(update.trade.matched_at),
    )


def fill_of(trade: Trade, account: Account) -> Fill:
    """A trade as the account finds it among its trades."""
    took = trade.taker.account == account
    return _fill(trade, trade.taker if took else trade.maker, Liquidity.TAKER if took else Liquidity.MAKER)


def told_fill(update: sim.TradeUpdated) -> Fill:
    """The same, as the user stream tells it."""
    return _fill(update.trade, update.own, update.liquidity)


def _fill(trade: Trade, own: Leg, liquidity: Liquidity) -> Fill:
    return Fill(
        trade=trade.id,
        order=own.order,
        market=trade.market,
        token=own.token,
        side=own.side,
        price=own.price,
        shares=own.shares,
        liquidity=liquidity,
        stage=trade.stage,
        matched_at=_seconds(trade.matched_at),
    )


def live_order(order: Resting) -> OpenOrder:
    """A resting order as its owner finds it among its orders."""
    return OpenOrder(
        id=order.id,
        market=order.market,
        token=order.token,
        account=order.account,
        side=order.side,
        price=order.price,
        size=order.size,
        matched=order.matched,
    )


def _accepted(order: OrderId, output: sim.OrderAccepted, side: Side, rests: bool) -> ev.AnyEvent:
    """`delayed` says nothing about the order's fate, so the outcome is unknown until the stream tells."""
    if output.status is sim.OrderAnswer.DELAYED:
        return ev.OrderOutcomeUnknown(at=_NOW, order=order, why="delayed by the venue")
    got, gave = (output.taking, output.making) if side is Side.BUY else (output.making, output.taking)
    return ev.OrderAccepted(at=_NOW, order=order, rests=rests, matched=Shares(got), paid=Usd(gave))


def _rejected(order: OrderId, output: sim.OrderRejected) -> ev.AnyEvent:
    reason = refusal_of(output.http, output.text)
    if reason is None:
        return ev.OrderOutcomeUnknown(at=_NOW, order=order, why=f"HTTP {output.http}: {output.text}")
    wait = None if output.retry_after is None else seconds(output.retry_after)
    return ev.OrderRefused(at=_NOW, order=order, reason=reason, text=output.text, retry_after=wait)


def _cancel_events(output: sim.CancelAnswered, names: OrderNames) -> list[ev.AnyEvent]:
    found: list[ev.AnyEvent] = []
    for venue_order in output.canceled:
        order = names.ours(venue_order)
        if order is not None:
            found.append(ev.OrderCancelled(at=_NOW, order=order, reason=CancelReason.ASKED))
    for venue_order, text in output.not_canceled:
        order = names.ours(venue_order)
        if order is not None:
            found.append(ev.CancelRefused(at=_NOW, order=order, text=text))
    return found


def _seconds(at: Instant) -> Instant:
    return Instant(at // SECOND * SECOND)


def milliseconds(at: Instant) -> Instant:
    return Instant(at // MILLISECOND * MILLISECOND)
