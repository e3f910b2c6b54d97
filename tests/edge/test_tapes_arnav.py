"""Two windows of the TWAP era with every price of the underlying, and the table of official results."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from polystra.core.events import BestQuoted, PricePrinted, TradePrinted
from polystra.core.markets import PriceSource
from polystra.core.terms import Outcome
from polystra.core.units import MICRO
from polystra.edge.tapes.arnav import labels
from polystra.edge.tapes.format import Tape
from polystra.edge.tapes.library import discover
from polystra.edge.tapes.unpack import unpacked

FOLDER = "arnav_btc5m_twap_era"


@pytest.fixture(scope="module")
def tapes(recordings: Path) -> list[Tape]:
    return [file.load() for file in discover(recordings / FOLDER)]


def twap_at(tape: Tape, moment: int) -> int | None:
    for event in tape.events():
        if (
            isinstance(event, PricePrinted)
            and event.source is PriceSource.CHAINLINK_TWAP_60
            and event.stamped_at == moment
        ):
            return event.value
    return None


def test_every_recorded_event_is_passed_on_or_counted(tapes: list[Tape]) -> None:
    assert [len(tape) + sum(tape.skipped.values()) for tape in tapes] == [119_687, 124_614]
    assert {reason for tape in tapes for reason in tape.skipped} == {"repeats the quote of its instant"}


def test_the_twap_stamped_at_the_start_is_the_price_to_beat(tapes: list[Tape]) -> None:
    for tape in tapes:
        assert tape.strike is not None
        assert twap_at(tape, tape.market.start) == tape.strike
    assert tapes[0].official is not None
    assert twap_at(tapes[0], tapes[0].market.end) == round(tapes[0].official.final_price * MICRO)
    assert twap_at(tapes[1], tapes[1].market.end) is None, "this recording lacks the closing second"


def test_price_to_beat_and_final_price_keep_their_last_digit(tapes: list[Tape], recordings: Path) -> None:
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    for tape in tapes:
        raw = decode(unpacked(recordings / FOLDER / f"window_{tape.market.slug}.json.zst"))
        stamped = {event[2]: event[3] for event in raw["events"] if event[1] == "t"}
        assert tape.official is not None
        assert stamped[Decimal(raw["window_ts"])] == tape.official.price_to_beat
    assert tapes[0].official is not None
    assert str(tapes[0].official.price_to_beat) == "71485.23965784832"
    assert str(tapes[0].official.final_price) == "71481.16729031486"


def test_the_official_result_agrees_with_the_official_prices(tapes: list[Tape]) -> None:
    for tape in tapes:
        assert tape.official is not None
        assert tape.payout is not None
        up = tape.official.final_price >= tape.official.price_to_beat
        assert tape.payout.winner is (Outcome.UP if up else Outcome.DOWN)
        assert tape.payout_source == "official"


def test_three_sources_are_told_apart_and_the_spot_stream_is_not_the_settlement(tapes: list[Tape]) -> None:
    seen = {event.source for event in tapes[0].events() if isinstance(event, PricePrinted)}
    spot = [
        event.value
        for event in tapes[0].events()
        if isinstance(event, PricePrinted)
        and event.source is PriceSource.CHAINLINK_SPOT
        and event.stamped_at == tapes[0].market.start
    ]

    assert seen == {PriceSource.BINANCE_SPOT, PriceSource.CHAINLINK_SPOT, PriceSource.CHAINLINK_TWAP_60}
    assert tapes[0].strike is not None
    assert abs(spot[0] - tapes[0].strike) > 9 * MICRO


def test_quotes_have_no_sizes_and_trades_no_taker(tapes: list[Tape]) -> None:
    quotes = [event for event in tapes[0].events() if isinstance(event, BestQuoted)]
    trades = [event for event in tapes[0].events() if isinstance(event, TradePrinted)]

    assert (tapes[0].has_sizes, tapes[0].has_trades) == (False, True)
    assert all(0 <= quote.bid < quote.ask <= MICRO for quote in quotes)
    assert len(trades) == 3_588
    assert {trade.taker for trade in trades} == {None}
    assert quotes[0].at >= tapes[0].market.start + 210 * 1_000_000_000
    assert quotes[0].bid == 130_000, "Down was quoted 0.86 to 0.87"


def test_both_tokens_quotes_agree_once_they_are_in_up_terms(tapes: list[Tape]) -> None:
    for tape in tapes:
        quotes = [event for event in tape.events() if isinstance(event, BestQuoted)]
        assert (quotes[-1].bid, quotes[-1].ask) == (0, 10_000), "Down won: nobody bids for Up"


def test_all_labels_follow_the_rule_that_ties_go_up(recordings: Path) -> None:
    table = list(labels(recordings / FOLDER))

    assert len(table) == 3_070
    for label in table:
        up = label.prices.final_price >= label.prices.price_to_beat
        assert label.payout.winner is (Outcome.UP if up else Outcome.DOWN), label.slug
