"""What the venue has noted for us: a hint to ask, and then to be forgotten."""

from __future__ import annotations

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.ids import OrderId
from polystra.core.notices import Notice, NoticeKind
from polystra.core.units import usd
from tests.core_cases import Bench, covered, moment


def notice(number: str, order: int | None = 2, kind: NoticeKind = NoticeKind.FILLED) -> Notice:
    return Notice(id=number, kind=kind, order=None if order is None else OrderId(order))


def read(bench: Bench, at: float, *notices: Notice) -> list[str]:
    return bench.hear(at, ev.NotificationsRead, notices=notices)


def dropped(bench: Bench, at: float, *notices: Notice) -> list[tuple[str, ...]]:
    """The ids of each drop that a reading led to."""
    step = bench.engine.handle(ev.NotificationsRead(at=moment(at), notices=notices))
    return [command.ids for command in step.commands if isinstance(command, cm.DropNotifications)]


def test_a_live_order_that_is_named_is_asked_about_and_the_notice_dropped() -> None:
    assert read(covered(), 70, notice("n1")) == ["query o2", "drop notifications"]


def test_the_same_notice_again_is_dropped_again_and_asks_nothing() -> None:
    bench = covered()
    read(bench, 70, notice("n1"))
    assert read(bench, 71, notice("n1")) == ["drop notifications"]
    assert read(bench, 72, notice("n1"), notice("n2")) == ["query o2", "drop notifications"]


def test_several_notices_of_one_order_ask_once() -> None:
    assert read(covered(), 70, notice("n1"), notice("n2"), notice("n1")) == ["query o2", "drop notifications"]


def test_each_id_is_dropped_once() -> None:
    assert dropped(covered(), 70, notice("n1"), notice("n2", None), notice("n1")) == [("n1", "n2")]


def test_an_order_that_ended_or_is_not_ours_is_not_asked_about() -> None:
    bench = covered()
    assert bench.state(1) == "FILLED"
    read_of_others = read(bench, 70, notice("n1", 1), notice("n2", 99), notice("n3", None, NoticeKind.RESOLVED))
    assert read_of_others == ["drop notifications"]


def test_nothing_noted_drops_nothing_since_of_no_ids_the_venue_would_drop_all() -> None:
    assert read(covered(), 70) == []


def test_what_is_read_asleep_is_dropped_once_awake() -> None:
    bench = Bench()
    bench.hear(0, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(1_000))
    assert read(bench, 0, notice("n1", None)) == []
    bench.reading(0, "1000")
    assert bench.hear(1, ev.Started) == ["drop notifications"]
