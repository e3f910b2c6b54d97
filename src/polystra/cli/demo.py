"""`polystra demo`: recorded windows, traded over the wire of the embedded exchange."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra import __version__
from polystra.cli.errors import EXCHANGE_GONE, INTERRUPTED, WRONG_RESULT, clearly, say
from polystra.cli.options import Data, Json, Scenario, SettingsFile, Windows, found_windows, print_json

if TYPE_CHECKING:
    from polystra.app.demo import DemoOptions, DemoResult
    from polystra.app.run_plan import Plan


@clearly
def demo(
    as_json: Json = False,
    data: Data = None,
    scenario: Scenario = None,
    windows: Windows = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same orders and fills.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep ledger, journal and the exchange's own log here: an empty folder."),
    ] = None,
    settings: SettingsFile = None,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="No second process and no wire: the same orders and fills, sooner.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a demo that was killed, the last one or that of --out.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")] = False,
) -> None:
    """Trade recorded windows over the wire of the embedded exchange, with pretend money, and check every cent.

    Two processes in lock step, real signatures, virtual time. Exit code 1 when ledger and exchange differ or the
    journal does not replay. Progress goes to stdout; with --json it goes to stderr, and stdout holds one object whose
    *_usd values are exact decimals as text.
    """
    from polystra.app.demo import DemoOptions
    from polystra.app.lock_step import ExchangeGone
    from polystra.app.run_plan import kept_plan, plan_of
    from polystra.app.settings import demo_settings, load_settings

    progress = None if quiet else sys.stderr if as_json else sys.stdout
    folder = out if out is not None else _scratch(keep=resume)
    if resume:
        plan = kept_plan(folder)
    else:
        plan = plan_of(
            demo_settings() if settings is None else load_settings(settings),
            seed=seed,
            data=None if data is None else str(data),
            scenario=scenario,
            windows=found_windows(data, scenario, windows),
            in_process=in_process,
        )
    again = f"polystra demo --resume --out {folder}"
    try:
        result = _play(DemoOptions(plan=plan, folder=folder, resume=resume), progress)
    except KeyboardInterrupt:
        say(f"interrupted; the run until here is kept in {folder}")
        raise typer.Exit(INTERRUPTED) from None
    except ExchangeGone as gone:
        say(f"{gone}; {again} goes on with this run")
        raise typer.Exit(EXCHANGE_GONE) from None
    if result.interrupted:
        say(f"interrupted; the run until here is kept in {folder}, {again} goes on with it")
        raise typer.Exit(INTERRUPTED)
    _show(result, as_json=as_json, kept=out)
    if out is None and result.good:
        shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(0 if result.good else WRONG_RESULT)


def _scratch(*, keep: bool) -> Path:
    """Where a demo without --out lives, so that it can be gone on with when it was killed. A new demo takes the place
    of one that was left there; beside one that still runs it takes a place of its own."""
    from tempfile import mkdtemp

    from polystra.app.status import is_at_work
    from polystra.edge.wallet_lock import LocksUnavailable, lock_folder

    try:
        place = lock_folder(os.environ).parent / "demo"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (LocksUnavailable, OSError):
        return Path(mkdtemp(prefix="polystra-"))
    if keep:
        return place
    if is_at_work(place):
        return Path(mkdtemp(prefix="polystra-"))
    if any(place.iterdir()):
        say("a demo that was killed is given up; polystra demo --resume would have gone on with it")
        shutil.rmtree(place)
        place.mkdir(mode=0o700)
    return place


def _play(options: "DemoOptions", progress: Any) -> "DemoResult":
    from polystra.app.console import Console
    from polystra.app.demo import refuse_used, run_demo

    if not options.resume:
        refuse_used(options.folder)
    if progress is None:
        return run_demo(options)
    files = options.plan.files
    sources = ", ".join(dict.fromkeys(file.source for file in files))
    print(f"Polystra {__version__}: {_headline(options.plan, len(files), sources)}\n", file=progress, flush=True)

    def write(line: str) -> None:
        print(line, file=progress, flush=True)

    return run_demo(options, Console(write, len(files)).tell)


def _headline(plan: "Plan", windows: int, sources: str) -> str:
    kind = "recorded" if plan.scenario is None else "generated"
    how = "in this process" if plan.in_process else "over the wire"
    return f"{windows} {kind} windows ({sources}), seed {plan.seed}, pretend money, {how}, virtual time in UTC"


def _show(result: "DemoResult", *, as_json: bool, kept: Path | None) -> None:
    if as_json:
        from polystra.app.report_json import of_demo

        print_json(of_demo(result))
    else:
        from polystra.cli.show_report import show_demo

        show_demo(result, kept)
