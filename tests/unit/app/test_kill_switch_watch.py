"""What the engine hears of the files of a run, and what the outbox makes of them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.app import kill_switch
from polystra.app.inbox import Inbox
from polystra.app.kill_switch import KillSwitch, Watch, Word
from polystra.app.outbox import OrderNames, Outbox
from polystra.core import commands as cm
from polystra.core.events import OrderNotSent, TradingState, TradingStateSet
from polystra.core.ids import OrderId
from polystra.core.terms import Purpose, Side
from polystra.core.units import Instant
from tests.edge.store_cases import terms
from tests.inbox_cases import NOWHEN, Hands, read_all
from tests.unit.app.test_kill_switch import ARMED, CLOSE, GO_ON, LUNCH, PAUSED, STOP, STOPPED, states, watched
from tests.wires import Signing, Wire


def test_the_engine_hears_of_a_stop_and_of_arming_once_each(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    watch, told = watched(switch)
    watch.look()
    assert told == []
    switch.throw(STOP)
    watch.look()
    watch.look()
    switch.arm(GO_ON)
    watch.look()
    watch.look()
    assert states(told) == [(STOPPED, "ann", "enough"), (ARMED, "bob", "looked at it")]


def test_a_second_stop_is_heard_as_the_first_was(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    watch, told = watched(switch)
    for _ in range(2):
        switch.throw(STOP)
        watch.look()
        switch.arm(GO_ON)
        watch.look()
    assert [event.state for event in told] == [STOPPED, ARMED, STOPPED, ARMED]


def test_a_trader_whose_ledger_says_stopped_already_is_not_told_again(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    watch, told = watched(switch, STOPPED)
    watch.look()
    assert told == []


def test_a_file_that_got_lost_arms_nobody(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    watch, told = watched(switch)
    watch.look()
    (tmp_path / "stop").unlink()
    watch.look()
    assert [event.state for event in told] == [STOPPED]
    watch, told = watched(switch, STOPPED)
    watch.look()
    assert told == []


@pytest.mark.parametrize(("file", "word"), [("stop", STOPPED), ("state", TradingState.REDUCE_ONLY)])
def test_an_older_word_to_arm_arms_nobody_once_a_later_file_is_lost(
    tmp_path: Path, file: str, word: TradingState
) -> None:
    """Armed on Monday without a trader, forbidden by hand on Tuesday, and the file got lost on Wednesday."""
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    (tmp_path / file).write_text(word.value)
    watch, told = watched(switch, PAUSED)
    watch.look()
    (tmp_path / file).unlink()
    watch.look()
    assert [event.state for event in told] == [word]
    switch.arm(GO_ON)
    watch.look()
    assert [event.state for event in told] == [word, ARMED]


def test_a_second_stop_takes_back_a_word_to_arm_beside_the_first(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    (tmp_path / "stop").touch()
    assert not switch.throw(STOP)
    (tmp_path / "stop").unlink()
    assert switch.commanded() is None


def test_a_second_pause_takes_back_a_word_to_arm_beside_the_first(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    (tmp_path / "state").write_text("paused")
    switch.restrict(LUNCH)
    (tmp_path / "state").unlink()
    assert switch.commanded() is None


def test_a_look_while_somebody_arms_loses_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trader looks before and after every file that arming writes or takes away."""
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    watch, told = watched(switch)
    unlink, replaced = Path.unlink, Path.replace

    def between(deed: Callable[..., Any]) -> Callable[..., Any]:
        def done(path: Path, *args: Any, **more: Any) -> Any:
            if path.name == "arm":
                return deed(path, *args, **more)
            watch.look()
            result = deed(path, *args, **more)
            watch.look()
            return result

        return done

    monkeypatch.setattr(Path, "unlink", between(unlink))
    monkeypatch.setattr(Path, "replace", between(replaced))
    switch.arm(GO_ON)
    assert [event.state for event in told] == [STOPPED, ARMED]


def test_arming_while_the_trader_looks_loses_no_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has seen the file `stop`, and then a person arms."""
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    watch, told = watched(switch, STOPPED)
    stat, arms = Path.stat, [GO_ON]

    def seen(path: Path, **more: Any) -> Any:
        result = stat(path, **more)
        if path.name == "stop" and arms:
            switch.arm(arms.pop())
        return result

    monkeypatch.setattr(Path, "stat", seen)
    watch.look()
    watch.look()
    assert (arms, [event.state for event in told]) == ([], [ARMED])


def test_a_trader_that_a_broken_disk_paused_is_armed_by_the_same_word(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    switch.arm(GO_ON)
    watch, told = watched(switch, PAUSED)
    watch.look()
    assert states(told) == [(ARMED, "bob", "looked at it")]


def test_it_is_looked_for_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill_switch, "LOOK_EVERY", 0.001)
    switch = KillSwitch(tmp_path)

    async def life() -> TradingStateSet:
        heard: asyncio.Future[TradingStateSet] = asyncio.get_running_loop().create_future()
        looking = asyncio.create_task(Watch(switch, heard.set_result, ARMED).keep_looking())
        await asyncio.sleep(0.01)
        switch.throw(STOP)
        told = await asyncio.wait_for(heard, 10)
        looking.cancel()
        return told

    assert states([asyncio.run(life())]) == [(STOPPED, "ann", "enough")]


# --- the outbox


class Way:
    def __init__(self, folder: Path) -> None:
        self.inbox, self.wire = Inbox(Hands()), Wire([])
        self.switch = KillSwitch(folder)
        self.outbox = Outbox(self.inbox, Signing([]), OrderNames(), self.wire, self.switch)

    def send(self, *commands: cm.AnyCommand) -> list[cm.AnyCommand]:
        """What of them left."""
        before = len(self.wire.sent)
        self.outbox.send(self.outbox.prepare(commands))
        return [one.command for one in self.wire.sent[before:]]


PLACE = cm.PlaceOrder(order=OrderId(1), terms=terms())
AGAIN = cm.ResendOrder(order=OrderId(2))
CANCEL = cm.CancelOrder(order=OrderId(3))


def test_no_order_leaves_while_it_is_thrown_and_every_cancel_does(tmp_path: Path) -> None:
    way = Way(tmp_path)
    way.switch.throw(STOP)
    assert way.send(PLACE, AGAIN, CANCEL, cm.CancelAll()) == [CANCEL, cm.CancelAll()]
    (told,) = read_all(way.inbox)
    assert told == OrderNotSent(at=Instant(1_000), order=OrderId(1), why="the kill switch is thrown")


SALE = cm.PlaceOrder(order=OrderId(4), terms=replace(terms(), side=Side.SELL, purpose=Purpose.TARGET))
SALE_AGAIN = cm.ResendOrder(order=OrderId(4))


@pytest.mark.parametrize("word", [LUNCH, CLOSE], ids=["paused", "reduce-only"])
def test_only_sells_leave_a_run_that_is_paused_or_reduce_only(tmp_path: Path, word: Word) -> None:
    """An entry that was decided before, or is to be sent again, stays; its engine hears that."""
    way = Way(tmp_path)
    assert way.send(PLACE, SALE) == [PLACE, SALE]
    way.switch.restrict(word)
    other = replace(PLACE, order=OrderId(5))
    assert way.send(cm.ResendOrder(order=OrderId(1)), other, SALE_AGAIN, CANCEL) == [SALE_AGAIN, CANCEL]
    (told,) = read_all(way.inbox)
    assert told == OrderNotSent(at=Instant(1_000), order=OrderId(5), why=f"the run is {word.state}")
    assert way.send(replace(SALE, order=OrderId(6))) != []
    way.switch.arm(GO_ON)
    assert way.send(replace(PLACE, order=OrderId(7))) != []


def test_a_state_that_nobody_understands_lets_nothing_leave(tmp_path: Path) -> None:
    way = Way(tmp_path)
    (tmp_path / "state").write_text("slow down")
    assert way.send(PLACE, SALE, CANCEL) == [CANCEL]
    assert [type(event) for event in read_all(way.inbox)] == [OrderNotSent, OrderNotSent]


def test_an_order_leaves_before_it_is_thrown_and_after_arming(tmp_path: Path) -> None:
    way = Way(tmp_path)
    assert way.send(PLACE, AGAIN) == [PLACE, AGAIN]
    way.switch.throw(STOP)
    assert way.send(PLACE) == []
    way.switch.arm(GO_ON)
    assert way.send(PLACE) == [PLACE]


def test_a_trader_that_is_being_stopped_sends_nothing_again_either(tmp_path: Path) -> None:
    way = Way(tmp_path)
    way.outbox.stop("the trader is being stopped")
    assert way.send(AGAIN, CANCEL) == [CANCEL]
    assert read_all(way.inbox) == []


def test_the_moment_is_stamped_by_the_inbox_not_by_the_file(tmp_path: Path) -> None:
    inbox = Inbox(Hands())
    switch = KillSwitch(tmp_path)
    switch.throw(STOP)
    Watch(switch, inbox.put, ARMED).look()
    (event,) = read_all(inbox)
    assert event.at != NOWHEN
    assert event.at != STOP.at
