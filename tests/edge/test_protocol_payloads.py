"""The exchange gives every example payload of `PROTOCOL.md` B and C: the same keys, types and forms of values."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from polystra.core.markets import PriceSource
from polystra.core.units import price
from polystra.sim import messages as sim
from tests.edge.exchange_cases import BOOK, CONDITION, DOWN, UP, Running, terms
from tests.edge.payload_stage import (
    DAY,
    EMPTY,
    EMPTY_UP,
    LISTED,
    PRINTED,
    RESOLVED,
    UNKNOWN,
    Stage,
    Story,
    backfilled,
    batch_with_a_bad_one,
    bid,
    confirmed,
    derived_by_nobody,
    fed,
    get,
    heard_of,
    killed,
    mine,
    notified,
    numbered,
    passes,
    pong,
    post,
    quoting,
    realtime,
    rebated,
    resolved_in_gamma,
    submitted,
    then,
    told,
    traded,
    updated,
)
from tests.edge.protocol_payloads import EXAMPLES
from tests.edge.wire_shapes import differences, of

SPOT, BINANCE = PriceSource.CHAINLINK_SPOT, PriceSource.BINANCE_SPOT

STORIES: dict[str, Story] = {
    "B.1 GET /ok": get("/ok"),
    "B.1 GET /time": get("/time"),
    "B.1 GET /version": get("/version"),
    "B.1 GET /book without a token": get("/book"),
    "B.1 GET /book of an unknown token": get("/book?token_id=1"),
    "B.1 POST /books": then(fed(PRINTED), post("/books", UP, DOWN, "1")),
    "B.1 POST /books of nothing": post("/books"),
    "B.1 POST /books of 501": post("/books", *["1"] * 501),
    "B.1 GET /books": get("/books"),
    "B.1 GET /midpoint": get(f"/midpoint?token_id={UP}"),
    "B.1 POST /midpoints": post("/midpoints", UP, DOWN),
    "B.1 GET /price": get(f"/price?token_id={UP}&side=BUY"),
    "B.1 POST /prices": post("/prices", UP, DOWN, side="BUY"),
    "B.1 GET /spread": get(f"/spread?token_id={UP}"),
    "B.1 POST /spreads": post("/spreads", UP, DOWN),
    "B.1 GET /last-trade-price": then(traded, get(f"/last-trade-price?token_id={UP}")),
    "B.1 GET /last-trade-price without a trade": get(f"/last-trade-price?token_id={UP}"),
    "B.1 POST /last-trades-prices": then(traded, post("/last-trades-prices", UP, DOWN)),
    "B.1 GET /tick-size": get(f"/tick-size?token_id={UP}"),
    "B.1 GET /tick-size/{id}": get(f"/tick-size/{UP}"),
    "B.1 GET /neg-risk": get(f"/neg-risk?token_id={UP}"),
    "B.1 GET /fee-rate": get(f"/fee-rate?token_id={UP}"),
    "B.1 GET /fee-rate of an unknown token": get("/fee-rate?token_id=1"),
    "B.1 GET /markets-by-token": get(f"/markets-by-token/{UP}"),
    "B.1 GET /markets": get("/markets"),
    "B.1 GET /simplified-markets": get("/simplified-markets"),
    "B.1 GET /sampling-markets": get("/sampling-markets"),
    "B.1 GET /sampling-simplified-markets": get("/sampling-simplified-markets"),
    "B.1 GET /markets after the last page": get("/markets?next_cursor=LTE="),
    "B.1 GET /markets/{cid}": get(f"/markets/{CONDITION}"),
    "B.1 GET /prices-history": then(passes(60), get(f"/prices-history?market={UP}&interval=1h")),
    "B.1 POST /batch-prices-history": then(
        passes(60), lambda stage: stage.post("/batch-prices-history", {"markets": [UP], "interval": "1h"})
    ),
    "B.1 GET /rewards/markets/current": get("/rewards/markets/current"),
    "B.1 GET /rewards/markets/{cid}": get(f"/rewards/markets/{CONDITION}"),
    "B.1 GET /rewards/markets/multi": get("/rewards/markets/multi"),
    "B.1 GET /rebates/current": rebated,
    "B.1 GET /rebates/current of nothing": get(f"/rebates/current?date={DAY}&maker_address=0x{'ab' * 20}"),
    "B.1 GET /api/geoblock": get("/api/geoblock"),
    "B.2 book": then(traded, get(f"/book?token_id={DOWN}")),
    "B.2 book without orders": then(fed(EMPTY), get(f"/book?token_id={EMPTY_UP}")),
    "B.3 GET /clob-markets/{cid}": get(f"/clob-markets/{CONDITION}"),
    "B.4 POST /auth/api-key": lambda stage: stage.running.call(
        "POST", f"{stage.running.urls.clob}/auth/api-key", headers=stage.trader.l1(nonce=1)
    )[1],
    "B.4 POST /auth/api-key a second time": lambda stage: stage.running.call(
        "POST", f"{stage.running.urls.clob}/auth/api-key", headers=stage.trader.l1()
    )[1],
    "B.4 GET /auth/derive-api-key": lambda stage: stage.running.call(
        "GET", f"{stage.running.urls.clob}/auth/derive-api-key", headers=stage.trader.l1()
    )[1],
    "B.4 GET /auth/derive-api-key of nobody": derived_by_nobody,
    "B.4 GET /auth/api-keys": mine("GET", "/auth/api-keys"),
    "B.4 DELETE /auth/api-key": mine("DELETE", "/auth/api-key"),
    "B.4 GET /auth/ban-status/closed-only": mine("GET", "/auth/ban-status/closed-only"),
    "B.4 DELETE /order": lambda stage: stage.mine("DELETE", "/order", {"orderID": stage.rest()}),
    "B.4 DELETE /order of an unknown one": mine("DELETE", "/order", {"orderID": UNKNOWN}),
    "B.4 DELETE /orders": lambda stage: stage.mine("DELETE", "/orders", [stage.rest(), stage.rest()]),
    "B.4 DELETE /cancel-all": then(Stage.rest, mine("DELETE", "/cancel-all")),
    "B.4 DELETE /cancel-market-orders": then(
        Stage.rest, mine("DELETE", "/cancel-market-orders", {"market": CONDITION})
    ),
    "B.4 GET /data/order/{id} of one that ended": mine("GET", f"/data/order/{UNKNOWN}"),
    "B.4 GET /balance-allowance": mine("GET", "/balance-allowance", query="?asset_type=COLLATERAL&signature_type=0"),
    "B.4 GET /balance-allowance/update": mine(
        "GET", "/balance-allowance/update", query="?asset_type=COLLATERAL&signature_type=0"
    ),
    "B.4 GET /notifications": notified,
    "B.4 DELETE /notifications": mine("DELETE", "/notifications", query="?ids=1,2"),
    "B.4 GET /order-scoring": lambda stage: stage.mine("GET", "/order-scoring", query=f"?order_id={quoting(stage)}"),
    "B.4 POST /orders-scoring": lambda stage: stage.mine("POST", "/orders-scoring", [quoting(stage)]),
    "B.4 POST /v1/heartbeats": mine("POST", "/v1/heartbeats", {"heartbeat_id": ""}),
    "B.4 POST /v1/heartbeats with a wrong id": then(
        mine("POST", "/v1/heartbeats", {"heartbeat_id": ""}), mine("POST", "/v1/heartbeats", {"heartbeat_id": "no"})
    ),
    "B.4 POST /heartbeats": mine("POST", "/heartbeats"),
    "B.4 GET /rewards/user": then(quoting, mine("GET", "/rewards/user", query=f"?date={DAY}")),
    "B.4 GET /rewards/user/total": then(quoting, mine("GET", "/rewards/user/total", query=f"?date={DAY}")),
    "B.4 GET /rewards/user/percentages": then(quoting, mine("GET", "/rewards/user/percentages")),
    "B.4 GET /rewards/user/markets": then(quoting, mine("GET", "/rewards/user/markets", query=f"?date={DAY}")),
    "B.4 GET /builder/trades": get(f"/builder/trades?builder_code=0x{'b1' * 32}"),
    "B.4 GET /data/pre-migration-orders": mine("GET", "/data/pre-migration-orders"),
    "B.5 POST /order that rests": lambda stage: stage.trader.place(terms())[1],
    "B.5 POST /order that is matched": Stage.take,
    "B.5 POST /order that is refused": lambda stage: stage.trader.place(terms(size="100000"))[1],
    "B.5 POST /orders of which one is refused": batch_with_a_bad_one,
    "B.6 open order": lambda stage: stage.mine("GET", f"/data/order/{stage.rest()}"),
    "B.6 GET /data/orders": then(Stage.rest, mine("GET", "/data/orders")),
    "B.7 trade of a taker": then(Stage.cross, mine("GET", "/data/trades")),
    "B.7 trade of a maker": lambda stage: stage.cross().get("/data/trades"),
    "B.8 GET /markets/keyset": then(
        fed(EMPTY, replace(BOOK, market=EMPTY.facts.id)), lambda stage: stage.gamma("/markets/keyset?limit=1")
    ),
    "B.8 GET /markets/keyset, the last page": lambda stage: stage.gamma("/markets/keyset"),
    "B.8 GET /markets/keyset with an offset": lambda stage: stage.gamma("/markets/keyset?offset=1"),
    "B.8 GET /events/keyset": lambda stage: stage.gamma("/events/keyset"),
    "B.8 GET /markets": lambda stage: stage.gamma("/markets"),
    "B.8 GET /events": lambda stage: stage.gamma("/events"),
    "B.8 GET /markets/slug/{slug}": lambda stage: stage.gamma(f"/markets/slug/{LISTED.slug}"),
    "B.8 GET /events/slug/{slug}": lambda stage: stage.gamma(f"/events/slug/{LISTED.slug}"),
    "B.8 resolved market": resolved_in_gamma,
    "B.9 GET /v2/positions": then(traded, lambda stage: stage.data("/v2/positions")),
    "B.9 GET /v2/trades": then(traded, lambda stage: stage.data("/v2/trades")),
    "B.9 GET /v2/activity": then(traded, lambda stage: stage.data("/v2/activity", "&type=TRADE")),
    "B.9 GET /v2/value": lambda stage: stage.data("/v2/value"),
    "B.9 GET /v2/prices-history": then(
        passes(60), lambda stage: stage.data("/v2/prices-history", f"&token_id={UP}&interval=1h")
    ),
    "B.9 GET /positions": then(traded, lambda stage: stage.data("/positions")),
    "B.9 GET /trades": then(traded, lambda stage: stage.data("/trades")),
    "B.9 GET /activity": then(traded, lambda stage: stage.data("/activity", "&type=TRADE")),
    "B.9 GET /value": lambda stage: stage.data("/value"),
    "B.10 GET /deployed": lambda stage: stage.relayer(f"/deployed?address={stage.trader.account}"),
    "B.10 GET /v1/account/transactions/params": lambda stage: stage.relayer(
        f"/v1/account/transactions/params?address={stage.trader.account}&type=WALLET"
    ),
    "B.10 GET /relay-payload": lambda stage: stage.relayer(f"/relay-payload?address={stage.trader.account}"),
    "B.10 POST /submit": submitted,
    "B.10 GET /v1/account/transactions/{id}": confirmed("/v1/account/transactions/"),
    "B.10 GET /transaction": confirmed("/transaction?id="),
    "C.1 first books": then(fed(PRINTED), lambda stage: stage.market(UP, DOWN).hear()),
    "C.1 first books of unknown tokens": lambda stage: stage.market("1").hear(),
    "C.1 PONG": pong,
    "C.1 book": told("book", PRINTED),
    "C.1 price_change": told("price_change", bid("0.50")),
    "C.1 tick_size_change": told("tick_size_change", sim.SetTick(market=CONDITION, tick=price("0.001"))),
    "C.1 last_trade_price": told("last_trade_price", PRINTED),
    "C.1 best_bid_ask": told("best_bid_ask", bid("0.50"), custom=True),
    "C.1 new_market": told("new_market", EMPTY, custom=True),
    "C.1 market_resolved": told("market_resolved", *RESOLVED, custom=True),
    "C.2 PLACEMENT": heard_of(Stage.rest, 0),
    "C.2 UPDATE": heard_of(Stage.take, 2),
    "C.2 CANCELLATION": heard_of(then(Stage.rest, mine("DELETE", "/cancel-all")), 1),
    "C.2 CANCELLATION by resolution": heard_of(then(Stage.rest, fed(*RESOLVED)), 1),
    "C.2 CANCELLATION of a kill": heard_of(killed, 0),
    "C.2 trade MATCHED": heard_of(Stage.cross, 1),
    "C.2 trade MINED": heard_of(Stage.cross, 3),
    "C.2 trade CONFIRMED": heard_of(Stage.cross, 4),
    "C.3 update of Binance's price": updated("crypto_prices", BINANCE, "btcusdt"),
    "C.3 update of Chainlink's price": updated("crypto_prices_chainlink", SPOT),
    "C.3 update of the average": updated("crypto_prices_twap_sixty", SPOT),
    "C.3 backfill": backfilled,
    "C.3 an unknown topic": lambda stage: stage.rtds("nobody knows it").hear(),
    "C.4 authed": lambda stage: realtime(stage).hear(),
    "C.4 envelope": numbered,
}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Running(stepped=True) as running:
        yield Stage(running)


def test_every_example_has_a_story() -> None:
    assert list(STORIES) == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_exchange_gives_the_example(stage: Stage, name: str) -> None:
    assert list(differences(STORIES[name](stage), EXAMPLES[name])) == []


@pytest.mark.parametrize("name", ["B.1 POST /books", "B.2 book", "C.1 first books", "C.1 book"])
def test_the_best_level_of_a_book_is_its_last(stage: Stage, name: str) -> None:
    given = STORIES[name](stage)
    for book in given if isinstance(given, list) else [given]:
        bids, asks = ([Decimal(level["price"]) for level in book[side]] for side in ("bids", "asks"))
        assert (bids, asks) == (sorted(bids), sorted(asks, reverse=True))
        assert len(bids) == len(asks) == 2


@pytest.mark.parametrize(
    ("value", "shape", "told"),
    [
        ({"mid": 0.495}, of("mid:price"), ".mid: 0.495 is no price"),
        ({"mid": "0.4950"}, of("mid:price"), ".mid: '0.4950' is no price"),
        ({"mid": "0.5", "mid_price": "0.5"}, of("mid:price"), ".mid_price: not in the example"),
        ({}, of("mid:price"), ".mid: missing"),
        ([], of("mid:price"), "all: [] is no object"),
        ({"t": 1795432241.0}, of("t:unix"), ".t: 1795432241.0 is no unix"),
        ({"version": True}, of("version:1"), ".version: True is not 1"),
        ({"n": 5.0}, of("n:5"), ".n: 5.0 is not 5"),
        ({"timestamp": 1795432241123}, of("timestamp:ms"), ".timestamp: 1795432241123 is no ms"),
        ({"hash": "0x" + "AB" * 32}, of("hash:hash"), f".hash: '0x{'AB' * 32}' is no hash"),
        ({"1": "0.5"}, {"<token>": "price"}, ".1: not in the example"),
        ({"a": None}, of("a:price|=no"), ".a: None is no price|=no"),
        ({"event": "a"}, ({"event": "=a"},), "all: {'event': 'a'} is no array"),
        (["0.5"], ("price", "price"), "all: 1 elements"),
        ([], ["price"], "all: 0 elements"),
        (["0.5", 1], ["price"], "[1]: 1 is no price"),
        ('["Up","Down"]', "list", 'all: \'["Up","Down"]\' is no list'),
    ],
)
def test_what_is_not_as_in_the_example_is_named_with_its_place(value: object, shape: Any, told: str) -> None:
    assert list(differences(value, shape)) == [told]
