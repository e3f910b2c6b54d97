"""What an order would meet in the book, without touching it: by price, then time; a better price is to its gain."""

from msgspec import Struct

from polystra.core.units import MICRO, Price, Shares, Usd, cost_of
from polystra.sim import queue
from polystra.sim.fees import charged
from polystra.sim.markets import Market
from polystra.sim.orders import Order

SPECK = 100
"""0.0001 share, the finest size an immediate order can state: cash for less than that is not worth another trade."""


class Meeting(Struct, frozen=True):
    """One part of a match: the level in Up terms, how much, and the resting order, None for the background."""

    price: Price
    shares: Shares
    maker: Order | None


class Plan(Struct, frozen=True):
    """`own` are resting orders of the same account which are in the way; `whole` means that nothing is left wanting."""

    meetings: list[Meeting]
    own: list[Order]
    whole: bool

    @property
    def shares(self) -> Shares:
        return Shares(sum(meeting.shares for meeting in self.meetings))

    def cash(self, order: Order) -> Usd:
        return Usd(sum(cost_of(order.own_price(one.price), one.shares) for one in self.meetings))

    def fees(self, order: Order, market: Market) -> Usd:
        fees = (charged(market.facts, order.side, order.own_price(m.price), m.shares)[0] for m in self.meetings)
        return Usd(sum(fees))


def plan(market: Market, order: Order) -> Plan:
    """An account never meets itself: its own resting orders on the way are skipped, and cancelled if the match happens.

    That is what the operator does on its other book (docs.polymarket.com, perps, self-trade prevention: cancel the
    maker, the taker goes on); for this book it documents nothing.
    """
    meetings: list[Meeting] = []
    own: list[Order] = []
    shares, cash = order.remaining, order.budget
    against = market.ladder(order.up_side.other)
    for price in against.better_or_at(order.up_price):
        own_price = order.own_price(price)
        for maker, there in queue.line(against.own.get(price, ()), against.street(price)):
            wanted = cash * MICRO // own_price if order.in_cash else shares
            if order.in_cash and wanted < SPECK:
                return Plan(meetings, own, True)
            if maker is not None and maker.account == order.account:
                own.append(maker)
                continue
            met = Shares(min(wanted, there))
            meetings.append(Meeting(price, met, maker))
            shares, cash = Shares(shares - met), Usd(cash - cost_of(own_price, met))
            if met == wanted:
                return Plan(meetings, own, True)
    return Plan(meetings, own, False)
