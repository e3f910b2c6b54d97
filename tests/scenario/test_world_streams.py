"""The venue as a trader hears it: streams in order, signs of life of a quiet book, overlapping recordings."""

import pytest

from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.terms import Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Tick, price, seconds, shares
from polystra.sim.latency import Delays, Span, fixed
from tests.truth import START, Stage, after, book, levels, printed, scripted, steady, tape_file, window, wish
from tests.world_cases import Client, of

WILD = Span(seconds(0.01), seconds(5))
"""Later than the next four rows."""


def wild() -> Delays:
    return Delays(submit=fixed(seconds(0.05)), answer=WILD, user=WILD, market=WILD)


def test_a_late_market_stream_keeps_its_order(exchange_truth: Stage) -> None:
    """Each row is up to five seconds late and the next may be quick: on one connection it still comes after."""
    market = window()
    rows = [book(market, second, f"0.50x{second + 10}", "0.52x100") for second in range(-5, 200)]
    client = Client(exchange_truth.world([tape_file(market, rows)], exchange_truth.rules(delays=wild())))
    client.until(20)
    client.follow(market)
    client.until(160)
    sizes = [change.size for event in client.of(ev.BookChanged) for change in event.changes]
    assert len(sizes) > 100
    assert sizes == sorted(sizes)
    (first,) = client.of(ev.BookSnapshot)
    assert first.bids[0][1] < sizes[0]
    stamps = [event.at for event in client.heard]
    assert stamps == sorted(stamps)


def test_a_late_user_stream_tells_the_stages_of_a_trade_in_their_order(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, "0.50x500", "0.52x500"))
    client = Client(exchange_truth.world([tape], exchange_truth.rules(delays=wild())))
    client.until(5)
    for _ in range(5):
        client.place(market, Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    client.until(100)
    fills = client.of(ev.OrderFilled)
    for order in range(1, 6):
        stages = [fill.stage for fill in fills if fill.order == order]
        assert stages == [TradeStage.MATCHED, TradeStage.MINED, TradeStage.CONFIRMED]


def test_a_row_that_says_nothing_new_proves_that_the_stream_is_alive(exchange_truth: Stage) -> None:
    market = window()
    client = Client(exchange_truth.world([tape_file(market, steady(market, "0.50x500", "0.52x500"))]))
    client.until(0)
    client.follow(market)
    client.until(60)
    books = client.of(ev.BookSnapshot)
    assert len(books) > 50
    assert {(event.bids, event.asks) for event in books} == {(levels("0.50x500"), levels("0.52x500"))}
    assert client.of(ev.BookChanged) == []


def test_a_market_that_nobody_follows_is_silent(exchange_truth: Stage) -> None:
    market = window()
    rows = [book(market, second, f"0.50x{second + 10}", "0.52x100") for second in range(-5, 100)]
    client = Client(exchange_truth.world([tape_file(market, [*rows, printed(market, 20, "0.52", "5")])]))
    assert [type(event) for event in client.until(50)] == [ev.MarketListed]
    client.follow(market)
    client.until(60)
    client.tell(cm.Unfollow(market=market.id))
    heard = len(client.of(ev.BookChanged))
    assert heard > 5
    client.until(61)
    last = len(client.heard)
    client.until(90)
    assert len(client.heard) == last


def test_recordings_that_overlap_are_played_side_by_side_in_the_order_of_time(exchange_truth: Stage) -> None:
    """The second window's book is recorded from a minute before the first one ends."""
    first, second = window(0), window(1)
    rows = [book(first, at, f"0.50x{at + 10}", "0.52x100") for at in range(-6, 330, 2)]
    later = [book(second, at, f"0.40x{at + 110}", "0.42x100") for at in range(-61, 100, 2)]
    files = [tape_file(second, later), tape_file(first, rows)]
    client = Client(exchange_truth.world(files, exchange_truth.rules(instant=True)))
    client.until(0)
    client.follow(first)
    client.until(235)
    (opened,) = [event for event in client.heard if isinstance(event, ev.MarketListed) and event.market.id == first.id]
    assert opened.at == START - seconds(6)
    client.until(241)
    (listed,) = [event for event in client.heard if isinstance(event, ev.MarketListed) and event.market.id == second.id]
    assert listed.at == second.start - seconds(61)
    client.follow(second)
    client.until(300)
    told = [(event.market, (event.at - START) // 10**9) for event in client.of(ev.BookChanged) if event.changes]
    here = [pair for pair in told if 241 <= pair[1] < 300]
    turns = [second.id if at % 2 else first.id for at in range(241, 300)]
    assert here == [(name, at) for name, at in zip(turns, range(241, 300), strict=True)]


def test_a_recording_of_best_prices_alone_is_looked_at_and_never_traded(exchange_truth: Stage) -> None:
    market = window()
    rows = [
        ev.BestQuoted(at=after(at), market=market.id, bid=price("0.50"), ask=price("0.52")) for at in range(-5, 300)
    ]
    client = Client(exchange_truth.world([tape_file(market, rows)]))
    client.to_the_end()
    assert len(client.of(ev.BestQuoted)) == 305
    run = exchange_truth.play([tape_file(market, rows)], scripted({10: wish(Outcome.UP, "0.60")}))
    run.agree()
    assert run.placed(Side.BUY) == []
    assert run.truth.trades == ()
    assert run.cash == 1_000_000_000
    denied = {(note.limit, note.value) for note in run.notes(nt.EntryDenied)}
    assert ("book", "sizes unknown") in denied


def test_a_printed_trade_serves_our_resting_order_when_it_has_eaten_what_was_ahead(exchange_truth: Stage) -> None:
    """40 stood there before us. A trade of 30 is all theirs; one of 15 eats the last 10 of them and 5 of ours."""
    market = window()
    rows = steady(market, "0.50x40", "0.52x500")
    rows += [printed(market, 20.5, "0.50", "30", Side.SELL), printed(market, 30.5, "0.50", "15", Side.SELL)]
    client = Client(exchange_truth.world([tape_file(market, rows)], exchange_truth.rules(instant=True)))
    client.until(10)
    order = client.place(market, Side.BUY, "0.50", "20", post_only=True)
    client.until(15)
    assert of(client.heard, ev.OrderAccepted) == [ev.OrderAccepted(at=after(10), order=order, rests=True)]
    client.until(25)
    assert client.of(ev.OrderFilled) == []
    client.until(31)
    (fill,) = client.of(ev.OrderFilled)
    assert (fill.price, fill.shares, fill.liquidity) == (price("0.50"), shares(5), "maker")


@pytest.mark.spec("L3.A3", "S20.A2")
def test_a_tick_that_gets_finer_in_the_middle_of_a_window_does_not_stop_trading(exchange_truth: Stage) -> None:
    """From 0.01 to 0.001 at second 60: the next entry is accepted at a price that the old grid did not have."""
    market = window()
    rows = steady(market, "0.50x500", "0.52x200", end=60)
    rows += [ev.TickSizeChanged(at=after(60), market=market.id, tick=Tick(price("0.001")))]
    rows += steady(market, "0.503x500", "0.517x200", begin=61)
    run = exchange_truth.play([tape_file(market, rows)], scripted({100: wish(Outcome.UP, "0.517")}))
    run.agree()
    ((at, terms),) = run.placed(Side.BUY)
    assert terms.price == price("0.517")
    assert after(100) <= at <= after(101)
    (trade,) = run.truth.trades
    assert trade.taker.price == price("0.517")


def test_a_recording_that_states_its_tick_again_is_played_on(exchange_truth: Stage) -> None:
    """The index of a recording may know the finer tick before the message of it, and an old grid is in a finer one."""
    market = window()
    rows = steady(market, "0.50x500", "0.52x200", end=20)
    for at, tick in ((20, "0.01"), (21, "0.001"), (22, "0.001"), (23, "0.01")):
        rows += [ev.TickSizeChanged(at=after(at), market=market.id, tick=Tick(price(tick)))]
    client = Client(exchange_truth.world([tape_file(market, rows)]))
    client.until(0)
    client.follow(market)
    client.until(30)
    assert [event.tick for event in client.of(ev.TickSizeChanged)] == [Tick(price("0.001"))]
