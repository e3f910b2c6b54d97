"""`polystra db`: the ledger's schema and health."""

from typing import Any

import typer

from polystra.cli.errors import BAD_INPUT, WRONG_RESULT, clearly, say
from polystra.cli.options import Folder, Json, print_json

db = typer.Typer(name="db", help="The ledger's schema and health.", no_args_is_help=True)


@db.command()
@clearly
def status(out: Folder, as_json: Json = False) -> None:
    """Which schema the ledger has, and which steps are pending; exit code 2 when it is newer than this version."""
    from polystra.app.upkeep import schema_status

    found = schema_status(out)
    _show(found, as_json=as_json)
    if found.current > found.head:
        say(f"{out}: schema {found.current} is newer than this version knows ({found.head}): use a newer Polystra")
        raise typer.Exit(BAD_INPUT)


@db.command()
@clearly
def migrate(out: Folder, as_json: Json = False) -> None:
    """Bring the ledger to this version's schema; a ledger with rows is backed up first."""
    from polystra.app.upkeep import bring_forward

    _show(bring_forward(out), as_json=as_json)


@db.command()
@clearly
def check(out: Folder, as_json: Json = False) -> None:
    """Whether ledger and journals are whole, and the ledger equals the exchange's log; exit code 1 if not."""
    from polystra.app.upkeep import faults
    from polystra.app.words import counted

    found = faults(out)
    if as_json:
        print_json({"good": not found, "faults": list(found)})
    else:
        for fault in found:
            say(fault)
        print("good" if not found else counted(len(found), "fault"))
    raise typer.Exit(WRONG_RESULT if found else 0)


def _show(found: Any, *, as_json: bool) -> None:
    if as_json:
        from polystra.app.report_json import of_schema

        print_json(of_schema(found))
    else:
        from polystra.cli.show_run import show_schema

        show_schema(found)
