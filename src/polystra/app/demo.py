"""Trades recorded windows from the first to the last, and reports what it came to.

Everything is written to one folder: the ledger, the journal, the exchange's own log and the list of recordings. At the
end the journal is replayed: that proves that it holds the run, and measures the engine without the world around it.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from polystra.app.exchange_log import ExchangeLog
from polystra.app.recordings import RECORDINGS, digest_of, examine, keep
from polystra.app.replay import ReplayResult, replay
from polystra.app.report import Report, report_of
from polystra.app.runtime import Listener, silent
from polystra.app.session import EXCHANGE_LOG, LEDGER, Trader
from polystra.app.settings import Settings
from polystra.app.world import World
from polystra.app.world_rules import world_rules
from polystra.core.errors import PolystraError
from polystra.edge.clock import stopwatch
from polystra.edge.store.journal import digest
from polystra.edge.store.queries import LedgerReader
from polystra.edge.tapes.format import TapeFile


class FolderUnusable(PolystraError):
    """The folder cannot take a run: it holds another one, or cannot be written."""


class DemoOptions(Struct, frozen=True, kw_only=True):
    """`files` are played in the order of their windows; `folder` must not hold a run yet."""

    settings: Settings
    files: Sequence[TapeFile]
    seed: int
    folder: Path


class Changed(Struct, frozen=True):
    """A setting that is not what it is by default."""

    name: str
    value: str
    default: str


class DemoResult(Struct, frozen=True, kw_only=True):
    """`seconds` is the whole run, `replayed.engine_seconds` the engine alone."""

    report: Report
    replayed: ReplayResult
    journal: Path
    journal_sha256: str
    seed: int
    seconds: float
    changed: tuple[Changed, ...]

    @property
    def good(self) -> bool:
        """Whether ledger and exchange are equal and the journal replays to the same commands."""
        checked = self.report.checked
        return checked is not None and not checked.differences and self.replayed.identical


def run_demo(options: DemoOptions, tell: Listener = silent) -> DemoResult:
    """Raises `RecordingError` and `FolderUnusable` before anything is written, and the errors of `edge.store`."""
    begun = stopwatch()
    refuse_used(options.folder)
    recordings = examine(options.files)
    prepare(options.folder)
    series = {file.market.series for file in options.files}
    with Trader(
        options.folder, options.settings, seed=options.seed, tape_digest=digest_of(recordings)
    ) as trader:  # holds the folder's lock from here on
        keep(options.folder, recordings)
        with ExchangeLog(options.folder / EXCHANGE_LOG) as log:
            world = World(world_rules(options.settings, options.seed), options.files, log)
            asyncio.run(trader.trade(world, series, tell))
            truth = world.end()
        with LedgerReader(options.folder / LEDGER) as ledger:
            report = report_of(ledger, recordings, truth)
    return DemoResult(
        report=report,
        replayed=replay(trader.journal_path),
        journal=trader.journal_path,
        journal_sha256=digest(trader.journal_path),
        seed=options.seed,
        seconds=stopwatch() - begun,
        changed=tuple(changed_settings(options.settings)),
    )


def changed_settings(settings: Settings) -> Iterator[Changed]:
    """What these settings change, section by section."""
    here, default = _leaves(settings.model_dump()), _leaves(Settings().model_dump())
    for name, value in here.items():
        if value != default[name]:
            yield Changed(name, str(value), str(default[name]))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found.update(_leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value})
    return found


def refuse_used(folder: Path) -> None:
    """Raises `FolderUnusable` for a folder with any file of a run: two runs in one folder could not be told apart."""
    for pattern in (LEDGER, "journal-*.plj", EXCHANGE_LOG, RECORDINGS):
        found = next(iter(folder.glob(pattern)), None) if folder.is_dir() else None
        if found is not None:
            raise FolderUnusable(
                f"{folder} holds a run already, perhaps one that still goes on ({found.name}): name an empty folder; "
                f"to look at that run: polystra report --out {folder}"
            )


def prepare(folder: Path) -> None:
    """Makes the folder where it does not exist; raises `FolderUnusable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(f"{folder} cannot be made ({error.strerror}): name another folder") from None
