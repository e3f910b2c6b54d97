"""Reads back what an engine must know after a restart.

A market still matters when it has not settled and ended less than a day ago (or not yet), or has an order whose end is
not recorded, or has ever traded. All its orders are restored, also ended ones: a trade can be reported late.
"""

from collections import defaultdict

import msgspec
from sqlalchemy import Connection, Select, func, or_, select, union

from polystra.core.events import LedgerLoaded, TradingState
from polystra.core.ids import MarketId, OrderId, TradeId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.notes import BreakEvenArmed
from polystra.core.orders import Fill, Order, OrderState
from polystra.core.positions import Adjustment, MarketPosition, Merged, position_of
from polystra.core.restored import Memory, RestoredAdjustment, RestoredArming, RestoredFill, RestoredOrder
from polystra.core.terms import Liquidity, OrderTerms, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Nanos, Price, Shares, Usd
from polystra.edge.store.claims import unpaid
from polystra.edge.store.merges import merged_in, restored
from polystra.edge.store.tables import (
    adjustments,
    cash,
    deposits,
    fills,
    live_fills,
    markets,
    memories,
    merges,
    notes,
    order_states,
    order_steps,
    orders,
    settlements,
    staged_fills,
    states,
)

DAY = Nanos(86_400_000_000_000)

_ENDS = [state.value for state in OrderState if state.ended]
_decode_market = msgspec.json.Decoder(Market).decode
_decode_arming = msgspec.json.Decoder(BreakEvenArmed).decode


def load(connection: Connection, at: Instant) -> LedgerLoaded:
    matter, claims = _mattering(at), unpaid(connection)
    return LedgerLoaded(
        at=at,
        next_order=_next_order(connection),
        opened_at=_opened_at(connection),
        cash=Usd(connection.execute(select(cash.c.cash_micro)).scalar_one()),
        markets=_markets(connection, matter),
        orders=_orders(connection, matter),
        fills=_fills(connection, matter),
        adjustments=_adjustments(connection, matter),
        memories=_memories(connection, matter),
        realised_today=realised_today(connection, at),
        state=_state(connection),
        halted=_halted(connection, matter),
        given_up=_given_up(connection, matter),
        armings=_armings(connection, matter),
        redeemable=Usd(sum(claim.amount for claim in claims)),
        redeeming=tuple(claim.market.id for claim in claims if claim.open),
        merges=restored(connection, matter),
    )


def venue_orders(connection: Connection) -> dict[VenueOrderId, OrderId]:
    """Of our own orders."""
    ours = orders.c.venue_order.is_not(None), orders.c.purpose.in_([one.value for one in Purpose if one.ours])
    rows = connection.execute(select(orders.c.venue_order, orders.c.id).where(*ours))
    return {VenueOrderId(venue_order): OrderId(order) for venue_order, order in rows}


def realised_today(connection: Connection, at: Instant) -> Usd:
    """Profit booked since midnight UTC: what sales and merges brought beyond the average cost of the shares that left
    (fees in both), and at settlement the claim minus the cost of what was still held.

    So a market that settled today counts its whole profit, less what its sales and merges had realised before midnight.
    """
    midnight = Instant(at - at % DAY)
    moved = union(
        select(live_fills.c.market).where(live_fills.c.at >= midnight),
        select(merges.c.market).where(merges.c.at >= midnight),
        select(settlements.c.market).where(settlements.c.at >= midnight),
    ).subquery()
    settled = {
        row.market: (row.at, row.pnl_micro)
        for row in connection.execute(
            select(settlements.c.market, settlements.c.at, settlements.c.pnl_micro).where(
                settlements.c.market.in_(select(moved.c.market))
            )
        )
    }
    booked = _booked(connection, select(moved.c.market))
    adjusted = _adjusted(connection, select(moved.c.market))
    merged = merged_in(connection, select(moved.c.market))
    total = 0
    for market in set(booked) | set(settled):
        own, moves, pairs = booked.get(market, []), adjusted.get(market, []), merged.get(market, [])
        before = _realised(own, moves, pairs, before=midnight)
        settled_at, pnl = settled.get(market, (None, 0))
        if settled_at is None:
            total += _realised(own, moves, pairs, before=None) - before
        elif settled_at >= midnight:
            total += pnl - before
    return Usd(total)


def held(connection: Connection) -> dict[str, MarketPosition]:
    """The positions of traded markets that have not settled, with what they cost."""
    open_markets = select(markets.c.id).where(markets.c.id.not_in(select(settlements.c.market)))
    booked, adjusted = _booked(connection, open_markets), _adjusted(connection, open_markets)
    merged = merged_in(connection, open_markets)
    return {
        market: position_of(orders, adjusted.get(market, []), merged.get(market, []))
        for market, orders in booked.items()
    }


def _mattering(at: Instant) -> Select[tuple[str]]:
    ended = select(order_states.c.order_id).where(order_states.c.state.in_(_ENDS))
    unended = select(orders.c.market).where(orders.c.id.not_in(ended))
    settled, traded = select(settlements.c.market), select(fills.c.market)
    named = markets.c.id
    return select(named).where(
        named.not_in(settled), or_(markets.c.end_at > at - DAY, named.in_(unended), named.in_(traded))
    )


def _next_order(connection: Connection) -> OrderId:
    """Also numbers of orders that were never signed are not used again."""
    used = [connection.execute(select(func.max(one))).scalar() for one in (orders.c.id, order_steps.c.order_id)]
    return OrderId(max(number or 0 for number in used) + 1)


def _opened_at(connection: Connection) -> Instant:
    """When the first balance was read; a ledger without one never opened."""
    return Instant(connection.execute(select(func.min(deposits.c.at))).scalar() or 0)


def _markets(connection: Connection, matter: Select[tuple[str]]) -> tuple[Market, ...]:
    rows = connection.execute(
        select(markets.c.facts).where(markets.c.id.in_(matter)).order_by(markets.c.start_at, markets.c.id)
    )
    return tuple(_decode_market(row.facts) for row in rows)


def _orders(connection: Connection, matter: Select[tuple[str]]) -> tuple[RestoredOrder, ...]:
    rows = connection.execute(
        select(orders, order_states.c.state)
        .join(order_states, order_states.c.order_id == orders.c.id)
        .where(orders.c.market.in_(matter))
        .order_by(orders.c.id)
    )
    return tuple(
        RestoredOrder(
            order=OrderId(row.id),
            terms=OrderTerms(
                market=MarketId(row.market),
                outcome=Outcome(row.outcome),
                side=Side(row.side),
                purpose=Purpose(row.purpose),
                price=Price(row.price_micro),
                shares=Shares(row.shares_micro),
                time_in_force=TimeInForce(row.time_in_force),
                post_only=row.post_only,
                expires_at=None if row.expires_at is None else Instant(row.expires_at),
            ),
            decided_at=Instant(row.decided_at),
            ended=row.state in _ENDS,
            outside=None if Purpose(row.purpose).ours else VenueOrderId(row.venue_order),
        )
        for row in rows
    )


def _fills(connection: Connection, matter: Select[tuple[str]]) -> tuple[RestoredFill, ...]:
    """Failed trades too: their news may come again, and must find them failed."""
    rows = connection.execute(
        select(staged_fills)
        .where(staged_fills.c.market.in_(matter))
        .order_by(staged_fills.c.run, staged_fills.c.seq, staged_fills.c.order_id, staged_fills.c.trade)
    )
    return tuple(
        RestoredFill(
            order=OrderId(row.order_id),
            trade=TradeId(row.trade),
            price=Price(row.price_micro),
            shares=Shares(row.shares_micro),
            liquidity=Liquidity(row.liquidity),
            stage=TradeStage(row.stage),
            filled_at=Instant(row.at),
        )
        for row in rows
    )


def _memories(connection: Connection, matter: Select[tuple[str]]) -> tuple[Memory, ...]:
    rows = connection.execute(
        select(memories.c.market, memories.c.strategy, memories.c.value)
        .where(memories.c.market.in_(matter))
        .order_by(memories.c.market, memories.c.strategy)
    )
    return tuple(Memory(MarketId(row.market), row.strategy, row.value) for row in rows)


def _state(connection: Connection) -> TradingState:
    """The last state counts in the next run too: what was stopped stays stopped until a person arms it."""
    last = connection.execute(select(states.c.after).order_by(states.c.id.desc()).limit(1)).scalar()
    return TradingState.ARMED if last is None else TradingState(last)


def _halted(connection: Connection, matter: Select[tuple[str]]) -> tuple[MarketId, ...]:
    rows = connection.execute(
        select(notes.c.market)
        .where(notes.c.kind == "MarketHalted", notes.c.market.in_(matter))
        .distinct()
        .order_by(notes.c.market)
    )
    return tuple(MarketId(row.market) for row in rows if row.market is not None)


def _given_up(connection: Connection, matter: Select[tuple[str]]) -> tuple[OrderId, ...]:
    order = func.json_extract(notes.c.body, "$.order").label("order_id")
    rows = connection.execute(
        select(order).where(notes.c.kind == "EntryGivenUp", notes.c.market.in_(matter)).distinct().order_by(order)
    )
    return tuple(OrderId(row.order_id) for row in rows)


def _armings(connection: Connection, matter: Select[tuple[str]]) -> tuple[RestoredArming, ...]:
    """The newest of each holding."""
    rows = connection.execute(
        select(notes.c.body)
        .where(notes.c.kind == BreakEvenArmed.__name__, notes.c.market.in_(matter))
        .order_by(notes.c.id)
    )
    told = (_decode_arming(row.body) for row in rows)
    newest = {(note.market, note.outcome): RestoredArming(note.market, note.outcome, note.bought) for note in told}
    return tuple(newest.values())


def _booked(connection: Connection, which: Select[tuple[str]]) -> dict[str, list[Order]]:
    """The orders of these markets that traded, each with its live fills."""
    own: dict[int, list[Fill]] = defaultdict(list)
    for row in connection.execute(select(live_fills).where(live_fills.c.market.in_(which))):
        fill = Fill(
            trade=row.trade,
            price=row.price_micro,
            shares=row.shares_micro,
            liquidity=Liquidity(row.liquidity),
            stage=TradeStage(row.stage),
            at=row.at,
            fee_usd=row.fee_micro,
            fee_shares=row.fee_shares_micro,
        )
        own[row.order_id].append(fill)
    booked: dict[str, list[Order]] = defaultdict(list)
    for one in _orders(connection, which):
        if one.order in own:
            order = Order(id=one.order, terms=one.terms, decided_at=one.decided_at, fills=tuple(own[one.order]))
            booked[one.terms.market].append(order)
    return booked


def _adjusted(connection: Connection, which: Select[tuple[str]]) -> dict[str, list[Adjustment]]:
    found: dict[str, list[Adjustment]] = defaultdict(list)
    for at, one in _adjustment_rows(connection, which):
        found[one.market].append(Adjustment(outcome=one.outcome, shares=one.shares, at=at))
    return found


def _adjustments(connection: Connection, matter: Select[tuple[str]]) -> tuple[RestoredAdjustment, ...]:
    return tuple(one for _, one in _adjustment_rows(connection, matter))


def _adjustment_rows(connection: Connection, which: Select[tuple[str]]) -> list[tuple[Instant, RestoredAdjustment]]:
    wanted = select(adjustments).where(adjustments.c.market.in_(which)).order_by(adjustments.c.id)
    return [
        (
            Instant(row.at),
            RestoredAdjustment(
                market=MarketId(row.market),
                outcome=Outcome(row.outcome),
                shares=Shares(row.after_micro - row.before_micro),
                at=Instant(row.at),
            ),
        )
        for row in connection.execute(wanted)
    ]


def _realised(own: list[Order], moves: list[Adjustment], pairs: list[Merged], *, before: Instant | None) -> int:
    """What sales and merges had realised before an instant, or ever."""
    if before is not None:
        own = [
            msgspec.structs.replace(order, fills=tuple(fill for fill in order.fills if fill.at < before))
            for order in own
        ]
        moves = [move for move in moves if move.at < before]
        pairs = [one for one in pairs if one.at < before]
    position = position_of(own, moves, pairs)
    return position.up.realised + position.down.realised
