"""Every recorded payload of the venue goes through our live readers, and every one is counted with its fate."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from polystra.edge.tapes.unpack import lines
from tests.edge import real_payloads as real
from tests.edge.protocol_payloads import EXAMPLES
from tests.edge.protocol_pieces import (
    BACKFILL,
    BOOK,
    BOOK_AGAIN,
    CHAINLINK,
    CHANGE,
    FIRST_BOOK,
    NEW_MARKET,
    POSITION_V1,
    TRADE_V1,
)
from tests.edge.real_payloads import HISTORY, NO_READER, NOT_UP_DOWN, SAID_BETTER, UNDERSTOOD, Fates

NAUTILUS = "nautilus_polymarket_fixtures"
NO_DATA_API = f"{NO_READER}the trader asks no Data API"
NOT_OURS = f"{NO_READER}not a feed of ours"

READERS: dict[str, Callable[[Path], Fates]] = {
    "cronos_btc5m_book/windows": real.book_windows,
    "hugompt_api_fixtures/clob_book.json": real.REST_BOOK,
    "hugompt_api_fixtures/clob_prices_history.json": real.HISTORY_OF_PRICES,
    "hugompt_api_fixtures/data_*.json": real.DATA_API,
    "hugompt_api_fixtures/gamma_*.json": real.gamma_markets,
    "jonah_multi_feed_raw/raw_messages.jsonl.zst": real.session,
    "ligengxin_chainlink_gamma/BTC-5m-markets-*.jsonl.zst": real.gamma_lines,
    f"{NAUTILUS}/integration_tests/http_responses/book.json": real.REST_BOOK,
    f"{NAUTILUS}/integration_tests/http_responses/event.json": real.gamma_markets,
    f"{NAUTILUS}/integration_tests/http_responses/market.json": real.CLOB_MARKET,
    f"{NAUTILUS}/integration_tests/http_responses/market_slug.json": real.gamma_markets,
    f"{NAUTILUS}/integration_tests/http_responses/markets.json": real.PAGE_OF_ROWS,
    f"{NAUTILUS}/integration_tests/http_responses/trades.json": real.DATA_API,
    f"{NAUTILUS}/integration_tests/ws_messages/order_*.json": real.USER_MESSAGE,
    f"{NAUTILUS}/integration_tests/ws_messages/trades.json": real.LISTED_TRADE,
    f"{NAUTILUS}/integration_tests/ws_messages/user_trade*.json": real.USER_MESSAGE,
    f"{NAUTILUS}/integration_tests/ws_messages/*.json": real.market_message,
    f"{NAUTILUS}/rust_test_data/clob_book_response.json": real.REST_BOOK,
    f"{NAUTILUS}/rust_test_data/clob_fee_rate_*.json": real.nobody_reads("fee rate", "the fee is in /clob-markets"),
    f"{NAUTILUS}/rust_test_data/clob_market_*.json": real.CLOB_MARKET,
    f"{NAUTILUS}/rust_test_data/data_api_*.json": real.DATA_API,
    f"{NAUTILUS}/rust_test_data/gamma_tags.json": real.nobody_reads("tag", "windows are found by slug"),
    f"{NAUTILUS}/rust_test_data/gamma_*.json": real.gamma_markets,
    f"{NAUTILUS}/rust_test_data/http_balance_*.json": real.BALANCE,
    f"{NAUTILUS}/rust_test_data/http_*cancel_*.json": real.CANCELLED,
    f"{NAUTILUS}/rust_test_data/http_open_orders_page.json": real.PAGE_OF_ROWS,
    f"{NAUTILUS}/rust_test_data/http_open_order*.json": real.ORDER_LISTED,
    f"{NAUTILUS}/rust_test_data/http_order_response_error_500.json": real.REFUSED,
    f"{NAUTILUS}/rust_test_data/http_order_response_*.json": real.PLACED,
    f"{NAUTILUS}/rust_test_data/http_signed_order.json": real.nobody_reads("order that is sent", "the venue reads it"),
    f"{NAUTILUS}/rust_test_data/http_trade_report.json": real.LISTED_TRADE,
    f"{NAUTILUS}/rust_test_data/http_trades_page.json": real.PAGE_OF_ROWS,
    f"{NAUTILUS}/rust_test_data/rtds_*.json": real.price_message,
    f"{NAUTILUS}/rust_test_data/search_response.json": real.gamma_markets,
    f"{NAUTILUS}/rust_test_data/ws_market_*.json": real.market_message,
    f"{NAUTILUS}/rust_test_data/ws_user_*.json": real.USER_MESSAGE,
    f"{NAUTILUS}/rust_test_data/ws_*.json": real.market_message,
    "trebuchet_rest_fed_event/clob-books.json.zst": real.REST_BOOK,
    "trebuchet_rest_fed_event/clob-markets.json.zst": real.TERMS,
    "trebuchet_rest_fed_event/gamma-*.json.zst": real.gamma_markets,
    "xx8_btc5m_ws/data-api-*": real.DATA_API,
    "xx8_btc5m_ws/market-ws.jsonl.zst": real.captured_frames,
}
"""By pattern; the first that fits counts."""

NO_MESSAGES = {
    "arnav_btc5m_twap_era/*": "prices and labels in the recorder's own form",
    "clob_order_error_strings/errors.json": "texts with counts",
    "cronos_btc5m_book/windows.csv": "the recorder's index",
    "felix_btc5m_outcomes/*": "a table",
    "frytegg_btc15m_week/*": "answers that were put into another form",
    "hftbacktest_binance_spot/*": "Binance's",
    "houssem_btc5m_samples/*": "values in the recorder's own form",
    "ligengxin_chainlink_gamma/BTCUSD-prices-*": "a table",
    "mariomerinom_gamma_snapshots/*": "a table",
    "resolvedkit_btc15m_l2/*": "tables",
    "sellersja_5m_bbo_4assets/*": "tables",
    "tickscope_sports_ticks/*": "a table",
    "xx8_btc5m_ws/balances.json": "the recorder's own",
    "xx8_btc5m_ws/markets.json": "the recorder's own",
    "xx8_btc5m_ws/report.json": "the recorder's own",
}
"""Files that hold no message of the venue as it was sent, and what they hold."""


def files_of(recordings: Path) -> Iterator[str]:
    """All but the notes on where they are from; the windows of books are one."""
    for path in sorted(recordings.rglob("*")):
        name = path.relative_to(recordings).as_posix()
        if path.is_file() and path.suffix != ".md":
            yield "cronos_btc5m_book/windows" if name.startswith("cronos_btc5m_book/windows/") else name


def reader_of(name: str) -> Callable[[Path], Fates] | None:
    return next((reader for pattern, reader in READERS.items() if fnmatchcase(name, pattern)), None)


def tally(recordings: Path, folder: str) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for name in dict.fromkeys(files_of(recordings)):
        if name.startswith(f"{folder}/") and (reader := reader_of(name)) is not None:
            found.update(reader(recordings / name))
    return dict(found)


EXPECTED: dict[str, dict[tuple[str, str], int]] = {
    "cronos_btc5m_book": {("book", UNDERSTOOD): 371_410},
    "hugompt_api_fixtures": {
        ("Gamma market", UNDERSTOOD): 4,
        ("REST book", UNDERSTOOD): 1,
        ("price history", UNDERSTOOD): 1,
        ("row of the Data API", NO_DATA_API): 9,
        ("state of a Gamma market", UNDERSTOOD): 4,
    },
    "jonah_multi_feed_raw": {
        ("REST book", UNDERSTOOD): 378,
        ("binance", NOT_OURS): 273,
        ("book", UNDERSTOOD): 234,
        ("coinbase", NOT_OURS): 273,
        ("crypto_prices", HISTORY): 75,
        ("crypto_prices_chainlink", UNDERSTOOD): 555,
        ("new_market", UNDERSTOOD): 42,
        ("price_change", UNDERSTOOD): 81,
        ("pyth_proxy", NOT_OURS): 12,
    },
    "ligengxin_chainlink_gamma": {
        ("Gamma market", UNDERSTOOD): 389,
        ("state of a Gamma market", UNDERSTOOD): 389,
    },
    f"{NAUTILUS}/integration_tests": {
        ("Gamma market", "clobTokenIds is no text"): 1,
        ("Gamma market", UNDERSTOOD): 3,
        ("REST book", UNDERSTOOD): 1,
        ("book", UNDERSTOOD): 1,
        ("last_trade_price", UNDERSTOOD): 1,
        ("listed trade", "a maker without a side"): 1,
        ("market of the CLOB's list", f"{NO_READER}the trader asks Gamma and /clob-markets"): 1,
        ("page", UNDERSTOOD): 1,
        ("price_change", "price_change without changes"): 1,
        ("row of the Data API", NO_DATA_API): 4,
        ("state of a Gamma market", "no acceptingOrders"): 4,
        ("tick_size_change", UNDERSTOOD): 1,
        ("user message", UNDERSTOOD): 4,
    },
    f"{NAUTILUS}/rust_test_data": {
        ("Gamma market", UNDERSTOOD): 10,
        ("REST book", "the best ask is not the last"): 1,
        ("answer to a cancel", UNDERSTOOD): 3,
        ("answer to an order", "orderID is null"): 1,
        ("answer to an order", UNDERSTOOD): 1,
        ("balance", "a balance with decimals"): 1,
        ("balance", UNDERSTOOD): 1,
        ("best_bid_ask", SAID_BETTER): 1,
        ("book", UNDERSTOOD): 1,
        ("crypto_prices", "a price nobody asked for"): 1,
        ("crypto_prices", HISTORY): 1,
        ("equity_prices", "a price nobody asked for"): 1,
        ("equity_prices", HISTORY): 1,
        ("error", UNDERSTOOD): 1,
        ("fee rate", f"{NO_READER}the fee is in /clob-markets"): 2,
        ("frame", "not a market message"): 4,
        ("last_trade_price", UNDERSTOOD): 1,
        ("listed trade", "match_time is no number"): 1,
        ("market of the CLOB's list", f"{NO_READER}the trader asks Gamma and /clob-markets"): 2,
        ("market_resolved", UNDERSTOOD): 1,
        ("new_market", UNDERSTOOD): 1,
        ("open order", UNDERSTOOD): 2,
        ("order that is sent", f"{NO_READER}the venue reads it"): 1,
        ("page", UNDERSTOOD): 2,
        ("price_change", UNDERSTOOD): 1,
        ("row of the Data API", NO_DATA_API): 7,
        ("state of a Gamma market", NOT_UP_DOWN): 6,
        ("state of a Gamma market", UNDERSTOOD): 4,
        ("tag", f"{NO_READER}windows are found by slug"): 5,
        ("tick_size_change", "the tick that it had"): 1,
        ("user message", "match_time is no number"): 1,
        ("user message", "no event_type"): 6,
        ("user message", UNDERSTOOD): 2,
    },
    "trebuchet_rest_fed_event": {
        ("Gamma market", UNDERSTOOD): 14,
        ("REST book", UNDERSTOOD): 10,
        ("state of a Gamma market", NOT_UP_DOWN): 4,
        ("state of a Gamma market", UNDERSTOOD): 10,
        ("terms of trade", UNDERSTOOD): 5,
    },
    "xx8_btc5m_ws": {
        ("best_bid_ask", SAID_BETTER): 89,
        ("book", UNDERSTOOD): 88,
        ("last_trade_price", UNDERSTOOD): 43,
        ("price_change", UNDERSTOOD): 3_476,
        ("row of the Data API", NO_DATA_API): 2_810,
    },
}
"""`docs/payloads.md` shows them to a reader, and a test holds it to them. What is not understood of the fixtures of
nautilus was made up by hand or is of 2024 (its SOURCE.md)."""


def test_every_recorded_file_is_read_or_named_with_its_reason(recordings: Path) -> None:
    for name in dict.fromkeys(files_of(recordings)):
        named = [pattern for pattern in NO_MESSAGES if fnmatchcase(name, pattern)]
        assert (reader_of(name) is not None) is (not named), name


@pytest.mark.parametrize("folder", EXPECTED)
def test_every_message_is_understood_or_counted_with_its_reason(recordings: Path, folder: str) -> None:
    assert tally(recordings, folder) == EXPECTED[folder]


def test_the_page_has_the_counts() -> None:
    page = (Path(__file__).parents[2] / "docs" / "payloads.md").read_text(encoding="utf-8")
    assert "\n".join(["| recording | kind | payloads | fate |", "|---|---|---|---|", *page_rows(), ""]) in page


def page_rows() -> Iterator[str]:
    for folder, fates in EXPECTED.items():
        for (kind, fate), number in fates.items():
            yield f"| {folder} | {kind} | {number:,} | {fate} |"


def test_as_many_messages_are_counted_as_were_recorded(recordings: Path) -> None:
    """Counted another way: lines of the file, and elements of its arrays."""
    captured = [json.loads(line)["payload"] for line in rows(recordings, "xx8_btc5m_ws/market-ws.jsonl.zst")]
    assert sum(_messages(one) for one in captured) == 3_696
    told = EXPECTED["xx8_btc5m_ws"]
    assert sum(told.values()) - told[("row of the Data API", NO_DATA_API)] == 3_696
    with (recordings / "cronos_btc5m_book" / "windows.csv").open() as index:
        assert sum(int(row["n_msgs_token"]) for row in csv.DictReader(index)) == 371_410
    session = [json.loads(line)["payload"] for line in rows(recordings, "jonah_multi_feed_raw/raw_messages.jsonl.zst")]
    assert sum(_messages(json.loads(one)) for one in session) == sum(EXPECTED["jonah_multi_feed_raw"].values())


def test_a_message_of_another_market_or_of_no_form_is_counted_too() -> None:
    reader = real.MarketReader([])
    told = b'{"event_type":"last_trade_price","asset_id":"9","price":"0.5","size":"1","side":"BUY"}'
    fates = [*reader.fates(told), *reader.fates(b"[1, " + told + b"]"), *reader.fates(b"no")]
    assert fates == [
        ("last_trade_price", "another market"),
        ("frame", "not a market message"),
        ("last_trade_price", "another market"),
        ("frame", "not JSON"),
    ]


# --- the forms of the exchange are those of the recordings ------------------------------------------------------------


def rows(recordings: Path, name: str) -> Iterator[bytes]:
    return (line for _, line in lines(recordings / name))


def _messages(payload: Any) -> int:
    return len(payload) if isinstance(payload, list) else 1


@pytest.fixture(scope="module")
def heard(recordings: Path) -> dict[str, list[dict[str, Any]]]:
    """Messages of two recordings by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    session = (json.loads(row) for row in rows(recordings, "jonah_multi_feed_raw/raw_messages.jsonl.zst"))
    captured = (json.loads(row)["payload"] for row in rows(recordings, "xx8_btc5m_ws/market-ws.jsonl.zst"))
    ours = (json.loads(row["payload"]) for row in session if row["source"].startswith("polymarket"))
    for payload in [*ours, *captured]:
        for one in payload if isinstance(payload, list) else [payload]:
            found.setdefault(one.get("event_type") or one.get("topic") or "REST book", []).append(one)
    return found


def keys_of(messages: list[dict[str, Any]]) -> dict[frozenset[str], int]:
    return dict(Counter(frozenset(one) for one in messages))


def test_streams_have_the_keys_of_the_table(heard: dict[str, list[dict[str, Any]]]) -> None:
    assert keys_of(heard["REST book"]) == {frozenset(BOOK): 378}
    assert keys_of(heard["book"]) == {frozenset(FIRST_BOOK): 238, frozenset(BOOK_AGAIN): 84}
    for kind in ("price_change", "last_trade_price", "best_bid_ask"):
        assert list(keys_of(heard[kind])) == [frozenset(EXAMPLES[f"C.1 {kind}"])]
    changes = [change for one in heard["price_change"] for change in one["price_changes"]]
    assert keys_of(changes) == {frozenset([*CHANGE, "side"]): 2 * 3_557}
    assert keys_of(heard["new_market"]) == {frozenset(NEW_MARKET): 42}
    assert keys_of([one["fee_schedule"] for one in heard["new_market"]]) == {frozenset(NEW_MARKET["fee_schedule"]): 42}
    assert keys_of(heard["crypto_prices"]) == {frozenset(BACKFILL): 75}
    update = EXAMPLES["C.3 update of Chainlink's price"]
    assert keys_of(heard["crypto_prices_chainlink"]) == {frozenset(update): 555}
    assert keys_of([one["payload"] for one in heard["crypto_prices_chainlink"]]) == {frozenset(CHAINLINK): 555}


def test_the_data_api_has_the_keys_of_the_table(recordings: Path) -> None:
    positions = json.loads((recordings / "xx8_btc5m_ws/data-api-positions.json").read_bytes())
    trades = json.loads(b"".join(rows(recordings, "xx8_btc5m_ws/data-api-trades.json.zst")))
    assert keys_of(positions) == {frozenset(POSITION_V1): 100}
    assert keys_of(trades) == {frozenset(TRADE_V1): 2_660}
    activity = json.loads((recordings / "hugompt_api_fixtures/data_activity.json").read_bytes())
    assert keys_of(activity) == {frozenset(EXAMPLES["B.9 GET /activity"][0]): 3}


def test_the_hash_of_a_book_is_that_of_its_own_text(heard: dict[str, list[dict[str, Any]]]) -> None:
    """What `exchange.wire.book_of` computes, on books of the venue."""
    for book in heard["REST book"]:
        text = json.dumps(book | {"hash": ""}, separators=(",", ":")).encode()
        assert book["hash"] == hashlib.sha1(text, usedforsecurity=False).hexdigest()
