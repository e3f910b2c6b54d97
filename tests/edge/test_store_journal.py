"""The journal file: what a crash may cost, and what counts as damage."""

import subprocess
import sys
from pathlib import Path

import pytest

from polystra.core.commands import CancelOrder, PlaceOrder
from polystra.core.events import BookChanged, LedgerLoaded, LevelChange, TradingState, TradingStateSet, Woke
from polystra.core.ids import MarketId, OrderId
from polystra.core.restored import Memory
from polystra.core.terms import Side
from polystra.core.units import Instant, Usd, price, shares
from polystra.edge.store.durability import Durability
from polystra.edge.store.errors import (
    JournalDamaged,
    JournalExists,
    JournalTooNew,
    JournalUnavailable,
    NotAJournal,
)
from polystra.edge.store.journal import FORMAT, MAGIC, Decided, Journal, Record, Seen, digest, read_journal
from tests.edge.store_cases import BTC, HEAD, NOON, decided, followed, moved, terms

CHANGE = BookChanged(
    at=NOON, market=BTC.id, changes=(LevelChange(side=Side.BUY, price=price("0.53"), size=shares(10)),)
)

WRITE = """
import os, resource, signal, sys
from pathlib import Path
from polystra.edge.store.errors import JournalUnavailable
from polystra.edge.store.journal import Journal, read_journal
from tests.edge.store_cases import *
from polystra.core.events import Woke
path = Path(sys.argv[1])
journal = Journal(path, HEAD)
for n in range(10):
    journal.append(Woke(at=NOON))
journal.flush()
if sys.argv[2] == "kill":
    journal.append(Woke(at=NOON))
    os.kill(os.getpid(), signal.SIGKILL)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 30, -1))
for n in range(10):
    journal.append(Woke(at=NOON))
try:
    journal.flush()
except JournalUnavailable as error:
    print(error)
with read_journal(path) as reading:
    print(len(list(reading)), reading.torn)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
journal.close()
with read_journal(path) as reading:
    print(len(list(reading)), reading.torn)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def woke(count: int) -> list[Woke]:
    return [Woke(at=Instant(NOON + n)) for n in range(count)]


def written(path: Path, count: int = 3) -> list[int]:
    """A journal of `count` events; returns where each record begins, and the end."""
    starts = []
    with Journal(path, HEAD) as journal:
        for event in woke(count):
            journal.flush()
            starts.append(path.stat().st_size)
            journal.append(event)
    return [*starts, path.stat().st_size]


def read(path: Path) -> tuple[list[Record], str | None]:
    with read_journal(path) as reading:
        return list(reading), reading.torn


def in_another_process(path: Path, how: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", WRITE, str(path), how],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    ).stdout


def test_events_and_what_they_led_to_come_back_as_they_were(path: Path) -> None:
    place = PlaceOrder(order=OrderId(1), terms=terms())
    with Journal(path, HEAD) as journal:
        assert journal.append(CHANGE) == 1
        journal.append_step(1, [place], [decided("enter", "edge"), moved(1, "", "SUBMITTING")])
        assert journal.append(TradingStateSet(at=NOON, state=TradingState.PAUSED, who="cli", why="tea")) == 2
        journal.append_step(2, [CancelOrder(order=OrderId(1))], [])
    with read_journal(path) as reading:
        assert reading.head == HEAD
        assert list(reading) == [
            Seen(1, CHANGE),
            Decided(1, (place,), (decided("enter", "edge"), moved(1, "", "SUBMITTING"))),
            Seen(2, TradingStateSet(at=NOON, state=TradingState.PAUSED, who="cli", why="tea")),
            Decided(2, (CancelOrder(order=OrderId(1)),), ()),
        ]
        assert reading.torn is None


def test_a_step_that_led_to_nothing_is_not_written(path: Path) -> None:
    with Journal(path, HEAD) as journal:
        journal.append_step(journal.append(CHANGE), [], [])
    assert read(path) == ([Seen(1, CHANGE)], None)


def test_markets_and_bytes_inside_an_event_come_back_as_they_were(path: Path) -> None:
    loaded = LedgerLoaded(at=NOON, next_order=OrderId(1), cash=Usd(0), markets=(BTC,),
                          memories=(Memory(MarketId("m"), "s", b"\x00\xff"),))  # fmt: skip
    with Journal(path, HEAD) as journal:
        journal.append_step(journal.append(loaded), [], [followed()])
    assert read(path) == ([Seen(1, loaded), Decided(1, (), (followed(),))], None)


def test_the_same_run_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.journal", "b.journal"):
        written(tmp_path / name, 1000)
    assert digest(tmp_path / "a.journal") == digest(tmp_path / "b.journal")
    written(tmp_path / "c.journal", 999)
    assert digest(tmp_path / "c.journal") != digest(tmp_path / "a.journal")


def test_nothing_is_written_until_64_kib_or_a_flush(path: Path) -> None:
    with Journal(path, HEAD) as journal:
        empty = path.stat().st_size
        journal.append(CHANGE)
        assert path.stat().st_size == empty
        journal.flush()
        assert path.stat().st_size > empty
        for _ in range(1000):
            journal.append(CHANGE)
        assert path.stat().st_size > 64 * 1024


def test_full_durability_writes_the_same_file(tmp_path: Path) -> None:
    written(tmp_path / "a.journal")
    with Journal(tmp_path / "b.journal", HEAD, durable=Durability.FULL) as journal:
        for event in woke(3):
            journal.append(event)
    assert digest(tmp_path / "a.journal") == digest(tmp_path / "b.journal")


def test_a_journal_is_never_written_over(path: Path) -> None:
    written(path)
    with pytest.raises(JournalExists, match="reopen it"):
        Journal(path, HEAD)
    assert len(read(path)[0]) == 3


def test_a_journal_in_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="create the folder"):
        Journal(tmp_path / "runs" / "run.journal", HEAD)


def test_a_killed_process_loses_only_what_it_had_not_flushed(path: Path) -> None:
    in_another_process(path, "kill")
    records, torn = read(path)
    assert (len(records), torn) == (10, None)


def test_a_full_disk_leaves_whole_records_and_the_rest_is_written_later(path: Path) -> None:
    said = in_another_process(path, "fill").splitlines()
    assert "nothing was lost yet" in said[0]
    assert said[1:] == ["10 None", "20 None"]


@pytest.mark.spec("X13.A2", pure="a file on disk")
def test_a_torn_tail_costs_the_torn_record_alone_and_is_told(path: Path) -> None:
    starts = written(path)
    path.write_bytes(path.read_bytes()[:-3])
    records, torn = read(path)
    assert [record.seq for record in records] == [1, 2]
    lost = starts[3] - 3 - starts[2]
    assert torn == f"{path}: torn at byte {starts[2]}, {lost} bytes of an unfinished record dropped"


def test_a_tail_cut_inside_the_length_is_torn(path: Path) -> None:
    starts = written(path)
    path.write_bytes(path.read_bytes()[: starts[2] + 2])
    records, torn = read(path)
    assert len(records) == 2
    assert torn is not None
    assert "2 bytes of an unfinished record" in torn


@pytest.mark.parametrize("tail", [b"\x00" * 4096, b"\xff" * 4096, b"\x01", b"\x05\x00\x00\x00garbage and more garbage"])
def test_what_a_power_cut_leaves_behind_is_torn(path: Path, tail: bytes) -> None:
    starts = written(path)
    path.write_bytes(path.read_bytes() + tail)
    records, torn = read(path)
    assert len(records) == 3
    assert torn is not None
    assert f"torn at byte {starts[3]}, {len(tail)} bytes" in torn


def test_a_spoiled_last_record_is_torn(path: Path) -> None:
    written(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    records, torn = read(path)
    assert len(records) == 2
    assert torn is not None


def test_damage_before_the_end_is_refused_with_its_place(path: Path) -> None:
    starts = written(path)
    content = bytearray(path.read_bytes())
    content[starts[1] + 12] ^= 1
    path.write_bytes(content)
    with read_journal(path) as reading, pytest.raises(JournalDamaged, match=f"damaged at byte {starts[1]} of"):
        list(reading)


def test_a_length_that_points_behind_the_end_hides_no_whole_record(path: Path) -> None:
    """Read naively, this is a torn tail at the first record, and two whole ones are lost in silence."""
    starts = written(path)
    content = bytearray(path.read_bytes())
    content[starts[0] + 2] = 0x40
    path.write_bytes(content)
    with (
        read_journal(path) as reading,
        pytest.raises(JournalDamaged, match=f"byte {starts[0]} of .* a whole record follows at byte {starts[1]}"),
    ):
        list(reading)


def test_a_record_taken_out_of_the_middle_is_missed(path: Path) -> None:
    starts = written(path)
    content = path.read_bytes()
    path.write_bytes(content[: starts[1]] + content[starts[2] :])
    with read_journal(path) as reading, pytest.raises(JournalDamaged, match="event 3 follows event 1"):
        list(reading)


def test_a_record_this_version_does_not_know_is_named(path: Path) -> None:
    with Journal(path, HEAD) as journal:
        journal._add(HEAD)
    with read_journal(path) as reading, pytest.raises(JournalDamaged, match="whole but unknown to this version"):
        list(reading)


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", NotAJournal, "is empty"),
        (b"PK\x03\x04 some archive", NotAJournal, "is not a journal"),
        (MAGIC[:5], NotAJournal, "is not a journal"),
        (MAGIC + (FORMAT + 1).to_bytes(2, "little") + b"whatever", JournalTooNew, "format 2, this version reads 1"),
        (MAGIC + FORMAT.to_bytes(2, "little") + b"\x05\x00", JournalDamaged, "the head is not whole"),
    ],
)
def test_what_is_no_journal_is_named(path: Path, content: bytes, kind: type[Exception], message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(kind, match=message):
        read_journal(path)
    with pytest.raises(kind, match=message):
        Journal.reopen(path)
    assert path.read_bytes() == content


def test_a_missing_journal_is_named(path: Path) -> None:
    with pytest.raises(NotAJournal, match="name the journal of a run"):
        read_journal(path)


def test_a_reopened_journal_goes_on_counting(path: Path) -> None:
    written(path)
    with Journal.reopen(path) as journal:
        assert journal.append(CHANGE) == 4
    assert [record.seq for record in read(path)[0]] == [1, 2, 3, 4]


def test_a_torn_tail_is_cut_off_and_kept_before_the_journal_goes_on(path: Path) -> None:
    starts = written(path)
    for _ in range(2):
        path.write_bytes(path.read_bytes()[:-3])
        with Journal.reopen(path) as journal:
            assert journal.append(CHANGE) == 3
            journal.flush()
            path.with_name("whole").write_bytes(path.read_bytes())
    records, torn = read(path)
    assert ([record.seq for record in records], torn) == ([1, 2, 3], None)
    kept = path.with_name("run.journal.torn").read_bytes()
    assert len(kept) == starts[3] - starts[2] - 3 + path.stat().st_size - starts[2] - 3


def test_a_damaged_journal_is_not_reopened(path: Path) -> None:
    starts = written(path)
    content = bytearray(path.read_bytes())
    content[starts[1] + 12] ^= 1
    path.write_bytes(content)
    with pytest.raises(JournalDamaged):
        Journal.reopen(path)
    assert path.read_bytes() == content


def test_a_backtest_that_journals_does_not_load_the_database_library() -> None:
    code = "import sys, polystra.edge.store.journal; print('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
