"""What anybody may read: books, prices, how a market is traded, and the catalogue."""

import hashlib
import json
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.terms import Side
from polystra.core.units import Instant, price, seconds, shares
from polystra.edge.polymarket.wallet import SignatureType
from polystra.sim import messages as sim
from tests.edge.exchange_cases import (
    CONDITION,
    DOWN,
    FACTS,
    LISTING,
    NEW_CONDITION,
    NEW_LISTING,
    NEW_UP,
    START,
    UP,
    Running,
    Trader,
    exchange,
)

NO_BOOK = (404, {"error": "No orderbook exists for the requested token id"})


def tokens(*names: str) -> list[dict[str, str]]:
    return [{"token_id": name} for name in names]


def gamma(running: Running, path: str) -> tuple[int, Any]:
    return running.call("GET", running.urls.gamma + path)


def test_the_small_pages(running: Running) -> None:
    assert running.get("/ok") == "OK"
    assert running.get("/version") == {"version": 2}
    assert isinstance(running.get("/time"), int)


# --- books -----------------------------------------------------------------------------------------------------------


def test_a_book_has_its_best_level_last_and_hashes_as_the_venue_does(running: Running) -> None:
    book = running.get(f"/book?token_id={UP}")
    assert list(book)[:6] == ["market", "asset_id", "timestamp", "hash", "bids", "asks"]
    assert book["bids"] == [{"price": "0.48", "size": "200"}, {"price": "0.49", "size": "100"}]
    assert book["asks"] == [{"price": "0.52", "size": "300"}, {"price": "0.51", "size": "80.5"}]
    assert (book["min_order_size"], book["tick_size"], book["neg_risk"]) == ("5", "0.01", False)
    assert book["last_trade_price"] == ""
    hashed = json.dumps(book | {"hash": ""}, separators=(",", ":"))
    assert book["hash"] == hashlib.sha1(hashed.encode()).hexdigest()


def test_the_other_tokens_book_is_the_mirror(running: Running) -> None:
    book = running.get(f"/book?token_id={DOWN}")
    assert book["bids"] == [{"price": "0.48", "size": "300"}, {"price": "0.49", "size": "80.5"}]
    assert book["asks"] == [{"price": "0.52", "size": "200"}, {"price": "0.51", "size": "100"}]


def test_the_last_trade_is_one_value_in_terms_of_up_on_both_books(running: Running) -> None:
    running.feed(sim.PrintTrade(market=CONDITION, price=price("0.53"), size=shares("7"), taker=Side.SELL))
    assert running.get(f"/book?token_id={DOWN}")["last_trade_price"] == "0.53"
    assert running.get(f"/last-trade-price?token_id={DOWN}") == {"price": "0.53", "side": "SELL"}


def test_many_books_leave_out_the_unknown_and_keep_no_order(running: Running) -> None:
    status, books = running.post("/books", tokens(UP, "123", DOWN, UP))
    assert status == 200
    assert [book["asset_id"] for book in books] == sorted([UP, DOWN])
    assert len({book["timestamp"] for book in books}) == 1
    assert running.post("/books", []) == (200, [])
    assert running.post("/books", tokens(*["1"] * 501)) == (400, {"error": "Payload exceeds the limit"})
    assert running.post("/books", {"token_id": UP}) == (400, {"error": "Invalid payload"})


def test_a_side_without_orders_has_an_empty_list_and_no_price(running: Running) -> None:
    running.feed(sim.SetBook(market=CONDITION, bids=(), asks=((price("0.99"), shares("5")),)))
    assert running.get(f"/book?token_id={UP}")["bids"] == []
    assert running.call("GET", f"{running.urls.clob}/midpoint?token_id={UP}") == NO_BOOK
    assert running.post("/midpoints", tokens(UP, DOWN)) == (200, {})
    assert running.get(f"/price?token_id={DOWN}&side=BUY") == {"price": "0.01"}


# --- prices ----------------------------------------------------------------------------------------------------------

PRICES = [
    (f"/midpoint?token_id={UP}", {"mid": "0.5"}),
    (f"/price?token_id={UP}&side=BUY", {"price": "0.49"}),
    (f"/price?token_id={UP}&side=SELL", {"price": "0.51"}),
    (f"/spread?token_id={UP}", {"spread": "0.02"}),
    (f"/last-trade-price?token_id={UP}", {"price": "0.5", "side": ""}),
    (f"/tick-size?token_id={UP}", {"minimum_tick_size": 0.01}),
    (f"/tick-size/{UP}", {"minimum_tick_size": 0.01}),
    (f"/neg-risk?token_id={UP}", {"neg_risk": False}),
    (f"/fee-rate?token_id={UP}", {"base_fee": 1000}),
    (f"/markets-by-token/{DOWN}", {"condition_id": CONDITION, "primary_token_id": UP, "secondary_token_id": DOWN}),
]


@pytest.mark.parametrize(("path", "body"), PRICES, ids=[path.split("?")[0][:20] for path, _ in PRICES])
def test_a_price_in_its_live_form(running: Running, path: str, body: object) -> None:
    assert running.get(path) == body


@pytest.mark.parametrize("path", ["/book", "/midpoint", "/spread", "/tick-size", "/neg-risk", "/last-trade-price"])
def test_a_missing_and_an_unknown_token_are_told_apart(running: Running, path: str) -> None:
    assert running.call("GET", f"{running.urls.clob}{path}") == (400, {"error": "Invalid token id"})
    assert running.call("GET", f"{running.urls.clob}{path}?token_id=123") == NO_BOOK


def test_the_other_unknowns_have_words_of_their_own(running: Running) -> None:
    for path, text in (
        ("/fee-rate?token_id=123", "fee rate not found for market"),
        ("/markets-by-token/123", "market not found"),
        ("/clob-markets/0x1", "market not found"),
    ):
        assert running.call("GET", running.urls.clob + path) == (404, {"error": text})
    assert running.call("GET", f"{running.urls.clob}/price?token_id={UP}&side=buy")[1] == {"error": "Invalid side"}


def test_how_a_market_is_traded(running: Running) -> None:
    assert running.get(f"/clob-markets/{CONDITION}") == {
        "c": CONDITION,
        "t": [{"t": UP, "o": "Up"}, {"t": DOWN, "o": "Down"}],
        "mos": 5,
        "mts": 0.01,
        "mbf": 1000,
        "tbf": 1000,
        "r": {"mi": 50, "ma": 4.5, "moas": 30},
        "ao": True,
        "itode": True,
        "aot": "1970-01-01T00:00:00Z",
        "v": "v1",
        "fd": {"r": 0.07, "e": 1, "to": True},
    }
    assert running.get(f"/clob-markets/{NEW_CONDITION}")["v"] == "v2"


def test_a_finer_tick_shows_everywhere(running: Running) -> None:
    running.feed(sim.SetTick(market=CONDITION, tick=price("0.001")))
    assert running.get(f"/tick-size?token_id={UP}") == {"minimum_tick_size": 0.001}
    assert running.get(f"/clob-markets/{CONDITION}")["mts"] == 0.001
    assert running.get(f"/book?token_id={UP}")["tick_size"] == "0.001"


# --- catalogue -------------------------------------------------------------------------------------------------------


def test_a_market_of_the_catalogue_has_json_in_its_texts(running: Running) -> None:
    status, market = gamma(running, f"/markets/slug/{LISTING.slug}")
    assert status == 200
    assert market["outcomes"] == '["Up", "Down"]'
    assert json.loads(market["clobTokenIds"]) == [UP, DOWN]
    assert market["outcomePrices"] == '["0.5", "0.5"]'
    assert (market["conditionId"], market["orderPriceMinTickSize"], market["orderMinSize"]) == (CONDITION, 0.01, 5)
    assert market["feeSchedule"] == {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2}
    assert (market["eventStartTime"], market["endDate"]) == ("2026-11-23T11:10:00Z", "2026-11-23T11:25:00Z")
    assert (market["active"], market["closed"], market["acceptingOrders"]) == (True, False, True)
    assert "closedTime" not in market
    assert market["events"][0]["slug"] == LISTING.slug


def test_a_protocol_v2_market_names_its_positions(running: Running) -> None:
    _, market = gamma(running, f"/markets/slug/{NEW_LISTING.slug}")
    assert (market["version"], json.loads(market["positionIds"])[0]) == ("v2", NEW_UP)


def test_an_event_has_its_market_and_an_unknown_slug_is_not_found(running: Running) -> None:
    _, event = gamma(running, f"/events/slug/{LISTING.slug}")
    assert [market["conditionId"] for market in event["markets"]] == [CONDITION]
    assert gamma(running, "/events/slug/btc-updown-15m-1")[0] == 404
    assert gamma(running, "/markets/slug/btc-updown-15m-1")[0] == 404


def test_a_resolved_market_is_closed_and_leaves_the_open_list(running: Running) -> None:
    running.feed(sim.CloseMarket(market=CONDITION))
    _, ended = gamma(running, f"/markets/slug/{LISTING.slug}")
    assert (ended["acceptingOrders"], ended["closed"]) == (False, False)
    running.feed(sim.Resolve(market=CONDITION, up_payout=0))  # type: ignore[arg-type]
    _, market = gamma(running, f"/markets/slug/{LISTING.slug}")
    assert (market["closed"], market["outcomePrices"]) == (True, '["0", "1"]')
    assert market["umaResolutionStatus"] == "resolved"
    assert gamma(running, f"/markets?slug={LISTING.slug}") == (200, [])
    assert len(gamma(running, f"/markets?slug={LISTING.slug}&closed=true")[1]) == 1


def test_pages_of_the_catalogue_go_by_key(running: Running) -> None:
    _, first = gamma(running, "/markets/keyset?limit=1")
    _, second = gamma(running, f"/markets/keyset?limit=1&after_cursor={first['next_cursor']}")
    assert [page["markets"][0]["conditionId"] for page in (first, second)] == [CONDITION, NEW_CONDITION]
    assert "next_cursor" not in second
    assert gamma(running, f"/events/keyset?slug={NEW_LISTING.slug}")[1]["events"][0]["slug"] == NEW_LISTING.slug
    assert gamma(running, f"/markets/keyset?clob_token_ids={DOWN}")[1]["markets"][0]["conditionId"] == CONDITION
    assert gamma(running, "/markets/keyset?offset=1") == (
        422,
        {"error": "offset is not allowed on keyset endpoints"},
    )


def test_best_prices_of_the_catalogue_are_minutes_old() -> None:
    with exchange(stepped=True) as running:
        path = f"/markets/slug/{LISTING.slug}"
        assert gamma(running, path)[1]["bestBid"] == 0.49
        running.feed(sim.SetBook(market=CONDITION, bids=((price("0.40"), shares("5")),), asks=()))
        assert gamma(running, path)[1]["bestBid"] == 0.49
        running.control("POST", "/time", {"by": seconds(300)})
        market = gamma(running, path)[1]
        assert market["bestBid"] == 0.4
        assert "bestAsk" not in market


def test_a_market_is_listed_from_its_time_on() -> None:
    with Running(stepped=True) as running:
        running.feed(replace(LISTING, listed_at=Instant(START + seconds(10))))
        assert gamma(running, f"/markets/slug/{LISTING.slug}")[0] == 404
        running.control("POST", "/time", {"by": seconds(10)})
        assert gamma(running, f"/markets/slug/{LISTING.slug}")[0] == 200


def test_the_relayer_knows_the_wallets_that_exist(running: Running) -> None:
    trader = Trader(running, kind=SignatureType.POLY_1271)
    for wallet, deployed in ((trader.account, True), ("0x" + "11" * 20, False)):
        answer = running.call("GET", f"{running.urls.relayer}/deployed?address={wallet}&type=WALLET")
        assert answer == (200, {"deployed": deployed})


def test_a_market_with_ids_of_the_wrong_generation_is_not_listed() -> None:
    for wrong, text in (
        (replace(FACTS, up_token="123456"), "take an id whose bits 40 to 103 are all zero for Protocol-V2"),
        (replace(FACTS, up_token="Up"), "a token id is a decimal number of 256 bits"),
        (replace(FACTS, id="0x12"), "a condition id is 0x and 64 hex digits"),
    ):
        with pytest.raises(ValueError, match=text):
            replace(LISTING, facts=wrong)
