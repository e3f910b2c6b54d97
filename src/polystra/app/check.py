"""Compares what a ledger says with what the pretend exchange really has, to the millionth.

The two were written by different code from different news; where they are equal, nothing was lost, doubled or
misread on the way.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from polystra.app.world import TRADER
from polystra.core.errors import PolystraError
from polystra.core.ids import MarketId, TokenId, TradeId, VenueOrderId, show_order
from polystra.core.orders import OrderState
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import Price, Shares, Usd, show
from polystra.edge.store.answers import FillLine, OrderLine
from polystra.edge.store.queries import LedgerReader
from polystra.sim.records import Account, Leg, OpenOrder, Truth

NOTHING = "nothing"

_TradeKey: TypeAlias = tuple[TradeId, VenueOrderId | None]
_Place: TypeAlias = tuple[MarketId, Outcome]


class ExchangeLogDamaged(PolystraError):
    """The last line of the exchange's log is not what was written there."""


class Difference(Struct, frozen=True):
    """One thing that the two say differently, in words."""

    subject: str
    ledger: str
    exchange: str


class _LastLine(Struct, frozen=True):
    truth: Truth | None = None


def last_truth(path: Path) -> Truth | None:
    """The exchange's truth at the end of its log; None without a log, or with one of a run that did not end.

    Raises `ExchangeLogDamaged`.
    """
    try:
        with path.open("rb") as file:
            last = deque(file, maxlen=1)
        return msgspec.json.decode(last[0], type=_LastLine).truth if last else None
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ExchangeLogDamaged(f"{path}: {error}: restore it, or delete it to go on without this check") from None


def differences(ledger: LedgerReader, truth: Truth, account: Account = TRADER) -> tuple[Difference, ...]:
    """Everything that differs; empty when cash, shares, open orders, trades and fees are the same."""
    return (
        *_money(ledger, truth, account),
        *_positions(ledger, truth, account),
        *_open_orders(ledger, truth, account),
        *_trades(ledger, truth, account),
    )


def _money(ledger: LedgerReader, truth: Truth, account: Account) -> Iterator[Difference]:
    totals = ledger.totals()
    cash = truth.account(account).cash
    if totals.cash != cash:
        yield Difference("cash", f"{show(totals.cash)} USD", f"{show(cash)} USD")
    fees = sum(deal.leg.fee for deal in _deals(truth, account) if not deal.failed)
    if totals.fees != fees:
        yield Difference("fees", f"{show(totals.fees)} USD", f"{show(fees)} USD")


def _positions(ledger: LedgerReader, truth: Truth, account: Account) -> Iterator[Difference]:
    slugs = {window.market: window.slug for window in ledger.windows()}
    ours: dict[_Place, int] = {(one.market, one.outcome): one.shares for one in ledger.positions()}
    places = _places(truth)
    theirs: dict[_Place, int] = {}
    for holding in truth.account(account).holdings:
        place = places.get(holding.token)
        if place is not None:
            theirs[place] = holding.owned
        elif holding.owned:
            yield Difference(f"shares of token {holding.token}", NOTHING, show(holding.owned))
    for market, outcome in sorted({*ours, *theirs}):
        here, there = ours.get((market, outcome), 0), theirs.get((market, outcome), 0)
        if here != there:
            yield Difference(f"shares of {slugs.get(market, market)} {outcome}", show(here), show(there))


def _open_orders(ledger: LedgerReader, truth: Truth, account: Account) -> Iterator[Difference]:
    ours = {order.venue_order or show_order(order.order): order for order in ledger.orders() if is_open(order)}
    theirs = {order.id: order for order in truth.orders if order.account == account}
    for name, order in ours.items():
        here, there = _order_words(order), _open_words(theirs.get(VenueOrderId(name)))
        if here != there:
            yield Difference(f"open order {show_order(order.order)}", f"{here}", there)
    for venue_order, found in theirs.items():
        if venue_order not in ours:
            yield Difference(f"open order {venue_order}", NOTHING, _open_words(found))


def _trades(ledger: LedgerReader, truth: Truth, account: Account) -> Iterator[Difference]:
    signed = {order.order: order.venue_order for order in ledger.orders()}
    ours: dict[_TradeKey, FillLine] = {(fill.trade, signed.get(fill.order)): fill for fill in ledger.fills()}
    twice = Counter(fill.trade for fill in ledger.fills())
    theirs: dict[_TradeKey, _Deal] = {(deal.trade, deal.leg.order): deal for deal in _deals(truth, account)}
    for key, fill in ours.items():
        deal = theirs.get(key)
        here, there = _fill_words(fill), NOTHING if deal is None else _deal_words(deal)
        if here != there:
            times = f", booked {twice[fill.trade]} times" if deal is None and twice[fill.trade] > 1 else ""
            yield Difference(f"trade {fill.trade} of {show_order(fill.order)}", here + times, there)
    for key in theirs.keys() - ours.keys():
        yield Difference(f"trade {key[0]} of {key[1]}", NOTHING, _deal_words(theirs[key]))


class _Deal(Struct, frozen=True):
    """The account's side of one trade."""

    trade: TradeId
    leg: Leg
    liquidity: Liquidity
    failed: bool


def _deals(truth: Truth, account: Account) -> Iterator[_Deal]:
    for trade in truth.trades:
        for leg, liquidity in ((trade.taker, Liquidity.TAKER), (trade.maker, Liquidity.MAKER)):
            if leg.account == account:
                yield _Deal(trade.id, leg, liquidity, trade.stage is TradeStage.FAILED)


def _places(truth: Truth) -> Mapping[TokenId, _Place]:
    """Which token is which outcome of which market, as far as anybody traded it."""
    return {leg.token: (trade.market, leg.outcome) for trade in truth.trades for leg in (trade.taker, trade.maker)}


def is_open(order: OrderLine) -> bool:
    """Whether the ledger knows no end of this order."""
    return not order.state or not OrderState(order.state).ended


def _order_words(order: OrderLine) -> str:
    return _resting_words(order.side, order.outcome, order.price, (order.shares, order.filled))


def _open_words(order: OpenOrder | None) -> str:
    if order is None:
        return NOTHING
    return _resting_words(order.side, order.outcome, order.price, (order.size, order.matched))


def _resting_words(side: Side, outcome: Outcome, at: Price, amounts: tuple[Shares, Shares]) -> str:
    size, filled = amounts
    return f"{side} {outcome} {show(size)} @ {show(at)}, {show(filled)} filled"


def _fill_words(fill: FillLine) -> str:
    words = f"{fill.side} {fill.outcome} {show(fill.shares)} @ {show(fill.price)} as {fill.liquidity}"
    return words + _cost_words(fill.fee, fill.fee_shares, fill.cash, failed=fill.stage is TradeStage.FAILED)


def _deal_words(deal: _Deal) -> str:
    leg = deal.leg
    cash = Usd(-leg.cash - leg.fee) if leg.side is Side.BUY else Usd(leg.cash - leg.fee)
    words = f"{leg.side} {leg.outcome} {show(leg.shares)} @ {show(leg.price)} as {deal.liquidity}"
    return words + _cost_words(leg.fee, leg.fee_shares, cash, failed=deal.failed)


def _cost_words(fee: Usd, fee_shares: Shares, cash: Usd, *, failed: bool) -> str:
    in_shares = f" and {show(fee_shares)} shares" if fee_shares else ""
    return f", fee {show(fee)} USD{in_shares}, cash {show(cash)} USD" + (", failed" if failed else "")
