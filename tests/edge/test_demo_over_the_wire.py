"""The demo in two processes: the same as in one, whatever else the machine does, and whole after any kill."""

import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polystra.app.world import TRADER
from tests.edge.demo_cases import Kept, Life, demo, intents, kept, kill, states, wait_for_end

WINDOWS = ("--windows", "3")
OUR_OWN = slice(3, None)
"""The columns of an order that do not say in which run and at which event it was written."""


def _ended(life: Life) -> None:
    code, _, err = life.end()
    assert code == 0, err


def _told(left: Kept) -> tuple[list[Any], list[Any]]:
    """Orders and fills without where they stand in a journal, which differs where other news lie between."""
    orders = [row[OUR_OWN] for row in left.orders]
    return orders, sorted((*row[:2], *row[4:]) for row in left.fills)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wire") / "run"
    with demo(folder, *WINDOWS) as life:
        _ended(life)
    return folder


def test_the_wire_gives_the_orders_and_fills_of_the_world_in_one_process(undisturbed: Path, tmp_path: Path) -> None:
    with demo(tmp_path / "run", *WINDOWS, "--in-process") as life:
        _ended(life)
    over_wire, in_process = _told(kept(undisturbed)), _told(kept(tmp_path / "run"))
    assert len(over_wire[0]) > 3
    assert len(over_wire[1]) > 3
    assert over_wire == in_process


def test_a_busy_machine_changes_not_a_byte_of_the_journal(undisturbed: Path, tmp_path: Path) -> None:
    with _load(), demo(tmp_path / "run", *WINDOWS) as life:
        _ended(life)
    journal = "journal-0001.plj"
    assert (tmp_path / "run" / journal).read_bytes() == (undisturbed / journal).read_bytes()


def test_another_seed_gives_other_orders(undisturbed: Path, tmp_path: Path) -> None:
    with demo(tmp_path / "run", *WINDOWS, "--seed", "2") as life:
        _ended(life)
    assert _told(kept(tmp_path / "run")) != _told(kept(undisturbed))


KILLS_OF_ONE_RUN = 4


@pytest.mark.parametrize("whom", ["trader", "exchange", "both"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_demo_that_is_killed_again_and_again_comes_to_a_whole_end(
    whom: str, seed: int, undisturbed: Path, tmp_path: Path
) -> None:
    """24 kills at random moments; what must hold is asked of the exchange."""
    chance = random.Random(f"{whom} {seed}")
    whole = sum(path.stat().st_size for path in undisturbed.glob("journal-*.plj"))
    folder, killed = tmp_path / "run", 0
    for at in sorted(chance.uniform(0.0, 0.95) for _ in range(KILLS_OF_ONE_RUN)):
        with demo(folder, *(WINDOWS if not killed else ("--resume",))) as life:
            if not life.come_to(round(at * whole) + 1):
                break
            exchange = life.exchange
            _kill(whom, life, exchange)
            wait_for_end(exchange)
            killed += 1
    with demo(folder, "--resume") as life:
        _ended(life)
    assert killed == KILLS_OF_ONE_RUN
    _nothing_is_doubled_or_lost(kept(folder))


@pytest.fixture
def exchange_truth() -> Callable[[Path], Kept]:
    """What the exchange of a run that has ended really has, beside the ledger."""
    return kept


@pytest.mark.spec("L1.A3")
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_order_is_known_after_a_kill_right_after_it_was_accepted(
    exchange_truth: Callable[[Path], Kept], nth: int, tmp_path: Path
) -> None:
    """The moment is that at which the exchange writes down that it took the order: no answer has left yet."""
    folder = tmp_path / "run"
    with demo(folder, *WINDOWS) as life:
        order = life.accepted(nth)
        kill(life.process.pid)
        exchange = life.exchange
    wait_for_end(exchange)
    assert order in intents(folder)
    with demo(folder, "--resume") as life:
        _ended(life)
    left = exchange_truth(folder)
    _nothing_is_doubled_or_lost(left)
    assert [row[3] for row in left.orders].count(order) == 1
    assert states(folder)[order] in ("FILLED", "CANCELLED", "EXPIRED")


def test_a_demo_killed_before_it_traded_can_be_gone_on_with(tmp_path: Path) -> None:
    with demo(tmp_path / "run", *WINDOWS) as life:
        assert life.come_to(1)
        kill(life.process.pid)
    with demo(tmp_path / "run", "--resume") as life:
        _ended(life)
    _nothing_is_doubled_or_lost(kept(tmp_path / "run"))


def test_a_folder_without_a_run_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    with demo(tmp_path, "--resume") as life:
        code, _, err = life.end()
    assert code == 2
    assert "holds no run to go on with" in err


def _kill(whom: str, life: Life, exchange: int) -> None:
    trader = life.process.pid
    kill(*{"trader": (trader,), "exchange": (exchange,), "both": (trader, exchange)}[whom])
    if whom == "exchange":
        code, _, err = life.end()
        assert code == 3, err
        assert "--resume" in err


def _nothing_is_doubled_or_lost(left: Kept) -> None:
    """The demo itself has compared cash, orders and fills to the millionth, or its exit code would not be 0."""
    ours = [order for order in left.truth.orders if order.account == TRADER]
    legs = [leg for trade in left.truth.trades for leg in (trade.taker, trade.maker) if leg.account == TRADER]
    intents = {row[3]: row[0] for row in left.orders}
    assert ours == []
    assert legs
    assert {leg.order for leg in legs} <= intents.keys()
    for order, number in intents.items():
        filled = sum(leg.shares for leg in legs if leg.order == order)
        asked = next(row[9] for row in left.orders if row[0] == number)
        assert filled <= asked, f"o{number}: {filled} filled of {asked}"


@contextmanager
def _load() -> Iterator[None]:
    """Two processes that take all the time they get."""
    spinning = [multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(2)]
    for one in spinning:
        one.start()
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.join()


def _spin() -> None:
    while True:
        pass
