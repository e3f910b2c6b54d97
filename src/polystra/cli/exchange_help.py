"""What `polystra exchange --help` says of control: its routes and faults, in the words of the code that serves them."""

import textwrap
from typing import Any

from typer.core import TyperGroup

_WIDTH = 100


class ExchangeCommand(TyperGroup):
    """Looks up what is below its options when somebody asks, so that others need not wait for it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        formatter.write(control_help())


def control_help() -> str:
    from polystra.exchange import control
    from polystra.exchange.faults import HELP

    _, _, routes = (control.__doc__ or "").partition("\n\n")
    column = max(len(fault) for fault in HELP) + 2
    faults = [
        textwrap.fill(words, _WIDTH, initial_indent=fault.ljust(column), subsequent_indent=" " * column)
        for fault, words in HELP.items()
    ]
    lines = [
        "Control, for this machine alone; docs/exchange.md says more:",
        "",
        routes.strip(),
        "",
        "Faults for POST /control/faults:",
        "",
        *faults,
    ]
    return "\n".join(lines) + "\n"
