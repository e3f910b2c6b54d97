"""Another hand on the trader's account: it takes orders back and trades, and the trader is not asked."""

from collections.abc import Iterator
from itertools import count

from polystra.core.ids import VenueOrderId
from polystra.core.terms import Outcome, Side, TimeInForce
from polystra.core.units import cost_of, price, shares
from polystra.sim import messages as sim
from tests.edge.execution_cases import MARKET
from tests.edge.wire_stage import Floor

_numbers: Iterator[int] = count(1)


def account_of(floor: Floor) -> sim.Account:
    return sim.Account(floor.standing.accounts[0].wallet)


def trade_by_hand(
    floor: Floor, side: Side, size: str, at: str, *, outcome: Outcome = Outcome.UP, rests: bool = False
) -> VenueOrderId:
    request = order_by_hand(account_of(floor), side, size, at, outcome=outcome, rests=rests)
    floor.standing.venue.feed(request)
    return request.order


def order_by_hand(
    account: sim.Account, side: Side, size: str, at: str, *, outcome: Outcome = Outcome.UP, rests: bool = False
) -> sim.Submit:
    """Without the trader's API key: nothing but the wallet says whose it is."""
    order = VenueOrderId(f"0x{next(_numbers):064x}")
    cash, amount = cost_of(price(at), shares(size)), shares(size)
    gives, gets = (amount, cash) if side is Side.SELL else (cash, amount)
    return sim.Submit(
        account=account,
        order=order,
        token=MARKET.token(outcome),
        side=side,
        maker_amount=gives,
        taker_amount=gets,
        time_in_force=TimeInForce.GTC if rests else TimeInForce.FAK,
    )


def cancel_by_hand(floor: Floor) -> None:
    """Everything that rests: the exchange holds back what an order may sell, from a sale by hand too."""
    floor.standing.venue.feed(sim.CancelAll(account=account_of(floor)))
