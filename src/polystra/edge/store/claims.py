"""Keeps how far each redemption is: a row before anybody is asked, one with the relayer's number, one at the end.

`Ledger.unpaid_claims` reads them and `Ledger.step_claim` adds to them; whoever redeems lives between the two.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, func, insert, select

from polystra.core.claims import ClaimStage
from polystra.core.ids import MarketId
from polystra.core.markets import Market, Payout
from polystra.core.units import Instant, Usd
from polystra.edge.store.tables import claim_steps, markets, redemptions, settlements

_decode_market = msgspec.json.Decoder(Market).decode
_KEEP = insert(claim_steps)


class ClaimStep(Struct, frozen=True, kw_only=True):
    """`pays` is what the shares on the chain bring, `asked` the relayer's number of the transaction, if it gave one."""

    at: Instant
    stage: ClaimStage
    pays: Usd
    asked: str | None = None
    why: str = ""


class Claim(Struct, frozen=True, kw_only=True):
    """What a settled market still pays by our books; `last` is None while nobody has tried to redeem it."""

    market: Market
    payout: Payout
    amount: Usd
    last: ClaimStep | None

    @property
    def open(self) -> bool:
        """Whether a redemption may be on its way."""
        return self.last is not None and self.last.stage.open


def unpaid(connection: Connection) -> tuple[Claim, ...]:
    """Every claim of some worth that is not cash yet, the oldest first."""
    newest = select(func.max(claim_steps.c.id)).group_by(claim_steps.c.market)
    step = select(claim_steps).where(claim_steps.c.id.in_(newest)).subquery()
    rows = connection.execute(
        select(
            markets.c.facts,
            settlements.c.payout_up_micro,
            settlements.c.redeemable_micro,
            step.c.at,
            step.c.stage,
            step.c.pays_micro,
            step.c.asked,
            step.c.why,
        )
        .select_from(settlements)
        .join(markets, markets.c.id == settlements.c.market)
        .outerjoin(step, step.c.market == settlements.c.market)
        .where(settlements.c.redeemable_micro > 0, settlements.c.market.not_in(select(redemptions.c.market)))
        .order_by(settlements.c.at, settlements.c.market)
    )
    return tuple(
        Claim(
            market=_decode_market(row.facts),
            payout=Payout(Usd(row.payout_up_micro)),
            amount=Usd(row.redeemable_micro),
            last=_step(row),
        )
        for row in rows
    )


def tried_since(connection: Connection, at: Instant) -> int:
    """How many transactions were asked for since then, whatever became of them."""
    wanted = select(func.count()).where(claim_steps.c.stage == ClaimStage.WANTED.value, claim_steps.c.at >= at)
    return int(connection.execute(wanted).scalar_one())


def keep_step(connection: Connection, market: MarketId, step: ClaimStep) -> None:
    row = {
        "market": market,
        "at": step.at,
        "stage": step.stage.value,
        "pays_micro": step.pays,
        "asked": step.asked,
        "why": step.why,
    }
    connection.execute(_KEEP, row)


def _step(row: Row[*tuple[Any, ...]]) -> ClaimStep | None:
    if row.stage is None:
        return None
    return ClaimStep(
        at=Instant(row.at),
        stage=ClaimStage(row.stage),
        pays=Usd(row.pays_micro),
        asked=row.asked,
        why=row.why,
    )
