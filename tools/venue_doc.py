"""Puts two tables into docs/venue.md, between their markers: `python -m tools.venue_doc`.

The venue's error texts with what they prove and what to do, and what the functions of the original bot are called here.
A test compares the page with what this would write, and calls each operation by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from polystra.edge.polymarket.remedies import TEXTS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "venue.md"
PACKAGE = "polystra.edge.polymarket"

OPERATIONS: Sequence[tuple[str, str]] = (
    ("place a batch", "client.Client.place_many"),
    ("place a market order, FOK or FAK", "client.Client.place"),
    ("get open orders", "venue.Venue.open_orders"),
    ("get one order with its trades", "account_readings.AccountReadings.order"),
    ("cancel several orders", "client.Client.cancel"),
    ("cancel by market or token", "client.Client.cancel_market"),
    ("cancel all", "client.Client.cancel_all"),
    ("order status", "account_readings.AccountReadings.status"),
    ("midpoint", "public.PublicReadings.midpoint"),
    ("tick size", "public.PublicReadings.tick"),
    ("balance and allowance", "account_readings.AccountReadings.holding"),
    ("spread", "public.PublicReadings.spread"),
    ("liquidity check", "public.PublicReadings.liquidity"),
    ("get notifications", "account_readings.AccountReadings.notifications"),
    ("drop notifications", "account_readings.AccountReadings.drop_notifications"),
    ("trade history", "venue.Venue.trades"),
    ("server time", "server_clock.clock_offset"),
    ("may a failed request be repeated", "retries.passing"),
    ("parse an error", "remedies.known"),
    ("validate a price", "validation.faults_of"),
    ("validate a size", "validation.faults_of"),
    ("validate an expiration", "validation.faults_of"),
    ("run migrations", "polystra db migrate"),
    ("version of the schema", "polystra db status"),
    ("record a migration", "polystra db migrate"),
)
"""What the original has, and our name for it: below the package, or a command."""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page with new tables in place of the old ones."""
    text = PAGE.read_text(encoding="utf-8")
    for name, lines in (("texts", texts()), ("operations", operations())):
        text = _replaced(text, name, lines)
    return text


def _replaced(text: str, name: str, lines: Iterator[str]) -> str:
    begin, end = f"<!-- {name}: written by python -m tools.venue_doc -->", f"<!-- /{name} -->"
    before, marker, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    if not marker or not closing:
        raise SystemExit(f"docs/venue.md: put the table of {name} between {begin} and {end}")
    return "\n".join([f"{before}{begin}", *lines, f"{end}{after}"])


def texts() -> Iterator[str]:
    yield "| an error with the words | proves | do |"
    yield "|---|---|---|"
    for one in TEXTS:
        proves = "nothing: the outcome is unknown" if one.reason is None else f"refused: {one.reason}"
        yield f"| {one.words} | {proves} | {one.remedy} |"


def operations() -> Iterator[str]:
    yield "| the original | here |"
    yield "|---|---|"
    for what, name in OPERATIONS:
        yield f"| {what} | `{name}` |"


if __name__ == "__main__":
    main()
