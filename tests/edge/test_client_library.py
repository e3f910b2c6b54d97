"""The client as a library of its own: opened against the exchange, it checks, places, follows and cancels."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest
from msgspec.structs import replace

from polystra.core.events import AnyEvent, BookSnapshot, OrderCancelled, OrderFilled
from polystra.core.ids import VenueOrderId
from polystra.core.markets import Market, Series
from polystra.core.reasons import RefusalReason
from polystra.core.terms import OrderTerms, Outcome, Side, TimeInForce
from polystra.core.units import Instant, Nanos, price, seconds, shares
from polystra.edge.clock import Time, WallClock
from polystra.edge.polymarket.answer_wire import Cancels
from polystra.edge.polymarket.client import CannotOpen, Client, Invalid, Prepared, VenueAddresses, open_client
from polystra.edge.polymarket.outcomes import Accepted, Cancelled, OutcomeUnknown, Refused
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.retries import Retries
from polystra.edge.polymarket.server_clock import ClockOffset
from polystra.edge.polymarket.slugs import expected_slugs
from polystra.edge.polymarket.venue import NoSuchOrder, OrderFate
from polystra.edge.polymarket.wire import OpenOrder
from polystra.exchange.faults import Fault, Switch
from tests.edge.client_cases import LeapingTime, Truth, exchange_truth
from tests.edge.exchange_cases import CONDITION, NEW_LISTING, NEW_UP, PATIENCE, START, Running, Trader, exchange, terms
from tests.edge.test_client_clock import WrongClock
from tests.edge.test_client_validation import MARKET
from tests.edge.test_venue_orders import deaf_address
from tests.edge.venue_cases import Client as Loop

__all__ = ["exchange_truth"]

T = TypeVar("T")
E = TypeVar("E", bound=AnyEvent)


def addresses(running: Running, clob: str = "") -> VenueAddresses:
    urls = running.urls
    return VenueAddresses(clob=clob or urls.clob, gamma=urls.gamma, market_ws=urls.market_ws, user_ws=urls.user_ws)


def opened(trader: Trader, work: Callable[[Client], Awaitable[T]], *, clob: str = "", time: Time | None = None) -> T:
    """What is done with a client of the trader's wallet between its opening and its end."""

    async def run() -> T:
        async with open_client(addresses(trader.running, clob), trader.wallet, time=time) as client:
            return await work(client)

    return asyncio.run(asyncio.wait_for(run(), PATIENCE))


async def market_of(client: Client) -> Market:
    found = await client.catalogue.market("btc-updown-15m-1795432200")
    assert isinstance(found, Market), found
    return found


async def until(events: AsyncIterator[AnyEvent], kind: type[E]) -> E:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the stream ended before a {kind.__name__}")


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_is_placed_under_the_id_known_before_looked_up_and_cancelled(
    running: Running, trader: Trader, exchange_truth: Truth
) -> None:
    async def work(client: Client) -> None:
        market = await market_of(client)
        prepared = client.prepare(terms(), market)
        assert isinstance(prepared, Prepared)
        assert exchange_truth.resting(trader) == set()
        assert isinstance(await client.send(prepared), Accepted)
        assert exchange_truth.resting(trader) == {prepared.order}
        assert isinstance(await client.venue.order(prepared.order), OpenOrder)
        assert await client.cancel(prepared.order) == (Cancelled(prepared.order),)
        assert await client.venue.order(prepared.order) == NoSuchOrder(prepared.order)

    opened(trader, work)


@pytest.mark.parametrize("listing", ["first generation", "second generation"])
def test_both_generations_of_markets_are_signed_for(running: Running, trader: Trader, listing: str) -> None:
    async def work(client: Client) -> None:
        second = listing == "second generation"
        market = await client.catalogue.market(NEW_LISTING.slug) if second else await market_of(client)
        assert isinstance(market, Market)
        placed = await client.place(replace(terms(), market=market.id), market)
        assert isinstance(placed, Accepted)
        order = await client.venue.order(placed.order)
        assert isinstance(order, OpenOrder)
        assert (order.token == NEW_UP) is second

    opened(trader, work)


WRONG = [
    (terms(at="0.455"), "price 0.455: it is no multiple of tick 0.01, use 0.45 or 0.46"),
    (terms(size="4.99"), "size 4.99: an order that may rest has at least 5 shares in this market"),
    (terms(at="1"), "price 1: at tick 0.01 a price is from 0.01 to 0.99"),
    (terms(at="0.01", size="10", tif=TimeInForce.FOK), "cost 0.1 USD: a BUY that takes costs at least 1 USD, buy more"),
]


@pytest.mark.spec("S8.A1")
@pytest.mark.parametrize(("wanted", "sentence"), WRONG, ids=[sentence.split(":")[0] for _, sentence in WRONG])
def test_an_invalid_order_makes_no_call_and_one_message(
    running: Running, trader: Trader, ours: Loop, exchange_truth: Truth, wanted: OrderTerms, sentence: str
) -> None:
    relay = ours.relay(running.urls.clob)

    async def work(client: Client) -> None:
        before = len(relay.requests)
        assert await client.place(wanted, MARKET) == Invalid((sentence,))
        assert await client.place_many([(wanted, MARKET)] * 2) == (Invalid((sentence,)),) * 2
        assert len(relay.requests) == before
        assert isinstance(await client.place(terms(), MARKET), Accepted)

    async def meanwhile() -> None:
        await asyncio.to_thread(opened, trader, work, clob=relay.url)

    ours.run(meanwhile())
    assert len(exchange_truth.resting(trader)) == 1


def test_of_a_batch_the_invalid_stay_behind_and_each_outcome_is_in_its_place(
    running: Running, trader: Trader, exchange_truth: Truth
) -> None:
    async def work(client: Client) -> None:
        wanted = [terms(), terms(size="1"), terms(size="2500"), terms(at="0.46")]
        first, invalid, poor, last = await client.place_many([(one, MARKET) for one in wanted])
        assert isinstance(invalid, Invalid)
        assert isinstance(poor, Refused)
        assert poor.reason is RefusalReason.NOT_ENOUGH_BALANCE
        assert isinstance(first, Accepted)
        assert isinstance(last, Accepted)
        assert exchange_truth.resting(trader) == {first.order, last.order}
        swept = await client.cancel_market(MARKET, Outcome.DOWN)
        assert swept == Cancels((), {})
        swept = await client.cancel_market(MARKET)
        assert isinstance(swept, Cancels)
        assert set(swept.gone) == {first.order, last.order}

    opened(trader, work)


def test_an_unknown_outcome_is_looked_up_by_the_id_that_was_known_before(running: Running, trader: Trader) -> None:
    async def work(client: Client) -> None:
        running.faults.switch_on(Switch(fault=Fault.REPLY_LOST, where="POST /order"))
        unknown = await client.place(terms(at="0.51"), MARKET)
        assert isinstance(unknown, OutcomeUnknown)
        fate = await client.venue.fate(unknown.order)
        assert isinstance(fate, OrderFate)
        assert (fate.order, sum(fill.shares for fill in fate.trades)) == (NoSuchOrder(unknown.order), shares("10"))
        assert await client.cancel_all() == Cancels((), {})

    opened(trader, work)


# --- streams ---------------------------------------------------------------------------------------------------------


def test_a_market_is_heard_from_its_whole_book_on(running: Running, trader: Trader) -> None:
    async def work(client: Client) -> BookSnapshot:
        async with client.market_events(await market_of(client)) as events:
            return await until(events, BookSnapshot)

    assert opened(trader, work).market == CONDITION


def test_own_orders_are_heard_of_by_their_numbers(running: Running, trader: Trader) -> None:
    async def work(client: Client) -> None:
        async with client.own_events() as events:
            resting, taking = client.prepare(terms(), MARKET), client.prepare(terms(at="0.51"), MARKET)
            assert isinstance(resting, Prepared)
            assert isinstance(taking, Prepared)
            assert (resting.number, taking.number) == (1, 2)
            await _heard(client, events)
            await client.send(taking)
            assert (await until(events, OrderFilled)).order == client.number(taking.order)
            await client.send(resting)
            await client.cancel(resting.order)
            assert (await until(events, OrderCancelled)).order == resting.number

    opened(trader, work)


async def _heard(client: Client, events: AsyncIterator[AnyEvent]) -> None:
    """Returns once the exchange has read who listens, which it does not say."""
    while True:
        probe = await client.place(terms(at="0.02"), MARKET)
        assert isinstance(probe, Accepted)
        await client.cancel(probe.order)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(anext(events), 0.2)
            return


def test_an_order_of_an_earlier_life_is_heard_of_once_it_has_a_number(running: Running, trader: Trader) -> None:
    earlier = VenueOrderId(trader.place(terms())[1]["orderID"])

    async def work(client: Client) -> None:
        number = client.number(earlier)
        async with client.own_events() as events:
            await _heard(client, events)
            await client.cancel(earlier)
            while (await until(events, OrderCancelled)).order != number:
                pass

    opened(trader, work)


@pytest.mark.parametrize("every", [seconds(0.05), None])
def test_the_market_stream_is_renewed_as_often_as_it_is_told(
    running: Running, trader: Trader, every: Nanos | None
) -> None:
    """A new connection tells its whole book, and the old one is not lost by that."""

    async def work(client: Client) -> list[str]:
        heard: list[str] = []
        async with client.market_events(await market_of(client), renew_every=every) as events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.6):
                    while True:
                        heard.append(type(await anext(events)).__name__)
        return heard

    heard = opened(trader, work)
    assert heard.count("BookSnapshot") == (1 if every is None else 2)
    assert "StreamLost" not in heard


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.spec("S22.A1", "S8.A3")
@pytest.mark.parametrize("wrong", [5, -5, 3600])
def test_a_clock_that_is_wrong_spoils_no_expiry(
    running: Running, trader: Trader, exchange_truth: Truth, wrong: float
) -> None:
    clock = WrongClock(seconds(wrong))

    async def work(client: Client) -> None:
        least = replace(terms(), time_in_force=TimeInForce.GTD, expires_at=_ahead(client.time, 182))
        assert isinstance(await client.place(least, MARKET), Accepted)
        short = replace(terms(), time_in_force=TimeInForce.GTD, expires_at=_ahead(client.time, 178))
        assert isinstance(await client.place(short, MARKET), Invalid)
        assert abs(client.time.now() - WallClock().now()) < seconds(1)

    opened(trader, work, time=clock)
    assert len(exchange_truth.resting(trader)) == 1


def _ahead(time: Time, by: float) -> Instant:
    return Instant(time.now() + seconds(by))


QUARTER = Series("BTC", seconds(900))
EDGE = Instant(1_795_433_400 * 10**9)


@pytest.mark.spec("S22.A1", pure="the exchange's clock is the truth, and stands still at the second in question")
@pytest.mark.parametrize("wrong", [5, -5])
@pytest.mark.parametrize(("left", "window"), [(1, EDGE - 900 * 10**9), (0, EDGE)])
def test_a_clock_that_is_wrong_by_5_s_names_the_right_window_at_its_edge(
    wrong: float, left: float, window: int
) -> None:
    with exchange(stepped=True) as running:
        trader = Trader(running)
        running.control("POST", "/time", {"to": EDGE - seconds(left)})

        async def work(client: Client) -> tuple[str, ...]:
            return expected_slugs(QUARTER, client.time.now())

        ours = LeapingTime(Instant(EDGE - seconds(left) + seconds(wrong)))
        assert opened(trader, work, time=ours)[0] == f"btc-updown-15m-{window // 10**9}"


def test_the_clock_is_set_anew_and_keeps_its_last_setting_when_nobody_answers(running: Running, trader: Trader) -> None:
    async def work(client: Client) -> None:
        before = client.time.offset
        running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /time"))
        assert isinstance(await client.set_clock(), ReadingFailed)
        assert client.time.offset == before
        after = await client.set_clock(asks=2)
        assert isinstance(after, ClockOffset)
        assert client.time.offset == after

    opened(trader, work)


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["GET /time", "POST /auth/api-key"])
def test_a_venue_that_tells_neither_time_nor_key_is_not_opened(running: Running, trader: Trader, where: str) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where=where, times=None))

    async def work(client: Client) -> None:
        raise AssertionError("it was opened")

    with pytest.raises(CannotOpen, match="the venue did not tell"):
        opened(trader, work)


def test_a_client_with_patience_opens_at_a_venue_that_starts(running: Running, trader: Trader) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /time", http=425, times=3))

    async def run() -> None:
        time = LeapingTime(START)
        async with open_client(addresses(running), trader.wallet, time=time, retries=Retries(time=time)) as client:
            assert len(time.waits) == 3
            assert await client.public.midpoint(MARKET.up_token) == price("0.5")

    asyncio.run(asyncio.wait_for(run(), PATIENCE))


def test_a_client_needs_somebody_to_talk_to(trader: Trader, ours: Loop) -> None:
    clob = ours.run(deaf_address())

    async def work(client: Client) -> None:
        raise AssertionError("it was opened")

    with pytest.raises(CannotOpen, match="its time"):
        opened(trader, work, clob=clob)


def test_an_account_of_shares_sells_as_it_buys(running: Running, trader: Trader) -> None:
    async def work(client: Client) -> None:
        sold = await client.place(terms(Side.SELL, at="0.49", size="10", tif=TimeInForce.FAK), MARKET)
        assert isinstance(sold, Accepted)
        assert (sold.matched, sold.making) == (True, shares("10"))

    opened(trader, work)
