"""Turns errors into one clear line and an exit code: 0 good, 1 wrong result, 2 bad input, 3 the exchange is gone, 130
interrupted.

What is not an error of Polystra's own is not caught: a traceback is the honest answer to a bug.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from polystra.core.errors import ContradictoryFacts, IllegalTransition, PolystraError

P = ParamSpec("P")
R = TypeVar("R")

WRONG_RESULT = 1
BAD_INPUT = 2
EXCHANGE_GONE = 3
INTERRUPTED = 130


def clearly(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose errors of ours become lines on stderr and an exit code."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except PolystraError as error:
            for line in str(error).splitlines():
                say(line)
            raise typer.Exit(exit_code_of(error)) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None

    return told


def exit_code_of(error: PolystraError) -> int:
    """1 when what we kept or did is wrong; 2 when what we were given cannot be used; 3 when the exchange went away, and
    the same run can be gone on with, or does not answer."""
    from polystra.app.access import NoAnswer
    from polystra.app.lock_step import ExchangeGone
    from polystra.app.rebuild import LogDiffers
    from polystra.edge.polymarket.client import CannotOpen
    from polystra.edge.store.errors import JournalDamaged, LedgerContradiction, LedgerDamaged

    wrong = (LedgerDamaged, JournalDamaged, LedgerContradiction, LogDiffers, IllegalTransition, ContradictoryFacts)
    if isinstance(error, ExchangeGone | CannotOpen | NoAnswer):
        return EXCHANGE_GONE
    return WRONG_RESULT if isinstance(error, wrong) else BAD_INPUT


def say(line: str) -> None:
    """To the person at the terminal, never into a pipe."""
    print(f"polystra: {line}", file=sys.stderr, flush=True)
