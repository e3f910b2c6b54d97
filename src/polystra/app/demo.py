"""Trades recorded windows from the first to the last, and reports what it came to.

Everything is written to one folder: the ledger, the journal, the exchange's own log and the list of recordings. At the
end the journal is replayed: that proves that it holds the run, and measures the engine without the world around it.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from polystra.app.check import last_truth
from polystra.app.exchange_log import ExchangeLog
from polystra.app.recordings import RECORDINGS, Recording, digest_of, examine, keep, kept
from polystra.app.replay import ReplayResult, replay
from polystra.app.report import Report, report_of
from polystra.app.run_plan import RUN, Plan, keep_plan
from polystra.app.runtime import Listener, silent
from polystra.app.session import EXCHANGE_LOG, LEDGER, Trader
from polystra.app.settings import Settings
from polystra.app.wire_run import WireRun, trade_embedded
from polystra.app.world import World
from polystra.app.world_rules import world_rules
from polystra.core.errors import PolystraError
from polystra.core.markets import Series
from polystra.edge.clock import stopwatch
from polystra.edge.store.journal import digest
from polystra.edge.store.queries import LedgerReader


class FolderUnusable(PolystraError):
    """The folder cannot take a run: it holds another one, or cannot be written."""


class DemoOptions(Struct, frozen=True, kw_only=True):
    """`folder` must not hold a run yet, unless it is to be gone on with: then `plan` is the one kept there."""

    plan: Plan
    folder: Path
    resume: bool = False


class Changed(Struct, frozen=True):
    """A setting that is not what it is by default."""

    name: str
    value: str
    default: str


class DemoResult(Struct, frozen=True, kw_only=True):
    """`seconds` is the whole run, `replayed.engine_seconds` the engine alone; `interrupted` when a signal ended it."""

    report: Report
    replayed: ReplayResult
    journal: Path
    journal_sha256: str
    seed: int
    seconds: float
    changed: tuple[Changed, ...]
    interrupted: bool = False

    @property
    def good(self) -> bool:
        """Whether ledger and exchange are equal and the journal replays to the same commands."""
        checked = self.report.checked
        return checked is not None and not checked.differences and self.replayed.identical


def run_demo(options: DemoOptions, tell: Listener = silent) -> DemoResult:
    """Raises `RecordingError` and `FolderUnusable` before anything is written, and the errors of `edge.store`; over the
    wire `NoExchange` and `ExchangeGone` too, after which the run can be gone on with."""
    begun = stopwatch()
    plan, folder = options.plan, options.folder
    settings, files = plan.chosen_settings, plan.files
    if not options.resume:
        refuse_used(folder)
    recordings = examine(files, world_rules(settings, plan.seed).assumptions)
    if options.resume:
        refuse_others(folder, recordings)
    prepare(folder)
    with Trader(
        folder, settings, seed=plan.seed, tape_digest=digest_of(recordings)
    ) as trader:  # holds the folder's lock from here on
        keep(folder, recordings)
        keep_plan(folder, plan)
        series = {file.market.series for file in files}
        interrupted = False
        if plan.in_process:
            _trade_in_process(trader, plan, folder, series, tell)
        else:
            interrupted = asyncio.run(
                trade_embedded(WireRun(trader=trader, plan=plan, folder=folder, series=series, tell=tell))
            )
        with LedgerReader(folder / LEDGER) as ledger:
            report = report_of(ledger, recordings, last_truth(folder / EXCHANGE_LOG))
    return DemoResult(
        report=report,
        replayed=replay(trader.journal_path),
        journal=trader.journal_path,
        journal_sha256=digest(trader.journal_path),
        seed=plan.seed,
        seconds=stopwatch() - begun,
        changed=tuple(changed_settings(settings)),
        interrupted=interrupted,
    )


def _trade_in_process(trader: Trader, plan: Plan, folder: Path, series: Collection[Series], tell: Listener) -> None:
    with ExchangeLog(folder / EXCHANGE_LOG) as log:
        world = World(world_rules(plan.chosen_settings, plan.seed), plan.files, log)
        asyncio.run(trader.trade(world, series, tell))
        world.end()


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
    for pattern in (LEDGER, "journal-*.plj", EXCHANGE_LOG, RECORDINGS, RUN):
        found = next(iter(folder.glob(pattern)), None) if folder.is_dir() else None
        if found is not None:
            raise FolderUnusable(
                f"{folder} holds a run already, perhaps one that still goes on ({found.name}): name an empty folder; "
                f"to look at that run: polystra report --out {folder}; to go on with one that was killed: "
                f"polystra demo --resume --out {folder}"
            )


def refuse_others(folder: Path, recordings: Sequence[Recording]) -> None:
    """Raises `FolderUnusable` where a run to go on with was made of other recordings."""
    known = kept(folder)
    if known is not None and digest_of(known) != digest_of(recordings):
        raise FolderUnusable(
            f"{folder}: its run played {len(known)} recordings that are not those found now ({len(recordings)}): bring "
            "the same ones back, or begin a new run in another folder"
        )


def prepare(folder: Path) -> None:
    """Makes the folder where it does not exist; raises `FolderUnusable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderUnusable(f"{folder} cannot be made ({error.strerror}): name another folder") from None
