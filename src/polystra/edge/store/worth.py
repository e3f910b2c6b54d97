"""Adds up what a ledger is worth: cash, what is held, and what can be redeemed."""

from sqlalchemy import Connection, func, select

from polystra.core.account import Equity
from polystra.core.notes import PositionWatched
from polystra.core.units import MICRO, Instant, Usd
from polystra.edge.store.restore import held
from polystra.edge.store.tables import notes


def equity(connection: Connection, *, cash: Usd, redeemable: Usd) -> Equity:
    """What is held in markets that have not settled, at the last bid that a trader kept, else at what it cost."""
    bids = _last_bids(connection)
    at_bid = at_cost = 0
    moments = []
    for market, position in held(connection).items():
        for holding in (position.up, position.down):
            priced = bids.get((market, holding.outcome.value))
            if priced is None:
                at_cost += holding.cost
            elif holding.shares:
                at_bid += holding.shares * priced[0] // MICRO
                moments.append(priced[1])
    return Equity(
        cash=cash,
        at_bid=Usd(at_bid),
        at_cost=Usd(at_cost),
        redeemable=redeemable,
        priced_at=min(moments, default=None),
    )


def _last_bids(connection: Connection) -> dict[tuple[str, str], tuple[int, Instant]]:
    """The newest bid of each outcome, and when it was seen."""
    outcome, bid = func.json_extract(notes.c.body, "$.outcome"), func.json_extract(notes.c.body, "$.bid")
    newest = (
        select(func.max(notes.c.id))
        .where(notes.c.kind == PositionWatched.__name__, bid.is_not(None))
        .group_by(notes.c.market, outcome)
    )
    rows = connection.execute(
        select(notes.c.market, outcome.label("outcome"), bid.label("bid"), notes.c.at).where(notes.c.id.in_(newest))
    )
    return {(row.market, row.outcome): (int(row.bid), Instant(row.at)) for row in rows}
