"""What several tests begin from: a kept run of the demo, a running exchange, and a funded client of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.cli_cases import QUICK, Ran, polystra
from tests.edge.exchange_cases import Running, Trader, exchange
from tests.edge.venue_cases import Client, client


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The folder of a run of three windows, and what the command said. Copy it to change it."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    return folder, polystra("demo", "--json", *QUICK, "--out", folder)


@pytest.fixture
def running() -> Iterator[Running]:
    with exchange() as running:
        yield running


@pytest.fixture
def trader(running: Running) -> Trader:
    """With 950 of cash and 50 of each share."""
    trader = Trader(running)
    running.fund(trader.account)
    running.shares(trader.account, "50")
    return trader


@pytest.fixture
def ours() -> Iterator[Client]:
    with client() as ours:
        yield ours


@pytest.fixture
def still() -> Iterator[Running]:
    """An exchange whose time stands still until it is moved."""
    with exchange(stepped=True) as running:
        yield running


@pytest.fixture
def member(still: Running) -> Trader:
    """With 950 of cash and 50 of each share."""
    member = Trader(still)
    still.fund(member.account)
    still.shares(member.account, "50")
    return member
