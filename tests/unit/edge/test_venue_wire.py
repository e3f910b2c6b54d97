"""The CLOB's forms in our terms, the examples of `PROTOCOL.md` B among them, and what does not fit."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.ids import TradeId, VenueOrderId
from polystra.core.terms import Liquidity, Side, TradeStage
from polystra.core.units import Instant, price, shares
from polystra.edge.polymarket import answer_wire, market_wire, wire
from polystra.edge.polymarket.wire import Unreadable

KEY, WALLET = "9c0a4d4e-0000-4000-8000-000000000001", "0xAbCdEf0000000000000000000000000000000001"
OTHER_KEY, OTHER_WALLET = "9c0a4d4e-0000-4000-8000-000000000002", "0x0000000000000000000000000000000000000002"
ORDER = {
    "id": "0x01",
    "status": "ORDER_STATUS_LIVE",
    "owner": KEY,
    "maker_address": WALLET,
    "market": "0xaa",
    "asset_id": "71",
    "side": "BUY",
    "original_size": "100.0000",
    "size_matched": "2.5",
    "price": "0.52",
    "outcome": "Up",
    "expiration": "0",
    "order_type": "GTC",
    "associate_trades": [],
    "created_at": 1795432241,
}
MAKER = {
    "order_id": "0x02",
    "owner": OTHER_KEY,
    "maker_address": OTHER_WALLET,
    "matched_amount": "10",
    "price": "0.48",
    "fee_rate_bps": "0",
    "asset_id": "72",
    "outcome": "Down",
    "side": "BUY",
}
TRADE = {
    "id": "t1",
    "taker_order_id": "0x01",
    "market": "0xaa",
    "asset_id": "71",
    "side": "BUY",
    "size": "30",
    "fee_rate_bps": "0",
    "price": "0.52",
    "status": "CONFIRMED",
    "match_time": "1795432241",
    "last_update": "1795432245",
    "outcome": "Up",
    "bucket_index": 0,
    "owner": KEY,
    "maker_address": WALLET,
    "transaction_hash": "0x..",
    "trader_side": "TAKER",
    "maker_orders": [MAKER],
}
BOOK = {
    "market": "0xaa",
    "asset_id": "71",
    "timestamp": "1791258810641",
    "hash": "6bd013d5f211e2eaecf60fbf357b1f936422049f",
    "bids": [{"price": "0.01", "size": "500"}, {"price": "0.49", "size": "120.5"}],
    "asks": [{"price": "0.99", "size": "500"}, {"price": "0.51", "size": "80"}],
    "min_order_size": "5",
    "tick_size": "0.01",
    "neg_risk": False,
    "last_trade_price": "",
}


def fills(**changed: Any) -> tuple[wire.Fill, ...]:
    return wire.read_fills(json.dumps(TRADE | changed).encode(), api_key=KEY, account=WALLET)


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["LIVE", "ORDER_STATUS_LIVE", ...])
def test_an_open_order_with_either_status(status: object) -> None:
    form = {key: value for key, value in (ORDER | {"status": status}).items() if value is not ...}
    order = wire.read_order(json.dumps(form).encode())
    assert (order.size, order.matched, order.price, order.side) == (
        shares("100"),
        shares("2.5"),
        price("0.52"),
        Side.BUY,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"price": "1"},
        {"price": "0"},
        {"price": ""},
        {"price": "NaN"},
        {"price": "1e-9"},
        {"original_size": "-1"},
        {"original_size": "1E+999999"},
        {"size_matched": "100.01"},
        {"size_matched": None},
        {"side": "HOLD"},
        {"id": 5},
    ],
)
def test_an_order_that_cannot_be_is_unreadable(changed: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        wire.read_order(json.dumps(ORDER | changed).encode())


# --- trades ----------------------------------------------------------------------------------------------------------


def test_a_taker_row_is_ours_as_it_stands_on_top() -> None:
    (fill,) = fills()
    assert (fill.order, fill.token, fill.price, fill.shares) == ("0x01", "71", price("0.52"), shares("30"))
    assert (fill.liquidity, fill.stage) == (Liquidity.TAKER, TradeStage.CONFIRMED)
    assert fill.matched_at == Instant(1_795_432_241_000_000_000)


@pytest.mark.parametrize(
    ("owner", "wallet"), [(KEY, OTHER_WALLET), (OTHER_KEY, WALLET), (OTHER_KEY, WALLET.lower()), (KEY, WALLET)]
)
def test_a_maker_row_is_ours_as_it_stands_inside(owner: str, wallet: str) -> None:
    """The taker's size, price and token on top would be wrong in every one of them."""
    strangers = {"owner": OTHER_KEY, "maker_address": OTHER_WALLET, "trader_side": "MAKER"}
    ours = MAKER | {"order_id": "0x03", "owner": owner, "maker_address": wallet, "matched_amount": "12.34"}
    (fill,) = fills(**strangers, maker_orders=[MAKER, ours])
    assert (fill.order, fill.token, fill.side, fill.price) == ("0x03", "72", Side.BUY, price("0.48"))
    assert (fill.shares, fill.liquidity) == (shares("12.34"), Liquidity.MAKER)


def test_two_orders_of_ours_met_by_one_taker_are_two_fills() -> None:
    ours = [MAKER | {"order_id": name, "owner": KEY} for name in ("0x03", "0x04")]
    found = fills(owner=OTHER_KEY, maker_address=OTHER_WALLET, maker_orders=ours)
    assert [(fill.trade, fill.order) for fill in found] == [("t1", "0x03"), ("t1", "0x04")]


def test_who_meets_itself_has_both_parts() -> None:
    found = fills(maker_orders=[MAKER | {"owner": KEY}])
    assert [(fill.order, fill.liquidity) for fill in found] == [("0x01", Liquidity.TAKER), ("0x02", Liquidity.MAKER)]


def test_a_trade_of_strangers_is_no_fill_of_ours() -> None:
    assert fills(owner=OTHER_KEY, maker_address=OTHER_WALLET) == ()


@pytest.mark.parametrize("prefix", ["", "TRADE_STATUS_"])
@pytest.mark.parametrize("stage", TradeStage)
def test_every_stage_plain_and_prefixed(prefix: str, stage: TradeStage) -> None:
    assert fills(status=prefix + stage)[0].stage is stage


def test_matched_and_not_yet_broadcast_is_matched() -> None:
    assert fills(status="MATCHED_NOT_BROADCASTED")[0].stage is TradeStage.MATCHED


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "DONE"},
        {"status": ""},
        {"price": "1.01"},
        {"size": "ten"},
        {"match_time": "yesterday"},
        {"match_time": "9" * 30},
        {"match_time": -1},
        {"maker_orders": None},
        {"maker_orders": [{}]},
    ],
)
def test_a_trade_that_cannot_be_is_unreadable(changed: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        fills(**changed)


# --- answers ---------------------------------------------------------------------------------------------------------


def test_a_placement_in_decimals() -> None:
    raw = (
        b'{"success":true,"errorMsg":"","orderID":"0x1","status":"matched","makingAmount":"5.2","takingAmount":"10",'
        b'"tradeIDs":["uuid"]}'
    )
    assert answer_wire.read_placement(raw) == answer_wire.Placement(
        success=True,
        error="",
        order="0x1",
        status="matched",
        making=5_200_000,
        taking=10_000_000,
        trades=(TradeId("uuid"),),
    )


def test_cancels_with_reasons() -> None:
    found = answer_wire.read_cancels(b'{"canceled":["0x1"],"not_canceled":{"0x2":"Order already matched"}}')
    assert (found.gone, found.kept) == (("0x1",), {VenueOrderId("0x2"): "Order already matched"})


@pytest.mark.parametrize("raw", [b'{"error":"no"}', b'{"success":false,"errorMsg":"no"}', b'{"error_msg":"no"}'])
def test_an_error_in_each_of_its_forms(raw: bytes) -> None:
    assert answer_wire.read_error(raw) == "no"


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"error":""}', b"<html>", b'{"error":5}'])
def test_an_error_without_words_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        answer_wire.read_error(raw)


def test_a_page_must_say_whether_another_follows() -> None:
    assert answer_wire.read_page(b'{"data":[{}],"next_cursor":"LTE="}').following is None
    assert answer_wire.read_page(b'{"data":[],"next_cursor":"MTAw"}').following == "MTAw"
    for raw in (b'{"data":[]}', b'{"data":[],"next_cursor":""}', b'{"next_cursor":"LTE="}', b"[]"):
        with pytest.raises(Unreadable):
            answer_wire.read_page(raw)


def test_balances_are_whole_base_units() -> None:
    assert wire.read_balance(b'{"balance":"1000000000","allowances":{}}') == 1_000_000_000
    for text in ("", "1.5", "-1", "9" * 19, "9" * 100, "\u0661"):
        with pytest.raises(Unreadable):
            wire.read_balance(json.dumps({"balance": text}).encode())


# --- books -----------------------------------------------------------------------------------------------------------


def test_a_book_is_turned_best_first() -> None:
    book = market_wire.read_book(json.dumps(BOOK).encode())
    assert book.bids == ((price("0.49"), shares("120.5")), (price("0.01"), shares("500")))
    assert book.asks == ((price("0.51"), shares("80")), (price("0.99"), shares("500")))
    assert book.at == Instant(1_791_258_810_641_000_000)


@pytest.mark.parametrize(
    "changed",
    [
        {"bids": [{"price": "0.49", "size": "1"}, {"price": "0.01", "size": "1"}]},
        {"asks": [{"price": "0.51", "size": "1"}, {"price": "0.51", "size": "1"}]},
        {"bids": [{"price": "0.49", "size": "0"}]},
        {"asks": [{"price": "1", "size": "5"}]},
        {"timestamp": ""},
    ],
)
def test_a_book_out_of_order_is_unreadable(changed: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        market_wire.read_book(json.dumps(BOOK | changed).encode())


# --- whatever else comes ---------------------------------------------------------------------------------------------

READERS: list[Any] = [
    wire.read_order,
    lambda raw: wire.read_fills(raw, api_key=KEY, account=WALLET),
    wire.read_balance,
    answer_wire.read_error,
    answer_wire.read_placement,
    answer_wire.read_cancels,
    answer_wire.read_page,
    answer_wire.read_time,
    answer_wire.read_credentials,
    market_wire.read_book,
    market_wire.read_catalogue_entry,
    market_wire.read_trading_terms,
]
GAMMA = {
    "conditionId": "0xaa",
    "slug": "s",
    "outcomes": '["Up", "Down"]',
    "clobTokenIds": '["1", "2"]',
    "endDate": "2026-11-23T00:00:00Z",
    "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
}
TERMS = {"c": "0xaa", "t": [{"t": "1", "o": "Up"}], "mts": 0.01, "mos": 5, "fd": {"r": 0.07, "e": 1, "to": True}}
CANCELS = {"canceled": ["0x1"], "not_canceled": {"0x2": "no"}}
FORMS = [ORDER, TRADE, BOOK, GAMMA, TERMS, CANCELS, {"balance": "5"}, {"data": [ORDER], "next_cursor": "LTE="}]

ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["NaN", "sNaN", "Infinity", "1E+999999999999999999999", "-0", "0x", "9999-12-31", "[[", '["a"]']),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
)


@given(st.sampled_from(READERS), st.binary())
def test_no_bytes_crash_a_reader(reader: Any, raw: bytes) -> None:
    survives(reader, raw)


@given(st.sampled_from(READERS), st.sampled_from(FORMS), st.data())
def test_no_form_with_an_odd_field_crashes_a_reader(reader: Any, form: dict[str, Any], data: st.DataObject) -> None:
    odd = {key: data.draw(ODD) for key in data.draw(st.lists(st.sampled_from(sorted(form)), max_size=3))}
    survives(reader, json.dumps(form | odd).encode())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b'{"balance":1' + b"0" * 10_000 + b"}"])
def test_depth_and_length_crash_no_reader(reader: Any, raw: bytes) -> None:
    survives(reader, raw)


def survives(reader: Any, raw: bytes) -> None:
    """It reads, or says that it cannot."""
    with contextlib.suppress(Unreadable):
        reader(raw)
