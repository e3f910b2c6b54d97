"""The life of a trade: MATCHED, MINED, CONFIRMED; or RETRYING and then MINED after all, or FAILED and taken back."""

from functools import partial

from msgspec.structs import replace

from polystra.core.ids import TradeId
from polystra.core.terms import Liquidity, Side, TradeStage
from polystra.core.units import Instant, Nanos, Shares, Usd
from polystra.sim import mishaps
from polystra.sim.floor import Floor
from polystra.sim.markets import Market
from polystra.sim.messages import Mishap, TradeUpdated
from polystra.sim.records import STREET, Account, Leg, Trade

_USUAL = (TradeStage.MINED, TradeStage.CONFIRMED)
_RETRIED = (TradeStage.RETRYING, TradeStage.MINED, TradeStage.CONFIRMED)
_FAILED = (TradeStage.RETRYING, TradeStage.FAILED)
_AT_ONCE = Nanos(0)


def record(floor: Floor, market: Market, taker: Leg, maker: Leg, unheard: Nanos = _AT_ONCE) -> Trade:
    """Moves shares and money at once, and sets the alarms of the stages to come. A trade that is `unheard` for a while
    is told and listed only after it, and settles from there on."""
    now = floor.now
    trade = Trade(
        id=TradeId(floor.new_uuid()),
        market=market.facts.id,
        taker=taker,
        maker=maker,
        stage=TradeStage.MATCHED,
        matched_at=now,
        updated_at=now,
    )
    floor.trades[trade.id] = trade
    if unheard:
        floor.set_alarm(Instant(now + unheard), partial(_come_out, floor, trade))
    else:
        _list(floor, trade)
    for leg in (taker, maker):
        floor.accounts.match(leg)
    _back(floor, market, trade, 1)
    stages, delay = _fate(floor, trade)
    heard = Instant(now + unheard)
    first = Instant(heard + delay) if delay else _later(floor, heard, stages[0])
    floor.set_alarm(first, partial(_reach, floor, trade.id, stages))
    return trade


def _list(floor: Floor, trade: Trade) -> None:
    for leg in clients(trade):
        floor.trades_of.setdefault(leg.account, []).append(trade.id)


def _come_out(floor: Floor, trade: Trade, now: Instant) -> None:
    _list(floor, trade)
    for leg in clients(trade):
        announce(floor, trade, leg.account)


def clients(trade: Trade) -> tuple[Leg, ...]:
    """The sides of a trade that are not the street."""
    return tuple(leg for leg in (trade.taker, trade.maker) if leg.account != STREET)


def announce(floor: Floor, trade: Trade, account: Account) -> None:
    liquidity = Liquidity.TAKER if trade.taker.account == account else Liquidity.MAKER
    floor.out.append(TradeUpdated(at=floor.now, account=account, liquidity=liquidity, trade=trade))


def refresh(floor: Floor, account: Account) -> None:
    """The cache reads the chain now."""
    for leg in floor.unseen.pop(account, {}).values():
        floor.accounts.show(leg)


def _fate(floor: Floor, trade: Trade) -> tuple[tuple[TradeStage, ...], Nanos]:
    """The stages to come, and how long the first takes; 0 for as long as usual."""
    for mishap, stages in ((Mishap.TRADE_FAILED, _FAILED), (Mishap.TRADE_RETRIED, _RETRIED)):
        if struck := mishaps.strikes(floor, mishap, mishaps.of_trade(trade)):
            return stages, struck.delay
    return _drawn(floor), Nanos(0)


def _drawn(floor: Floor) -> tuple[TradeStage, ...]:
    rules = floor.rules
    if not (rules.failure_rate or rules.retry_rate):
        return _USUAL
    drawn = floor.rng.random()
    if drawn < rules.failure_rate:
        return _FAILED
    return _RETRIED if drawn < rules.failure_rate + rules.retry_rate else _USUAL


def _later(floor: Floor, now: Instant, stage: TradeStage) -> Instant:
    first = stage in (TradeStage.MINED, TradeStage.RETRYING)
    span = floor.rules.mined_after if first else floor.rules.confirmed_after
    return Instant(now + span.draw(floor.rng))


def _reach(floor: Floor, trade_id: TradeId, stages: tuple[TradeStage, ...], now: Instant) -> None:
    stage, *rest = stages
    trade = floor.trades[trade_id] = replace(floor.trades[trade_id], stage=stage, updated_at=now)
    if stage is TradeStage.MINED:
        _mine(floor, trade, now)
    elif stage is TradeStage.FAILED:
        _take_back(floor, trade)
    for leg in clients(trade):
        announce(floor, trade, leg.account)
    if rest:
        floor.set_alarm(_later(floor, now, rest[0]), partial(_reach, floor, trade_id, tuple(rest)))


def _mine(floor: Floor, trade: Trade, now: Instant) -> None:
    for leg in clients(trade):
        floor.accounts.mine(leg)
        floor.unseen.setdefault(leg.account, {})[trade.id] = leg
        lag = floor.rules.balance_lag.draw(floor.rng)
        concerned = (trade.market, leg.account, leg.token, leg.order, leg.side)
        if mishaps.strikes(floor, Mishap.BALANCE_STALE, concerned):
            continue
        if late := mishaps.strikes(floor, Mishap.BALANCE_LATE, concerned):
            lag = late.delay
        floor.set_alarm(Instant(now + lag), partial(_see, floor, leg.account, trade.id))


def _see(floor: Floor, account: Account, trade: TradeId, now: Instant) -> None:
    leg = floor.unseen.get(account, {}).pop(trade, None)
    if leg is not None:
        floor.accounts.show(leg)


def _take_back(floor: Floor, trade: Trade) -> None:
    """Shares and money of both sides go back; the orders' matched size with them, but not into the book."""
    for leg in (trade.taker, trade.maker):
        floor.accounts.fail(leg)
        order = floor.resting.get(leg.order)
        if order is not None:
            order.matched = Shares(order.matched - leg.shares)
    _back(floor, floor.markets[trade.market], trade, -1)


def _back(floor: Floor, market: Market, trade: Trade, sign: int) -> None:
    """Keeps supply and collateral equal: two BUYs make pairs, two SELLs undo them, else shares change hands.

    Both sides pay or get whole millionths with the remainder dropped; what is missing or over then is the venue's.
    """
    taker, maker = trade.taker, trade.maker
    floor.fees = Usd(floor.fees + sign * (taker.fee + maker.fee))
    if taker.side is maker.side:
        made = sign if taker.side is Side.BUY else -sign
        market.pairs(made * taker.shares)
        remainder = made * (taker.cash + maker.cash - taker.shares)
        floor.accounts.venue.cash.owned += remainder
        floor.remainders = Usd(floor.remainders + remainder)
    if STREET in (taker.account, maker.account):
        market.even_out(floor.accounts)
