"""A market that is listed in the very moment when the trader asks for it and is told that it is not complete."""

import asyncio

from msgspec.structs import replace

from polystra.app.connection import Place, connected
from polystra.app.inbox import Inbox
from polystra.app.outbox import OrderNames
from polystra.core.events import LedgerLoaded, MarketListed
from polystra.core.ids import MarketId, OrderId, TokenId
from polystra.core.markets import Series
from polystra.core.units import Instant, Usd, seconds
from polystra.edge.polymarket.slugs import expected_slugs
from polystra.exchange.faults import Fault, Switch
from polystra.exchange.listings import Listing
from tests.edge.exchange_cases import DOWN, LISTING, UP, Running, Trader
from tests.edge.feed_cases import in_loop

SERIES = Series("BTC", seconds(300))
ASKED = "GET /gamma/markets/slug/{slug}"


def listed_at(now: Instant) -> Listing:
    """The window of that moment."""
    start = Instant(now // SERIES.length * SERIES.length)
    facts = replace(
        LISTING.facts,
        id=MarketId("0x" + "c5" * 32),
        up_token=TokenId(str(int(UP) + 10)),
        down_token=TokenId(str(int(DOWN) + 10)),
        start=start,
        end=Instant(start + SERIES.length),
    )
    return replace(LISTING, slug=expected_slugs(SERIES, now)[0], facts=facts)


def test_it_is_looked_up_again_at_once_and_not_at_the_next_poll(running: Running, trader: Trader) -> None:
    urls = running.urls
    place = Place(clob=urls.clob, market_ws=urls.market_ws, user_ws=urls.user_ws, gamma=urls.gamma, prices=urls.prices)
    running.faults.switch_on(Switch(fault=Fault.REQUEST_LATE, where=ASKED, delay=seconds(0.7), times=2))

    @in_loop
    async def play() -> None:
        async with connected(place, trader.wallet, seed=1) as far:
            inbox, now = Inbox(far.clock), far.clock.now()
            loaded = LedgerLoaded(at=now, next_order=OrderId(1), cash=Usd(0))
            far.attach(inbox, OrderNames({}), loaded, {SERIES})
            listing = listed_at(now)
            running.faults.switch_on(Switch(fault=Fault.TOKENS_MISSING, where=listing.slug, times=1))
            far.start_trader()
            await asyncio.sleep(0.4)
            await asyncio.to_thread(running.feed, listing)
            async for event in inbox:
                if isinstance(event, MarketListed):
                    assert event.market.slug == listing.slug
                    break
        assert running.faults.hits[Fault.TOKENS_MISSING] == 1
        assert running.faults.hits[Fault.REQUEST_LATE] == 2

    play()
