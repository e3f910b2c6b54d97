"""Nothing the venue, or somebody in its place, sends may stop the reader or put nonsense into an event.

A message of junk alone would be left out for its first piece and try nothing else, so each is a whole one in which up
to two places were damaged.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polystra.core.events import BookChanged, BookSnapshot, TickSizeChanged, TradePrinted
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant
from polystra.edge.market_channel import FrameEvent, FrameReader
from polystra.edge.tapes.facts import window_market

AT = Instant(1_776_081_600_000_000_000)
MARKET = window_market("btc-updown-5m-1776081600", condition="0xab", tokens={Outcome.UP: "11", Outcome.DOWN: "12"})

JUNK: list[Any] = [None, True, 7, 0.5, 1e300, 10**30, "NaN", "Infinity", "1e309", "9" * 400, ".", "٣", [], {}]
NEARLY_RIGHT = [
    "0",
    "1",
    "1.5",
    "2",
    "-1",
    "0.0000001",
    "0.03",
    "",
    "9" * 20,
    "9" * 16,
    "yesterday",
    "buy",
    "99",
    "0.51",
]

prices = st.sampled_from(["0.5", ".5", "0.50", "0.51", "0.3", "0.70"])
sizes = st.sampled_from(["1", "2.5", "700.000001"])
sides = st.sampled_from(["BUY", "SELL"])
tokens = st.sampled_from(["11", "12"])
level = st.fixed_dictionaries({"price": prices, "size": sizes | st.just("0")})
ladder = st.lists(level, max_size=3)
best = st.sampled_from(["0", "1", "0.5", ".49", ""])
entry = st.fixed_dictionaries(
    {"asset_id": tokens, "price": prices, "size": sizes, "side": sides, "best_bid": best, "best_ask": best}
)
entries = st.lists(entry, min_size=1, max_size=3)


def kind(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    stamp = st.just("1757908892351")
    return st.fixed_dictionaries({"event_type": st.just(name), "asset_id": tokens, "timestamp": stamp, **fields})


WHOLE = [
    kind("book", bids=ladder, asks=ladder),
    kind("book", bids=ladder, asks=ladder, tick_size=st.sampled_from(["0.01", "0.001"])),
    kind("price_change", price_changes=entries),
    kind("price_change", changes=entries),
    kind("last_trade_price", price=prices, size=sizes, side=sides),
    kind("tick_size_change", new_tick_size=st.sampled_from(["0.01", "0.001"])),
    kind("best_bid_ask"),
]


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(json.dumps(draw(whole)))
    for _ in range(draw(st.integers(0, 2))):
        places = list(every_place(message))
        if places:
            holder, key = draw(st.sampled_from(places))
            odd = draw(st.sampled_from([NEARLY_RIGHT, NEARLY_RIGHT, NEARLY_RIGHT, JUNK, []]))
            if odd:
                holder[key] = draw(st.sampled_from(odd))
            else:
                del holder[key]
    return message


any_damaged = st.one_of([damaged(whole) for whole in WHOLE])


def every_place(inside: Any) -> Iterator[tuple[Any, Any]]:
    keys = inside if isinstance(inside, dict) else range(len(inside))
    for key in keys:
        yield inside, key
        if isinstance(inside[key], dict | list):
            yield from every_place(inside[key])


@pytest.mark.parametrize("whole", WHOLE, ids=range(len(WHOLE)))
@settings(max_examples=300)
@given(data=st.data())
def test_a_hostile_message_is_one_event_or_one_counted_skip(whole: Any, data: st.DataObject) -> None:
    sent = data.draw(damaged(whole))
    reader = FrameReader([MARKET])
    events = reader.read(json.dumps(sent), AT)
    told = [event for event in events if not isinstance(event, TickSizeChanged)]
    known_tick = sent.get("event_type") == "tick_size_change" and not events

    assert len(told) + sum(reader.skipped.values()) == 1 or len(events) == 1 or (known_tick and not reader.skipped)
    assert not (events and reader.skipped)
    for event in events:
        assert_sound(event)


@given(st.lists(any_damaged, max_size=4))
def test_an_array_of_hostile_messages_is_read_like_its_parts(sent: list[dict[str, Any]]) -> None:
    array, parts = FrameReader([MARKET]), FrameReader([MARKET])
    events = array.read(json.dumps(sent), AT)

    assert events == [event for one in sent for event in parts.read(json.dumps(one), AT)]
    assert array.skipped == parts.skipped


@given(st.binary(max_size=64) | st.text(max_size=64))
def test_noise_is_counted_and_raises_nothing(noise: bytes | str) -> None:
    reader = FrameReader([MARKET])
    assert reader.read(noise, AT) == []


@given(any_damaged, st.data())
def test_a_message_cut_anywhere_raises_nothing(sent: dict[str, Any], data: st.DataObject) -> None:
    raw = json.dumps(sent).encode()
    cut = data.draw(st.integers(0, len(raw) - 1))
    reader = FrameReader([MARKET])
    assert reader.read(raw[:cut], AT) == []
    assert sum(reader.skipped.values()) == 1


def assert_sound(event: FrameEvent) -> None:
    assert event.at == AT
    assert event.market == MARKET.id
    match event:
        case BookSnapshot(bids=bids, asks=asks, venue_at=stamp):
            assert all(0 < price < MICRO and size > 0 for price, size in bids + asks)
            assert list(bids) == sorted(dict(bids).items(), reverse=True)
            assert list(asks) == sorted(dict(asks).items())
            assert stamp is None or 0 <= stamp < 1 << 63
        case BookChanged(changes=changes, best_bid=bid, best_ask=ask, venue_at=stamp):
            assert changes
            assert all(0 < change.price < MICRO and change.size >= 0 for change in changes)
            assert bid is None or 0 <= bid <= MICRO
            assert ask is None or 0 <= ask <= MICRO
            assert stamp is None or 0 <= stamp < 1 << 63
        case TradePrinted(price=price, size=size):
            assert 0 < price < MICRO
            assert size > 0
        case TickSizeChanged(tick=tick):
            assert 0 < tick.size < MICRO
            assert MICRO % tick.size == 0
