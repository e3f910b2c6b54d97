"""Turns what settled markets pay into cash, on demand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra.cli.errors import WRONG_RESULT, clearly
from polystra.cli.options import BadChoice, Folder, Json, print_json

if TYPE_CHECKING:
    from polystra.app.redemption import Fate


@clearly
def redeem(
    out: Folder,
    exchange: Annotated[
        Path | None,
        typer.Option(
            "--exchange", metavar="FILE", help="An exchange: a file with the --json line of polystra exchange."
        ),
    ] = None,
    account: Annotated[int, typer.Option("--account", metavar="N", help="Which of its accounts holds the shares.")] = 1,
    budget: Annotated[
        int,
        typer.Option("--budget", min=0, max=1000, metavar="N", help="The most transactions; one redeems one window."),
    ] = 20,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what waits, and ask for nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Turn what settled windows pay into cash, each once; the run must be stopped. Exit code 1 while any still waits.

    The venue's relayer is asked for one transaction a window, and pays for it. One that has no end yet is asked after
    first, and never sent again while nobody knows what became of it.
    """
    from polystra.app.claims import claims_of, redeemed
    from polystra.app.status import is_at_work

    if is_at_work(out):
        raise BadChoice(f"{out}: a trader is at work there: stop it, or let it redeem by redemption.enabled = true")
    fates = claims_of(out) if dry_run else redeemed(out, exchange, account, most=budget)
    print_json({"claims": [_json(one) for one in fates]}) if as_json else _show(fates)
    raise typer.Exit(0 if dry_run or not any(_waits(one) for one in fates) else WRONG_RESULT)


def _waits(fate: "Fate") -> bool:
    from polystra.core.claims import ClaimStage

    return fate.stage is not ClaimStage.PAID


def _json(fate: "Fate") -> dict[str, Any]:
    from polystra.core.units import show

    last = fate.claim.last
    return {
        "window": fate.claim.market.slug,
        "claim_usd": show(fate.claim.amount),
        "stage": fate.stage or "waits",
        "paid_usd": show(fate.paid),
        "transaction": None if last is None else last.asked,
        "why": fate.why,
    }


def _show(fates: "tuple[Fate, ...]") -> None:
    from polystra.cli.paper import Paper
    from polystra.core.units import Usd, show

    paper = Paper()
    if not fates:
        paper.line("nothing to redeem")
        return
    rows = (
        (one.claim.market.slug, show(one.claim.amount), one.stage or "waits", show(one.paid), one.why) for one in fates
    )
    columns = (("Window", "whole"), ("USD", "right"), ("Stage", "whole"), ("Paid", "right"), ("Why", "left"))
    paper.table(columns, rows)
    paper.line(f"{show(Usd(sum(one.paid for one in fates)))} USD became cash")
