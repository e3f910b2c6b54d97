"""Says what an order of some size would meet in a book: what it would cost, and whether that is enough. Pure.

A book that is unknown, one-sided or too wide is not liquid: nobody trades on hope.
"""

from msgspec import Struct

from polystra.core.terms import Side
from polystra.core.units import MICRO, NO_ASK, Price, Shares, Usd
from polystra.edge.polymarket.market_wire import RestBook


class Liquidity(Struct, frozen=True, gc=False, kw_only=True):
    """What taking would bring before fees: `shares` within the limit at `average`, rounded against us to the
    millionth, None for none; `cash` is their cost or their proceeds. `spread` is None for a book with an empty side.
    `enough` says that the whole size is there and the spread is no wider than allowed."""

    shares: Shares
    cash: Usd
    average: Price | None
    spread: Price | None
    enough: bool


NOTHING_THERE = Liquidity(shares=Shares(0), cash=Usd(0), average=None, spread=None, enough=False)


def liquidity_of(
    book: RestBook | None, side: Side, size: Shares, *, limit: Price, most_spread: Price = NO_ASK
) -> Liquidity:
    """Of taking `size` shares at `limit` or better; None for a book that could not be read."""
    if book is None:
        return NOTHING_THERE
    spread = Price(book.asks[0][0] - book.bids[0][0]) if book.asks and book.bids else None
    shares, cash = _taken(book, side, size, limit)
    return Liquidity(
        shares=shares,
        cash=Usd(-(-cash // MICRO) if side is Side.BUY else cash // MICRO),
        average=_average(side, shares, cash),
        spread=spread,
        enough=shares == size > 0 and spread is not None and spread <= most_spread,
    )


def _taken(book: RestBook, side: Side, size: Shares, limit: Price) -> tuple[Shares, int]:
    """Shares, and their cash in millionths of a millionth."""
    left, cash = int(size), 0
    for at, there in book.asks if side is Side.BUY else book.bids:
        if left <= 0 or (at > limit if side is Side.BUY else at < limit):
            break
        taken = min(left, there)
        left, cash = left - taken, cash + taken * at
    return Shares(size - left), cash


def _average(side: Side, shares: Shares, cash: int) -> Price | None:
    if not shares:
        return None
    return Price(-(-cash // shares) if side is Side.BUY else cash // shares)
