"""Two hundred orders are wanted, every fifth answer is lost, others come late or never: two hundred orders are there.

Over a hundred seeds, with the whole trader at the exchange's own wire. A placement that came to nothing would be a
missing order, one that was made anew without need a double.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from polystra.exchange.faults import Fault, Switch
from tests.edge.two_hundred_cases import ALONE, ORDERS, TOGETHER, Pair, Toll, over_the_wire, usual

STRUCK = (Fault.REPLY_LOST, Fault.REPLY_LATE, Fault.REQUEST_LATE, Fault.RESET)

CROSSES = "invalid post-only order: order crosses book"


def _play(folder: Path, strategy: Pair, switches: Sequence[Switch], seeds: Sequence[int]) -> list[Toll]:
    """Every seed must come out right."""
    tolls = []
    for seed in seeds:
        own = folder / f"{seed}"
        own.mkdir()
        toll = over_the_wire(own, strategy, switches, seed=seed)
        found = f"seed {seed}: {toll.taken} taken, {toll.doubles} doubles, {toll.missing} missing"
        assert (toll.taken, toll.doubles, toll.missing) == (ORDERS, 0, 0), found
        assert set(toll.resting.values()) == {1}, found
        tolls.append(toll)
    return tolls


def _hits(tolls: Iterable[Toll]) -> Counter[str]:
    """How often each fault struck in all of them."""
    return sum((toll.hits for toll in tolls), Counter[str]())


def _given_up(tolls: Iterable[Toll]) -> int:
    return sum(toll.given_up for toll in tolls)


@pytest.mark.parametrize("first", range(1, 51, 10))
def test_orders_that_leave_alone_are_there_once_each(tmp_path: Path, first: int) -> None:
    """What did not arrive is sent again as it is; only what broke off three times, one in 8,000, is given up."""
    tolls = _play(tmp_path, Pair(together=False), usual(ALONE), range(first, first + 10))
    hits = _hits(tolls)
    assert hits[Fault.REPLY_LOST] > 10 * ORDERS * 15 // 100
    assert all(hits[fault] > 0 for fault in STRUCK), hits
    assert _given_up(tolls) <= 2


@pytest.mark.parametrize("first", range(51, 101, 25))
def test_orders_that_leave_in_batches_are_there_once_each(tmp_path: Path, first: int) -> None:
    """What strikes a batch strikes fifteen orders; what is sent again leaves alone."""
    tolls = _play(tmp_path, Pair(together=True), usual(TOGETHER), range(first, first + 25))
    assert all(_hits(tolls)[fault] > 0 for fault in STRUCK), _hits(tolls)
    assert _given_up(tolls) == 0


def test_one_of_a_batch_that_is_refused_takes_no_other_with_it(tmp_path: Path) -> None:
    """It is tried again after a rest, as another order; the fourteen beside it are left alone."""
    refused = Switch(fault=Fault.ORDER_REFUSED, where=TOGETHER, times=None, chance=60, text=CROSSES)
    tolls = _play(tmp_path, Pair(together=True), (*usual(TOGETHER), refused), range(101, 106))
    struck = _hits(tolls)[Fault.ORDER_REFUSED]
    assert struck > 5
    assert _given_up(tolls) <= struck, "a refusal whose answer is lost leaves an order that is simply sent again"
