"""What a trader's client does towards the venue by itself, to the second: every way takes one.

A question is answered two seconds after it was asked, and what a stream tells comes a second late. The recordings begin
five seconds before the first window; one second later both streams are open, and two seconds later they are heard.
"""

import asyncio

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core.markets import Market, Payout, Series
from polystra.core.terms import Side, TimeInForce
from polystra.core.units import Tick, Usd, price, seconds, shares
from polystra.edge.tapes.format import TapeFile
from polystra.sim.latency import Delays, fixed
from tests.truth import SERIES, Observed, Stage, after, book, steady, tape_file, window
from tests.world_cases import Client, of

SECOND = Delays(submit=fixed(seconds(1)), answer=fixed(seconds(1)), user=fixed(seconds(1)), market=fixed(seconds(1)))
QUIET = "0.50x500", "0.52x500"


def quiet(market: Market, payout_up: str | None = "1") -> TapeFile:
    return tape_file(market, steady(market, *QUIET), payout_up)


def slow(stage: Stage, *files: TapeFile) -> Observed:
    return stage.world(files, stage.rules(delays=SECOND))


def told(client: Client, kind: type[ev.AnyEvent]) -> list[int]:
    """The seconds of the first window at which something of a kind was told."""
    return [(event.at - after(0)) // 10**9 for event in client.of(kind)]


# --- the markets


def test_a_window_that_is_there_at_the_start_is_found_by_its_name(exchange_truth: Stage) -> None:
    """Connected at -4; the catalogue answers at -2, the CLOB at 0."""
    client = Client(slow(exchange_truth, quiet(window())))
    client.until(100)
    assert told(client, ev.MarketListed) == [0]


def test_a_window_that_is_announced_is_looked_up_although_it_was_asked_for_in_vain_before(
    exchange_truth: Stage,
) -> None:
    """From second 0 on the second window is the next one, so it is asked for every 30 s; it comes at 239."""
    first, second = window(0), window(1)
    rows = [book(second, at, "0.40x100", "0.42x100") for at in range(-61, 100)]
    client = Client(slow(exchange_truth, quiet(first), tape_file(second, rows)))
    client.until(290)
    assert [event.market.id for event in client.of(ev.MarketListed)] == [first.id, second.id]
    assert told(client, ev.MarketListed) == [0, 244], "announced at 240, and two questions"


def test_a_window_that_nobody_announced_is_found_at_the_next_whole_half_minute(exchange_truth: Stage) -> None:
    """The second trader comes while the second window is listed already and not yet expected."""
    first, second = window(0), window(1)
    rows = [book(second, at, "0.40x100", "0.42x100") for at in range(-310, 100)]
    world = slow(exchange_truth, tape_file(second, rows))
    assert world.clock.now() == after(-10)
    client = Client(world)
    client.until(100)
    assert first.start == after(0)
    assert told(client, ev.MarketListed) == [4], "the next window from second 0 on, and two questions"


def test_a_window_of_a_series_that_is_not_traded_is_not_looked_at(exchange_truth: Stage) -> None:
    bitcoin, ether = window(0), window(1, series=Series("ETH", SERIES.length), slug="eth-updown-5m-1790586300")
    client = Client(slow(exchange_truth, quiet(bitcoin), quiet(ether)))
    client.until(400)
    assert [event.market.id for event in client.of(ev.MarketListed)] == [bitcoin.id]


def test_a_market_is_told_on_the_grid_that_it_has_when_it_is_found(exchange_truth: Stage) -> None:
    market, fine = window(), Tick(price("0.001"))
    rows = steady(market, *QUIET, end=60)
    rows += [ev.TickSizeChanged(at=after(20), market=market.id, tick=fine)]
    world = slow(exchange_truth, tape_file(market, rows))
    Client(world).until(30)
    late = Client(world)
    late.until(50)
    assert [event.market.tick for event in late.of(ev.MarketListed)] == [fine]
    late.follow(market)
    late.until(55)
    assert late.of(ev.TickSizeChanged) == []


def test_a_book_says_that_the_grid_is_finer_than_a_ledger_remembers(exchange_truth: Stage) -> None:
    market, fine = window(), Tick(price("0.001"))
    rows = steady(market, *QUIET, end=60)
    rows += [ev.TickSizeChanged(at=after(20), market=market.id, tick=fine)]
    world = slow(exchange_truth, tape_file(market, rows))
    Client(world).until(30)
    late = Client(world, markets=[market])
    late.follow(market)
    late.until(50)
    assert [type(event) for event in late.heard[:3]] == [ev.MarketListed, ev.TickSizeChanged, ev.BookSnapshot]
    assert [event.tick for event in late.of(ev.TickSizeChanged)] == [fine], "once, however often it is said"


# --- how they end


def test_a_resolution_is_told_once_to_who_follows(exchange_truth: Stage) -> None:
    """The stream tells it at 355, so nobody asks at 360."""
    market = window()
    client = Client(slow(exchange_truth, quiet(market)))
    client.until(5)
    client.follow(market)
    client.to_the_end()
    assert told(client, ev.MarketResolved) == [355]
    assert client.of(ev.MarketClosed) == [], "no stream tells of a mere close"


def test_a_resolution_is_asked_for_a_minute_after_the_end_by_who_does_not_follow(exchange_truth: Stage) -> None:
    client = Client(slow(exchange_truth, quiet(window())))
    client.to_the_end()
    assert told(client, ev.MarketResolved) == [362]


def test_nobody_asks_earlier_than_a_minute_after_the_end(exchange_truth: Stage) -> None:
    """It pays five seconds after the end, of which only the stream tells, and nobody follows."""
    rules = exchange_truth.rules(delays=SECOND, resolve_after=seconds(5))
    client = Client(exchange_truth.world([quiet(window())], rules))
    client.to_the_end()
    assert told(client, ev.MarketResolved) == [362]


def test_a_void_market_has_no_winner_to_tell_so_its_payout_is_asked_for(exchange_truth: Stage) -> None:
    market = window()
    client = Client(slow(exchange_truth, quiet(market, "0.5")))
    client.until(5)
    client.follow(market)
    client.to_the_end()
    assert told(client, ev.MarketResolved) == [362]
    assert client.of(ev.MarketResolved)[0].payout == Payout(Usd(500_000))


def test_a_market_that_never_resolves_is_told_to_be_closed_once(exchange_truth: Stage) -> None:
    client = Client(slow(exchange_truth, quiet(window(), None)))
    client.to_the_end()
    assert told(client, ev.MarketClosed) == [362]
    assert client.of(ev.MarketResolved) == []


def test_a_market_that_resolves_late_is_told_to_be_closed_and_then_what_it_pays(exchange_truth: Stage) -> None:
    """It is asked for at 360, 390 and 420; resolved between the last two."""
    market = window()
    world = slow(exchange_truth, quiet(market, None))
    client = Client(world)
    client.until(400)
    assert told(client, ev.MarketClosed) == [362]
    world.resolve(market, Usd(0))
    client.until(450)
    assert told(client, ev.MarketResolved) == [422]


# --- the streams


def test_the_whole_book_comes_again_after_a_trade(exchange_truth: Stage) -> None:
    market = window()
    client = Client(exchange_truth.world([quiet(market)], exchange_truth.rules(instant=True)))
    client.until(5)
    client.follow(market)
    client.until(10.5)
    client.place(market, Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    heard = client.until(10.9)
    public = [event for event in heard if isinstance(event, ev.TradePrinted | ev.BookChanged | ev.BookSnapshot)]
    assert {type(event) for event in public[:-1]} == {ev.TradePrinted, ev.BookChanged}
    again = public[-1]
    assert isinstance(again, ev.BookSnapshot)
    assert again.asks[0] == (price("0.52"), shares(475))
    assert {event.at for event in public} == {again.at}
    assert again.venue_at == again.at // 10**6 * 10**6


def test_what_is_on_its_way_of_a_market_that_is_not_followed_any_more_is_dropped(exchange_truth: Stage) -> None:
    """The book changes every second; what left at 20 and 21 arrives, and is not passed on."""
    market = window()
    rows = [book(market, at, f"0.50x{at + 10}", "0.52x100") for at in range(-5, 100)]
    client = Client(slow(exchange_truth, tape_file(market, rows)))
    client.until(5)
    client.follow(market)
    client.until(20.5)
    before = len(client.heard)
    client.tell(cm.Unfollow(market=market.id))
    client.until(60)
    assert before > 10
    assert len(client.heard) == before


def test_a_trader_that_dies_takes_its_subscriptions_along(exchange_truth: Stage) -> None:
    market = window()
    world = slow(exchange_truth, quiet(market))
    first = Client(world)
    first.until(5)
    first.follow(market)
    first.until(10)
    second = Client(world, markets=[market])
    second.until(60)
    assert second.of(ev.BookSnapshot) == []
    second.follow(market)
    second.until(70)
    assert told(second, ev.BookSnapshot)[0] == 62


# --- the account


def test_a_start_is_one_reading_and_everything_of_it_comes_at_once(exchange_truth: Stage) -> None:
    """Connected at -4, answered at -2."""
    world = slow(exchange_truth, quiet(window()))
    client = Client(world)
    world.start_trader()
    client.until(-1)
    assert [(type(event), (event.at - after(0)) // 10**9) for event in client.heard] == [
        (ev.SnapshotTaken, -2),
        (ev.Started, -2),
    ]
    assert client.of(ev.SnapshotTaken)[0].settled == (), "no market was told yet"


def test_a_reading_tells_fills_from_the_oldest_on_and_then_what_rests(exchange_truth: Stage) -> None:
    market = window()
    client = Client(slow(exchange_truth, quiet(market)))
    client.until(10)
    for _ in range(3):
        client.place(market, Side.BUY, "0.52", "10", time_in_force=TimeInForce.FAK)
        client.until((client.world.clock.now() - after(0)) / 1e9 + 10)
    resting = client.place(market, Side.BUY, "0.50", "10")
    client.until(60)
    client.tell(cm.TakeSnapshot())
    heard = client.until(70)
    assert [fill.order for fill in of(heard, ev.OrderFilled)] == [1, 2, 3]
    assert [type(event) for event in heard[3:]] == [ev.OrderReported, ev.SnapshotTaken]
    assert of(heard, ev.SnapshotTaken)[0].live == (resting,)


def test_moments_of_fills_are_whole_seconds_as_the_venue_tells_them(exchange_truth: Stage) -> None:
    market = window()
    world = exchange_truth.world([quiet(market)])
    client = Client(world)
    client.until(10)
    client.place(market, Side.BUY, "0.52", "10", time_in_force=TimeInForce.FAK)
    client.until(40)
    client.tell(cm.TakeSnapshot())
    client.until(41)
    (trade,) = world.truth().trades
    assert trade.matched_at % 10**9
    assert {fill.traded_at for fill in client.of(ev.OrderFilled)} == {trade.matched_at // 10**9 * 10**9}


def test_a_trader_that_is_stopped_takes_back_all_that_rests_and_hears_of_it(exchange_truth: Stage) -> None:
    market = window()
    world = slow(exchange_truth, quiet(market))
    client = Client(world)
    client.until(10)
    order = client.place(market, Side.BUY, "0.50", "10")
    client.until(20)

    async def stop() -> None:
        assert await world.cancel_everything() is None
        assert world.truth().orders == ()
        lingering = asyncio.create_task(world.linger())
        client.inbox.wake_at(after(30))
        async for event in client.inbox:
            client.heard.append(event)
            if lingering.done():
                break

    asyncio.run(stop())
    assert [event.order for event in client.of(ev.OrderCancelled)] == [order]


# --- one wallet


def test_orders_are_signed_and_another_seed_gives_other_hashes(exchange_truth: Stage) -> None:
    def name(seed: int) -> str | None:
        market = window()
        client = Client(exchange_truth.world([quiet(market)], exchange_truth.rules(seed=seed)))
        client.until(10)
        return client.names.theirs(client.place(market, Side.BUY, "0.50", "10"))

    assert name(1) == name(1)
    assert name(1) != name(2)
