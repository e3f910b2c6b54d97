"""What the tests of faults do to an exchange whose time stands still, and what they hear."""

from typing import Any

from polystra.core.ids import MarketId
from polystra.core.terms import Side
from polystra.core.units import price, seconds, shares
from polystra.sim import messages as sim
from tests.edge.answer_cases import hits
from tests.edge.exchange_cases import (
    CONDITION,
    HOLD,
    UP,
    Running,
    Stream,
    Trader,
    terms,
)


def pass_time(running: Running, length: float) -> None:
    running.control("POST", "/time", {"by": seconds(length)})


def followed(running: Running, *tokens: str, heard: bool = True) -> Stream:
    stream = running.stream(running.urls.market_ws, {"assets_ids": tokens or (UP,), "type": "market"})
    if heard:
        stream.hear()
    return stream


def own(running: Running, trader: Trader) -> Stream:
    stream = running.stream(running.urls.user_ws, trader.user_frame())
    stream.say("PING")
    assert stream.hear() == "PONG"
    return stream


def bid(size: str, at: str = "0.40", of: MarketId = CONDITION) -> sim.ChangeLevels:
    return sim.ChangeLevels(market=of, changes=(sim.LevelChange(Side.BUY, price(at), shares(size)),))


def change(stream: Stream) -> Any:
    """The next frame, of Up."""
    return [one for one in stream.hear()["price_changes"] if one["asset_id"] == UP]


def held(running: Running, trader: Trader, token: str = UP) -> int:
    """As it really is, in millionths."""
    accounts = running.control("GET", "/truth")["accounts"]
    mine = next(one for one in accounts if one["account"] == trader.account)
    return next((one["owned"] for one in mine["holdings"] if one["token"] == token), 0)


def after_hold(running: Running, trader: Trader, **how: Any) -> tuple[int, Any]:
    """The answer to an order that takes."""
    asking = trader.start("POST", "/order", trader.body(terms(**how)))
    running.control("POST", "/time", {"by": HOLD})
    return asking.result(5)


def next_trade(stream: Stream) -> Any:
    return stream.hear_kind("trade")


def until_struck(running: Running, fault: str) -> None:
    """What a client has said is heard on its own connection, later than it was sent."""
    for _ in range(1_000):
        if hits(running, fault):
            return
    raise AssertionError(f"{fault} did not strike")
