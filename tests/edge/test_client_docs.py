"""docs/venue.md: its code trades at the exchange, and every operation that it names is there."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from polystra.cli.main import app
from polystra.exchange.wire import Json
from tests.edge.client_cases import Truth, exchange_truth
from tests.edge.exchange_cases import Running, Trader
from tools import venue_doc

__all__ = ["exchange_truth"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def code() -> str:
    text = (ROOT / "docs" / "venue.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def told(running: Running, trader: Trader) -> Json:
    """What `polystra exchange --json` would print."""
    urls = running.urls
    account = {"private_key": f"0x{trader.secret.hex()}"}
    return {
        "clob": urls.clob,
        "gamma": urls.gamma,
        "market_ws": urls.market_ws,
        "user_ws": urls.user_ws,
        "accounts": [account],
    }


def test_the_code_of_the_page_trades(
    running: Running,
    trader: Trader,
    exchange_truth: Truth,
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "exchange.json").write_text(json.dumps(told(running, trader)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/venue.md", "exec"), {"__name__": "example"})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "rests"
    assert printed[1] == "price 0.015: it is no multiple of tick 0.01, use 0.01 or 0.02"
    assert printed[2].startswith("refused, not enough balance: wait until")
    assert [line[:5] for line in printed[3:6]] == ["rests", "size ", "rests"]
    assert printed[6] == "LIVE"
    assert "Cancelled(order=" in printed[7]
    assert printed[9] == "0.5"
    assert "enough=True" in printed[10]
    assert printed[-2:] == ["BookSnapshot", "True asked"]
    assert exchange_truth.resting(trader) == set()
    assert exchange_truth.trades(trader) == ()


@pytest.mark.parametrize(
    "name", [name for _, name in venue_doc.OPERATIONS], ids=[what for what, _ in venue_doc.OPERATIONS]
)
def test_every_function_of_the_original_is_an_operation_here(name: str) -> None:
    if name.startswith("polystra "):
        command: Any = typer.main.get_command(app)
        for word in name.split()[1:]:
            command = command.commands[word]
        return
    module, *path = name.split(".")
    found: object = importlib.import_module(f"{venue_doc.PACKAGE}.{module}")
    for part in path:
        found = getattr(found, part)
    assert callable(found)
    assert found.__doc__


def test_the_client_needs_neither_engine_nor_ledger() -> None:
    program = "import sys, polystra.edge.polymarket.client; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    foreign = ("polystra.core.engine", "polystra.edge.store", "polystra.app", "polystra.sim", "polystra.exchange")
    assert "polystra.edge.polymarket.client" in loaded
    assert [name for name in loaded if name.startswith((*foreign, "sqlalchemy", "polystra.core.planner"))] == []
