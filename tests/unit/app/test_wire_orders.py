"""What one step decided becomes requests; each answer becomes news of the order that it is about."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec

from polystra.app.outbox import OrderNames
from polystra.app.throwaway import throwaway_wallet
from polystra.app.wire_orders import WireOrders
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.core.reasons import RefusalReason
from polystra.edge.polymarket.rest import NoReply, Reply
from polystra.edge.polymarket.venue import Venue
from polystra.edge.ready import Ready
from tests.unit.core.samples import terms
from tests.wire_script import Script, private

LOST = NoReply("no reply within 3 s", sent=True)


def name(order: int) -> VenueOrderId:
    return VenueOrderId(f"0x{order:064x}")


def ready(order: int) -> Ready:
    command = cm.PlaceOrder(order=OrderId(order), terms=terms())
    return Ready(command=command, venue_order=name(order), body=b'{"order":%d}' % order)


def taken(order: int) -> dict[str, object]:
    return {"success": True, "errorMsg": "", "orderID": name(order), "status": "live"}


class Desk:
    """Orders on their way to a scripted venue. What was spawned runs in `settle`."""

    def __init__(self, *replies: Reply | NoReply, known: int = 9) -> None:
        self.script = Script(*replies)
        self.told: list[ev.AnyEvent] = []
        self._work: list[Coroutine[Any, Any, None]] = []
        names = OrderNames({name(order): OrderId(order) for order in range(1, known + 1)})
        venue = Venue(private(self.script), wallet=throwaway_wallet(1), api_key="key")
        self.orders = WireOrders(venue, names=names, put=self.told.append, spawn=self._work.append)

    def settle(self) -> list[str]:
        """Let everything arrive; the requests that left since."""
        asyncio.run(self._run())
        asked, self.script.asked = self.script.asked, []
        return [f"{one.method} {one.path} {one.body.decode()}".strip() for one in asked]

    async def _run(self) -> None:
        work, self._work = self._work[:], []
        self.orders._spawn = self._work.append
        for one in work:
            await one


def said(desk: Desk) -> list[tuple[str, int]]:
    return [(type(event).__name__, int(event.order)) for event in desk.told]  # type: ignore[union-attr]


def json(answer: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(answer))


# --- placing -----------------------------------------------------------------------------------------------------


def test_one_order_of_a_step_leaves_alone() -> None:
    desk = Desk(json(taken(1)))
    desk.orders.place([ready(1)])
    assert desk.settle() == ['POST /order {"order":1}']
    assert said(desk) == [("OrderAccepted", 1)]


def test_several_orders_of_a_step_leave_as_one_request_and_each_hears_its_own_answer() -> None:
    desk = Desk(json([taken(1), {"success": False, "errorMsg": "not enough balance / allowance"}]))
    desk.orders.place([ready(1), ready(2)])
    assert desk.settle() == ['POST /orders [{"order":1},{"order":2}]']
    assert said(desk) == [("OrderAccepted", 1), ("OrderRefused", 2)]


def test_a_batch_without_an_answer_leaves_all_of_it_in_doubt() -> None:
    desk = Desk(LOST)
    desk.orders.place([ready(1), ready(2)])
    assert len(desk.settle()) == 1, "never sent twice by itself"
    assert said(desk) == [("OrderOutcomeUnknown", 1), ("OrderOutcomeUnknown", 2)]


def test_a_step_without_orders_asks_nothing() -> None:
    desk = Desk()
    desk.orders.place([])
    desk.orders.cancel([])
    assert desk.settle() == []


# --- sending again -----------------------------------------------------------------------------------------------


def test_an_order_is_sent_again_byte_for_byte_and_alone_although_it_left_in_a_batch() -> None:
    desk = Desk(LOST, json({"error": "order 0x1 is invalid. Duplicated."}, 400))
    desk.orders.place([ready(1), ready(2)])
    desk.settle()
    desk.told.clear()
    desk.orders.resend(OrderId(2))
    assert desk.settle() == ['POST /order {"order":2}']
    (event,) = desk.told
    assert isinstance(event, ev.OrderRefused)
    assert (event.order, event.reason) == (2, RefusalReason.DUPLICATED)


def test_an_order_that_this_process_did_not_sign_is_not_sent_again() -> None:
    desk = Desk()
    desk.orders.resend(OrderId(1))
    assert desk.settle() == []
    assert desk.told == []


# --- cancelling and asking ---------------------------------------------------------------------------------------


def test_the_cancels_of_a_step_leave_as_one_request() -> None:
    desk = Desk(json({"canceled": [name(1)], "not_canceled": {name(2): "order can't be found"}}))
    desk.orders.cancel([OrderId(1), OrderId(2)])
    (asked,) = desk.settle()
    assert asked == f'DELETE /orders ["{name(1)}","{name(2)}"]'
    assert said(desk) == [("OrderCancelled", 1), ("CancelRefused", 2)]


def test_an_order_that_was_never_signed_has_nothing_to_cancel_or_to_ask_about() -> None:
    desk = Desk(known=0)
    desk.orders.cancel([OrderId(1)])
    desk.orders.look_up(OrderId(1))
    assert desk.settle() == []
    assert desk.told == []


def test_a_market_that_is_swept_tells_of_our_orders_and_of_no_strangers() -> None:
    swept = {"canceled": [name(1), name(77)], "not_canceled": {name(2): "matched", name(78): "matched"}}
    desk = Desk(json(swept))
    desk.orders.cancel_market(MarketId("0x01"))
    assert desk.settle() == ['DELETE /cancel-market-orders {"market":"0x01"}']
    assert said(desk) == [("OrderCancelled", 1), ("CancelRefused", 2)]


def test_a_market_that_may_or_may_not_be_swept_tells_nothing() -> None:
    desk = Desk(LOST)
    desk.orders.cancel_market(MarketId("0x01"))
    desk.settle()
    assert desk.told == [], "each order is looked up by itself"


def test_a_question_that_failed_is_no_answer() -> None:
    desk = Desk(LOST, LOST)
    desk.orders.look_up(OrderId(1))
    desk.settle()
    assert desk.told == []


def test_an_order_that_nobody_knows_is_not_found() -> None:
    desk = Desk(json({"error": "order not found"}, 404), json({"data": [], "next_cursor": "LTE=", "limit": 100}))
    desk.orders.look_up(OrderId(1))
    desk.settle()
    assert said(desk) == [("OrderNotFound", 1)]


def test_everything_is_cancelled_or_it_is_said_why_not() -> None:
    def answer(reply: Reply | NoReply) -> str | None:
        return asyncio.run(Desk(reply).orders.cancel_everything())

    assert answer(json({"canceled": [name(1)], "not_canceled": {}})) is None
    assert answer(json({"canceled": [], "not_canceled": {name(1): "matched"}})) == "1 orders were not cancelled"
    assert answer(LOST) == LOST.why
