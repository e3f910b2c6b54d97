"""An exchange that is killed goes on as it was from the log of its inputs; another exchange is refused on it."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polystra.app.check import last_truth
from polystra.edge.clock import ScaledClock, monotonic, stopwatch
from tests.edge.cli_cases import polystra
from tests.edge.exchange_process import PATIENCE, Command, ask, free_port
from tests.edge.signing_cases import official

SLOW_HOLD = {"POLYSTRA__SIMULATION__TAKER_HOLD_MS": "2000"}


class Place:
    """An exchange on a log and a port of its own, started as often as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "exchange.jsonl"
        self._folder = folder
        self._port = free_port()
        self._started: list[Command] = []

    def start(self, *more: str, **changes: str) -> Command:
        said = self._folder / f"said-{len(self._started)}"
        arguments = ("--json", "--port", str(self._port), "--windows", "1", "--log", str(self.log), *more)
        self._started.append(Command(said, *arguments, changes=changes))
        return self._started[-1]

    def kill(self, command: Command) -> None:
        command.process.kill()
        command.process.communicate()

    def end(self) -> None:
        for command in self._started:
            command.end()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.end()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """The log of an exchange with two resting orders that ended in order."""
    place = Place(tmp_path_factory.mktemp("ended"))
    try:
        running = place.start()
        member = Member(running.line())
        member.buy(0.01, 10)
        member.buy(0.02, 10)
        assert running.stop()[0] == 0
        yield place.log.read_bytes()
    finally:
        place.end()


class Member:
    """The official client with the first account."""

    def __init__(self, here: Any, account: int = 0) -> None:
        self._here = here
        shown = here["accounts"][account]
        self.wallet = shown["wallet"]
        self._sdk = official("py_clob_client_v2")
        self.client = self._sdk.ClobClient(
            here["clob"],
            137,
            key=shown["private_key"],
            signature_type=shown["signature_type"],
            funder=shown["wallet"],
        )
        self.credentials = self.client.create_or_derive_api_key()
        self.client.set_api_creds(self.credentials)

    def buy(self, price: float, size: int) -> str:
        market = ask(self._here["gamma"] + "/markets")[-1]
        up = json.loads(market["clobTokenIds"])[0]
        order = self._sdk.OrderArgs(token_id=up, price=price, size=size, side="BUY")
        return str(self.client.create_and_post_order(order)["orderID"])

    def cancel(self, order: str) -> Any:
        return self.client.cancel_order(self._sdk.OrderPayload(orderID=order))["canceled"]

    def open(self) -> list[str]:
        return [order["id"] for order in self.client.get_open_orders()]


def truth(here: Any) -> Any:
    return ask(here["control"] + "/truth")


def owned(here: Any) -> Any:
    """Cash and shares, all trades counted: settlement goes on while nobody looks."""
    return [
        (account["account"], account["cash"], [(one["token"], one["owned"]) for one in account["holdings"]])
        for account in truth(here)["accounts"]
    ]


def trades(here: Any) -> list[str]:
    return [trade["id"] for trade in truth(here)["trades"]]


def until(done: Callable[[], object]) -> None:
    end = stopwatch() + PATIENCE
    while not done():
        assert stopwatch() < end
        time.sleep(0.02)


# --- kill -9


def test_balances_orders_trades_and_keys_survive_a_kill_and_the_client_goes_on(place: Place) -> None:
    running = place.start()
    here = running.line()
    member = Member(here)
    resting = member.buy(0.01, 10)
    member.buy(0.99, 20)
    made, held = trades(here), owned(here)
    assert made
    place.kill(running)

    again = place.start()
    here = again.line()
    assert (trades(here), owned(here), member.open()) == (made, held, [resting])
    assert member.client.derive_api_key() == member.credentials
    assert member.client.get_api_keys()["apiKeys"] == [member.credentials.api_key]
    assert member.cancel(resting) == [resting]
    member.buy(0.99, 5)
    assert len(trades(here)) > len(made)
    code, told, _ = again.stop(signal.SIGTERM)
    assert (code, told) == (0, f"polystra: {place.log}: the exchange goes on as it was there\n")


def test_an_order_that_was_in_its_taker_hold_is_matched_after_the_kill(place: Place) -> None:
    running = place.start(**SLOW_HOLD)
    member = Member(running.line())
    lost: list[Exception] = []

    def buy() -> None:
        try:
            member.buy(0.99, 20)
        except official("py_clob_client_v2.exceptions").PolyApiException as error:
            lost.append(error)

    buying = threading.Thread(target=buy)
    buying.start()
    until(lambda: b'"Submit"' in place.log.read_bytes())
    place.kill(running)
    buying.join()
    assert len(lost) == 1
    here = place.start(**SLOW_HOLD).line()
    until(lambda: trades(here))
    assert member.open() == []
    assert owned(here)[0][1] < 10**9


def test_a_trade_on_its_way_to_settlement_arrives_after_the_kill(place: Place) -> None:
    running = place.start()
    here = running.line()
    Member(here).buy(0.99, 20)
    assert "CONFIRMED" not in {trade["stage"] for trade in truth(here)["trades"]}
    place.kill(running)
    here = place.start().line()
    until(lambda: {trade["stage"] for trade in truth(here)["trades"]} == {"CONFIRMED"})


def test_a_torn_last_line_is_cut_off_with_a_word(place: Place) -> None:
    running = place.start()
    here = running.line()
    before = owned(here)
    place.kill(running)
    with place.log.open("ab") as log:
        log.write(b'{"kind":"asked","at":9')
    again = place.start()
    assert owned(again.line()) == before
    assert "the last line was torn and is cut off (22 bytes), it was never acted on" in again.stop()[1]
    assert b'"at":9\n' not in place.log.read_bytes()


# --- its end


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_the_truth_in_its_log(place: Place, by: signal.Signals) -> None:
    running = place.start()
    resting = Member(running.line()).buy(0.01, 10)
    assert running.stop(by)[:2] == (0, "")
    found = last_truth(place.log)
    assert found is not None
    assert [order.id for order in found.orders] == [resting]
    assert place.start().line()["pid"] > 0


def test_it_ends_with_its_parent(place: Place, tmp_path: Path) -> None:
    running = Command(
        tmp_path / "said", "--json", "--windows", "1", "--with-parent", "--log", str(place.log), stdin=subprocess.PIPE
    )
    try:
        running.line()
        assert running.process.poll() is None
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.process.wait(PATIENCE) == 0
    finally:
        running.process.kill()
        assert running.process.stderr is not None
        running.process.stderr.close()
    assert last_truth(place.log) is not None


def test_without_a_parent_it_does_not_even_stay(place: Place, tmp_path: Path) -> None:
    running = Command(tmp_path / "said", "--json", "--windows", "1", "--with-parent", stdin=subprocess.DEVNULL)
    try:
        assert running.process.wait(PATIENCE) == 0
    finally:
        running.process.kill()
        running.process.communicate()


# --- its time


def test_recorded_time_runs_at_its_speed_and_a_client_can_have_the_same_clock(place: Place) -> None:
    running = place.start("--recorded-time", "--speed", "50")
    here = running.line()
    assert (here["mode"], here["speed"], here["clock"]["speed"]) == ("recorded", 50, 50)
    clock = ScaledClock(**here["clock"])
    before = clock.now()
    shown = ask(here["control"] + "/time")["now"]
    assert before <= shown <= clock.now()
    (market,) = ask(here["gamma"] + "/markets")
    assert market["eventStartTime"] == "2026-09-28T09:00:00Z"
    assert market["slug"] == "btc-updown-15m-1790586000"
    place.kill(running)
    again = place.start("--recorded-time", "--speed", "50").line()
    assert again["clock"] == here["clock"]


def test_a_clock_of_a_machine_that_was_started_anew_goes_on_from_the_last_line(place: Place) -> None:
    running = place.start("--recorded-time")
    running.line()
    assert running.stop()[0] == 0
    header, _, rest = place.log.read_bytes().partition(b"\n")
    moved = json.loads(header) | {"origin": monotonic() + 10**15}
    place.log.write_bytes(json.dumps(moved).encode() + b"\n" + rest)
    last = json.loads(rest.splitlines()[-1])["at"]
    assert place.start("--recorded-time").line()["clock"]["start"] == last


def test_in_lock_step_time_stands_at_the_first_recorded_row_until_a_trader_attaches(place: Place) -> None:
    here = place.start("--speed", "max").line()
    assert (here["mode"], here["speed"], "clock" in here) == ("lock-step", "max", False)
    shown = [ask(here["control"] + "/time")["now"] for _ in range(2)]
    assert shown[0] == shown[1] == json.loads(place.log.read_bytes().partition(b"\n")[0])["begin"]


def test_by_the_wall_clock_it_says_so(place: Place) -> None:
    here = place.start().line()
    assert (here["mode"], here["speed"], here["seed"], "clock" in here) == ("wall", 1, 1, False)


# --- accounts


def test_accounts_take_turns_through_the_kinds_of_wallet_and_each_trades(place: Place) -> None:
    here = place.start("--accounts", "4", "--signature-types", "0,2,3").line()
    shown = here["accounts"]
    assert [account["signature_type"] for account in shown] == [0, 2, 3, 0]
    assert [account["wallet"] == account["address"] for account in shown] == [True, False, False, True]
    resting = [Member(here, account).buy(0.01, 10) for account in range(3)]
    owners = {order["id"]: order["account"] for order in truth(here)["orders"]}
    assert [owners[order] for order in resting] == [account["wallet"] for account in shown[:3]]


# --- another exchange than it was


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--seed", "4"), "seed is 1 in the log and 4 now: give --seed 1"),
        (("--speed", "2"), "speed is 1.0 in the log and 2.0 now: give --speed 1"),
        (("--speed", "max"), "mode is wall in the log and lock-step now: give"),
        (("--accounts", "3"), "accounts is 2 in the log and 3 now: give --accounts 2"),
        (("--signature-types", "0,2"), "signature_types is (0,) in the log and (0, 2) now: give --signature-types 0"),
        (("--windows", "2"), "recordings is "),
        (("--settings", "{folder}/other.toml"), "simulation.taker_hold_ms is 150.0 in the log and 99.0 now: set it to"),
    ],
)
def test_another_exchange_is_refused_with_both_values_and_the_way_out(
    ended: bytes, tmp_path: Path, more: tuple[str, str], words: str
) -> None:
    (tmp_path / "other.toml").write_text("[simulation]\ntaker_hold_ms = 99\n")
    log = tmp_path / "log"
    log.write_bytes(ended)
    option = [word.format(folder=tmp_path) for word in more]
    arguments = ["--json", *([] if "--windows" in more else ["--windows", "1"]), *option, "--log", str(log)]
    ran = polystra("exchange", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.error
    assert "or give another file" in ran.error
    assert log.read_bytes() == ended


@pytest.mark.parametrize(
    ("kind", "said", "instead", "words"),
    [
        (b'"OrderAccepted"', b'"live"', b'"matched"', "logged is "),
        (b'"OrderUpdated"', None, b"", "is missing, which was made again"),
        (b'"truth"', b'"fees":0', b'"fees":1', "the truth is another one when made again"),
    ],
)
def test_a_log_that_says_something_else_than_the_same_inputs_give_is_refused_by_its_line(
    ended: bytes, tmp_path: Path, kind: bytes, said: bytes | None, instead: bytes, words: str
) -> None:
    lines = ended.splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines, 1) if kind in line)
    line = lines[number - 1]
    lines[number - 1] = instead if said is None else line.replace(said, instead)
    assert lines[number - 1] != line
    log = tmp_path / "log"
    log.write_bytes(b"".join(lines))
    ran = polystra("exchange", "--json", "--windows", "1", "--log", str(log))
    assert ran.code == 1
    assert f"{log} line {number}: " in ran.error
    assert words in ran.error


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no json\n", "line 1: "),
        (b'{"kind":"ended","at":1,"truth":{}}\n', "line 1: "),
        (b'{"kind":"played","at":1}\n', "line 1: no header, so it is no exchange's input log"),
    ],
)
def test_a_file_that_is_no_log_is_refused_and_left_alone(tmp_path: Path, content: bytes, words: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(content)
    ran = polystra("exchange", "--json", "--windows", "1", "--log", str(log))
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.error
    assert log.read_bytes() == content


def test_two_exchanges_do_not_write_one_log(place: Place) -> None:
    place.start().line()
    ran = polystra("exchange", "--json", "--windows", "1", "--log", str(place.log))
    assert (ran.code, ran.out) == (2, "")
    assert "another exchange writes it: stop that one, or give another file" in ran.error
