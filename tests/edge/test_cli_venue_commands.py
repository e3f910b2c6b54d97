"""Commands that go straight to the exchange, over a real one in a process of its own, and what they do to a trader that
hangs."""

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from polystra.app.access import opened, told_access
from polystra.core.ids import VenueOrderId
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce
from polystra.core.units import price, shares
from polystra.edge.clock import stopwatch
from polystra.edge.polymarket.outcomes import Accepted
from tests.edge.cli_cases import Ran, environment, polystra
from tests.edge.demo_cases import PATIENCE, kill
from tests.edge.exchange_process import Command, ask
from tests.edge.test_run_on_paper import running, trades, wait_for

SLUG = "btc-updown-15m-1790586000"
LATER = "btc-updown-15m-1790587800"
NOBODY = "0x" + "0" * 63 + "1"


class Floor:
    """An exchange that runs: the file with its line, and what it really has."""

    def __init__(self, line: Path, log: Path) -> None:
        self.line = line
        self.log = log

    def live(self, account: int = 1) -> list[str]:
        told = json.loads(self.line.read_text())
        wallet = told["accounts"][account - 1]["wallet"]
        return [one["id"] for one in ask(f"{told['control']}/truth")["orders"] if one["account"] == wallet]

    def accepted(self) -> int:
        """How many orders it ever took."""
        return self.log.read_bytes().count(b'"OrderAccepted"')

    def place(self, *bids: tuple[str, str], account: int = 1) -> list[VenueOrderId]:
        """Buys of Up at these prices and sizes; ids in their order."""
        return asyncio.run(self._place(bids, account))

    async def _place(self, bids: tuple[tuple[str, str], ...], account: int) -> list[VenueOrderId]:
        async with opened(told_access(self.line, account)) as client:
            market = await client.catalogue.market(SLUG)
            ids = []
            for at, size in bids:
                placed = await client.place(
                    OrderTerms(
                        market=market.id,  # type: ignore[union-attr]
                        outcome=Outcome.UP,
                        side=Side.BUY,
                        purpose=Purpose.ENTRY,
                        price=price(at),
                        shares=shares(size),
                        time_in_force=TimeInForce.GTC,
                    ),
                    market,  # type: ignore[arg-type]
                )
                assert isinstance(placed, Accepted), placed
                ids.append(placed.order)
            return ids

    def asked(self, *command: str, account: int = 1) -> Ran:
        return polystra(*command, "--exchange", self.line, "--account", str(account))


@contextmanager
def standing(folder: Path, *options: str) -> Iterator[Floor]:
    line, log = folder / "exchange.json", folder / "exchange.jsonl"
    command = Command(line, "--json", "--recorded-time", "--log", str(log), "--accounts", "2", *options)
    try:
        command.line()
        yield Floor(line, log)
    finally:
        command.end()


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """Fifteen quiet minutes before the first window, in which its book is there already."""
    with standing(tmp_path_factory.mktemp("exchange"), "--windows", "1", "--speed", "1") as found:
        yield found


@pytest.fixture
def exchange_truth(tmp_path: Path) -> Iterator[Floor]:
    """Three windows on end, forty times as fast as life."""
    with standing(tmp_path, "--windows", "3", "--speed", "40") as found:
        yield found


def until(true: Callable[[], bool], what: str) -> None:
    give_up = stopwatch() + PATIENCE
    while not true():
        assert stopwatch() < give_up, f"never: {what}"
        time.sleep(0.05)


def good(ran: Ran) -> Ran:
    assert ran.code == 0, ran.out + ran.err
    return ran


# --- asking


def test_what_rests_and_what_traded_is_told_as_the_exchange_has_it(floor: Floor) -> None:
    resting, traded = floor.place(("0.01", "10"), ("0.99", "12"))
    assert floor.live() == [resting]
    (row,) = good(floor.asked("orders", "--json")).json["orders"]
    assert (row["id"], row["market"], row["outcome"]) == (resting, SLUG, "Up")
    assert (row["side"], row["price"], row["size"], row["matched"]) == ("BUY", "0.01", "10", "0")
    (trade,) = good(floor.asked("trades", "--json", "--market", SLUG)).json["trades"]
    assert (trade["order"], trade["market"], trade["shares"], trade["role"]) == (traded, SLUG, "12", "taker")
    until(lambda: bool(good(floor.asked("balance", "--json")).json["shares"]), "the trade reaches the chain")
    purse = good(floor.asked("balance", "--json")).json
    assert [(one["market"], one["outcome"], one["shares"]) for one in purse["shares"]] == [(SLUG, "Up", "12")]
    assert 980 < float(purse["cash_usd"]) < 995
    assert purse["allowance_usd"] == "unlimited"
    story = good(floor.asked("order", resting, "--json")).json
    assert (story["status"], story["size"], story["trades"]) == ("LIVE", "10", [])
    ended = good(floor.asked("order", traded, "--json")).json
    assert (ended["status"], ended["trades"][0]["shares"]) == ("MATCHED", "12")
    for words, command in (
        ("BUY 10 @ 0.01, 0 matched", ("orders",)),
        ("1 trade", ("trades",)),
        ("no trades", ("order", resting)),
        ("MATCHED", ("order", traded)),
        ("unlimited", ("balance",)),
    ):
        assert words in good(floor.asked(*command)).out
    good(floor.asked("cancel-all"))


def test_an_account_that_did_nothing_has_nothing(floor: Floor) -> None:
    assert good(floor.asked("orders", account=2)).out == "no live orders\n"
    assert good(floor.asked("trades", account=2)).out == "no trades\n"
    purse = good(floor.asked("balance", "--json", account=2)).json
    assert (purse["cash_usd"], purse["shares"]) == ("1000", [])


def test_a_book_has_two_sides_a_tick_a_spread_and_a_time(floor: Floor) -> None:
    book = good(floor.asked("book", SLUG, "--json")).json
    best_bid, best_ask = book["bids"][0]["price"], book["asks"][0]["price"]
    assert best_bid < best_ask
    assert float(book["spread"]) == pytest.approx(float(best_ask) - float(best_bid))
    assert book["tick"] == "0.01"
    assert re.match(r"2026-09-28T08:\d\d:\d\d\.\d{6}Z", book["at"])
    shown = good(floor.asked("book", SLUG)).out
    assert best_bid in shown
    assert "Ask Up" in shown


# --- taking back


def test_each_order_is_told_its_own_fate(floor: Floor) -> None:
    resting, traded = floor.place(("0.02", "10"), ("0.99", "5"))
    fates = good(floor.asked("cancel", resting, traded, NOBODY, "--json")).json["orders"]
    assert [(one["id"], one["end"], one["traded"]) for one in fates] == [
        (resting, "cancelled", "0"),
        (traded, "traded", "5"),
        (NOBODY, "gone", "0"),
    ]
    assert floor.live() == []
    again = good(floor.asked("cancel", resting)).out
    assert "not cancelled: not live, and without trades" in again


def test_everything_is_taken_back_and_nothing_of_the_other_account(floor: Floor) -> None:
    ours = floor.place(("0.01", "10"), ("0.02", "10"))
    (theirs,) = floor.place(("0.01", "7"), account=2)
    done = good(floor.asked("cancel-all", "--json")).json
    assert sorted(done["cancelled"]) == sorted(ours)
    assert (done["left"], done["kill_switch"]) == ([], False)
    assert (floor.live(), floor.live(2)) == ([], [theirs])
    assert "no order is live" in good(floor.asked("cancel-all", account=2)).out
    assert floor.live(2) == []


def test_a_cancel_that_nobody_answers_is_asked_for_again(floor: Floor) -> None:
    floor.place(("0.01", "10"))
    faults = f"{json.loads(floor.line.read_text())['control']}/faults"
    switch = {"fault": "error-before", "where": "DELETE /cancel-all", "times": 2, "http": 503}
    with urlopen(Request(faults, json.dumps(switch).encode(), method="POST"), timeout=PATIENCE):
        pass
    good(floor.asked("cancel-all"))
    assert ask(faults)["hits"]["error-before"] == 2
    assert floor.live() == []


# --- bad input


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("book", LATER), f"{LATER}: unknown to the catalogue"),
        (("book", "tomorrow"), "tomorrow: that is no name of a window, such as btc-updown-15m-1790586000"),
        (("trades", "--market", LATER), f"{LATER}: unknown to the catalogue"),
        (("order", "0x12"), "order 0x12: an id is 0x and 64 hex digits"),
        (("cancel", NOBODY, "o41"), "order o41: an id is 0x and 64 hex digits"),
        (("order", NOBODY), "no live order and no trade of it"),
    ],
)
def test_what_the_exchange_does_not_know_is_bad_input(floor: Floor, command: tuple[str, ...], words: str) -> None:
    ran = floor.asked(*command)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.error


def test_an_exchange_must_be_named_and_only_one(floor: Floor, tmp_path: Path) -> None:
    for arguments, words in (
        (("orders",), "give --out DIR for that of a run, or --exchange FILE"),
        (("orders", "--out", tmp_path, "--exchange", floor.line), "give one of them"),
        (("orders", "--out", tmp_path), "or give --exchange FILE"),
        (("orders", "--out", tmp_path, "--account", "2"), "a run has one account, leave it out"),
        (("orders", "--exchange", floor.line, "--account", "3"), "that exchange told 2, give 1 to 2"),
        (("arm", "--out", tmp_path), "holds no run"),
    ):
        ran = polystra(*arguments)
        assert ran.code == 2, ran.out
        assert words in ran.error


def test_an_exchange_that_is_gone_is_told_apart(tmp_path: Path) -> None:
    with standing(tmp_path, "--windows", "1") as gone:
        pass
    for command in (("orders",), ("balance",), ("cancel", NOBODY), ("cancel-all",), ("book", SLUG)):
        ran = gone.asked(*command)
        assert ran.code == 3, ran.out
        assert "the venue did not tell its time" in ran.error


# --- the kill switch


@contextmanager
def resting_trader(folder: Path, line: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.edge.resting_trader", str(folder), str(line)],
        env=environment(),
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def recorded_states(folder: Path) -> list[tuple[str, str]]:
    """Each state that the ledger was told, and why."""
    with closing(sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
        return ledger.execute("SELECT after, why FROM states ORDER BY rowid").fetchall()


@pytest.mark.spec("S11.A2", "X5.A3")
def test_cancel_all_works_without_a_ledger_while_the_trader_hangs_and_binds_it_until_it_is_armed(
    exchange_truth: Floor, tmp_path: Path
) -> None:
    run, hidden, floor = tmp_path / "run", tmp_path / "hidden", exchange_truth
    stop = ("cancel-all", "--out", str(run), "--why", "odd prices", "--json")
    with resting_trader(run, floor.line) as trader:
        until(lambda: len(floor.live()) == 1, "the trader's order rests")
        os.kill(trader.pid, signal.SIGSTOP)
        hidden.mkdir()
        ledger = list(run.glob("ledger.sqlite*"))
        assert ledger
        for path in ledger:
            path.rename(hidden / path.name)
        done = good(floor.asked(*stop)).json
        assert (len(done["cancelled"]), done["left"], done["kill_switch"]) == (1, [], True)
        assert floor.live() == []
        taken = floor.accepted()
        for path in ledger:
            (hidden / path.name).rename(path)
        os.kill(trader.pid, signal.SIGCONT)
        until(lambda: ("stopped", "odd prices") in recorded_states(run), "the trader has seen the file")
        time.sleep(1)
        assert (floor.live(), floor.accepted()) == ([], taken)
        kill(trader.pid)
    with resting_trader(run, floor.line) as again:
        trades(again, run / "journal-0002.plj")  # type: ignore[arg-type]
        time.sleep(1)
        assert (floor.live(), floor.accepted()) == ([], taken)
        armed = good(polystra("arm", "--out", run, "--why", "looked at it"))
        assert "odd prices" in armed.out
        assert "the run is armed within a second" in armed.out
        until(lambda: len(floor.live()) == 1, "an order rests again")
    assert floor.accepted() > taken
    assert recorded_states(run) == [("stopped", "odd prices"), ("armed", "looked at it")]


def test_a_file_stops_a_run_at_recorded_time_and_arming_lets_it_go_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running("run", "--out", out, "--windows", "1", "--speed", "5") as process:
        wait_for(process, "followed")
        assert good(polystra("orders", "--out", out)).out == "no live orders\n"
        assert good(polystra("balance", "--out", out, "--json")).json["cash_usd"] == "1000"
        (out / "stop").write_text("fed meeting\n")
        assert "fed meeting" in wait_for(process, "stopped")
        assert polystra("status", "--out", out, "--json").json["state"] == "stopped"
        assert "the stop by file stop (fed meeting)" in good(polystra("arm", "--out", out)).out
        wait_for(process, "armed by hand")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    assert not (out / "stop").exists()
    assert not (out / "arm").exists()


def test_a_stop_is_kept_for_a_run_whose_exchange_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with running("run", "--out", out, "--windows", "1", "--speed", "5") as process:
        wait_for(process, "followed")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    gone = polystra("cancel-all", "--out", out)
    assert gone.code == 3
    assert "kill switch thrown" in gone.err
    assert (out / "stop").exists()
    with running("run", "--out", out, "--windows", "1", "--speed", "5") as process:
        assert "cancel-all" in wait_for(process, "stopped")
