"""A trader's folder over several lives: one ledger, a journal a life, and nothing left locked."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from polystra.app.session import LEDGER, Trader
from polystra.core.terms import Outcome
from polystra.core.units import usd
from polystra.edge.store.errors import SchemaTooNew
from polystra.edge.store.journal import digest, read_journal
from tests.truth import SERIES, Outcomes, Stage, scripted, steady, tape_file, window, wish


def ask(folder: Path, question: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / LEDGER)
    try:
        found = connection.execute(question).fetchall()
        connection.commit()
        return found
    finally:
        connection.close()


def test_a_second_life_finds_the_first_ones_cash_and_writes_a_journal_of_its_own(exchange_truth: Stage) -> None:
    folder = exchange_truth.folder
    world = exchange_truth.world([tape_file(window(), steady(window(), "0.50x500", "0.52x500"))])
    for _ in range(2):
        with Trader(folder, exchange_truth.settings, seed=1, strategy=scripted({10: wish(Outcome.UP, "0.52")})) as one:
            asyncio.run(one.trade(world, {SERIES}))
    Outcomes(world, folder, []).agree()
    assert ask(folder, "select amount_micro from deposits") == [(usd(1_000),)], "deposited once"
    journals = sorted(folder.glob("journal-*.plj"))
    assert [path.name for path in journals] == ["journal-0001.plj", "journal-0002.plj"]
    assert ask(folder, "select journal, journal_sha256 from runs order by id") == [
        (path.name, digest(path)) for path in journals
    ]
    with read_journal(journals[1]) as reading:
        assert reading.head.settings_digest == exchange_truth.settings.digest
        assert reading.head.strategy == "scripted"


def test_a_ledger_that_a_later_version_wrote_is_refused_and_not_kept_locked(exchange_truth: Stage) -> None:
    with Trader(exchange_truth.folder, exchange_truth.settings, seed=1):
        pass
    ask(exchange_truth.folder, "insert into schema_version values (9999, 'of the future', 0)")
    for _ in range(2):
        with pytest.raises(SchemaTooNew):
            Trader(exchange_truth.folder, exchange_truth.settings, seed=1)
