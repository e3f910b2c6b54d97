"""Turns an order's price and size into the two amounts that the venue's order carries (`PROTOCOL.md` E.1).

A BUY gives `maker` of collateral for `taker` of shares, a SELL the other way round; both in millionths. The venue
computes the price back from the two, so their ratio must be on the grid, and it limits their decimals.
"""

from msgspec import Struct

from polystra.core.terms import OrderTerms, Side
from polystra.core.units import CENT, Usd, cost_of

_FOUR_DECIMALS = 100


class Amounts(Struct, frozen=True, gc=False):
    maker: int
    taker: int


def amounts_of(terms: OrderTerms) -> Amounts:
    """The amounts of an order. Money that the venue would find too precise is rounded against nobody but ourselves:
    what an immediate BUY spends down to the cent, what an immediate SELL asks for down to four decimals."""
    cash = cost_of(terms.price, terms.shares)
    immediate = terms.time_in_force.immediate
    if terms.side is Side.BUY:
        return Amounts(Usd(cash // CENT * CENT) if immediate else cash, terms.shares)
    return Amounts(terms.shares, cash // _FOUR_DECIMALS * _FOUR_DECIMALS if immediate else cash)
