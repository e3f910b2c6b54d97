"""A market that rewards its makers, and what the tests of the official clients' whole surface share."""

import inspect
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.core.units import usd
from polystra.edge.polymarket.wallet import SignatureType
from tests.edge.exchange_cases import BOOK, DOWN, FACTS, LISTING, UP, Running
from tests.edge.test_exchange_sdks import funded

PAID = MarketId("0x" + "ef" * 32)
PAID_UP, PAID_DOWN = TokenId(str(int(UP) + 1)), TokenId(str(int(DOWN) + 1))
PAID_LISTING = replace(
    LISTING,
    slug="sol-updown-15m-1795432200",
    facts=replace(FACTS, id=PAID, up_token=PAID_UP, down_token=PAID_DOWN, reward_rate=usd(1_440)),
)
"""It pays a dollar a minute."""

CODE = "0x" + "b1" * 32
"""Of a builder."""

DAY = "2026-11-24"


@dataclass
class Stage:
    """A client with money, an order at rest and one that took, and what it wants to remember between two calls."""

    running: Running
    wallet: str
    order: str = ""
    taken: Any = None


class Called:
    """A client that remembers which of its methods were asked for."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self.client, name)


async def came(answer: Any) -> Any:
    """What a call brought, of the asynchronous client as of the other one, with all pages of a list."""
    if inspect.isawaitable(answer):
        answer = await answer
    if not hasattr(answer, "iter_items"):
        return answer
    items = answer.iter_items()
    return [item async for item in items] if hasattr(items, "__aiter__") else list(items)


def public(client: type) -> set[str]:
    return {name for name in dir(client) if not name.startswith("_")}


def staged(running: Running) -> Stage:
    """With the market that pays, and a wallet that has cash and shares."""
    running.feed(PAID_LISTING, replace(BOOK, market=PAID))
    _, wallet = funded(running, SignatureType.EOA)
    return Stage(running, wallet)
