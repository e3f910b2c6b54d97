"""Our own pace at the exchange that enforces its rate limits, and what happens where it knows a lower one."""

import asyncio

from polystra.core.reasons import RefusalReason as Why
from polystra.core.units import seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.client import Placed, open_client
from polystra.edge.polymarket.outcomes import Accepted, Cancelled, NotSent, PlacementOutcome, Refused
from polystra.edge.polymarket.pacing import Pacing, Unpaced
from polystra.edge.polymarket.private_rest import PrivateRest
from polystra.edge.polymarket.retries import Retries
from polystra.edge.polymarket.venue import Venue
from polystra.exchange.limits import Tier
from polystra.sim.records import Account
from tests.edge.exchange_cases import Running, Trader, exchange, terms
from tests.edge.test_client_library import addresses, market_of
from tests.edge.venue_cases import Client

CHEAP = terms(at="0.01", size="5")


def limited(running: Running, tier: Tier) -> None:
    running.control("POST", "/limits", {"tier": tier})


def venue(ours: Client, trader: Trader, pacing: Pacing | None, retries: Retries | None = None) -> Venue:
    private = PrivateRest(
        ours.rest,
        trader.running.urls.clob,
        credentials=trader.credentials,
        account=trader.key.address,
        clock=WallClock(),
    )
    return Venue(private, wallet=trader.wallet, api_key=trader.credentials.api_key, retries=retries, pacing=pacing)


async def storm(far: Venue, trader: Trader, count: int) -> list[PlacementOutcome]:
    signed = [trader.sign(CHEAP) for _ in range(count)]
    found = await asyncio.gather(*(far.place(one.id, trader.body(CHEAP, one)) for one in signed))
    return list(found)


def refused(outcomes: list[PlacementOutcome]) -> list[Refused]:
    return [one for one in outcomes if isinstance(one, Refused)]


def test_a_storm_of_orders_and_their_cancels_meets_no_429(running: Running, trader: Trader, ours: Client) -> None:
    limited(running, Tier.STANDARD)
    far = venue(ours, trader, Pacing(WallClock(), longest=seconds(10)))
    outcomes = ours.run(storm(far, trader, 130))
    assert all(isinstance(one, Accepted) for one in outcomes)
    cancels = ours.run(far.cancel([one.order for one in outcomes]))
    assert all(isinstance(one, Cancelled) for one in cancels)
    assert running.on_loop(lambda: not running.venue.current().open_orders(Account(trader.account)))


def test_the_same_storm_without_pacing_is_refused_and_says_when_to_come_back(
    running: Running, trader: Trader, ours: Client
) -> None:
    limited(running, Tier.STANDARD)
    outcomes = ours.run(storm(venue(ours, trader, None), trader, 130))
    told = refused(outcomes)
    assert told
    assert {(one.reason, one.retry_after) for one in told} == {(Why.RATE_LIMITED, seconds(1))}


def test_what_would_leave_too_late_is_not_sent_and_not_tried_again(
    running: Running, trader: Trader, ours: Client
) -> None:
    limited(running, Tier.STANDARD)
    time = WallClock()
    far = venue(ours, trader, Pacing(time, longest=seconds(0.1)), Retries(time=time))
    outcomes = ours.run(storm(far, trader, 90))
    assert refused(outcomes) == []
    kept = [one for one in outcomes if isinstance(one, NotSent)]
    assert kept
    assert all("orders not sent: their turn is" in one.why for one in kept)


def test_a_tier_that_fell_unheard_of_is_met_waited_out_and_kept_to(
    running: Running, trader: Trader, ours: Client
) -> None:
    limited(running, Tier.STANDARD)
    pacing, time = Pacing(WallClock(), tier="silver", longest=seconds(10)), WallClock()
    outcomes = ours.run(storm(venue(ours, trader, pacing), trader, 130))
    told = refused(outcomes)
    assert {(one.reason, one.retry_after) for one in told} == {(Why.RATE_LIMITED, seconds(1))}
    assert pacing.tier == "standard"
    again = ours.run(storm(venue(ours, trader, pacing, Retries(time=time)), trader, 60))
    assert all(isinstance(one, Accepted) for one in again)


def test_a_placement_that_met_a_429_is_repeated_after_the_wait_it_was_told(ours: Client) -> None:
    with exchange() as running:
        trader = Trader(running)
        running.fund(trader.account)
        limited(running, Tier.STANDARD)
        far = venue(ours, trader, Pacing(WallClock(), tier="silver"), Retries(time=WallClock()))
        outcomes = ours.run(storm(far, trader, 80))
        assert all(isinstance(one, Accepted) for one in outcomes)


# --- the client as a library


def opened_storm(trader: Trader, count: int, pacing: Unpaced | None = None) -> list[Placed]:
    async def run() -> list[Placed]:
        async with open_client(addresses(trader.running), trader.wallet, pacing=pacing) as client:
            market = await market_of(client)
            return list(await asyncio.gather(*(client.place(CHEAP, market) for _ in range(count))))

    return asyncio.run(run())


def test_a_client_that_was_opened_keeps_to_the_limits_by_itself(running: Running, trader: Trader) -> None:
    limited(running, Tier.STANDARD)
    assert all(isinstance(one, Accepted) for one in opened_storm(trader, 95))


def test_a_client_that_was_opened_without_a_pace_is_refused(running: Running, trader: Trader) -> None:
    limited(running, Tier.STANDARD)
    outcomes = opened_storm(trader, 95, Unpaced())
    assert {one.reason for one in outcomes if isinstance(one, Refused)} == {Why.RATE_LIMITED}


def test_a_client_that_was_opened_keeps_back_what_would_leave_too_late(running: Running, trader: Trader) -> None:
    limited(running, Tier.STANDARD)
    outcomes = opened_storm(trader, 150)
    assert not [one for one in outcomes if isinstance(one, Refused)]
    assert 30 <= sum(isinstance(one, NotSent) for one in outcomes) <= 60
