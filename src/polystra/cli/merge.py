"""Turns equal holdings of Up and Down back into cash, on demand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polystra.cli.errors import WRONG_RESULT, clearly
from polystra.cli.options import BadChoice, Folder, Json, print_json

if TYPE_CHECKING:
    from polystra.app.merging import MergeFate


@clearly
def merge(
    out: Folder,
    exchange: Annotated[
        Path | None,
        typer.Option(
            "--exchange", metavar="FILE", help="An exchange: a file with the --json line of polystra exchange."
        ),
    ] = None,
    account: Annotated[int, typer.Option("--account", metavar="N", help="Which of its accounts holds the shares.")] = 1,
    market: Annotated[
        str | None, typer.Option("--market", metavar="SLUG", help="Only the pairs of this window.")
    ] = None,
    budget: Annotated[
        int,
        typer.Option("--budget", min=0, max=1000, metavar="N", help="The most transactions; one merges one window."),
    ] = 20,
    min_pairs: Annotated[
        int, typer.Option("--min-pairs", min=1, metavar="N", help="Leave windows with fewer free pairs alone.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what could be merged, and ask for nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Turn pairs of Up and Down into cash, 1 USD each, once; the run must be stopped. Exit code 1 while any waits.

    The venue's relayer is asked for one transaction a window, and pays for it. What is on sale is left alone. One that
    has no end yet is asked after first, and never sent again while nobody knows what became of it.
    """
    from polystra.app.merges import merged, pairs_of
    from polystra.app.status import is_at_work
    from polystra.core.units import shares

    if is_at_work(out):
        raise BadChoice(f"{out}: a trader is at work there: stop it, or let it merge by merging.enabled = true")
    least = shares(min_pairs)
    fates = (
        pairs_of(out, least=least, only=market)
        if dry_run
        else merged(out, exchange, account, most=budget, least=least, only=market)
    )
    print_json({"merges": [_json(one) for one in fates]}) if as_json else _show(fates)
    raise typer.Exit(0 if dry_run or all(_is_paid(one) for one in fates) else WRONG_RESULT)


def _is_paid(fate: "MergeFate") -> bool:
    from polystra.core.claims import ClaimStage

    return fate.stage is ClaimStage.PAID


def _json(fate: "MergeFate") -> dict[str, Any]:
    from polystra.core.units import show

    return {
        "window": fate.market.slug,
        "pairs": show(fate.pairs),
        "stage": fate.stage or "waits",
        "paid_usd": show(fate.pairs) if _is_paid(fate) else "0",
        "transaction": None if fate.merge is None else fate.merge.asked,
        "why": fate.why,
    }


def _show(fates: "tuple[MergeFate, ...]") -> None:
    from polystra.cli.paper import Paper
    from polystra.core.units import Usd, show

    paper = Paper()
    if not fates:
        paper.line("nothing to merge")
        return
    rows = ((one.market.slug, show(one.pairs), one.stage or "waits", one.why) for one in fates)
    paper.table((("Window", "whole"), ("Pairs", "right"), ("Stage", "whole"), ("Why", "left")), rows)
    paper.line(f"{show(Usd(sum(one.pairs for one in fates if _is_paid(one))))} USD became cash")
