"""A journal cut or spoiled anywhere: whole records survive a cut, and no damage in the middle goes unseen."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.events import AnyEvent, HistoryFailed, OrderNotFound, Woke
from polystra.core.ids import MarketId, OrderId
from polystra.core.notes import ReadingFailed
from polystra.core.units import Instant
from polystra.edge.store.errors import JournalDamaged, JournalTooNew, NotAJournal
from polystra.edge.store.journal import Journal, JournalHead, Record, read_journal

HEAD = JournalHead(version="0.1.0", mode="backtest", strategy="momentum", seed=1)

instants = st.integers(min_value=0, max_value=2**62).map(Instant)
seen = st.one_of(
    st.builds(Woke, at=instants),
    st.builds(OrderNotFound, at=instants, order=st.integers(min_value=1, max_value=2**40).map(OrderId)),
    st.builds(HistoryFailed, at=instants, market=st.text(max_size=9).map(MarketId), why=st.text(max_size=400)),
)
runs = st.lists(st.tuples(seen, st.booleans()), min_size=1, max_size=12)


def write(path: Path, run: list[tuple[AnyEvent, bool]]) -> list[int]:
    """Writes a run; returns where each record begins (the first behind the head), and the end."""
    starts = []
    with Journal(path, HEAD) as journal:
        for event, speaks in run:
            starts.append(path.stat().st_size)
            seq = journal.append(event)
            journal.flush()
            if speaks:
                starts.append(path.stat().st_size)
                journal.append_step(seq, [], [ReadingFailed(why="x")])
                journal.flush()
    return [*starts, path.stat().st_size]


def read(path: Path) -> tuple[list[Record], str | None]:
    with read_journal(path) as reading:
        return list(reading), reading.torn


@given(run=runs, data=st.data())
def test_a_cut_anywhere_keeps_exactly_the_whole_records(run: list[tuple[AnyEvent, bool]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.journal"
        starts = write(path, run)
        whole, _ = read(path)
        cut = data.draw(st.integers(min_value=starts[0], max_value=starts[-1]), label="cut")
        path.write_bytes(path.read_bytes()[:cut])

        kept = sum(end <= cut for end in starts[1:])
        records, torn = read(path)
        assert records == whole[:kept]
        if cut in starts:
            assert torn is None
        else:
            assert torn is not None
            assert f"torn at byte {starts[kept]}, {cut - starts[kept]} bytes" in torn

        with Journal.reopen(path) as journal:
            journal.append(Woke(at=Instant(0)))
        again, torn = read(path)
        assert (again[:-1], torn) == (whole[:kept], None)


@given(run=runs, data=st.data())
def test_a_flipped_bit_costs_the_last_record_or_is_refused(
    run: list[tuple[AnyEvent, bool]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.journal"
        starts = write(path, run)
        whole, _ = read(path)
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(min_value=0, max_value=len(content) - 1), label="byte")
        content[place] ^= 1 << data.draw(st.integers(min_value=0, max_value=7), label="bit")
        path.write_bytes(content)

        if place >= starts[-2]:
            records, torn = read(path)
            assert records == whole[:-1]
            assert torn is not None
        else:
            with pytest.raises((JournalDamaged, NotAJournal, JournalTooNew), match=r"run\.journal"):
                read(path)
