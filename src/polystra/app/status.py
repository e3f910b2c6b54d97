"""Says how the run in a folder stands: what is open, what is held, and what was decided last.

Reads the ledger only, also while a trader writes it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from polystra.app.check import is_open
from polystra.app.kill_switch import KillSwitch, Word
from polystra.app.session import LEDGER
from polystra.core.account import Equity
from polystra.core.events import LedgerLoaded
from polystra.core.ids import MarketId
from polystra.core.units import Instant
from polystra.edge.store import restore
from polystra.edge.store.answers import Decision, OrderLine, Position, Run, Totals, Transition, Window
from polystra.edge.store.db import open_readonly
from polystra.edge.store.queries import LedgerReader

LAST_DECISIONS = 5
LAST_TRANSITIONS = 5


class Status(Struct, frozen=True, kw_only=True):
    """`process` says whether a trader is at work; `state` is what it may do (`TradingState`) by its ledger, and
    `by_file` what the run's folder says, which no trader may have read yet. `transitions` are the last ones.

    `positions` are those of windows that have not settled; `decisions` the ones that counted in the newest windows.
    """

    run: Run | None
    process: str
    state: str
    transitions: tuple[Transition, ...]
    by_file: Word | None
    equity: Equity
    totals: Totals
    windows: Mapping[MarketId, Window]
    halted: tuple[MarketId, ...]
    open_orders: tuple[OrderLine, ...]
    positions: tuple[Position, ...]
    decisions: tuple[tuple[MarketId, Decision], ...]


def read_status(folder: Path) -> Status:
    """Raises what `LedgerReader` raises."""
    path = folder / LEDGER
    with LedgerReader(path) as ledger:
        runs, windows = ledger.runs(), {window.market: window for window in ledger.windows()}
        run = runs[-1] if runs else None
        remembered = _remembered(path, Instant(0) if run is None else run.started_at)
        told = [(window.market, window.decision) for window in windows.values() if window.decision is not None]
        return Status(
            run=run,
            process=_process(path, run),
            state=remembered.state.value,
            transitions=tuple(ledger.transitions()[-LAST_TRANSITIONS:]),
            by_file=KillSwitch(folder).commanded(),
            equity=ledger.equity(),
            totals=ledger.totals(),
            windows=windows,
            halted=remembered.halted,
            open_orders=tuple(order for order in ledger.orders() if is_open(order)),
            positions=tuple(one for one in ledger.positions() if one.shares and windows[one.market].settled_at is None),
            decisions=tuple(told[-LAST_DECISIONS:]),
        )


def is_at_work(folder: Path) -> bool:
    """Whether a trader owns the ledger of a folder."""
    owner = _owner((folder / LEDGER).with_name(f"{LEDGER}.lock"))
    return owner is not None and _lives(owner)


def _remembered(path: Path, at: Instant) -> LedgerLoaded:
    """What an engine would be told at a start."""
    with open_readonly(path) as database:
        return restore.load(database.connection, at)


def _process(path: Path, run: Run | None) -> str:
    """The lock file holds the owner's process id while it lives; a run without owner and end was broken off."""
    owner = _owner(path.with_name(path.name + ".lock"))
    if owner is not None and _lives(owner):
        return f"going on, process {owner}"
    if run is None:
        return "not begun"
    return "ended" if run.ended_at is not None else "broken off"


def _owner(lock: Path) -> int | None:
    try:
        text = lock.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdigit() else None


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
