"""Two hundred orders through an exchange that loses answers: how many become two, and how many none.

`python -m benchmarks.duplicates` prints a table, in under a minute. Each client meets an exchange of its own that fails
in the same way: of a thousand POSTs 200 are done and have their answer lost, 50 are answered too late, 50 break off
before anything happened. The official clients are used as most programs use them: on an exception the order is made and
posted again, up to three times. Ours asks what became of the order, and sends the same bytes again where the venue
does not know it; that is what the engine does by itself (`tests/edge/test_two_hundred_orders.py`).

The wanted orders differ in size, by whole shares, so that the exchange's truth tells them apart.
"""

import asyncio
import dataclasses
import importlib
import json
import logging
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from time import perf_counter
from typing import Any, TypeAlias

from msgspec.structs import replace

from benchmarks.counterparts import Hosted, child, lift_limits, open_token
from benchmarks.harness import NotMeasured
from benchmarks.loopback import TERMS, credentials_of
from benchmarks.results import FoundOrders, duplicates_table
from polystra.core.ids import TokenId
from polystra.core.terms import TimeInForce
from polystra.core.units import Shares, shares
from polystra.edge.clock import WallClock, draw_salt
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.order_body import order_body
from polystra.edge.polymarket.outcomes import OutcomeUnknown
from polystra.edge.polymarket.private_rest import PrivateRest, ReadingFailed
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.polymarket.signing import OrderSigner
from polystra.edge.polymarket.venue import NoSuchOrder, Venue
from polystra.edge.polymarket.wallet import own_wallet

ORDERS = 200
AT_A_TIME = 8
TRIES = 4
"""One, and three more."""

SIZES = [shares(5 + number) for number in range(ORDERS)]
PRICE = "0.01"

LATE = 6.0
"""Seconds: more than any of the clients waits."""

FAULTS = (("reply-lost", 200), ("reply-late", 50), ("reset", 50))

_CLOCK = WallClock()
_PATIENCE = 30.0


Place: TypeAlias = Callable[[Hosted], None]


def measured(client: str, place: Place) -> FoundOrders:
    """Places all wanted orders, and counts them at the exchange."""
    with _exchange() as (hosted, control):
        begun = perf_counter()
        place(hosted)
        taken = perf_counter() - begun
        sizes = Counter(int(order["size"]) for order in _ask(f"{control}/truth")["orders"] if _is_wanted(order))
        hits: dict[str, int] = _ask(f"{control}/faults")["hits"]
    return FoundOrders(
        client=client,
        wanted=ORDERS,
        orders=sum(sizes.values()),
        doubles=sum(sizes.values()) - len(sizes),
        missing=ORDERS - len(sizes),
        struck=sum(hits[fault] for fault, _ in FAULTS),
        seconds=round(taken, 1),
    )


@contextmanager
def _exchange() -> Iterator[tuple[Hosted, str]]:
    with child("polystra", "exchange", "--json", "--windows", "1") as (_, said):
        line = json.loads(said)
        control = line["control"]
        lift_limits(control)
        for fault, chance in FAULTS:
            switch = {"fault": fault, "where": "POST /order", "times": None, "chance": chance, "delay": int(LATE * 1e9)}
            _ask(f"{control}/faults", switch)
        yield Hosted(line["clob"], open_token(line["gamma"]), line["accounts"][0]["private_key"]), control


def _is_wanted(order: dict[str, Any]) -> bool:
    return int(order["size"]) in SIZES and int(order["price"]) == TERMS.price


def _ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data=data, timeout=_PATIENCE) as answer:
        return json.load(answer)


# --- three clients ----------------------------------------------------------------------------------------------------


def ours(hosted: Hosted) -> None:
    async def place() -> None:
        credentials = await credentials_of(hosted)
        key = SigningKey(bytes.fromhex(hosted.private_key.removeprefix("0x")))
        wallet = own_wallet(key)
        signer = OrderSigner(wallet, draw_salt=draw_salt)
        async with open_rest() as rest:
            private = PrivateRest(rest, hosted.clob, credentials=credentials, account=key.address, clock=_CLOCK)
            venue = Venue(private, wallet=wallet, api_key=credentials.api_key)

            async def one(size: Shares) -> None:
                terms = replace(TERMS, shares=size)
                signed = signer.sign(terms, token=TokenId(hosted.token), exchange=STANDARD, at=_CLOCK.now())
                body = order_body(signed, owner=credentials.api_key, time_in_force=TimeInForce.GTC)
                for _ in range(TRIES):
                    if not isinstance(await venue.place(signed.id, body), OutcomeUnknown):
                        return
                    fate = await venue.fate(signed.id)
                    if isinstance(fate, ReadingFailed):
                        raise NotMeasured(f"what became of an order was not told: {fate.why}")
                    if not isinstance(fate.order, NoSuchOrder):
                        return

            await _a_few_at_a_time(one)

    asyncio.run(place())


def py_clob_client_v2(hosted: Hosted) -> None:
    clob: Any = importlib.import_module("py_clob_client_v2")
    logging.getLogger("py_clob_client_v2").setLevel(logging.CRITICAL)
    client = clob.ClobClient(hosted.clob, 137, key=hosted.private_key, signature_type=0)
    client.set_api_creds(client.create_or_derive_api_key())

    def one(size: Shares) -> None:
        wanted = clob.OrderArgs(token_id=hosted.token, price=float(PRICE), size=size / 1e6, side="BUY")
        for _ in range(TRIES):
            try:
                client.create_and_post_order(wanted)
                return
            except clob.exceptions.PolyApiException:
                continue

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        list(threads.map(one, SIZES))


def polymarket_client(hosted: Hosted) -> None:
    polymarket: Any = importlib.import_module("polymarket")
    errors: Any = importlib.import_module("polymarket.errors")
    account: Any = importlib.import_module("eth_account").Account.from_key(hosted.private_key)

    async def place() -> None:
        async with await polymarket.AsyncSecureClient.create(
            private_key=hosted.private_key, wallet=account.address, environment=_environment(hosted)
        ) as client:

            async def one(size: Shares) -> None:
                wanted = {"token_id": hosted.token, "price": PRICE, "size": Decimal(size) / 10**6, "side": "BUY"}
                for _ in range(TRIES):
                    try:
                        await client.place_limit_order(**wanted)
                        return
                    except errors.PolymarketError:
                        continue

            await _a_few_at_a_time(one)

    asyncio.run(place())


def _environment(hosted: Hosted) -> Any:
    """The official client has no public way to another host; this is the one of `PROTOCOL.md` A.5."""
    module: Any = importlib.import_module("polymarket._internal.environment")
    production = module.PRODUCTION_CONFIG
    urls = {
        name: "ws://127.0.0.1:9" if name.endswith("_ws_url") else "http://127.0.0.1:9"
        for name in production.__dataclass_fields__
        if name.endswith("_url")
    }
    config = dataclasses.replace(production, **(urls | {"clob_url": hosted.clob, "gamma_url": f"{hosted.clob}/gamma"}))
    return module.create_environment(name="loopback", config=config)


async def _a_few_at_a_time(one: Callable[[Shares], Awaitable[None]]) -> None:
    places = asyncio.Semaphore(AT_A_TIME)

    async def in_turn(size: Shares) -> None:
        async with places:
            await one(size)

    await asyncio.gather(*map(in_turn, SIZES))


CLIENTS: dict[str, Place] = {
    "Polystra": ours,
    "polymarket-client": polymarket_client,
    "py-clob-client-v2": py_clob_client_v2,
}


def found() -> tuple[FoundOrders, ...]:
    """Of each client; raises `NotMeasured`."""
    return tuple(measured(client, place) for client, place in CLIENTS.items())


if __name__ == "__main__":
    print("\n".join(duplicates_table(found())))
