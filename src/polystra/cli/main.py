"""The command line. Commands import what they need when they run, so that `--help` is quick."""

from pathlib import Path
from typing import Annotated

import typer

from polystra import __version__
from polystra.cli.calibrate import calibrate
from polystra.cli.db import db
from polystra.cli.demo import demo
from polystra.cli.errors import WRONG_RESULT, clearly
from polystra.cli.exchange import exchange
from polystra.cli.exchange_help import ExchangeCommand
from polystra.cli.merge import merge
from polystra.cli.options import Folder, Json, SettingsFile, print_json
from polystra.cli.redeem import redeem
from polystra.cli.run import run
from polystra.cli.states import arm, pause, reduce_only, stop
from polystra.cli.venue_commands import balance, book, cancel, cancel_all, order, orders, trades

app = typer.Typer(
    name="polystra",
    help="Trades Polymarket's short-term crypto up/down markets.",
    epilog="Exit codes: 0 good; 1 wrong result; 2 bad input; 3 no answer from the exchange; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(db)
app.command()(demo)
app.command()(run)
app.command()(redeem)
app.command()(merge)
standing = typer.Typer(name="exchange", invoke_without_command=True, cls=ExchangeCommand)
standing.callback()(exchange)
standing.command()(calibrate)
app.add_typer(standing)
for straight in (orders, order, cancel, cancel_all, balance, trades, book, pause, reduce_only, stop, arm):
    app.command()(straight)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"polystra {__version__}")
        raise typer.Exit


@app.callback()
def polystra(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Trades Polymarket's short-term crypto up/down markets."""


@app.command()
@clearly
def replay(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal, such as journal-0001.plj.")],
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Feed a journal to a new engine: "identical", or the first event at which it decides otherwise (exit code 1)."""
    from polystra.app.replay import replay as replayed
    from polystra.app.settings import load_settings

    result = replayed(journal, None if settings is None else load_settings(settings))
    if as_json:
        from polystra.app.report_json import of_replay

        print_json(of_replay(result))
    else:
        from polystra.cli.show_run import show_replay

        show_replay(journal, result)
    raise typer.Exit(0 if result.identical else WRONG_RESULT)


@app.command()
@clearly
def status(out: Folder, as_json: Json = False) -> None:
    """How the latest run in a folder stands: open orders, positions, cash, state, last decisions."""
    from polystra.app.status import read_status

    found = read_status(out)
    if as_json:
        from polystra.app.report_json import of_status

        print_json(of_status(found))
    else:
        from polystra.cli.show_run import show_status

        show_status(found)


@app.command()
@clearly
def report(out: Folder, as_json: Json = False) -> None:
    """What a run came to, window by window, from its ledger; exit code 1 when ledger and exchange differ."""
    from polystra.app.report import read_report

    found = read_report(out)
    if as_json:
        from polystra.app.report_json import of_report

        print_json(of_report(found))
    else:
        from polystra.cli.show_report import show_report

        show_report(found)
    raise typer.Exit(WRONG_RESULT if found.checked is not None and found.checked.differences else 0)
