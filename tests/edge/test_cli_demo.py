"""`polystra demo` on the sample that comes along, as a newcomer runs it."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from polystra.cli.main import app
from polystra.core.units import MICRO
from tests.edge.cli_cases import QUICK, Ran, environment, polystra

PROMISED = {
    "windows", "decisions", "entries", "orders", "fills", "fees_usd", "pnl_usd", "ledger_cash_usd",
    "exchange_cash_usd", "ledger_matches_exchange", "events", "engine_seconds", "journal_sha256", "settlements",
    "exits", "redeemable_usd", "seed", "version", "per_window", "assumptions", "sources", "unknown",
}  # fmt: skip


def orders_of(result: Any) -> list[Any]:
    return [order for window in result["per_window"] for order in window["orders"]]


def test_it_prints_one_object_on_stdout_and_progress_on_stderr(kept: tuple[Path, Ran]) -> None:
    _, ran = kept
    assert ran.code == 0, ran.err
    assert ran.json.keys() >= PROMISED
    assert ran.json["windows"] == 3
    assert ran.json["ledger_matches_exchange"] is True
    assert ran.json["replay_identical"] is True
    assert "o1 new: entry" in ran.err
    assert "[3 of 3]" in ran.err


def test_money_is_exact_text_and_adds_up(kept: tuple[Path, Ran]) -> None:
    result = kept[1].json
    money = {name: value for name, value in result.items() if name.endswith("_usd")}
    assert all(isinstance(value, str) for value in money.values())
    amount = {name: Decimal(value) for name, value in money.items()}
    assert amount["ledger_cash_usd"] == amount["exchange_cash_usd"]
    assert amount["ledger_cash_usd"] + amount["redeemable_usd"] == amount["deposited_usd"] + amount["pnl_usd"]
    assert amount["fees_usd"] == sum(Decimal(window["fees_usd"]) for window in result["per_window"])


def test_it_keeps_ledger_journal_and_the_exchanges_own_log(kept: tuple[Path, Ran]) -> None:
    folder, ran = kept
    names = {path.name for path in folder.iterdir()}
    assert names >= {"ledger.sqlite", "journal-0001.plj", "exchange.jsonl", "recordings.json"}
    digest = subprocess.run(["sha256sum", folder / "journal-0001.plj"], capture_output=True, text=True, check=True)
    assert digest.stdout.split()[0] == ran.json["journal_sha256"]


def test_the_exchanges_log_alone_is_enough_to_recompute_the_totals(kept: tuple[Path, Ran]) -> None:
    """From its lines and the fee formula of the venue, in decimals; nothing of Polystra is used."""
    folder, ran = kept
    account, deposited, trades, payouts = read_log(folder / "exchange.jsonl")
    cash, fees, held = deposited, Decimal(0), dict[tuple[str, str], Decimal]()
    for trade in trades.values():
        for role in ("taker", "maker"):
            leg = trade[role]
            if leg["account"] != account or trade["stage"] == "FAILED":
                continue
            at, amount = Decimal(leg["price"]) / 10**6, Decimal(leg["shares"]) / 10**6
            fee = Decimal(0)
            if role == "taker":
                fee = (amount * Decimal("0.07") * at * (1 - at)).quantize(Decimal("0.00001"), ROUND_HALF_UP)
            sign = 1 if leg["side"] == "BUY" else -1
            cash -= sign * (at * amount).quantize(Decimal("0.000001"), "ROUND_DOWN") + fee
            fees += fee
            place = (trade["market"], leg["outcome"])
            held[place] = held.get(place, Decimal(0)) + sign * amount
    claims = sum(
        amount * (payouts[market] if outcome == "UP" else 1 - payouts[market])
        for (market, outcome), amount in held.items()
    )
    assert len(trades) >= 3
    assert cash == Decimal(ran.json["ledger_cash_usd"])
    assert fees == Decimal(ran.json["fees_usd"])
    assert claims == Decimal(ran.json["redeemable_usd"])
    assert cash + claims - deposited == Decimal(ran.json["pnl_usd"])
    ledger = sqlite3.connect(folder / "ledger.sqlite")
    assert ledger.execute("select cash_micro from cash").fetchone() == (int(cash * 10**6),)
    ledger.close()


def read_log(path: Path) -> tuple[str, Decimal, dict[str, Any], dict[str, Decimal]]:
    """The trader's account, what it deposited, every trade as it was told last, and what Up paid."""
    account, deposited, trades, payouts = "", Decimal(0), {}, {}
    for line in map(json.loads, path.read_text().splitlines()):
        asked, did = line.get("asked", {}), line.get("did", {})
        if asked.get("type") == "Deposit":
            account, deposited = asked["account"], deposited + Decimal(asked["amount"]) / 10**6
        elif did.get("type") == "PublicResolution":
            payouts[did["market"]] = Decimal(did["up_payout"]) / 10**6
        elif did.get("type") == "TradeUpdated":
            trades[did["trade"]["id"]] = did["trade"]
    return account, deposited, trades, payouts


def test_the_same_seed_gives_the_same_run_under_another_hash_seed(kept: tuple[Path, Ran]) -> None:
    ours = kept[1].json
    for hash_seed in ("0", "4711"):
        again = polystra("demo", "--json", *QUICK, PYTHONHASHSEED=hash_seed).json
        assert again["journal_sha256"] == ours["journal_sha256"]
        assert orders_of(again) == orders_of(ours)


def test_another_seed_gives_another_run(kept: tuple[Path, Ran]) -> None:
    other = polystra("demo", "--json", *QUICK, "--seed", "2")
    assert other.code == 0
    assert other.json["journal_sha256"] != kept[1].json["journal_sha256"]
    assert orders_of(other.json) != orders_of(kept[1].json)


def test_the_whole_sample_shows_every_way_a_window_can_go() -> None:
    ran = polystra("demo", "--json", "--quiet")
    result = ran.json
    assert (ran.code, ran.err) == (0, "")
    assert result["windows"] >= 12
    assert result["windows_traded"] * 3 >= result["windows"]
    assert result["entries"] >= 6
    assert result["fills"] > result["entries"]
    assert 0 < result["stops"] < result["exits"], "stops and targets both sold"
    assert result["settlements"] == result["windows"]
    assert {window["result"] for window in result["per_window"]} == {"UP", "DOWN"}
    profits = [Decimal(window["pnl_usd"]) for window in result["per_window"]]
    assert min(profits) < 0 < max(profits), "windows were won and lost"
    assert all(window["decision"]["reason"] for window in result["per_window"])


def test_people_get_progress_then_tables_with_assumptions_and_attribution() -> None:
    ran = polystra("demo", "--windows", "2")
    assert (ran.code, ran.err) == (0, "")
    told = ran.out
    headings = ["Windows of", "Totals", "Ledger and exchange", "Assumed", "Unknown", "Sources", "Settings", "Run"]
    places = [told.index(f"\n{heading}") for heading in headings]
    assert told.index("o1 new: entry BUY") < places[0]
    assert places == sorted(places)
    assert "ledger = exchange, to the millionth" in told
    assert told.count("fees: rate 0.07, exponent 1") == 1
    assert "resolvedkit 0.1.0, 2 windows: Resolved Markets sample data, CC BY 4.0" in told
    assert "limits.min_edge_usd = -0.01, by default 0.02" in told
    assert max(map(len, told[places[0] :].splitlines())) <= 120


def test_quiet_says_the_result_only() -> None:
    ran = polystra("demo", "--windows", "1", "--quiet")
    assert ran.out.startswith("\nWindows of")


def test_a_ledger_that_computes_fees_otherwise_than_the_exchange_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bug is planted: our side rounds fees to four decimals, the exchange to five."""
    monkeypatch.setattr("polystra.core.fees._FEE_STEP", 100)
    monkeypatch.setattr("polystra.core.fees._SCALES", {1: MICRO**3 * 100, 2: MICRO**5 * 100})
    ran = CliRunner().invoke(app, ["demo", "--windows", "1", "--quiet"])
    assert ran.exit_code == 1
    assert "LEDGER AND EXCHANGE DIFFER" in ran.output
    body = json.loads(CliRunner().invoke(app, ["demo", "--windows", "1", "--quiet", "--json"]).stdout)
    assert body["ledger_matches_exchange"] is False
    assert {"cash", "fees"} <= {one["subject"] for one in body["differences"]}


def test_interrupted_it_says_what_was_kept_and_leaves_a_run_that_can_be_read(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-m", "polystra", "demo", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as running:
        assert running.stdout is not None
        assert any("new: entry" in line for line in running.stdout)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    again = f"polystra demo --resume --out {out}"
    assert err == f"polystra: interrupted; the run until here is kept in {out}, {again} goes on with it\n"
    found = polystra("status", "--json", "--out", out)
    assert found.json["process"] == "ended"
    assert found.json["open_orders"] == []
    assert polystra("replay", out / "journal-0001.plj").code == 0
    assert polystra("db", "check", "--out", out).out == "good\n"


def test_a_folder_of_recordings_is_played_like_the_sample(tmp_path: Path, kept: tuple[Path, Ran]) -> None:
    from importlib import metadata

    sample = Path(str(metadata.distribution("resolvedkit").locate_file("resolvedkit"))) / "sample_data"
    shutil.copytree(sample, tmp_path / "mine")
    ran = polystra("demo", "--json", "--quiet", *QUICK, "--data", tmp_path / "mine")
    assert ran.json["sources"][0]["source"] == "mine"
    assert orders_of(ran.json) == orders_of(kept[1].json)


def test_more_windows_than_there_are_is_no_error_and_is_said() -> None:
    ran = polystra("demo", "--json", "--quiet", "--windows", "99")
    assert ran.code == 0
    assert ran.error == "polystra: only 18 windows are recorded there, 99 were asked for"


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    heavy = {"alembic", "pyarrow", "pydantic", "sqlalchemy", "zstandard"}
    code = f"import sys, polystra.cli.main; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
    assert polystra("--help").code == 0
    assert polystra("--version").out.startswith("polystra ")
