"""Recordings as one stream of rows: one after the other, side by side where they overlap, one loaded ahead."""

from msgspec.structs import replace

from polystra.app.tape_player import TapePlayer
from polystra.core.events import BookSnapshot
from polystra.core.ids import MarketId
from polystra.core.units import Instant
from polystra.edge.tapes.format import Tape, TapeFile
from tests.truth import after, book, tape_file, window

DAY = {number: window(number) for number in range(4)}


def tape(number: int, *seconds: float) -> TapeFile:
    """A recording of a window with a row at each of these seconds of it."""
    market = DAY[number]
    return tape_file(market, [book(market, second, "0.50x1", "0.52x1") for second in seconds])


def played(player: TapePlayer) -> list[tuple[float, str]]:
    """Every row in its order: the second, counted from the first window's start, and whose it is."""
    found: list[tuple[float, str]] = []
    while (now := player.next_at) is not None:
        opened = player.begins(now)
        if opened is not None:
            found.append(((now - after(0)) / 1e9, f"begins {number_of(opened.market.id)}"))
            continue
        row = player.pop()
        assert isinstance(row, BookSnapshot)
        found.append(((row.at - after(0)) / 1e9, f"row of {number_of(row.market)}"))
    return found


def number_of(market: MarketId) -> int:
    return next(number for number, known in DAY.items() if known.id == market)


def test_no_recordings_are_over_at_once() -> None:
    player = TapePlayer([])
    assert player.next_at is None
    assert player.begins(Instant(2**62)) is None


def test_windows_follow_one_another_whatever_order_they_were_given_in() -> None:
    assert played(TapePlayer([tape(1, 0, 1), tape(0, 0, 2)])) == [
        (0, "begins 0"),
        (0, "row of 0"),
        (2, "row of 0"),
        (300, "begins 1"),
        (300, "row of 1"),
        (301, "row of 1"),
    ]


def test_rows_of_overlapping_windows_are_merged_in_time_and_the_older_window_first_at_the_same_moment() -> None:
    told = played(TapePlayer([tape(0, 0, 299, 300, 303), tape(1, -2, 0, 2, 4)]))
    assert told == [
        (0, "begins 0"),
        (0, "row of 0"),
        (298, "begins 1"),
        (298, "row of 1"),
        (299, "row of 0"),
        (300, "row of 0"),
        (300, "row of 1"),
        (302, "row of 1"),
        (303, "row of 0"),
        (304, "row of 1"),
    ]


def test_a_recording_does_not_begin_before_its_first_row() -> None:
    player = TapePlayer([tape(0, 10)])
    assert player.next_at == after(10)
    assert player.begins(after(9)) is None
    assert isinstance(player.begins(after(10)), Tape)
    assert player.begins(after(10)) is None, "it has begun"


def test_only_one_recording_is_loaded_ahead() -> None:
    """A hundred windows do not lie in memory at once."""
    loaded: list[str] = []

    def counting(file: TapeFile) -> TapeFile:
        def read(this: TapeFile) -> Tape:
            loaded.append(this.market.slug)
            return file.load()

        return replace(file, read=read)

    player = TapePlayer([counting(tape(number, 0)) for number in range(4)])
    slugs = [DAY[number].slug for number in range(4)]
    assert loaded == slugs[:1]
    player.begins(after(0))
    assert loaded == slugs[:2]
    player.pop()
    assert loaded == slugs[:2]
