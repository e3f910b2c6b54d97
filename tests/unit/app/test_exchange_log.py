"""The exchange's own log: what moves money is in it, what is in the recordings is not; the truth comes last."""

import json
import resource
from pathlib import Path
from random import Random
from typing import Any

import pytest

from polystra.app.exchange_log import ExchangeLog, LogUnusable
from polystra.core.terms import Side
from polystra.core.units import Instant, price, shares, usd
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.rules import Rules
from tests.unit.sim.bench import ANN, MARKET, Bench

NOW = Instant(7)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_moves_money_is_written_in_order_and_the_background_is_not(tmp_path: Path) -> None:
    bench = Bench()
    outputs = bench.book({"0.50": "100"}, {"0.52": "100"}) + bench.tell(sim.Publish(market=MARKET))
    order = bench.request(Side.BUY, "0.52", "10")
    outputs += bench.tell(order)
    with ExchangeLog(tmp_path / "log.jsonl") as log:
        log.asked(sim.Deposit(account=ANN, amount=usd(5)), NOW)
        log.asked(sim.SetBook(market=MARKET, bids=(), asks=()), NOW)
        log.asked(sim.PrintTrade(market=MARKET, price=price("0.5"), size=shares(1)), NOW)
        log.asked(sim.Publish(market=MARKET), NOW)
        log.asked(order, NOW)
        for output in outputs:
            log.did(output)
        log.ended(bench.exchange.truth(), NOW)
    written = lines(tmp_path / "log.jsonl")
    assert [line["asked"]["type"] for line in written if "asked" in line] == ["Deposit", "Submit"]
    told = [line["did"]["type"] for line in written if "did" in line]
    assert told[0] == "OrderAccepted"
    assert set(told) == {"OrderAccepted", "OrderUpdated", "TradeUpdated"}
    assert "truth" in written[-1]
    assert sum("truth" in line for line in written) == 1


def test_a_close_and_a_resolution_are_written_for_they_decide_what_shares_pay(tmp_path: Path) -> None:
    bench = Bench()
    outputs = bench.tell(sim.CloseMarket(market=MARKET)) + bench.tell(sim.Resolve(market=MARKET, up_payout=usd(1)))
    with ExchangeLog(tmp_path / "log.jsonl") as log:
        for output in outputs:
            log.did(output)
    assert [line["did"]["type"] for line in lines(tmp_path / "log.jsonl")] == ["PublicClose", "PublicResolution"]


def test_a_log_without_a_file_keeps_nothing_and_is_closed_as_often_as_one_likes() -> None:
    log = ExchangeLog(None)
    log.asked(sim.Deposit(account=ANN, amount=usd(5)), NOW)
    log.ended(Exchange(Rules(), Random(1)).truth(), NOW)
    log.close()
    log.close()


def test_what_was_written_is_there_when_the_run_breaks_off(tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path / "log.jsonl")
    log.asked(sim.Deposit(account=ANN, amount=usd(5)), NOW)
    log.close()
    assert [line["at"] for line in lines(tmp_path / "log.jsonl")] == [7]


def test_a_line_that_does_not_fit_on_the_disk_is_not_written_in_part_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = ExchangeLog(path)
    log.asked(sim.Deposit(account=ANN, amount=usd(5)), NOW)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(OSError, match=r"log\.jsonl|File too large"):
            log.asked(sim.Deposit(account=ANN, amount=usd(6)), NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    log.asked(sim.Deposit(account=ANN, amount=usd(7)), NOW)
    log.close()
    assert [line["asked"]["amount"] for line in lines(path)] == [usd(5), usd(7)]


def test_a_log_that_is_resumed_goes_on_behind_its_whole_lines_and_a_new_one_begins_empty(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with ExchangeLog(path) as log:
        log.asked(sim.Deposit(account=ANN, amount=usd(5)), NOW)
    path.write_bytes(path.read_bytes() + b'{"kind":')
    with ExchangeLog.resumed(path) as log:
        assert log.torn == 8
        log.asked(sim.Deposit(account=ANN, amount=usd(6)), NOW)
    assert [line["asked"]["amount"] for line in lines(path)] == [usd(5), usd(6)]
    with ExchangeLog(path):
        assert path.read_bytes() == b""


def test_a_log_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LogUnusable, match="nowhere/log: No such file or directory: give a file"):
        ExchangeLog.resumed(tmp_path / "nowhere" / "log")
