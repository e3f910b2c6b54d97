"""Eleven seconds of raw frames of every type: the proof that level changes build the book the venue says."""

from collections import Counter
from pathlib import Path

import pytest

from polystra.core.events import BookChanged, BookSnapshot, TradePrinted
from polystra.core.terms import Side
from polystra.core.units import NO_ASK, NO_BID, Price, Shares, price
from polystra.edge.tapes.format import Tape
from polystra.edge.tapes.library import discover

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def tape(recordings: Path) -> Tape:
    (file,) = discover(recordings / "xx8_btc5m_ws")
    return file.load()


def test_every_frame_is_passed_on_or_counted(tape: Tape) -> None:
    kinds = Counter(type(event) for event in tape.events())

    assert kinds == {BookChanged: 3_473, BookSnapshot: 86, TradePrinted: 43}
    assert tape.skipped == {"another market": 5, "best_bid_ask": 89}
    assert len(tape) + 94 == 3_696


def test_two_changes_a_frame_are_one_change_of_one_book(tape: Tape) -> None:
    assert {len(event.changes) for event in tape.events() if isinstance(event, BookChanged)} == {1}


def test_applying_the_changes_gives_the_best_prices_of_the_message(tape: Tape) -> None:
    sides: dict[Side, dict[Price, Shares]] = {}
    compared = missed = 0
    for event in tape.events():
        if isinstance(event, BookSnapshot):
            sides = {Side.BUY: dict(event.bids), Side.SELL: dict(event.asks)}
        elif isinstance(event, BookChanged) and sides:
            for change in event.changes:
                sides[change.side][change.price] = change.size
                if not change.size:
                    del sides[change.side][change.price]
            best = max(sides[Side.BUY], default=NO_BID), min(sides[Side.SELL], default=NO_ASK)
            compared += 1
            missed += best != (event.best_bid, event.best_ask)

    assert compared == 3_470, "three changes came before the first snapshot"
    assert missed == 2, "the two locked frames, four when both tokens are counted"


def test_frames_keep_the_order_of_arrival_inside_their_second(tape: Tape) -> None:
    moments = [event.at for event in tape.events()]
    stamps = [e.venue_at for e in tape.events() if isinstance(e, BookChanged | BookSnapshot) and e.venue_at]

    assert moments == sorted(moments)
    assert stamps != sorted(stamps)
    assert {at // SECOND for at in moments} == set(range(1_776_808_414, 1_776_808_422))
    assert len(set(moments)) > 1_000, "not all in one heap a second"


def test_a_trade_of_the_down_token_is_seen_from_up(tape: Tape) -> None:
    trades = [event for event in tape.events() if isinstance(event, TradePrinted)]

    assert (trades[0].price, trades[0].size, trades[0].taker) == (price("0.87"), 13_793_100, Side.BUY)
    assert (trades[4].price, trades[4].size, trades[4].taker) == (price("0.86"), 7_142_856, Side.SELL)


def test_market_facts_come_from_the_recording_and_the_payout_stays_unknown(tape: Tape) -> None:
    words = "\n".join(tape.market.assumptions)

    assert tape.market.id.startswith("0x125149c5")
    assert tape.market.up_token.startswith("4593637592")
    assert "token id" not in words
    assert "tick" not in words
    assert "receive times" in words
    assert (tape.payout, tape.payout_source, tape.strike) == (None, "unknown", None)
