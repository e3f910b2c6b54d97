"""Answers questions about a ledger, also while a trader writes to it. Reads only; the answers are in `answers`."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, Select, func, select

from polystra.core.account import Equity
from polystra.core.ids import MarketId
from polystra.core.markets import Score
from polystra.core.notes import RewardMoved, ScoreSeen
from polystra.core.terms import Liquidity, Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Shares, Usd
from polystra.edge.store import worth
from polystra.edge.store.answers import (
    ActionCount,
    Decision,
    Denial,
    FillLine,
    OrderLine,
    OrderStep,
    Position,
    Rewards,
    Run,
    Totals,
    Transition,
    Window,
)
from polystra.edge.store.db import open_readonly
from polystra.edge.store.migrations import check_schema
from polystra.edge.store.tables import (
    cash,
    decisions,
    denials,
    live_fills,
    markets,
    merges,
    notes,
    order_steps,
    orders,
    positions,
    redemptions,
    runs,
    settlements,
    staged_fills,
    states,
)


class LedgerReader:
    """A ledger opened for questions. Raises at opening what `open_readonly` and `check_schema` raise."""

    def __init__(self, path: Path) -> None:
        self._db = open_readonly(path)
        try:
            check_schema(self._db)
        except BaseException:
            self._db.close()
            raise

    def runs(self) -> list[Run]:
        return [Run(**row._mapping) for row in self._rows(select(runs).order_by(runs.c.id))]

    def windows(self, *, run: int | None = None) -> list[Window]:
        """Every market followed (first by `run`, where one is named), by start."""
        told, denied, ordered = self._count(decisions), self._count(denials), self._count(orders)
        merged = self._merged()
        traded, reasons = self._traded(), self._decisions_that_count()
        wanted = (
            select(
                markets,
                settlements.c.at.label("settled_at"),
                settlements.c.payout_up_micro,
                func.coalesce(settlements.c.redeemable_micro, 0).label("redeemable"),
            )
            .outerjoin(settlements, settlements.c.market == markets.c.id)
            .order_by(markets.c.start_at, markets.c.id)
        )
        if run is not None:
            wanted = wanted.where(markets.c.run == run)
        lines = []
        for row in self._rows(wanted):
            count, fees, spent = traded.get(row.id, (0, 0, 0))
            line = Window(
                market=row.id,
                slug=row.slug,
                asset=row.asset,
                start=row.start_at,
                end=row.end_at,
                assumptions=tuple(msgspec.json.decode(row.assumptions)),
                decisions=told.get(row.id, 0),
                denials=denied.get(row.id, 0),
                decision=reasons.get(row.id),
                orders=ordered.get(row.id, 0),
                fills=count,
                fees=Usd(fees),
                cash=Usd(spent),
                merged=Usd(merged.get(row.id, 0)),
                settled_at=row.settled_at,
                payout_up=row.payout_up_micro,
                redeemable=row.redeemable,
                pnl=None if row.settled_at is None else Usd(spent + merged.get(row.id, 0) + row.redeemable),
            )
            lines.append(line)
        return lines

    def decisions(self, market: MarketId) -> list[Decision]:
        return [
            _decision(row)
            for row in self._rows(select(decisions).where(decisions.c.market == market).order_by(decisions.c.id))
        ]

    def denials(self, *, market: MarketId | None = None) -> list[Denial]:
        wanted = select(denials).order_by(denials.c.id)
        if market is not None:
            wanted = wanted.where(denials.c.market == market)
        return [
            Denial(row.at, row.market, Outcome(row.outcome), row.limit_name, row.value, row.allowed)
            for row in self._rows(wanted)
        ]

    def orders(self, *, market: MarketId | None = None) -> list[OrderLine]:
        """Every intent, in the order decided, with its steps."""
        wanted, lives = select(orders).order_by(orders.c.id), select(order_steps).order_by(order_steps.c.id)
        if market is not None:
            wanted = wanted.where(orders.c.market == market)
            lives = lives.where(order_steps.c.market == market)
        steps: dict[int, list[OrderStep]] = defaultdict(list)
        for row in self._rows(lives):
            steps[row.order_id].append(OrderStep(row.at, row.before, row.after, row.cause))
        filled = {
            row.order_id: row.shares
            for row in self._rows(
                select(live_fills.c.order_id, func.sum(live_fills.c.shares_micro).label("shares")).group_by(
                    live_fills.c.order_id
                )
            )
        }
        return [_order(row, steps[row.id], filled.get(row.id, 0)) for row in self._rows(wanted)]

    def fills(self, *, market: MarketId | None = None) -> list[FillLine]:
        """Every fill in the order booked."""
        known = staged_fills.c
        wanted = select(staged_fills).order_by(known.run, known.seq, known.order_id, known.trade)
        if market is not None:
            wanted = wanted.where(known.market == market)
        return [_fill(row) for row in self._rows(wanted)]

    def positions(self) -> list[Position]:
        rows = self._rows(select(positions).order_by(positions.c.market, positions.c.outcome.desc()))
        return [
            Position(
                market=row.market,
                outcome=Outcome(row.outcome),
                shares=row.shares_micro,
                bought=row.bought_micro,
                sold=row.sold_micro,
                adjusted=row.adjusted_micro,
                merged=row.merged_micro,
                paid=row.paid_micro,
                received=row.received_micro,
                fee=row.fee_micro,
            )
            for row in rows
        ]

    def totals(self) -> Totals:
        money = self._db.connection.execute(select(cash)).one()
        over, claimed = select(settlements.c.market), select(redemptions.c.market)
        claims, fills_cash = settlements.c.redeemable_micro, live_fills.c.cash_micro
        return Totals(
            cash=money.cash_micro,
            deposited=money.deposited_micro,
            traded=money.traded_micro,
            redeemed=money.redeemed_micro,
            merged=money.merged_micro,
            redeemable=Usd(self._one(_sum(claims).where(settlements.c.market.not_in(claimed)))),
            fees=Usd(self._one(_sum(live_fills.c.fee_micro))),
            realised=Usd(
                self._one(_sum(fills_cash).where(live_fills.c.market.in_(over)))
                + self._one(_sum(merges.c.pairs_micro).where(merges.c.market.in_(over)))
                + self._one(_sum(claims))
            ),
            orders=self._one(select(func.count()).select_from(orders)),
            fills=self._one(select(func.count()).select_from(live_fills)),
            windows=self._one(select(func.count()).select_from(markets)),
            settled=self._one(select(func.count()).select_from(settlements)),
        )

    def equity(self) -> Equity:
        """What everything is worth, as far as the ledger knows."""
        totals = self.totals()
        return worth.equity(self._db.connection, cash=totals.cash, redeemable=totals.redeemable)

    def transitions(self) -> list[Transition]:
        """Every change of the trading state, in the order it happened."""
        rows = self._rows(select(states).order_by(states.c.id))
        return [Transition(at=row.at, before=row.before, after=row.after, who=row.who, why=row.why) for row in rows]

    def decision_counts(self) -> list[ActionCount]:
        """How often each action was taken for each reason, the most frequent first."""
        count = func.count()
        rows = self._rows(
            select(decisions.c.strategy, decisions.c.action, decisions.c.reason, count.label("times"))
            .group_by(decisions.c.strategy, decisions.c.action, decisions.c.reason)
            .order_by(count.desc(), decisions.c.strategy, decisions.c.action, decisions.c.reason)
        )
        return [ActionCount(row.strategy, row.action, row.reason, row.times) for row in rows]

    def rewards(self) -> Rewards | None:
        """None while nobody watched whether exits score."""
        kinds = (ScoreSeen.__name__, RewardMoved.__name__)
        rows = self._rows(select(notes.c.body).where(notes.c.kind.in_(kinds)).order_by(notes.c.id))
        told = [_reward_note(row.body) for row in rows]
        last = {note.order: note.score for note in told if isinstance(note, ScoreSeen)}
        moves = [note for note in told if isinstance(note, RewardMoved)]
        estimates = [note.estimate for note in moves if note.estimate is not None]
        if not told:
            return None
        return Rewards(
            scores=tuple((score, list(last.values()).count(score)) for score in Score),
            moves=len(moves),
            conceded=Usd(sum(note.conceded for note in moves)),
            estimate=Usd(sum(estimates)) if len(estimates) == len(moves) else None,
        )

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> "LedgerReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _rows(self, wanted: Select[Any]) -> Iterable[Row[Any]]:
        return self._db.connection.execute(wanted)

    def _one(self, wanted: Select[Any]) -> int:
        return int(self._db.connection.execute(wanted).scalar_one())

    def _count(self, table: Any) -> dict[str, int]:
        """Rows of a table by market."""
        rows = self._rows(select(table.c.market, func.count().label("times")).group_by(table.c.market))
        return {row.market: row.times for row in rows}

    def _traded(self) -> dict[str, tuple[int, int, int]]:
        """Live fills, their fees and their cash, by market."""
        rows = self._rows(
            select(
                live_fills.c.market,
                func.count().label("times"),
                func.sum(live_fills.c.fee_micro).label("fees"),
                func.sum(live_fills.c.cash_micro).label("cash"),
            ).group_by(live_fills.c.market)
        )
        return {row.market: (row.times, row.fees, row.cash) for row in rows}

    def _merged(self) -> dict[str, int]:
        """What merged pairs brought, by market: 1 USD each."""
        brought = func.sum(merges.c.pairs_micro).label("brought")
        rows = self._rows(select(merges.c.market, brought).group_by(merges.c.market))
        return {row.market: row.brought for row in rows}

    def _decisions_that_count(self) -> dict[str, Decision]:
        """Of each market, the last decision before the first order of ours; without orders, the last."""
        ours = orders.c.purpose.in_([one.value for one in Purpose if one.ours])
        by_market = select(orders.c.market, func.min(orders.c.decided_at).label("at")).where(ours)
        first = by_market.group_by(orders.c.market).subquery()
        last = (
            select(func.max(decisions.c.id).label("id"))
            .outerjoin(first, first.c.market == decisions.c.market)
            .where((first.c.at.is_(None)) | (decisions.c.at <= first.c.at))
            .group_by(decisions.c.market)
        )
        rows = self._rows(select(decisions).where(decisions.c.id.in_(last)))
        return {row.market: _decision(row) for row in rows}


_reward_note = msgspec.json.Decoder(ScoreSeen | RewardMoved).decode


def _sum(amount: ColumnElement[Any]) -> Select[Any]:
    return select(func.coalesce(func.sum(amount), 0))


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        at=row.at,
        strategy=row.strategy,
        action=row.action,
        reason=row.reason,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        probability=row.probability_micro,
        price=row.price_micro,
        fee=row.fee_micro,
        edge=row.edge_micro,
        signals=msgspec.json.decode(row.signals),
    )


def _order(row: Row[Any], steps: list[OrderStep], filled: int) -> OrderLine:
    return OrderLine(
        order=row.id,
        venue_order=row.venue_order,
        market=row.market,
        outcome=Outcome(row.outcome),
        side=Side(row.side),
        purpose=Purpose(row.purpose),
        price=row.price_micro,
        shares=row.shares_micro,
        time_in_force=TimeInForce(row.time_in_force),
        post_only=row.post_only,
        decided_at=row.decided_at,
        filled=Shares(filled),
        state=steps[-1].after if steps else "",
        steps=tuple(steps),
    )


def _fill(row: Row[Any]) -> FillLine:
    return FillLine(
        trade=row.trade,
        order=row.order_id,
        at=row.at,
        market=row.market,
        outcome=Outcome(row.outcome),
        side=Side(row.side),
        price=row.price_micro,
        shares=row.shares_micro,
        liquidity=Liquidity(row.liquidity),
        fee=row.fee_micro,
        fee_shares=row.fee_shares_micro,
        cash=row.cash_micro,
        late=row.late,
        stage=TradeStage(row.stage),
    )
