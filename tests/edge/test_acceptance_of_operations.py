"""Every function that the original lists is an operation here, and does its work at the exchange.

The table of `docs/venue.md` says which operation that is; here each row of it is called.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from polystra.app.session import LEDGER
from polystra.core.ids import VenueOrderId
from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce
from polystra.core.units import Instant, Tick, price, seconds, shares, usd
from polystra.edge.polymarket.account_readings import OrderDetails
from polystra.edge.polymarket.account_wire import Holding
from polystra.edge.polymarket.answer_wire import Cancels
from polystra.edge.polymarket.client import Client, Invalid
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.order_status import OrderStatus
from polystra.edge.polymarket.outcomes import Accepted, Cancelled, Refused
from polystra.edge.polymarket.remedies import Remedy, known
from polystra.edge.polymarket.rest import open_rest
from polystra.edge.polymarket.retries import passing
from polystra.edge.polymarket.server_clock import ClockOffset, clock_offset
from polystra.edge.polymarket.validation import Present, faults_of
from polystra.edge.store.db import open_database
from polystra.edge.store.durability import Durability
from polystra.exchange.faults import Fault, Switch
from polystra.sim.records import Account
from tests.edge.cli_cases import polystra
from tests.edge.client_cases import LeapingTime, Truth, exchange_truth
from tests.edge.exchange_cases import UP, Running, Trader, terms
from tests.edge.test_client_library import opened
from tests.edge.test_client_validation import MARKET
from tests.edge.test_exchange_notifications import settle
from tools.venue_doc import OPERATIONS

__all__ = ["exchange_truth"]


class Floor(Struct, frozen=True):
    """One client of the exchange, what the exchange really has of its orders, and a folder for a ledger."""

    running: Running
    trader: Trader
    truth: Truth
    client: Client
    folder: Path

    async def placed(self, at: str = "0.45", size: str = "10") -> VenueOrderId:
        outcome = await self.client.place(terms(at=at, size=size), MARKET)
        assert isinstance(outcome, Accepted)
        return outcome.order

    @property
    def resting(self) -> set[VenueOrderId]:
        return self.truth.resting(self.trader)


async def place_a_batch(on: Floor) -> None:
    outcomes = await on.client.place_many([(terms(), MARKET), (terms(at="0.46"), MARKET)])
    assert {one.order for one in outcomes if isinstance(one, Accepted)} == on.resting
    assert len(on.resting) == 2


async def place_a_market_order(on: Floor) -> None:
    for kind in (TimeInForce.FOK, TimeInForce.FAK):
        outcome = await on.client.place(terms(at="0.51", tif=kind), MARKET)
        assert isinstance(outcome, Accepted)
        assert outcome.matched
    assert len(on.truth.trades(on.trader)) == 2
    assert isinstance(await on.client.place(terms(at="0.51", size="1000", tif=TimeInForce.FOK), MARKET), Refused)


async def open_orders(on: Floor) -> None:
    placed = {await on.placed(), await on.placed()}
    found = await on.client.venue.open_orders()
    assert isinstance(found, tuple)
    assert {one.id for one in found} == placed == on.resting


async def one_order(on: Floor) -> None:
    seller = Trader(on.running, seed=2)
    on.running.fund(seller.account)
    on.running.shares(seller.account, "20")
    order = await on.placed(at="0.50")
    assert seller.place(terms(Side.SELL, at="0.50", size="4", tif=TimeInForce.FAK))[0] == 200
    details = await on.client.account.order(order)
    assert isinstance(details, OrderDetails)
    assert details.row.order.matched == details.traded == shares("4")


async def cancel_several(on: Floor) -> None:
    kept, *gone = [await on.placed() for _ in range(3)]
    assert await on.client.cancel(*gone) == tuple(map(Cancelled, gone))
    assert on.resting == {kept}


async def cancel_a_market(on: Floor) -> None:
    order = await on.placed()
    assert await on.client.cancel_market(MARKET, Outcome.DOWN) == Cancels((), {})
    assert on.resting == {order}
    assert await on.client.cancel_market(MARKET) == Cancels((order,), {})
    assert on.resting == set()


async def cancel_everything(on: Floor) -> None:
    await on.placed()
    await on.placed()
    answer = await on.client.cancel_all()
    assert isinstance(answer, Cancels)
    assert (len(answer.gone), on.resting) == (2, set())


async def status(on: Floor) -> None:
    assert await on.client.account.status(await on.placed()) is OrderStatus.LIVE
    taken = await on.placed(at="0.51")
    assert await on.client.account.status(taken, size=shares("10")) is OrderStatus.FILLED


async def midpoint(on: Floor) -> None:
    assert await on.client.public.midpoint(UP) == price("0.50")


async def tick(on: Floor) -> None:
    assert await on.client.public.tick(UP) == Tick(price("0.01"))


async def balance(on: Floor) -> None:
    cash, held = await on.client.account.holding(), await on.client.account.holding(UP)
    assert isinstance(cash, Holding)
    assert isinstance(held, Holding)
    truth = on.running.on_loop(lambda: on.running.venue.current().truth())
    account = next(one for one in truth.accounts if one.account == Account(on.trader.account))
    assert (cash.balance, held.balance) == (account.cash, account.of(UP))
    assert cash.balance > 0
    assert cash.allowance(STANDARD.contract)


async def spread(on: Floor) -> None:
    assert await on.client.public.spread(UP) == price("0.02")


async def liquidity(on: Floor) -> None:
    found = await on.client.public.liquidity(UP, Side.BUY, shares("100"), limit=price("0.52"))
    assert (found.enough, found.cash) == (True, usd("51.195"))
    assert not (await on.client.public.liquidity(UP, Side.BUY, shares("100"), limit=price("0.51"))).enough


async def notifications(on: Floor) -> None:
    order = await on.placed()
    await on.client.cancel(order)
    found = await on.client.account.notifications()
    assert isinstance(found, tuple)
    assert [one.order for one in found] == [order]


async def drop_notifications(on: Floor) -> None:
    for _ in range(2):
        await on.client.cancel(await on.placed())
    first, second = await _notices(on)
    assert await on.client.account.drop_notifications([first]) is None
    assert await _notices(on) == [second]


async def _notices(on: Floor) -> list[str]:
    found = await on.client.account.notifications()
    assert isinstance(found, tuple)
    return [one.id for one in found]


async def history(on: Floor) -> None:
    await on.placed(at="0.51")
    settle(on.running)
    found = await on.client.venue.trades(token=UP)
    assert isinstance(found, tuple)
    assert {fill.trade for fill in found} == {trade.id for trade in on.truth.trades(on.trader)}
    assert len(found) == 1


async def server_time(on: Floor) -> None:
    async with open_rest() as rest:
        ours = LeapingTime(Instant(on.running.on_loop(on.running.venue.now) - seconds(5)))
        found = await clock_offset(rest, on.running.urls.clob, time=ours)
    assert isinstance(found, ClockOffset)
    assert found.low <= seconds(5) <= found.high + seconds(2)


async def may_be_repeated(on: Floor) -> None:
    async with open_rest() as rest:
        for http, again in ((503, 0), (429, 0), (404, None), (401, None)):
            on.running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /time", http=http))
            answer = await rest.ask("GET", f"{on.running.urls.clob}/time", deadline=5)
            assert passing(answer) == again
        assert passing(await rest.ask("GET", f"{on.running.urls.clob}/time", deadline=5)) is None
    assert on.running.faults.hits[Fault.ERROR_BEFORE] == 4


async def parse_an_error(on: Floor) -> None:
    poor = await on.client.place(terms(size="5000"), MARKET)
    assert isinstance(poor, Refused)
    said = known(poor.text)
    assert said is not None
    assert (said.reason, said.remedy) == (poor.reason, Remedy.WAIT_FOR_BALANCE)
    assert known("what nobody ever said") is None


async def validate_a_price(on: Floor) -> None:
    await _validated(on, terms(at="0.45"), terms(at="0.455"), "price 0.455:")


async def validate_a_size(on: Floor) -> None:
    await _validated(on, terms(size="5"), terms(size="4.99"), "size 4.99:")


async def validate_an_expiration(on: Floor) -> None:
    now = on.client.time.now()
    good, short = (
        replace(terms(), time_in_force=TimeInForce.GTD, expires_at=Instant(now + seconds(ahead))) for ahead in (240, 30)
    )
    await _validated(on, good, short, "expir")


async def _validated(on: Floor, good: OrderTerms, bad: OrderTerms, words: str) -> None:
    """What is found good the exchange takes; what is not never gets there."""
    now, present = on.client.time.now(), Present(tick=MARKET.tick)
    assert faults_of(good, MARKET, present=present, now=now) == ()
    (fault,) = faults_of(bad, MARKET, present=present, now=now)
    assert fault.startswith(words)
    assert isinstance(await on.client.place(bad, MARKET), Invalid)
    assert on.resting == set()
    assert isinstance(await on.client.place(good, MARKET), Accepted)
    assert len(on.resting) == 1


async def run_migrations(on: Floor) -> None:
    await _migrated(on)
    with sqlite3.connect(on.folder / LEDGER) as ledger:
        assert ledger.execute("select count(*) from orders").fetchall() == [(0,)]
    ledger.close()


async def version_of_the_schema(on: Floor) -> None:
    await _migrated(on)
    told = polystra("db", "status", "--json", "--out", on.folder)
    assert (told.code, told.json["schema"], told.json["pending"]) == (0, told.json["newest"], [])


async def record_a_migration(on: Floor) -> None:
    await _migrated(on)
    with sqlite3.connect(on.folder / LEDGER) as ledger:
        numbers = [number for (number,) in ledger.execute("select number from schema_version order by number")]
    ledger.close()
    told = polystra("db", "status", "--json", "--out", on.folder).json
    assert numbers == list(range(1, told["schema"] + 1)) != []


async def _migrated(on: Floor) -> None:
    """A ledger that was empty."""
    open_database(on.folder / LEDGER, durable=Durability.NORMAL).close()
    ran = polystra("db", "migrate", "--out", on.folder)
    assert ran.code == 0, ran.err


CALLED: Mapping[str, Callable[[Floor], Awaitable[None]]] = {
    "place a batch": place_a_batch,
    "place a market order, FOK or FAK": place_a_market_order,
    "get open orders": open_orders,
    "get one order with its trades": one_order,
    "cancel several orders": cancel_several,
    "cancel by market or token": cancel_a_market,
    "cancel all": cancel_everything,
    "order status": status,
    "midpoint": midpoint,
    "tick size": tick,
    "balance and allowance": balance,
    "spread": spread,
    "liquidity check": liquidity,
    "get notifications": notifications,
    "drop notifications": drop_notifications,
    "trade history": history,
    "server time": server_time,
    "may a failed request be repeated": may_be_repeated,
    "parse an error": parse_an_error,
    "validate a price": validate_a_price,
    "validate a size": validate_a_size,
    "validate an expiration": validate_an_expiration,
    "run migrations": run_migrations,
    "version of the schema": version_of_the_schema,
    "record a migration": record_a_migration,
}


@pytest.mark.spec("U4.A1")
@pytest.mark.parametrize("what", [what for what, _ in OPERATIONS])
def test_a_function_of_the_original_does_its_work_at_the_exchange(
    running: Running, trader: Trader, exchange_truth: Truth, tmp_path: Path, what: str
) -> None:
    async def work(client: Client) -> None:
        await CALLED[what](Floor(running, trader, exchange_truth, client, tmp_path))

    opened(trader, work)


def test_no_function_is_called_that_the_table_does_not_name() -> None:
    assert set(CALLED) == {what for what, _ in OPERATIONS}
