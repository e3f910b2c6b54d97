"""Cancels, with the venue's reasons for what could not be cancelled (`PROTOCOL.md` B.4)."""

from polystra.core.ids import VenueOrderId
from polystra.core.units import Instant
from polystra.sim import fills, life, mishaps, rules
from polystra.sim.floor import Floor
from polystra.sim.messages import Cancel, CancelAll, CancelAnswered, CancelMarket, Mishap, RequestRejected
from polystra.sim.orders import Order
from polystra.sim.records import Account
from polystra.sim.rules import Refusal

UNKNOWN = "Order not found or already canceled"
"""Also of an order in its taker hold, which cannot be cancelled and is not in the book yet: the worst of the words."""


def cancel(floor: Floor, request: Cancel, now: Instant) -> None:
    most = floor.rules.most_cancels
    if len(request.orders) > most:
        why = Refusal(400, f"Too many orders in payload, max allowed: {most}")
        refuse(floor, request.account, why)
        return
    wanted = tuple(dict.fromkeys(request.orders))
    found = [order for name in wanted if (order := _resting(floor, request.account, name)) is not None]
    known = {order.id for order in found}
    missing = tuple((name, _why(floor, request.account, name)) for name in wanted if name not in known)
    _cancel(floor, request.account, found, missing)


def cancel_all(floor: Floor, request: CancelAll, now: Instant) -> None:
    _cancel(floor, request.account, life.orders_of(floor, request.account), ())


def cancel_market(floor: Floor, request: CancelMarket, now: Instant) -> None:
    if request.market is None and request.token is None:
        refuse(floor, request.account, Refusal(400, "Invalid payload"))
        return
    _cancel(floor, request.account, life.orders_of(floor, request.account, request.market, request.token), ())


def refuse(floor: Floor, account: Account, why: Refusal) -> None:
    floor.out.append(RequestRejected(at=floor.now, account=account, http=why.http, text=why.text))


def _cancel(floor: Floor, account: Account, orders: list[Order], missing: tuple[tuple[VenueOrderId, str], ...]) -> None:
    shut = rules.shut(floor.mode)
    if shut:
        refuse(floor, account, shut)
        return
    gone = tuple(order.id for order in orders)
    floor.out.append(CancelAnswered(at=floor.now, account=account, canceled=gone, not_canceled=missing))
    for order in orders:
        market = floor.markets[order.market]
        if late := mishaps.strikes(floor, Mishap.FILL_AFTER_CANCEL, mishaps.of_order(order)):
            fills.serve_unheard(floor, market, order, late.delay)
        else:
            life.end(floor, order, life.CANCELED)
        floor.publish_changes(market, floor.now)


def _resting(floor: Floor, account: Account, name: VenueOrderId) -> Order | None:
    order = floor.resting.get(name)
    return order if order is not None and order.account == account else None


def _why(floor: Floor, account: Account, name: VenueOrderId) -> str:
    owner, text = floor.ended.get(name, (account, UNKNOWN))
    return text if owner == account else UNKNOWN
