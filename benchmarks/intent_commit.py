"""What it costs to commit an intent: the one write that stands between a decision and its order."""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, event, text

from benchmarks.demo_window import HEAD, new_ledger
from benchmarks.harness import Benchmark, Effort, Ratio, Side, Work
from polystra.core.commands import PlaceOrder
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.notes import MarketFollowed, OrderMoved
from polystra.core.terms import OrderTerms, Outcome, Purpose, TimeInForce
from polystra.core.terms import Side as OrderSide
from polystra.core.units import Instant, price, shares
from polystra.edge.ready import Ready
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.rows import KEEP_INTENT, ROWS, Row, intent_row
from polystra.edge.tapes.facts import window_market

INTENTS = {Durability.NORMAL: 400, Durability.FULL: 60}

_AT = Instant(1_790_586_060_000_000_000)
_WARM = "INSERT INTO deposits (at, amount_micro, cause) VALUES (0, 0, 'opens the write-ahead log')"


def market() -> Market:
    return window_market("btc-updown-15m-1790586000", condition=None, tokens={})


def intent(number: int) -> tuple[Ready, OrderMoved]:
    """An entry as the engine asks for it, signed, and the note of its birth."""
    terms = OrderTerms(
        market=market().id,
        outcome=Outcome.UP,
        side=OrderSide.BUY,
        purpose=Purpose.ENTRY,
        price=price("0.53"),
        shares=shares("39"),
        time_in_force=TimeInForce.FAK,
    )
    order = OrderId(number)
    ready = Ready(command=PlaceOrder(order=order, terms=terms), venue_order=VenueOrderId(f"0x{number:064x}"))
    moved = OrderMoved(order=order, market=terms.market, before="", after="SUBMITTING", cause="entry BUY UP 39 @ 0.53")
    return ready, moved


def sides(folder: Path, effort: Effort) -> Mapping[str, Side]:
    return {
        f"{durable} {name}": side
        for durable in Durability
        for name, side in _sides_of(folder, durable, effort.of(INTENTS[durable])).items()
    }


def _sides_of(folder: Path, durable: Durability, count: int) -> dict[str, Side]:
    files = (folder / f"{durable}-{number}.sqlite" for number in itertools.count())
    intents = [intent(number) for number in range(1, count + 1)]
    rows = [_rows(number, *one) for number, one in enumerate(intents, start=1)]

    @contextmanager
    def ledger() -> Iterator[Work]:
        with open_database(_prepared(next(files), durable), durable=durable) as database:
            ours = Ledger(database)
            ours.begin_run(_AT, HEAD, "journal")

            def work() -> None:
                for number, (ready, moved) in enumerate(intents, start=1):
                    ours.record(number, _AT, (ready,), (moved,))

            yield work

    @contextmanager
    def bare() -> Iterator[Work]:
        path = _prepared(next(files), durable)
        connection = sqlite3.connect(path, isolation_level=None)
        _set_up(connection, durable)
        connection.execute(_WARM)
        step_sql, step_names = _statement(ROWS[OrderMoved].table.name, rows[0][0])
        order_sql, order_names = _statement("orders", rows[0][1])
        bound = [
            (tuple(step[name] for name in step_names), tuple(order[name] for name in order_names))
            for step, order in rows
        ]

        def work() -> None:
            execute = connection.execute
            for step, order in bound:
                execute("BEGIN IMMEDIATE")
                execute(step_sql, step)
                execute(order_sql, order)
                execute("COMMIT")

        yield work
        connection.close()

    @contextmanager
    def begin() -> Iterator[Work]:
        engine = create_engine(f"sqlite:///{_prepared(next(files), durable)}")
        event.listen(engine, "connect", lambda connection, _: _set_up(connection, durable))
        with engine.begin() as first:
            first.exec_driver_sql(_WARM)
        step_statement, order_statement = text(ROWS[OrderMoved].statement), text(KEEP_INTENT)

        def work() -> None:
            for step, order in rows:
                with engine.begin() as connection:
                    connection.execute(step_statement, step)
                    connection.execute(order_statement, order)

        yield work
        engine.dispose()

    return {
        "ledger": Side(f"Ledger.record of an intent and its note, {durable.name}", count, ledger),
        "bare": Side(f"the same two rows through bare sqlite3, {durable.name}", count, bare),
        "begin": Side(f"the same two rows through SQLAlchemy, engine.begin() each time, {durable.name}", count, begin),
    }


def _rows(number: int, ready: Ready, moved: OrderMoved) -> tuple[Row, Row]:
    """The row of the note and the row of the intent, as the ledger writes them."""
    assert isinstance(ready.command, PlaceOrder)
    stamp = {"run": 1, "seq": number}
    step = ROWS[OrderMoved].row(moved) | stamp | {"at": _AT}
    return step, intent_row(ready.command, ready.venue_order) | stamp | {"decided_at": _AT}


def _prepared(path: Path, durable: Durability) -> Path:
    """A closed ledger file with its schema, its run and the market that the orders name: all sides begin alike."""
    with new_ledger(path, durable) as ledger:
        ledger.record(0, _AT, (), (MarketFollowed(market=market()),))
    return path


def _set_up(connection: sqlite3.Connection, durable: Durability) -> None:
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", f"synchronous = {durable.name}"):
        connection.execute(f"PRAGMA {pragma}")


def _statement(table: str, row: Row) -> tuple[str, list[str]]:
    names = sorted(row)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", names


_SAYS = (
    ("ledger", "bare", "what the ledger adds to the driver"),
    ("ledger", "begin", "against a connection from the pool and a transaction each time"),
)

BENCHMARK = Benchmark(
    name="intent",
    unit="intent",
    about="""One transaction with the row of an intent and the row of its first step, on a file of its own, as the
ledger commits it before the order leaves. NORMAL survives the death of the process, FULL also a power cut. The
yardsticks write the same rows into the same schema: bare `sqlite3` on one held connection, and SQLAlchemy used as most
programs use it, `engine.begin()` for each.""",
    ratios=(
        *(
            Ratio(f"intent.{durable}.{subject}_vs_{yardstick}", f"{durable} {subject}", f"{durable} {yardstick}", says)
            for durable in Durability
            for subject, yardstick, says in _SAYS
        ),
        Ratio("intent.full_vs_normal", "full ledger", "normal ledger", "what surviving a power cut costs"),
    ),
    sides=sides,
)
