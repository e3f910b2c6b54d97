"""Messages of the market channel, one of each form, and what is left out with its reason."""

import json
from typing import Any

import pytest

from polystra.core.events import BookChanged, BookSnapshot, LevelChange, TickSizeChanged, TradePrinted
from polystra.core.markets import Market
from polystra.core.terms import Outcome, Side
from polystra.core.units import Instant, Tick, price, shares
from polystra.edge.market_channel import FrameEvent, FrameReader
from polystra.edge.tapes.facts import window_market

AT = Instant(1_776_081_600_000_000_000)
UP, DOWN, OTHER_UP = "11", "12", "21"


def listed(slug: str, up: str, down: str) -> Market:
    return window_market(slug, condition=f"0x{up}", tokens={Outcome.UP: up, Outcome.DOWN: down})


MARKET = listed("btc-updown-5m-1776081600", UP, DOWN)
OTHER = listed("btc-updown-5m-1776081900", OTHER_UP, "22")


def read(message: Any, *, reader: FrameReader | None = None) -> list[FrameEvent]:
    return (reader or FrameReader([MARKET, OTHER])).read(json.dumps(message), AT)


def refused(message: Any) -> dict[str, int]:
    reader = FrameReader([MARKET, OTHER])
    assert read(message, reader=reader) == []
    return dict(reader.skipped)


def levels(*told: tuple[str, str]) -> list[dict[str, str]]:
    return [{"price": at, "size": size} for at, size in told]


def book(token: str = UP, **fields: Any) -> dict[str, Any]:
    bids = [{"price": "0.01", "size": "500"}, {"price": ".48", "size": "30"}]
    asks = [{"price": "0.990", "size": "500"}, {"price": "0.52", "size": "25.25"}]
    stamp = "1757908892351"
    return {"event_type": "book", "asset_id": token, "timestamp": stamp, "bids": bids, "asks": asks, **fields}


def change(token: str | None = UP, **fields: Any) -> dict[str, Any]:
    entry = {"price": "0.5", "size": "200", "side": "BUY", "best_bid": "0.5", "best_ask": "1", **fields}
    return entry if token is None else {"asset_id": token, **entry}


def changes(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"event_type": "price_change", "timestamp": "1757908892351", "price_changes": list(entries), **fields}


def trade(token: str = UP, **fields: Any) -> dict[str, Any]:
    told = {"price": "0.456", "size": "219.217767", "side": "BUY", "timestamp": "1750428146322"}
    return {"event_type": "last_trade_price", "asset_id": token, **told, **fields}


# --- books ------------------------------------------------------------------------------------------------------------


def test_a_book_comes_worst_first_and_is_passed_on_best_first() -> None:
    (event,) = read(book())
    assert event == BookSnapshot(
        at=AT,
        market=MARKET.id,
        bids=((price("0.48"), shares(30)), (price("0.01"), shares(500))),
        asks=((price("0.52"), shares("25.25")), (price("0.99"), shares(500))),
        venue_at=Instant(1_757_908_892_351_000_000),
    )


def test_a_book_of_down_is_the_same_book_seen_from_up() -> None:
    (event,) = read(book(DOWN))
    assert isinstance(event, BookSnapshot)
    assert event.bids == ((price("0.48"), shares("25.25")), (price("0.01"), shares(500)))
    assert event.asks == ((price("0.52"), shares(30)), (price("0.99"), shares(500)))


def test_an_array_is_read_like_its_parts() -> None:
    assert read([book(), book(DOWN)]) == read(book()) + read(book(DOWN))
    assert read([]) == []


def test_an_empty_side_stays_empty_and_a_level_of_nothing_is_none() -> None:
    (event,) = read(book(bids=[], asks=levels(("0.6", "0"), ("0.7", "1"))))
    assert isinstance(event, BookSnapshot)
    assert (event.bids, event.asks) == ((), ((price("0.7"), shares(1)),))


def test_a_book_without_a_stamp_has_no_venue_time() -> None:
    (event,) = read(book(timestamp=None))
    assert isinstance(event, BookSnapshot)
    assert event.venue_at is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"bids": None}, "book without a side"),
        ({"bids": levels(("0.4", "1"), ("0.40", "2"))}, "price named twice"),
        ({"bids": levels(("0", "1"))}, "price"),
        ({"bids": levels(("1", "1"))}, "price"),
        ({"bids": levels(("NaN", "1"))}, "price"),
        ({"bids": levels(("0.4000001", "1"))}, "price"),
        ({"bids": levels(("-0.4", "1"))}, "price"),
        ({"bids": levels(("0.4", "1e309"))}, "size"),
        ({"bids": levels(("0.4", "9" * 400))}, "size"),
        ({"bids": levels(("0.4", "٣"))}, "size"),
        ({"bids": levels(("0.4", "."))}, "size"),
        ({"bids": [{"price": "0.4"}]}, "not a market message"),
        ({"bids": [{"price": 0.4, "size": "1"}]}, "not a market message"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "9" * 20}, "timestamp"),
        ({"tick_size": "0.03"}, "tick size"),
        ({"asset_id": "99"}, "another market"),
        ({"asset_id": None}, "another market"),
    ],
)
def test_half_a_book_is_no_book(fields: dict[str, Any], reason: str) -> None:
    assert refused(book(**fields)) == {reason: 1}


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_change_and_its_echo_of_the_other_token_are_one() -> None:
    echo = change(DOWN, side="SELL", best_bid="0", best_ask="0.5")
    (event,) = read(changes(change(), echo))
    assert event == BookChanged(
        at=AT,
        market=MARKET.id,
        changes=(LevelChange(Side.BUY, price("0.5"), shares(200)),),
        best_bid=price("0.5"),
        best_ask=price(1),
        venue_at=Instant(1_757_908_892_351_000_000),
    )


def test_a_change_of_down_alone_is_turned_into_up_terms() -> None:
    (event,) = read(changes(change(DOWN, price="0.14", side="SELL", size="0", best_bid="0.13", best_ask="0.14")))
    assert isinstance(event, BookChanged)
    assert event.changes == (LevelChange(Side.BUY, price("0.86"), shares(0)),)
    assert (event.best_bid, event.best_ask) == (price("0.86"), price("0.87"))


def test_a_level_that_changes_back_and_forth_ends_as_the_last_entry_says() -> None:
    (event,) = read(changes(change(size="1"), change(size="2"), change(size="1")))
    assert isinstance(event, BookChanged)
    assert [told.size for told in event.changes] == [shares(1), shares(2), shares(1)]


def test_changes_of_two_markets_are_two_events_and_a_foreign_one_is_passed_over() -> None:
    events = read(changes(change(), change(OTHER_UP), change("99"), change(price="0.4")))
    assert [(event.market, len(event.changes)) for event in events if isinstance(event, BookChanged)] == [
        (MARKET.id, 2),
        (OTHER.id, 1),
    ]


def test_the_older_form_names_the_token_once_and_no_best_prices() -> None:
    entry = {"price": "0.5", "size": "200", "side": "SELL"}
    (event,) = read({"event_type": "price_change", "asset_id": DOWN, "changes": [entry], "timestamp": "1757908892351"})
    assert isinstance(event, BookChanged)
    assert event.changes == (LevelChange(Side.BUY, price("0.5"), shares(200)),)
    assert (event.best_bid, event.best_ask) == (None, None)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (changes(), "price_change without changes"),
        (changes(change("99")), "another market"),
        (changes(change(None)), "another market"),
        (changes(change(side="HOLD")), "side"),
        (changes(change(best_bid="2")), "best price"),
        (changes(change(best_bid="NaN")), "best price"),
        (changes(change(), change(price="")), "price"),
    ],
)
def test_a_change_that_cannot_be_understood_whole(message: dict[str, Any], reason: str) -> None:
    assert refused(message) == {reason: 1}


# --- trades, ticks and the rest ---------------------------------------------------------------------------------------


def test_a_trade_keeps_its_taker_and_six_decimals() -> None:
    (event,) = read(trade())
    assert event == TradePrinted(
        at=AT, market=MARKET.id, price=price("0.456"), size=shares("219.217767"), taker=Side.BUY
    )


def test_buying_down_is_selling_up() -> None:
    (event,) = read(trade(DOWN))
    assert event == TradePrinted(
        at=AT, market=MARKET.id, price=price("0.544"), size=shares("219.217767"), taker=Side.SELL
    )


def test_a_trade_without_a_side_has_no_taker() -> None:
    (event,) = read(trade(side=None))
    assert isinstance(event, TradePrinted)
    assert event.taker is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": None}, "price"),
        ({"price": "1.00"}, "price"),
        ({"size": None}, "size"),
        ({"size": "0"}, "trade of no size"),
        ({"side": "buy"}, "side"),
        ({"size": 219.2}, "not a market message"),
    ],
)
def test_a_trade_that_cannot_be_understood_whole(fields: dict[str, Any], reason: str) -> None:
    assert refused(trade(**fields)) == {reason: 1}


def test_a_tick_change_is_told_once_for_both_tokens() -> None:
    reader = FrameReader([MARKET])
    told = {"event_type": "tick_size_change", "old_tick_size": "0.01", "new_tick_size": "0.001"}
    events = [read({**told, "asset_id": token}, reader=reader) for token in (UP, DOWN)]
    assert events == [[TickSizeChanged(at=AT, market=MARKET.id, tick=Tick(price("0.001")))], []]


def test_a_book_that_names_another_tick_says_so_before_its_levels() -> None:
    reader = FrameReader([MARKET])
    assert [type(event) for event in read(book(tick_size="0.01"), reader=reader)] == [BookSnapshot]
    assert [type(event) for event in read(book(tick_size="0.001"), reader=reader)] == [TickSizeChanged, BookSnapshot]
    assert [type(event) for event in read(book(tick_size="0.001"), reader=reader)] == [BookSnapshot]


@pytest.mark.parametrize("size", ["0", "1", "0.03", "", None, "-0.01"])
def test_a_tick_that_is_no_grid(size: str | None) -> None:
    assert refused({"event_type": "tick_size_change", "asset_id": UP, "new_tick_size": size}) == {"tick size": 1}


@pytest.mark.parametrize("kind", ["best_bid_ask", "new_market", "market_resolved"])
def test_messages_without_book_or_trade_are_counted_under_their_name(kind: str) -> None:
    assert refused({"event_type": kind}) == {kind: 1}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("PONG", "not JSON"),
        ("", "not JSON"),
        ("[", "not JSON"),
        ('{"event_type":"book"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ('{"event_type":"book","price":NaN}', "not JSON"),
        ('[{"event_type":"book"},Infinity]', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ("7", "not a market message"),
        ("null", "not a market message"),
        ('{"event_type":null}', "not a market message"),
        ('{"event_type":"surprise"}', "unknown event type"),
    ],
)
def test_whatever_arrives_is_counted_and_nothing_stops(raw: bytes | str, reason: str) -> None:
    reader = FrameReader([MARKET])
    assert reader.read(raw, AT) == []
    assert reader.skipped == {reason: 1}


def test_one_bad_message_of_an_array_does_not_cost_the_others() -> None:
    reader = FrameReader([MARKET])
    events = reader.read(json.dumps([book(), 7, [], {"event_type": "?"}, trade()]), AT)
    assert [type(event) for event in events] == [BookSnapshot, TradePrinted]
    assert reader.skipped == {"not a market message": 2, "unknown event type": 1}


def test_a_market_no_longer_followed_is_another_market() -> None:
    reader = FrameReader([MARKET, OTHER])
    reader.forget(MARKET)
    assert read(book(), reader=reader) == []
    assert len(read(book(OTHER_UP), reader=reader)) == 1
    assert reader.skipped == {"another market": 1}
