"""`polystra exchange` in a process of its own, with the clients and the words of docs/exchange.md."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from polystra.app.exchange_accounts import throwaway_accounts
from polystra.core.units import usd
from polystra.edge.clock import WallClock, stopwatch
from polystra.edge.polymarket.addresses import address
from tests.edge.cli_cases import environment, polystra
from tests.edge.exchange_process import PATIENCE, Command, ask, free_port
from tests.edge.signing_cases import official

PAGE = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WITHIN_A_SECOND = 1.0


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    running = Command(tmp_path / "exchange.json", "--json", "--port", "0", "--speed", "50", "--seed", "3")
    yield running
    running.end()


def snippet(text: str, folder: Path) -> str:
    """What a page's Python says, run beside the exchange's line."""
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def orders(here: Any) -> list[str]:
    return [order["id"] for order in ask(here["control"] + "/truth")["orders"]]


def seconds_until(utc: str, now: float) -> float:
    return datetime.strptime(utc, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() - now


# --- clients


def test_the_snippet_of_py_clob_client_places_and_cancels_an_order(command: Command, tmp_path: Path) -> None:
    official("py_clob_client_v2")
    here = command.line()
    said = re.fullmatch(r"(\w+) (0x\w+)\n\['(0x\w+)'\]\n", snippet(PYTHON[0], tmp_path))
    assert said is not None
    assert (said[1], said[3]) == ("live", said[2])
    assert orders(here) == []
    assert command.stop()[0] == 0


def test_the_snippet_of_polymarket_client_places_and_cancels_an_order(command: Command, tmp_path: Path) -> None:
    official("polymarket")
    here = command.line()
    said = re.fullmatch(r"(\w+) (0x\w+)\n\('(0x\w+)',\)\n", snippet(PYTHON[1], tmp_path))
    assert said is not None
    assert (said[1], said[3]) == ("live", said[2])
    assert orders(here) == []


def test_the_settings_of_somebody_elses_bot_are_those_of_the_exchange(command: Command, tmp_path: Path) -> None:
    here = command.line()
    account = here["accounts"][0]
    said = dict(line.split("=", 1) for line in snippet(PYTHON[2], tmp_path).splitlines())
    assert (said["CLOB_API_URL"], said["RPC_URL"], said["CHAIN_ID"]) == (here["clob"], here["rpc"], "137")
    assert (said["PRIVATE_KEY"], said["FUNDER"]) == (account["private_key"], account["wallet"])


def test_an_account_is_opened_for_the_key_of_somebody_elses_bot(command: Command) -> None:
    here = command.line()
    (opening,) = [text for text in SHELL if "/control/accounts" in text]
    subprocess.run(
        ["bash", "-ec", f"CLOB={here['clob']}\n{opening}"], capture_output=True, text=True, timeout=60, check=True
    )
    held = {account["account"]: account["cash"] for account in ask(here["control"] + "/truth")["accounts"]}
    assert held["0x" + "11" * 20] == 1_000_000_000


def test_the_snippet_of_raw_http_makes_a_key_and_asks_with_it(command: Command, tmp_path: Path) -> None:
    official("eth_account")
    command.line()
    assert snippet(PYTHON[3], tmp_path) == "0 {'canceled': [], 'not_canceled': {}}\n"


def test_behind_the_wrong_proxy_a_client_trades_and_nothing_leaves(command: Command, tmp_path: Path) -> None:
    official("py_clob_client_v2")
    command.line()
    (proxies,) = [text for text in SHELL if "NO_PROXY" in text]
    outside = 'from urllib.request import urlopen\nurlopen("https://clob.polymarket.com/time")'
    trades, leaves = (
        subprocess.run(
            ["bash", "-c", f'{proxies}\nexec "$0" -c "$1"', sys.executable, text],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        for text in (PYTHON[0], outside)
    )
    assert trades.stdout.startswith("live 0x"), trades.stderr
    assert "Connection refused" in leaves.stderr


def test_an_order_that_was_placed_is_in_the_truth_and_its_cash_stays_with_its_account(
    command: Command, tmp_path: Path
) -> None:
    official("py_clob_client_v2")
    here = command.line()
    without_cancel = PYTHON[0].rpartition("print")[0]
    placed = snippet(without_cancel, tmp_path).split()[1]
    assert orders(here) == [placed]


def test_curl_reads_time_catalogue_book_and_truth(command: Command, tmp_path: Path) -> None:
    here = command.line()
    text = SHELL[1].replace("http://127.0.0.1:8137", here["clob"])
    assert here["clob"] in text
    done = subprocess.run(["bash", "-ec", text], capture_output=True, text=True, timeout=60, check=True)
    answers = decoded(done.stdout)
    assert [type(answer) for answer in answers] == [int, list, dict, dict]
    (market,), book, truth = answers[1:]
    assert book["market"] == market["conditionId"]
    assert book["bids"]
    assert book["asks"]
    assert truth["orders"] == []


def decoded(text: str) -> list[Any]:
    """JSON values one after the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


# --- what it says


def test_the_line_names_every_service_and_accounts_that_hold_their_cash(command: Command) -> None:
    here = command.line()
    assert ask(here["data"] + "/value?user=" + here["accounts"][0]["address"])[0]["value"] == 0
    place = here["market_ws"].removesuffix("/ws/market")
    assert (here["prices"], here["realtime"]) == (f"{place}/prices/rtds", f"{place}/prices/realtime")
    assert "throwaway test keys" in here["warning"]
    held = {account["account"]: account["cash"] for account in ask(here["control"] + "/truth")["accounts"]}
    account = official("eth_account").Account
    for shown in here["accounts"]:
        assert account.from_key(shown["private_key"]).address == shown["address"] == address(shown["address"])
        assert (shown["signature_type"], shown["cash_usd"], held[shown["address"]]) == (0, "1000", 10**9)


def test_the_window_is_now_50_times_as_short_and_keeps_its_recorded_name(command: Command) -> None:
    here = command.line()
    now = WallClock().now() / 1e9
    (market,) = ask(here["gamma"] + "/markets")
    assert market["slug"] == "btc-updown-15m-1790586000"
    start, end = (seconds_until(market[name], now) for name in ("eventStartTime", "endDate"))
    assert start < 900 / 50
    assert end - start == pytest.approx(900 / 50, abs=1)


def test_the_keys_are_the_same_everywhere_and_each_another_one() -> None:
    cash = usd("1")
    assert throwaway_accounts(3, cash)[:2] == throwaway_accounts(2, cash)
    assert len({one.private_key for one in throwaway_accounts(12, cash)}) == 12


def test_a_person_is_told_where_it_is_and_that_the_keys_are_worthless(tmp_path: Path) -> None:
    said = tmp_path / "said"
    running = Command(said, "--windows", "1", "--accounts", "1")
    try:
        until = stopwatch() + PATIENCE
        while "Ctrl-C" not in said.read_text() and stopwatch() < until:
            time.sleep(0.02)
        assert running.stop(signal.SIGTERM)[:2] == (0, "")
    finally:
        running.end()
    text = said.read_text()
    assert "1 window (resolvedkit" in text
    assert "never send real money" in text
    assert re.search(r"clob +http://127\.0\.0\.1:\d+\n", text)


# --- its end


def test_it_ends_within_a_second_also_while_a_stream_does_not_answer(command: Command) -> None:
    here = command.line()
    host, port = here["clob"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(
            f"GET /ws/market HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert silent.recv(100).startswith(b"HTTP/1.1 101")
        code, told, took = command.stop()
    assert (code, told) == (0, "")
    assert took < WITHIN_A_SECOND


def test_it_serves_on_when_nobody_reads_what_it_says_and_ends_well(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "polystra", "exchange", "--json", "--windows", "1", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        try:
            until = stopwatch() + PATIENCE
            while True:
                try:
                    ask(f"http://127.0.0.1:{port}/time")
                    break
                except OSError:
                    assert stopwatch() < until
                    time.sleep(0.05)
            time.sleep(0.2)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=PATIENCE)
            assert (process.returncode, told) == (0, b"")
        finally:
            process.kill()


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--speed", "0"), "speed 0: give 0.01 to 1000"),
        (("--speed", "nan"), "speed nan: give 0.01 to 1000"),
        (("--port", "70000"), "port 70000: give 1 to 65535, or 0"),
        (("--accounts", "-1"), "accounts -1: give 0 to 1,000"),
        (("--data", "/no/such/folder"), "there is no such folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    ran = polystra("exchange", "--json", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.error


def test_a_port_that_is_taken_is_one_line_and_exit_code_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = polystra("exchange", "--json", "--port", str(taken.getsockname()[1]))
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be taken (" in ran.error
