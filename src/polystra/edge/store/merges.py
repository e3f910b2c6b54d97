"""Keeps how far each merge of pairs is: a row before anybody is asked, one with the relayer's number, one at the end.

`Ledger.merges_on_their_way` reads them and `Ledger.step_merge` adds to them; whoever merges lives between the two.
"""

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, func, insert, select

from polystra.core.claims import ClaimStage
from polystra.core.ids import MarketId, MergeId
from polystra.core.markets import Market
from polystra.core.positions import Merged
from polystra.core.restored import RestoredMerge
from polystra.core.units import Instant, Shares
from polystra.edge.store.tables import markets, merge_steps, merges, settlements

_decode_market = msgspec.json.Decoder(Market).decode
_OPEN = [stage.value for stage in ClaimStage if stage.open]


class Merge(Struct, frozen=True, kw_only=True):
    """One merge after a step of it, `at` that moment. `asked` is the relayer's number of the transaction, if it gave
    one; `settled` whether its market is settled."""

    id: MergeId
    market: Market
    pairs: Shares
    at: Instant
    stage: ClaimStage
    asked: str | None = None
    why: str = ""
    settled: bool = False


def open_merges(connection: Connection) -> tuple[Merge, ...]:
    """Those whose end nobody knows, the oldest first."""
    newest = select(func.max(merge_steps.c.id)).group_by(merge_steps.c.merge)
    rows = connection.execute(
        select(merge_steps, markets.c.facts, settlements.c.market.label("settled"))
        .join(markets, markets.c.id == merge_steps.c.market)
        .outerjoin(settlements, settlements.c.market == merge_steps.c.market)
        .where(merge_steps.c.id.in_(newest), merge_steps.c.stage.in_(_OPEN))
        .order_by(merge_steps.c.merge)
    )
    return tuple(
        Merge(
            id=MergeId(row.merge),
            market=_decode_market(row.facts),
            pairs=Shares(row.pairs_micro),
            at=Instant(row.at),
            stage=ClaimStage(row.stage),
            asked=row.asked,
            why=row.why,
            settled=row.settled is not None,
        )
        for row in rows
    )


def next_merge(connection: Connection) -> MergeId:
    last = connection.execute(select(func.max(merge_steps.c.merge))).scalar()
    return MergeId((last or 0) + 1)


def merges_tried_since(connection: Connection, at: Instant) -> int:
    """How many transactions were asked for since then, whatever became of them."""
    wanted = select(func.count()).where(merge_steps.c.stage == ClaimStage.WANTED.value, merge_steps.c.at >= at)
    return int(connection.execute(wanted).scalar_one())


def keep_merge(connection: Connection, merge: Merge) -> None:
    """One step; the last one, `PAID`, takes its pairs out of both outcomes and makes them cash, once."""
    row = {"merge": merge.id, "market": merge.market.id, "at": merge.at, "pairs_micro": merge.pairs}
    more = {"stage": merge.stage.value, "asked": merge.asked, "why": merge.why}
    connection.execute(insert(merge_steps), row | more)
    if merge.stage is ClaimStage.PAID:
        connection.execute(insert(merges), row)


def restored(connection: Connection, matter: Select[tuple[str]]) -> tuple[RestoredMerge, ...]:
    """The merges of these markets that were paid, and those whose end nobody knows."""
    wanted = select(merges).where(merges.c.market.in_(matter)).order_by(merges.c.merge)
    paid = [
        RestoredMerge(
            market=MarketId(row.market),
            merge=MergeId(row.merge),
            pairs=Shares(row.pairs_micro),
            at=Instant(row.at),
            open=False,
        )
        for row in connection.execute(wanted)
    ]
    known = {row.id for row in connection.execute(matter)}
    on_their_way = [
        RestoredMerge(market=one.market.id, merge=one.id, pairs=one.pairs, at=one.at, open=True)
        for one in open_merges(connection)
        if one.market.id in known
    ]
    return (*paid, *on_their_way)


def merged_in(connection: Connection, which: Select[tuple[str]]) -> dict[str, list[Merged]]:
    """What was merged, by market."""
    found: dict[str, list[Merged]] = {}
    for row in connection.execute(select(merges).where(merges.c.market.in_(which)).order_by(merges.c.merge)):
        found.setdefault(row.market, []).append(Merged(pairs=Shares(row.pairs_micro), at=Instant(row.at)))
    return found
