"""What the pretend exchange never breaks, whatever clients and world do; to be asked after every request.

`payouts` are those of the markets that were resolved: only there may shares exist that have no pair.
"""

from collections.abc import Iterable, Mapping

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Outcome, Side, TradeStage
from polystra.core.units import MICRO, NO_ASK, NO_BID, Price, Shares, Usd, mirror
from polystra.sim import messages as m
from polystra.sim.exchange import Exchange
from polystra.sim.records import STREET, VENUE, OpenOrder, Truth

Sides = dict[Side, dict[Price, Shares]]


def check(exchange: Exchange, markets: Iterable[m.MarketFacts], payouts: Mapping[MarketId, Usd] | None = None) -> None:
    truth = exchange.truth()
    check_money(truth)
    for facts in markets:
        check_supply(truth, facts, (payouts or {}).get(facts.id))
        check_book(truth, exchange, facts.id)
    check_orders(truth)


def check_money(truth: Truth) -> None:
    """Nothing appears, nothing is lost, nobody but street and venue is below zero, nothing is promised twice."""
    cash = sum(account.cash for account in truth.accounts)
    assert cash + sum(supply.collateral for supply in truth.supply) == truth.deposited
    assert truth.account(VENUE).cash == truth.fees + truth.remainders - truth.paid
    for account in truth.accounts:
        if account.account not in (STREET, VENUE):
            assert 0 <= account.reserved <= account.settled <= account.cash
        for holding in account.holdings:
            assert 0 <= holding.reserved <= holding.settled <= holding.owned


def check_supply(truth: Truth, facts: m.MarketFacts, payout: Usd | None) -> None:
    """Every share has an owner, and a pair of them a dollar. Of a resolved market the shares left are covered, and what
    is over is less than a millionth for each payment."""
    (supply,) = (one for one in truth.supply if one.market == facts.id)
    for outcome, exist in ((Outcome.UP, supply.up), (Outcome.DOWN, supply.down)):
        assert sum(account.of(facts.token(outcome)) for account in truth.accounts) == exist
    if payout is None:
        assert int(supply.up) == int(supply.down) == int(supply.collateral)
        return
    left = worth(supply.up, payout) + worth(supply.down, MICRO - payout)
    assert left <= supply.collateral <= left + 1_000


def worth(shares: int, payout: int) -> int:
    return shares * payout // MICRO


def check_orders(truth: Truth) -> None:
    """An order's matched size is that of its trades that live, and what it needs to rest is held back, no more."""
    live: dict[VenueOrderId, int] = {}
    for trade in truth.trades:
        assert trade.taker.account != trade.maker.account
        if trade.stage is not TradeStage.FAILED:
            for leg in (trade.taker, trade.maker):
                live[leg.order] = live.get(leg.order, 0) + leg.shares
    for order in truth.orders:
        assert order.remaining > 0
        assert order.matched == live.get(order.id, 0) <= order.size - order.remaining
    for account in truth.accounts:
        own = [order for order in truth.orders if order.account == account.account]
        buys = sum(order.price * order.remaining // MICRO for order in own if order.side is Side.BUY)
        assert account.reserved == buys
        assert {order.token for order in own if order.side is Side.SELL} <= {one.token for one in account.holdings}
        for holding in account.holdings:
            assert holding.reserved == offered(own, holding.token)


def offered(orders: Iterable[OpenOrder], token: TokenId) -> int:
    return sum(order.remaining for order in orders if order.side is Side.SELL and order.token == token)


def check_book(truth: Truth, exchange: Exchange, market: MarketId) -> None:
    """No order of a client stands across from another, nor across from the published background."""
    book = exchange.book(market)
    bids, asks = dict(book.bids), dict(book.asks)
    assert all(size > 0 for size in (*bids.values(), *asks.values()))
    for order in truth.orders:
        if order.market != market:
            continue
        side, price = up_terms(order)
        if side is Side.BUY:
            assert price < min(asks, default=MICRO)
            assert bids[price] >= order.remaining
        else:
            assert price > max(bids, default=0)
            assert asks[price] >= order.remaining


def up_terms(order: OpenOrder) -> tuple[Side, Price]:
    if order.outcome is Outcome.UP:
        return order.side, order.price
    return order.side.other, mirror(order.price)


def follow(shown: dict[MarketId, Sides], outputs: Iterable[m.Output]) -> None:
    """The books that a listener to the public stream keeps."""
    for output in outputs:
        if isinstance(output, m.PublicBook):
            shown[output.market] = {Side.BUY: dict(output.bids), Side.SELL: dict(output.asks)}
        elif isinstance(output, m.PublicLevels):
            sides = shown[output.market]
            for change in output.changes:
                sides[change.side].pop(change.price, None)
                if change.size:
                    sides[change.side][change.price] = change.size
            assert output.best_bid == max(sides[Side.BUY], default=NO_BID)
            assert output.best_ask == min(sides[Side.SELL], default=NO_ASK)


def published(exchange: Exchange, market: MarketId) -> Sides:
    book = exchange.book(market)
    return {Side.BUY: dict(book.bids), Side.SELL: dict(book.asks)}
