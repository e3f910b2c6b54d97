"""How the exchange is brought to give each example payload of `PROTOCOL.md`: one small story for each."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.core.markets import PriceSource
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Instant, price, seconds, shares, usd
from polystra.edge.polymarket.contracts import DEPOSIT_WALLET_FACTORY
from polystra.sim import messages as sim
from tests.edge.exchange_cases import BOOK, CONDITION, DOWN, FACTS, LISTING, START, UP, Running, Stream, Trader, terms

LISTED = replace(LISTING, facts=replace(FACTS, reward_rate=usd(1_440)))
"""The market, which pays its makers a dollar a minute."""

EMPTY_UP, EMPTY_DOWN = TokenId(str(int(UP) + 2)), TokenId(str(int(DOWN) + 2))
EMPTY = replace(
    LISTING,
    facts=replace(FACTS, id=MarketId("0x" + "ee" * 32), up_token=EMPTY_UP, down_token=EMPTY_DOWN),
    slug="sol-updown-15m-1795432200",
)
"""A market without orders."""

DAY = "2026-11-23"
UNKNOWN = "0x" + "00" * 32


class Stage:
    """A venue whose time stands still, its one market, and a trader with cash and shares."""

    def __init__(self, running: Running) -> None:
        self.running = running
        running.feed(LISTED, BOOK)
        self.trader = self.member(1)
        running.shares(self.trader.account, "100")

    def member(self, seed: int) -> Trader:
        trader = Trader(self.running, seed=seed)
        self.running.fund(trader.account)
        return trader

    # --- what happens

    def passes(self, length: float) -> None:
        self.running.control("POST", "/time", {"by": seconds(length)})

    def rest(self, at: str = "0.45", trader: Trader | None = None) -> str:
        status, body = (trader or self.trader).place(terms(at=at, size="100" if at == "0.49" else "10"))
        assert status == 200, body
        return str(body["orderID"])

    def take(self) -> Any:
        """The answer to a purchase of ten at 0.51."""
        placing = self.trader.start("POST", "/order", self.trader.body(terms(at="0.51")))
        self.passes(0.1)
        return placing.result(5)[1]

    def cross(self) -> Trader:
        """The trader sells to a maker, who is given back, and the trade is confirmed."""
        maker = self.member(2)
        self.rest("0.5", maker)
        order = terms(Side.SELL, at="0.50", tif=TimeInForce.FAK)
        selling = self.trader.start("POST", "/order", self.trader.body(order))
        self.passes(1)
        assert selling.result(5)[1]["status"] == "matched"
        return maker

    def print_prices(self, source: PriceSource) -> None:
        def tell() -> None:
            for second in range(64):
                self.running.prices.print(source, "BTC", 61_035_860_000, Instant(START + seconds(second)))

        self.running.on_loop(tell)

    # --- what is asked

    def get(self, path: str) -> Any:
        return self.running.call("GET", self.running.urls.clob + path)[1]

    def post(self, path: str, body: object) -> Any:
        return self.running.post(path, body)[1]

    def gamma(self, path: str) -> Any:
        return self.running.call("GET", self.running.urls.gamma + path)[1]

    def data(self, path: str, query: str = "") -> Any:
        return self.running.call("GET", f"{self.running.urls.data}{path}?user={self.trader.account}{query}")[1]

    def relayer(self, path: str, body: object = None) -> Any:
        method, raw = ("GET", None) if body is None else ("POST", json.dumps(body).encode())
        headers = {"RELAYER_API_KEY": "any"}
        return self.running.call(method, self.running.urls.relayer + path, headers=headers, body=raw)[1]

    def mine(self, method: str, path: str, body: object = None, query: str = "") -> Any:
        raw = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        return self.trader.call(method, path, raw, query)[1]

    # --- what is heard

    def market(self, *tokens: str, custom: bool = False) -> Stream:
        first = {"assets_ids": list(tokens), "type": "market", "custom_feature_enabled": custom}
        return self.running.stream(self.running.urls.market_ws, first)

    def told(self, kind: str, *news: Any, custom: bool = False) -> Any:
        """The first frame of a kind after news, on the market stream."""
        stream = self.market(UP, custom=custom)
        stream.hear()
        self.running.feed(*news)
        return stream.hear_kind(kind)

    def user(self) -> Stream:
        return self.running.stream(self.running.urls.user_ws, self.trader.user_frame())

    def rtds(self, topic: str, symbol: str = "btc/usd") -> Stream:
        filters = json.dumps({"symbol": symbol}, separators=(",", ":"))
        wanted = {"action": "subscribe", "subscriptions": [{"topic": topic, "type": "update", "filters": filters}]}
        return self.running.stream(self.running.urls.prices, wanted)


Story: TypeAlias = Callable[[Stage], Any]


def then(*steps: Story) -> Story:
    """What the last one gives, after the others."""

    def tell(stage: Stage) -> Any:
        return [step(stage) for step in steps][-1]

    return tell


def get(path: str) -> Story:
    return lambda stage: stage.get(path)


def post(path: str, *tokens: str, **more: str) -> Story:
    return lambda stage: stage.post(path, [{"token_id": token, **more} for token in tokens])


def mine(method: str, path: str, body: object = None, query: str = "") -> Story:
    return lambda stage: stage.mine(method, path, body, query)


def passes(length: float) -> Story:
    return lambda stage: stage.passes(length)


def fed(*news: Any) -> Story:
    return lambda stage: stage.running.feed(*news)


def traded(stage: Stage) -> None:
    """Bought, and confirmed."""
    stage.take()
    stage.passes(3)


def quoting(stage: Stage) -> str:
    """An order that has earned rewards."""
    order = stage.rest("0.49")
    stage.passes(600)
    return order


def derived_by_nobody(stage: Stage) -> Any:
    headers = stage.trader.l1(nonce=7)
    return stage.running.call("GET", stage.running.urls.clob + "/auth/derive-api-key", headers=headers)[1]


def batch_with_a_bad_one(stage: Stage) -> Any:
    good, bad = (json.loads(stage.trader.body(terms(size=size))) for size in ("10", "100000"))
    return stage.mine("POST", "/orders", [good, bad])


def notified(stage: Stage) -> Any:
    stage.rest()
    stage.mine("DELETE", "/cancel-all")
    return stage.mine("GET", "/notifications")


def submitted(stage: Stage) -> Any:
    owner = stage.trader.key.address
    return stage.relayer("/submit", {"type": "WALLET-CREATE", "from": owner, "to": DEPOSIT_WALLET_FACTORY})


def confirmed(path: str) -> Story:
    def tell(stage: Stage) -> Any:
        sent = submitted(stage)
        stage.passes(5)
        return stage.relayer(path + sent["transactionID"])

    return tell


def rebated(stage: Stage) -> Any:
    maker = stage.cross()
    return stage.get(f"/rebates/current?date={DAY}&maker_address={maker.account}")


def bid(at: str) -> sim.ChangeLevels:
    return sim.ChangeLevels(market=CONDITION, changes=(sim.LevelChange(Side.BUY, price(at), shares("12.34")),))


PRINTED = sim.PrintTrade(market=CONDITION, price=price("0.53"), size=shares("219.217767"), taker=Side.BUY)
RESOLVED = (sim.CloseMarket(market=CONDITION), sim.Resolve(market=CONDITION, up_payout=usd(1)))


def told(kind: str, *news: Any, custom: bool = False) -> Story:
    return lambda stage: stage.told(kind, *news, custom=custom)


def resolved_in_gamma(stage: Stage) -> Any:
    stage.running.feed(*RESOLVED)
    return stage.gamma(f"/markets/slug/{LISTED.slug}")


def pong(stage: Stage) -> Any:
    stream = stage.market(UP)
    stream.hear()
    stream.say("PING")
    return stream.hear()


def heard_of(story: Story, number: int) -> Story:
    """The n-th frame of the user stream, counted from 0, that a story brings."""

    def tell(stage: Stage) -> Any:
        stream = stage.user()
        stream.say("PING")
        assert stream.hear() == "PONG"
        story(stage)
        return [stream.hear() for _ in range(number + 1)][-1]

    return tell


def killed(stage: Stage) -> None:
    order = terms(at="0.51", size="100", tif=TimeInForce.FOK)
    asked = stage.trader.start("POST", "/order", stage.trader.body(order))
    stage.passes(0.1)
    assert asked.result(5)[0] == 400


def updated(topic: str, source: PriceSource, symbol: str = "btc/usd") -> Story:
    def tell(stage: Stage) -> Any:
        stream = stage.rtds(topic, symbol)
        stage.rtds("nobody knows it").hear()
        stage.print_prices(source)
        return stream.hear()

    return tell


def backfilled(stage: Stage) -> Any:
    stage.print_prices(PriceSource.CHAINLINK_SPOT)
    return stage.rtds("crypto_prices_chainlink").hear()


def realtime(stage: Stage) -> Stream:
    shown = stage.trader.user_frame()["auth"]
    return stage.running.stream(stage.running.urls.realtime, {"op": "auth", "rid": "1", "auth": shown})


def numbered(stage: Stage) -> Any:
    stream = realtime(stage)
    stream.hear()
    wanted = {"channel": "price.crypto.twap", "filter": {"symbol": "btcusd"}}
    stream.say({"op": "subscribe", "rid": "2", "subscriptions": [wanted]})
    assert stream.hear()["op"] == "subscribed"
    stage.print_prices(PriceSource.CHAINLINK_SPOT)
    return stream.hear()
