"""What `polystra exchange calibrate` measures, on windows of a few rows, and what it calls near."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.app.calibration import Comparison, Figure, Measured, NothingToMeasure, compared, measured, near
from polystra.app.scenarios import BTC_15M, ScenarioRefused, scenario_files
from polystra.core.events import BookSnapshot, Level, PricePrinted, TradePrinted
from polystra.core.markets import Payout, PriceSource, Series
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.tapes.format import TapeFile, tape_from

START = Instant(seconds(1_790_812_800))
ORIGINAL = scenario_files("thin", seed=1, windows=1, start=START)[0]
MARKET = ORIGINAL.market
END = 900.0


def levels(*sized: tuple[str, int]) -> tuple[Level, ...]:
    return tuple((price(at), shares(size)) for at, size in sized)


def book(at: float, bid: str = "0.50", ask: str = "0.52", size: int = 10) -> BookSnapshot:
    """So many seconds after the start; an empty text is an empty side."""
    bids, asks = (levels((one, size)) if one else () for one in (bid, ask))
    return BookSnapshot(at=Instant(START + seconds(at)), market=MARKET.id, bids=bids, asks=asks)


def trade(at: float, size: int) -> TradePrinted:
    return TradePrinted(at=Instant(START + seconds(at)), market=MARKET.id, price=price("0.5"), size=shares(size))


def oracle(at: float) -> PricePrinted:
    moment = Instant(START + seconds(at))
    return PricePrinted(at=moment, asset="BTC", source=PriceSource.CHAINLINK_SPOT, value=1, stamped_at=moment)


def recording(*rows: Any, **facts: Any) -> TapeFile:
    changed = {"source": "a recording", "payout": Payout(usd(1)), **facts}
    return replace(ORIGINAL, read=lambda file: tape_from(file, rows, skipped={}), **changed)


def value(name: str, *files: TapeFile) -> Decimal | None:
    return measured(files).figures[name].value


def test_rows_are_counted_by_the_seconds_that_a_recording_covers() -> None:
    late = recording(*(book(at, size=at) for at in range(800, 900)), oracle(END))
    assert value("book rows a second", late) == 1
    early = recording(*(book(at, size=at + 1) for at in range(100)), oracle(100))
    assert value("book rows a second", early) == 1
    assert value("book rows a second, last minute", early) is None, "nothing is known about it"


def test_what_lies_before_the_start_or_after_the_end_is_not_counted() -> None:
    file = recording(book(-5), book(0), trade(-1, 7), trade(1, 9), trade(END, 7), book(END))
    assert value("book rows a second", file) == Decimal("0.0011")
    assert value("trades a second", file) == Decimal("0.0011")


def test_a_window_that_nobody_quoted_has_no_rate_and_breaks_nothing() -> None:
    assert value("book rows a second", recording(oracle(1))) is None


def test_quartiles_are_numbers_that_were_seen() -> None:
    file = recording(book(0), *(trade(at, size) for at, size in enumerate((1, 2, 3, 4, 5))), oracle(END))
    assert measured([file]).figures["size of a trade"] == Figure(Decimal(3), Decimal(2), Decimal(4))
    assert value("size of a trade", recording(book(0), trade(1, 4))) is None, "one is no distribution"


def test_the_spread_and_the_depth_are_of_books_with_both_sides() -> None:
    file = recording(
        book(1), book(2, "0.49", "0.53", 30), book(3, "", "0.60"), book(4, "0.50", "0.53", 20), oracle(END)
    )
    assert value("spread, cents", file) == 3
    assert value("size at the best bid", file) == 20
    assert value("rows with an empty side", file) == Decimal("0.25")


def test_a_recording_without_sizes_tells_no_depth() -> None:
    assert value("size at the best bid", recording(book(1), book(2), oracle(END), has_sizes=False)) is None


def test_a_recording_without_trades_tells_no_rate_of_them() -> None:
    assert value("trades a second", recording(book(1), oracle(END), has_trades=False)) is None


def test_the_end_of_the_book_is_its_last_moment_with_both_sides() -> None:
    files = [
        recording(book(1), book(END - left), book(END - left + 1, "0.99", ""), oracle(END)) for left in (50, 20, 80)
    ]
    name = "last book with both sides, seconds before the end"
    assert measured(files).figures[name] == Figure(Decimal(50), Decimal(20), Decimal(50))
    broken_off = [recording(book(1), book(500), oracle(600)) for _ in range(3)]
    assert value(name, *broken_off) is None, "the recording ended, not the book"


def test_moves_are_between_seconds_that_follow_one_another() -> None:
    file = recording(book(1, "0.50", "0.52"), book(2, "0.53", "0.55"), book(9, "0.10", "0.12"), oracle(END))
    assert value("move of the middle in a second, cents", file) == 3


def test_the_price_at_half_time_is_held_against_the_payout() -> None:
    assert value("Brier score at half time", recording(book(400, "0.79", "0.81"), oracle(END))) == Decimal("0.04")
    assert value("Brier score at half time", recording(book(400), oracle(END), payout=None)) is None


# --- comparing


def comparison(recorded: str | None, generated: str | None) -> Comparison:
    def one(text: str | None) -> Measured:
        return Measured(1, {"rate": Figure(None if text is None else Decimal(text))})

    return Comparison("a recording", "btc-15m", one(recorded), {"calm": one(generated)})


@pytest.mark.parametrize(("recorded", "generated", "ratio"), [("2", "3", "1.5"), ("0", "0", "1"), ("4", "0", "0")])
def test_a_ratio_is_generated_by_recorded(recorded: str, generated: str, ratio: str) -> None:
    assert comparison(recorded, generated).ratios("calm") == {"rate": Decimal(ratio)}


@pytest.mark.parametrize(("recorded", "generated"), [(None, "1"), ("1", None), ("0", "1")])
def test_there_is_no_ratio_to_what_is_unknown_or_nothing(recorded: str | None, generated: str | None) -> None:
    assert comparison(recorded, generated).ratios("calm") == {}


def test_near_is_half_to_twice_as_much() -> None:
    assert [near(Decimal(one)) for one in ("0.5", "1", "2")] == [True] * 3
    assert [near(Decimal(one)) for one in ("0", "0.49", "2.01", "-1")] == [False] * 4


def test_each_source_is_held_against_windows_of_its_own_length() -> None:
    five = scenario_files("calm", seed=2, windows=1, start=START, series=Series("ETH", seconds(300)))
    found = compared([recording(book(1)), *five], ["thin"], windows=1)
    assert [(one.source, one.series) for one in found] == [
        ("a recording", BTC_15M.name),
        ("scenario calm, seed 2", "eth-5m"),
    ]
    assert [one.scenarios["thin"].windows for one in found] == [1, 1]
    assert found[0].scenarios != found[1].scenarios


def test_a_scenario_equals_itself() -> None:
    files = scenario_files("thin", seed=1, windows=2, start=START)
    (found,) = compared(files, ["thin"], windows=2)
    ratios = found.ratios("thin")
    assert len(ratios) == len(found.recorded.figures)
    assert set(ratios.values()) == {Decimal(1)}


def test_no_windows_an_unknown_scenario_and_a_length_that_none_has_are_refused() -> None:
    with pytest.raises(NothingToMeasure, match="--data"):
        compared([], windows=1)
    with pytest.raises(ScenarioRefused, match="give one of calm"):
        compared([recording(book(1))], ["windy"], windows=1)
    half_hour = replace(MARKET, series=Series("BTC", seconds(1_800)))
    with pytest.raises(ScenarioRefused, match="give 5m, 15m, 1h or 4h"):
        compared([recording(book(1), market=half_hour)], ["thin"], windows=1)
