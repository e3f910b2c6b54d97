"""`polystra run`: trades as life goes, on paper: at an embedded exchange, or at one that is there already.

A start is a recovery. A folder that holds a run is gone on with; one that holds none begins the run that is asked for.
"""

import asyncio
import gc
from collections.abc import Sequence
from pathlib import Path

from polystra.app.access import Access, told_access
from polystra.app.demo import prepare, refuse_others
from polystra.app.embedded import NoExchange
from polystra.app.exchange_clock import TimeMode
from polystra.app.recordings import digest_of, examine, keep
from polystra.app.run_plan import LOCK_STEP_SPEED, RUN, Plan, keep_plan, kept_plan
from polystra.app.runtime import Listener, silent
from polystra.app.session import Trader
from polystra.app.wire_run import WireRun, trade_at, trade_embedded
from polystra.app.world_rules import world_rules
from polystra.core.errors import PolystraError
from polystra.core.units import Instant, seconds
from polystra.edge.tapes.format import TapeFile

AFTERWARDS = seconds(300)
"""How long a run goes on after its last window has ended: it settles and every doubt ends."""


class OtherRun(PolystraError):
    """What is asked for is not the run that a folder holds."""


def attachment(line: Path, number: int) -> Access:
    """The exchange of a file with that line, and whose account trades there. Raises `NoExchange`."""
    access = told_access(line, number)
    if access.place.mode is TimeMode.WALL:
        raise NoExchange(
            f"{line}: that exchange has moved its recordings to now, so that names and times of its windows differ: "
            "start it with --recorded-time or --speed max"
        )
    return access


def run_paper(plan: Plan, folder: Path, attached: Access | None = None, tell: Listener = silent) -> None:
    """Until SIGINT or SIGTERM, or until the last window is over. Raises `OtherRun` and what `run_demo` raises."""
    if (folder / RUN).exists():
        refuse_other_run(kept_plan(folder), plan, folder)
    files = plan.files
    recordings = examine(files, world_rules(plan.chosen_settings, plan.seed).assumptions)
    refuse_others(folder, recordings)
    prepare(folder)
    with Trader(folder, plan.chosen_settings, seed=plan.seed, tape_digest=digest_of(recordings)) as trader:
        keep(folder, recordings)
        keep_plan(folder, plan)
        run = WireRun(
            trader=trader,
            plan=plan,
            folder=folder,
            series={file.market.series for file in files},
            tell=tell,
            until=None if plan.speed == LOCK_STEP_SPEED else _end_of(files),
        )
        spare_collections()
        asyncio.run(trade_embedded(run) if attached is None else trade_at(run, attached.place, attached.wallet))


def spare_collections() -> None:
    """Keep what is loaded by now out of every later garbage collection. All of it stays to the end, and a full
    collection that looks through its 100,000 objects would hold an order up for tens of milliseconds."""
    gc.collect()
    gc.freeze()


def refuse_other_run(kept: Plan, asked: Plan, folder: Path) -> None:
    """Settings may change from one life to the next; what plays may not."""
    for field in ("seed", "data", "windows", "scenario", "speed"):
        before, now = getattr(kept, field), getattr(asked, field)
        if before != now:
            raise OtherRun(
                f"{folder} holds a run with {field} {before}, asked is {now}: give the same, or name another folder"
            )


def _end_of(files: Sequence[TapeFile]) -> Instant:
    return Instant(max(file.market.end for file in files) + AFTERWARDS)
