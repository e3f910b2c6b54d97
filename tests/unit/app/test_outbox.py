"""The only way out: signed, named, and never sent unless it was recorded."""

import pytest

from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames, Outbox
from polystra.core import commands as cm
from polystra.core.events import AnyEvent, OrderNotSent
from polystra.core.ids import MarketId, OrderId, VenueOrderId
from polystra.edge.ready import Ready
from tests.edge.store_cases import terms
from tests.inbox_cases import Hands, read_all
from tests.wires import Signing, Wire

PLACE = cm.PlaceOrder(order=OrderId(1), terms=terms())
OTHERS: list[cm.AnyCommand] = [
    cm.CancelOrder(order=OrderId(7)),
    cm.CancelAll(),
    cm.QueryOrder(order=OrderId(7)),
    cm.TakeSnapshot(),
    cm.Follow(market=MarketId("0x1")),
    cm.Unfollow(market=MarketId("0x1")),
    cm.LoadHistory(market=MarketId("0x1")),
    cm.CancelMarket(market=MarketId("0x1")),
    cm.ReadBook(market=MarketId("0x1")),
]


class Way:
    """An outbox with everything that it touches."""

    def __init__(self, *broken: int) -> None:
        self.deeds: list[str] = []
        self.inbox = Inbox(Hands())
        self.names = OrderNames()
        self.wire = Wire(self.deeds)
        self.outbox = Outbox(self.inbox, Signing(self.deeds, *broken), self.names, self.wire)

    def told(self) -> list[AnyEvent]:
        return read_all(self.inbox)


def test_an_order_is_signed_and_named_before_anything_is_sent() -> None:
    way = Way()
    (ready,) = way.outbox.prepare([PLACE])
    assert way.deeds == ["sign o1"]
    assert ready == Ready(command=PLACE, venue_order=VenueOrderId("0xhash1"), body=b"signed")
    assert way.names.ours(VenueOrderId("0xhash1")) == 1
    assert way.names.theirs(OrderId(1)) == "0xhash1"


def test_what_was_recorded_is_sent_in_its_order() -> None:
    way = Way()
    commands = [OTHERS[0], PLACE, OTHERS[2]]
    way.outbox.send(way.outbox.prepare(commands))
    assert [one.command for one in way.wire.sent] == commands
    assert way.told() == []


@pytest.mark.parametrize("command", OTHERS, ids=lambda command: type(command).__name__)
def test_what_places_nothing_needs_no_signature(command: cm.AnyCommand) -> None:
    way = Way()
    ready = way.outbox.prepare([command])
    way.outbox.send(ready)
    assert ready == [Ready(command=command)]
    assert way.deeds == [f"send {type(command).__name__}"]


def test_an_order_that_cannot_be_signed_is_handed_on_to_be_recorded_and_never_sent() -> None:
    way = Way(1)
    ready = way.outbox.prepare([PLACE, OTHERS[0]])
    way.outbox.send(ready)
    assert [one.command for one in ready] == [PLACE, OTHERS[0]]
    assert ready[0].venue_order is None
    assert [one.command for one in way.wire.sent] == [OTHERS[0]]
    (told,) = way.told()
    assert isinstance(told, OrderNotSent)
    assert (told.order, told.why) == (1, "the key is locked")
    assert way.names.theirs(OrderId(1)) is None


def test_one_order_that_cannot_be_signed_does_not_keep_the_others_back() -> None:
    way = Way(1)
    second = cm.PlaceOrder(order=OrderId(2), terms=terms())
    way.outbox.send(way.outbox.prepare([PLACE, second]))
    assert [one.command for one in way.wire.sent] == [second]


@pytest.mark.parametrize("command", OTHERS, ids=lambda command: type(command).__name__)
def test_what_could_not_be_recorded_keeps_orders_back_and_lets_everything_else_go(command: cm.AnyCommand) -> None:
    way = Way()
    ready = way.outbox.prepare([PLACE, command])
    way.outbox.hold_back(ready, "disk full")
    assert [one.command for one in way.wire.sent] == [command]
    (told,) = way.told()
    assert isinstance(told, OrderNotSent)
    assert (told.order, told.why) == (1, "disk full")


def test_notifications_are_not_dropped_before_what_they_led_to_is_kept() -> None:
    drop = Ready(command=cm.DropNotifications(ids=("n1",)))
    way = Way()
    way.outbox.hold_back([drop], "disk full")
    assert way.wire.sent == [], "dropped now, they would never come again"
    way.outbox.send([drop])
    assert way.wire.sent == [drop]


def test_an_order_to_be_sent_again_goes_while_orders_go_and_stays_in_doubt_when_they_are_kept_back() -> None:
    again = Ready(command=cm.ResendOrder(order=OrderId(1)))
    way = Way()
    way.outbox.send([again])
    assert way.wire.sent == [again]
    way.outbox.stop("disk full")
    way.outbox.send([again])
    assert way.wire.sent == [again]
    assert way.told() == []


def test_an_order_neither_signed_nor_recorded_is_told_once() -> None:
    """Told twice, the second would be news of an order that ended as not sent, which cannot happen."""
    way = Way(1)
    way.outbox.hold_back(way.outbox.prepare([PLACE]), "disk full")
    assert [told.why for told in way.told() if isinstance(told, OrderNotSent)] == ["the key is locked"]
    assert way.wire.sent == []


def test_names_lead_both_ways_and_strangers_have_none() -> None:
    names = OrderNames({VenueOrderId("0xold"): OrderId(3)})
    names.add(OrderId(4), VenueOrderId("0xnew"))
    assert [names.ours(VenueOrderId(one)) for one in ("0xold", "0xnew", "0xforeign")] == [3, 4, None]
    assert [names.theirs(OrderId(one)) for one in (3, 4, 5)] == ["0xold", "0xnew", None]


def test_names_that_were_given_are_not_changed_behind_their_owner() -> None:
    known = {VenueOrderId("0xold"): OrderId(3)}
    OrderNames(known).add(OrderId(4), VenueOrderId("0xnew"))
    assert known == {VenueOrderId("0xold"): OrderId(3)}
