"""`polystra status | report | db` on the folder of a run, whole and spoilt."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.edge.cli_cases import Ran, polystra


@pytest.fixture
def folder(kept: tuple[Path, Ran], tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept[0], tmp_path / "run"))


def spoil(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / "ledger.sqlite")
    with connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


def test_the_report_repeats_what_the_demo_said(folder: Path, kept: tuple[Path, Ran]) -> None:
    ran = polystra("report", "--json", "--out", folder)
    assert (ran.code, ran.err) == (0, "")
    same = ran.json.keys() & kept[1].json.keys()
    assert {name: ran.json[name] for name in same} == {name: kept[1].json[name] for name in same}
    assert len(same) > 25


def test_the_report_for_people_compares_with_the_exchanges_log(folder: Path) -> None:
    assert "ledger = exchange, to the millionth" in polystra("report", "--out", folder).out


def test_a_ledger_changed_by_a_millionth_is_a_wrong_result(folder: Path) -> None:
    spoil(folder, "update fills set cash_micro = cash_micro - 1 where rowid = 1")
    ran = polystra("report", "--out", folder)
    assert ran.code == 1
    assert "LEDGER AND EXCHANGE DIFFER in 2 points" in ran.out
    assert polystra("report", "--json", "--out", folder).json["ledger_matches_exchange"] is False
    checked = polystra("db", "check", "--json", "--out", folder)
    assert checked.code == 1
    assert len(checked.json["faults"]) == 2


def test_without_the_exchanges_log_the_report_says_that_it_compared_nothing(folder: Path) -> None:
    (folder / "exchange.jsonl").unlink()
    ran = polystra("report", "--out", folder)
    assert ran.code == 0
    assert "not compared" in ran.out
    assert polystra("report", "--json", "--out", folder).json["ledger_matches_exchange"] is None


def test_status_of_a_run_that_ended(folder: Path, kept: tuple[Path, Ran]) -> None:
    found = polystra("status", "--json", "--out", folder).json
    assert (found["process"], found["state"], found["open_orders"], found["positions"]) == ("ended", "armed", [], [])
    assert found["cash_usd"] == kept[1].json["ledger_cash_usd"]
    assert [one["action"] for one in found["last_decisions"]]
    told = polystra("status", "--out", folder).out
    assert told.index("Open orders") < told.index("Positions") < told.index("Last decisions")


def test_status_shows_what_is_open_and_held(folder: Path) -> None:
    spoil(folder, "delete from settlements")
    spoil(folder, "delete from order_steps where order_id = 2 and after not in ('SUBMITTING', 'WORKING')")
    spoil(folder, "delete from fills where side = 'SELL'")
    found = polystra("status", "--json", "--out", folder).json
    (order,) = found["open_orders"]
    assert (order["order"], order["state"], order["side"]) == ("o2", "WORKING", "SELL")
    assert len(found["positions"]) >= 2
    told = polystra("status", "--out", folder).out
    assert "o2  BTC 15m 09:00  target SELL" in told
    assert "paid" in told


def test_db_status_names_every_step(folder: Path) -> None:
    ran = polystra("db", "status", "--out", folder)
    assert ran.code == 0
    assert "core tables" in ran.out
    body = polystra("db", "status", "--json", "--out", folder).json
    assert body["schema"] == body["newest"] == len(body["history"])
    assert body["pending"] == []


def test_an_older_ledger_is_pending_then_migrated_with_a_backup(folder: Path) -> None:
    """A ledger of the first schema, as an older version left it."""
    connection = sqlite3.connect(folder / "ledger.sqlite")
    with connection:
        for kind, name in connection.execute(
            "select type, name from sqlite_master where sql is not null and (type = 'view' or name in "
            "('order_steps_by_order', 'settlements_by_time', 'notes_by_kind', 'fill_stages_by_fill', "
            "'decisions_by_market', 'denials_by_market', 'orders_by_market', 'fills_by_market'))"
        ).fetchall():
            connection.execute(f"drop {kind} {name}")
        for table in ("claim_steps", "merge_steps", "merges"):
            connection.execute(f"drop table {table}")
        connection.execute("delete from schema_version where number > 1")
    connection.close()
    assert polystra("db", "status", "--json", "--out", folder).json["pending"]
    behind = polystra("report", "--out", folder)
    assert (behind.code, "migrate it first" in behind.error) == (2, True)
    assert polystra("db", "migrate", "--json", "--out", folder).json["pending"] == []
    assert [path.name for path in folder.glob("*.bak")] == ["ledger.sqlite.before-2.bak"]
    assert polystra("report", "--out", folder).code == 0


def test_db_check_of_a_whole_run_is_good(folder: Path) -> None:
    assert polystra("db", "check", "--out", folder).out == "good\n"
    assert polystra("db", "check", "--json", "--out", folder).json == {"good": True, "faults": []}


def test_db_check_sees_a_journal_that_is_not_the_runs_own(folder: Path) -> None:
    journal = folder / "journal-0001.plj"
    journal.write_bytes(journal.read_bytes()[:-1])
    ran = polystra("db", "check", "--out", folder)
    assert ran.code == 1
    assert "journal-0001.plj: not the file that run 1 wrote" in ran.error
    journal.unlink()
    assert "journal-0001.plj: missing" in polystra("db", "check", "--out", folder).error


def test_db_check_sees_a_row_that_refers_to_nothing(folder: Path) -> None:
    spoil(folder, "update orders set market = 'elsewhere' where id = 1")
    found = polystra("db", "check", "--json", "--out", folder)
    assert found.code == 1
    assert any("refers to a missing row of markets" in fault for fault in found.json["faults"])


@pytest.mark.parametrize("command", [["status"], ["report"], ["db", "check"]])
def test_a_damaged_ledger_is_a_wrong_result(folder: Path, command: list[str]) -> None:
    path = folder / "ledger.sqlite"
    pages = bytearray(path.read_bytes())
    pages[8_192 : 8_192 * 12] = b"\xa5" * (8_192 * 11)
    path.write_bytes(pages)
    ran = polystra(*command, "--out", folder)
    assert ran.code == 1
    assert "restore the newest backup" in ran.error


def test_a_spoilt_exchange_log_is_refused_by_name(folder: Path) -> None:
    path = folder / "exchange.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    ran = polystra("report", "--out", folder)
    assert (ran.code, "exchange.jsonl" in ran.error) == (2, True)


def test_every_object_is_one_json_document(folder: Path) -> None:
    for command in (["status"], ["report"], ["db", "status"], ["db", "migrate"], ["db", "check"]):
        assert isinstance(json.loads(polystra(*command, "--json", "--out", folder).out), dict)
