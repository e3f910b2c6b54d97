"""Keeps what must survive: intents before they leave, and everything the engine noted, one transaction a step.

The caller's order is the promise: `journal.append`, `journal.flush`, `record`, and only then is anything sent. A write
that fails leaves nothing of its step behind and raises `LedgerUnavailable`; whoever asked for it must not send.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeAlias

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from polystra.core.claims import ClaimStage
from polystra.core.commands import PlaceOrder
from polystra.core.events import LedgerLoaded
from polystra.core.ids import MarketId, MergeId, OrderId, VenueOrderId, show_order
from polystra.core.notes import AnyNote, FillBooked
from polystra.core.units import Instant, Usd
from polystra.edge.ready import Ready
from polystra.edge.store import restore
from polystra.edge.store.claims import Claim, ClaimStep, keep_step, tried_since, unpaid
from polystra.edge.store.db import Database
from polystra.edge.store.errors import LedgerContradiction
from polystra.edge.store.journal import JournalHead
from polystra.edge.store.merges import Merge, keep_merge, merges_tried_since, next_merge, open_merges
from polystra.edge.store.migrations import check_schema
from polystra.edge.store.rows import AS_IT_IS, KEEP_INTENT, KEEP_STAGE, ROWS, Kept, Row, intent_row, stage_row
from polystra.edge.store.tables import deposits, redemptions, runs

Stamp: TypeAlias = dict[str, int]
"""The run, the sequence number and the moment that every row of a step carries."""

FOLD_EVERY = 100
"""Steps after which the log is folded, by one without an order: none waits the 2 to 4 ms that it takes."""

_KEEP_DEPOSIT = insert(deposits)
_KEEP_REDEMPTION = insert(redemptions)


class Ledger:
    """The one writer of a database, which must be at the newest schema. Closes it when used as a context manager."""

    def __init__(self, db: Database) -> None:
        """Raises `SchemaBehind`, `SchemaTooNew` or `LedgerDamaged`."""
        check_schema(db)
        self._db = db
        self._execute = db.connection.execute
        self._keep = db.driver.execute
        self._run: int | None = None
        self._unfolded = 0

    def unit(self) -> AbstractContextManager[None]:
        """Several writes as one: all are kept when the block ends, none when it raises."""
        return self._db.unit()

    def begin_run(self, at: Instant, head: JournalHead, journal: str) -> int:
        """Names the run that all rows from now on belong to; `journal` is the name of its file, without the folder."""
        row = {
            "started_at": at,
            "mode": head.mode,
            "version": head.version,
            "strategy": head.strategy,
            "seed": head.seed,
            "settings_digest": head.settings_digest,
            "strategy_digest": head.strategy_digest,
            "calibration_digest": head.calibration_digest,
            "tape_digest": head.tape_digest,
            "journal": journal,
        }
        with self.unit():
            (self._run,) = self._execute(insert(runs).returning(runs.c.id), row).one()
        return self._run

    def end_run(self, at: Instant, journal_sha256: str) -> None:
        """A run without an end is one that was killed."""
        with self.unit():
            self._execute(
                update(runs).where(runs.c.id == self._known_run()).values(ended_at=at, journal_sha256=journal_sha256)
            )

    def record(self, seq: int, at: Instant, ready: Sequence[Ready], notes: Sequence[AnyNote]) -> None:
        """Keeps the intents and notes of event `seq`, wholly or not at all; opens no transaction for nothing.

        A fill told again is kept once. Raises `LedgerUnavailable`, and `LedgerContradiction` when a fill comes back
        with other numbers or an order's number or hash is used twice. A second settlement of a market with other
        numbers is kept as a mere note: the first one counts.
        """
        intents = [(one.command, one.venue_order) for one in ready if isinstance(one.command, PlaceOrder)]
        if not intents and not notes:
            return
        stamp = {"run": self._known_run(), "seq": seq, "at": at}
        with self._db.unit():
            for note in notes:  # first, for an order refers to a market that may be followed in the same step
                self._keep_note(note, stamp)
            for command, venue_order in intents:
                self._keep_intent(command, venue_order, stamp)
        self._unfolded += 1
        if not intents and self._unfolded >= FOLD_EVERY:
            self._db.fold_log()
            self._unfolded = 0

    def deposit(self, at: Instant, amount: Usd, cause: str) -> None:
        """Collateral that came from outside; negative when it left."""
        with self.unit():
            self._execute(_KEEP_DEPOSIT, {"at": at, "amount_micro": amount, "cause": cause})

    def redeem(self, at: Instant, market: MarketId, amount: Usd) -> None:
        """What a settled market's shares really brought; from now on it is cash. Once a market."""
        with self.unit():
            self._execute(_KEEP_REDEMPTION, {"market": market, "at": at, "amount_micro": amount})

    def unpaid_claims(self) -> tuple[Claim, ...]:
        """What settled markets still pay, the oldest first."""
        return unpaid(self._db.connection)

    def transactions_tried(self, since: Instant) -> int:
        """Redemptions and merges asked for since then, whatever became of them: what the budget counts."""
        return tried_since(self._db.connection, since) + merges_tried_since(self._db.connection, since)

    def step_claim(self, market: MarketId, step: ClaimStep) -> None:
        """One step of a redemption; with the last one, `PAID`, what it brought becomes cash, once a market."""
        with self.unit():
            keep_step(self._db.connection, market, step)
            if step.stage is ClaimStage.PAID:
                self.redeem(step.at, market, step.pays)

    def merges_on_their_way(self) -> tuple[Merge, ...]:
        """Merges of which nobody knows yet what became of them."""
        return open_merges(self._db.connection)

    def next_merge(self) -> MergeId:
        return next_merge(self._db.connection)

    def step_merge(self, merge: Merge) -> None:
        """One step of a merge; with the last one, `PAID`, its pairs become cash, once."""
        with self.unit():
            keep_merge(self._db.connection, merge)

    def load(self, at: Instant) -> LedgerLoaded:
        """What an engine that is asleep must be told; see `restore` for what still matters at `at`."""
        return restore.load(self._db.connection, at)

    def venue_orders(self) -> dict[VenueOrderId, OrderId]:
        """Every order of ours that was ever signed, by the venue's id."""
        return restore.venue_orders(self._db.connection)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _known_run(self) -> int:
        if self._run is None:
            raise LedgerContradiction(f"{self._db.path}: nothing is recorded outside a run: call begin_run first")
        return self._run

    def _keep_intent(self, command: PlaceOrder, venue_order: VenueOrderId | None, stamp: Stamp) -> None:
        row = intent_row(command, venue_order)
        row["run"], row["seq"], row["decided_at"] = stamp["run"], stamp["seq"], stamp["at"]
        self._keep(KEEP_INTENT, row)

    def _keep_note(self, note: AnyNote, stamp: Stamp) -> None:
        kept = ROWS[type(note)]
        row = kept.row(note)
        new = self._keep(kept.statement, row | stamp).rowcount > 0
        if isinstance(note, FillBooked):
            if new:
                self._keep(KEEP_STAGE, stage_row(note) | stamp)
            else:
                self._refuse_other_numbers(note, self._differences(kept, row))
        elif not new and self._differences(kept, row):
            self._keep(AS_IT_IS.statement, AS_IT_IS.row(note) | stamp)

    def _differences(self, kept: Kept, row: Row) -> list[str]:
        """What a stored row says otherwise; whether a fill came late is no part of the fill."""
        key = {column.name: row[column.name] for column in kept.table.primary_key}
        stored = self._execute(select(kept.table).filter_by(**key)).mappings().one()
        return [
            f"{name} {stored[name]} is now {row[name]}" for name in row if name != "late" and stored[name] != row[name]
        ]

    def _refuse_other_numbers(self, note: FillBooked, other: list[str]) -> None:
        if other:
            raise LedgerContradiction(
                f"{show_order(note.order)}: trade {note.trade}: {', '.join(other)}; the stored fill is kept: "
                "halt the market and compare with the venue"
            )
