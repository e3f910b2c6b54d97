"""`polystra run`: trades as life goes, on paper."""

from pathlib import Path
from typing import Annotated

import typer

from polystra import __version__
from polystra.cli.errors import WRONG_RESULT, clearly
from polystra.cli.options import Data, Scenario, SettingsFile, Windows, found_windows


@clearly
def run(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The run's folder; one that holds this run already is gone on with."),
    ],
    data: Data = None,
    scenario: Scenario = None,
    windows: Windows = None,
    seed: Annotated[int, typer.Option(min=0, help="Chance in the exchange and in generated windows.")] = 1,
    speed: Annotated[
        str, typer.Option(metavar="X", help="How fast the exchange's clock runs beside the machine's; max: lock step.")
    ] = "1",
    settings: SettingsFile = None,
    exchange: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Trade at an exchange that runs already: a file with its --json line."),
    ] = None,
    account: Annotated[int, typer.Option(metavar="N", help="Which of that exchange's accounts trades.")] = 1,
) -> None:
    """Trade on paper: real HTTP, streams and signatures, pretend money, at an exchange that comes along.

    Runs until Ctrl-C or SIGTERM, or until its last window is over; resting orders are then cancelled unless
    venue.orders_at_stop says otherwise. However it ends, the same command goes on with it. Exit code 1 when ledger and
    exchange differ.
    """
    from polystra.app.console import Console
    from polystra.app.paper_run import attachment, run_paper
    from polystra.app.report import read_report
    from polystra.app.run_plan import plan_of
    from polystra.app.settings import load_settings
    from polystra.cli.show_report import show_report

    plan = plan_of(
        load_settings(settings),
        seed=seed,
        data=None if data is None else str(data),
        scenario=scenario,
        windows=found_windows(data, scenario, windows),
        speed=speed,
    )
    attached = None if exchange is None else attachment(exchange, account)
    place = "the embedded exchange" if attached is None else attached.place.clob
    print(f"Polystra {__version__}: paper trading at {place}, kept in {out}; Ctrl-C ends it\n", flush=True)
    run_paper(plan, out, attached, Console(lambda line: print(line, flush=True), len(plan.files)).tell)
    found = read_report(out)
    show_report(found)
    raise typer.Exit(WRONG_RESULT if found.checked is not None and found.checked.differences else 0)
