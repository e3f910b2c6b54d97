"""Commands that go straight to the venue: they need no ledger and no trader that moves."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from polystra.cli.errors import WRONG_RESULT, clearly, say
from polystra.cli.options import BadChoice, Json, print_json
from polystra.cli.states import LONGEST_WHY, Why, instruction

if TYPE_CHECKING:
    from polystra.app.access import Access
    from polystra.core.ids import VenueOrderId
    from polystra.edge.polymarket.client import Client

_T = TypeVar("_T")

Exchange = Annotated[
    Path | None,
    typer.Option("--exchange", metavar="FILE", help="An exchange: a file with the --json line of polystra exchange."),
]
Account = Annotated[int, typer.Option("--account", metavar="N", help="Which of that exchange's accounts asks.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The folder of a run that goes on: its own exchange and account."),
]


@clearly
def orders(exchange: Exchange = None, account: Account = 1, out: Out = None, as_json: Json = False) -> None:
    """The account's live orders, as the venue has them."""
    from polystra.app import inquiries
    from polystra.app.venue_json import of_order
    from polystra.cli.show_venue import show_orders

    found = _ask(_access(exchange, account, out), inquiries.orders)
    print_json({"orders": [of_order(one) for one in found]}) if as_json else show_orders(found)


@clearly
def order(
    asked: Annotated[str, typer.Argument(metavar="ID", help="The venue's id: 0x and 64 hex digits.")],
    exchange: Exchange = None,
    account: Account = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """One order with its trades; exit code 2 when the venue knows neither it nor a trade of it."""
    from polystra.app import inquiries
    from polystra.app.venue_json import of_story
    from polystra.cli.show_venue import show_story

    named = _order_id(asked)
    story = _ask(_access(exchange, account, out), lambda client: inquiries.order(client, named))
    print_json(of_story(story)) if as_json else show_story(story)


@clearly
def cancel(
    asked: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of orders.")],
    exchange: Exchange = None,
    account: Account = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Cancel orders, and say what became of each; exit code 1 when any is live still, or nobody knows.

    A trader that is at work and still wants such an order places another one: use cancel-all to stop it.
    """
    from polystra.app import cancellation
    from polystra.app.venue_json import of_fate
    from polystra.cli.show_venue import show_fates

    named = [_order_id(one) for one in asked]
    fates = _ask(_access(exchange, account, out), lambda client: cancellation.cancel(client, named))
    print_json({"orders": [of_fate(one) for one in fates]}) if as_json else show_fates(fates)
    raise typer.Exit(0 if all(one.end.over for one in fates) else WRONG_RESULT)


@clearly
def cancel_all(
    exchange: Exchange = None,
    account: Account = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The folder of a run: throws its kill switch first, also when it hangs."
        ),
    ] = None,
    why: Why = "cancel-all",
    as_json: Json = False,
) -> None:
    """Emergency: cancel every live order of the account, straight at the venue; with --out also stop the run.

    Needs no ledger, and no trader that moves. With --out a file `stop` is put into the run's folder first: while it is
    there the trader places nothing, also after a restart, until polystra arm takes it away. A run that trades at an
    exchange of its own is found by --out alone, any other takes --exchange too. Exit code 1 unless the venue says that
    nothing is live.
    """
    from polystra.app import cancellation
    from polystra.app.venue_json import of_sweep
    from polystra.cli.show_venue import show_sweep

    stuck = None if out is None else _throw(out, why)
    access = _access(exchange, account, None if exchange else out)
    sweep = _ask(access, cancellation.cancel_all)
    thrown = out is not None and stuck is None
    print_json(of_sweep(sweep, kill_switch=thrown)) if as_json else show_sweep(sweep)
    raise typer.Exit(0 if sweep.clear and stuck is None else WRONG_RESULT)


@clearly
def balance(exchange: Exchange = None, account: Account = 1, out: Out = None, as_json: Json = False) -> None:
    """Cash, allowance, and the shares that the account's trades left it with, as the venue believes them to be."""
    from polystra.app import inquiries
    from polystra.app.venue_json import of_purse
    from polystra.cli.show_venue import show_purse

    purse = _ask(_access(exchange, account, out), inquiries.purse)
    print_json(of_purse(purse)) if as_json else show_purse(purse)


@clearly
def trades(
    market: Annotated[str | None, typer.Option(metavar="SLUG", help="Only those in this window.")] = None,
    exchange: Exchange = None,
    account: Account = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """All trades of the account at the venue, newest first, failed ones too."""
    from polystra.app import inquiries
    from polystra.app.venue_json import of_fill
    from polystra.cli.show_venue import show_trades

    found = _ask(_access(exchange, account, out), lambda client: inquiries.trades(client, market))
    print_json({"trades": [of_fill(one) for one in found]}) if as_json else show_trades(found)


@clearly
def book(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="A window, such as btc-updown-15m-1790586000.")],
    exchange: Exchange = None,
    account: Account = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """A window's book in terms of Up: Down's is its mirror. Both sides, tick, spread, and its time by the venue."""
    from polystra.app import inquiries
    from polystra.app.venue_json import of_book
    from polystra.cli.show_venue import show_book

    found = _ask(_access(exchange, account, out), lambda client: inquiries.book(client, slug))
    print_json(of_book(found)) if as_json else show_book(found)


def _throw(folder: Path, why: str) -> str | None:
    """None when it is thrown; what else must be said at once, and keeps nothing from being cancelled."""
    from polystra.app.kill_switch import KillSwitch, SwitchStuck

    try:
        new = KillSwitch(folder).throw(instruction("cancel-all", _in_short(why)))
    except SwitchStuck as error:
        say(str(error))
        return str(error)
    words = "kill switch thrown" if new else "kill switch was thrown already"
    say(f"{words}: {folder} places nothing until polystra arm --out {folder}")
    return None


def _in_short(why: str) -> str:
    """An emergency is not refused for its words."""
    plain = "".join(one if one.isprintable() else " " for one in why)
    return plain.strip()[:LONGEST_WHY] or "cancel-all"


def _access(exchange: Path | None, account: int, out: Path | None) -> "Access":
    from polystra.app.access import access_of_run, told_access

    if exchange is not None and out is not None:
        raise BadChoice(f"--exchange {exchange} with --out {out}: give one of them")
    if exchange is not None:
        return told_access(exchange, account)
    if out is None:
        raise BadChoice("which exchange: give --out DIR for that of a run, or --exchange FILE")
    if account != 1:
        raise BadChoice(f"--account {account} with --out {out}: a run has one account, leave it out")
    return access_of_run(out)


def _ask(access: "Access", question: "Callable[[Client], Awaitable[_T]]") -> _T:
    from polystra.app.access import opened

    async def asked() -> _T:
        async with opened(access) as client:
            return await question(client)

    return asyncio.run(asked())


def _order_id(text: str) -> "VenueOrderId":
    import re

    from polystra.core.ids import VenueOrderId

    if not re.fullmatch(r"0x[0-9a-f]{64}", text.lower(), re.ASCII):
        raise BadChoice(f"order {text[:80]}: an id is 0x and 64 hex digits")
    return VenueOrderId(text.lower())
