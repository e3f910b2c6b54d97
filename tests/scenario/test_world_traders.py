"""Traders come and go in front of a world that lives on: whose mail is whose, and how it ends."""

from polystra.app.world import GRACE, TRADER
from polystra.core import commands as cm
from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core.ids import OrderId, VenueOrderId
from polystra.core.markets import Market
from polystra.core.strategy import ExitPolicy
from polystra.core.terms import Outcome, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, seconds, shares, usd
from polystra.edge.store.journal import digest, read_journal
from polystra.edge.tapes.format import TapeFile
from polystra.sim.latency import Delays, fixed
from tests.truth import START, Stage, after, as_listed, book, scripted, steady, tape_file, window, wish
from tests.world_cases import Client, of

QUIET = "0.50x500", "0.52x500"
SLOW = Delays(submit=fixed(seconds(1)), answer=fixed(seconds(1)), user=fixed(seconds(1)), market=fixed(seconds(1)))


def quiet(market: Market) -> TapeFile:
    return tape_file(market, steady(market, *QUIET))


def accounts(client: Client) -> list[str]:
    """The kinds of what came about orders and account."""
    public = ev.MarketListed | ev.BookSnapshot | ev.BookChanged | ev.TradePrinted
    return [type(event).__name__ for event in client.heard if not isinstance(event, public)]


# --- a second trader


def test_a_second_trader_is_told_the_markets_and_none_of_the_firsts_mail(exchange_truth: Stage) -> None:
    """An answer, a stage of a trade, a reading and the book stream are all on their way when the first one dies."""
    market = window()
    world = exchange_truth.world([quiet(market)], exchange_truth.rules(delays=SLOW))
    first = Client(world)
    first.until(1)
    first.follow(market)
    first.until(10)
    first.place(market, Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    first.until(11.2)  # it has traded; neither answer nor update has arrived
    first.place(market, Side.BUY, "0.50", "25")
    first.tell(cm.TakeSnapshot())
    first.tell(cm.QueryOrder(order=OrderId(1)))
    first.tell(cm.LoadHistory(market=market.id))
    world.start_trader()
    first.until(11.5)
    assert accounts(first) == []
    second = Client(world, first=100)
    second.until(60)
    listed = ev.MarketListed(at=after(16.5), market=as_listed(market))
    own = [event for event in second.heard if not isinstance(event, ev.OutsideFilled)]
    assert own == [listed], "connected after a second, and two questions of two seconds"
    stages = [event.stage for event in second.heard if isinstance(event, ev.OutsideFilled)]
    assert stages[-1] is TradeStage.CONFIRMED, "what a stranger's order traded, as far as its stream tells of it"
    assert [order.id for order in world.truth().orders] == [first.names.theirs(OrderId(2))], "what left has arrived"


def test_a_cancel_of_a_trader_that_died_is_done_and_its_answer_is_lost(exchange_truth: Stage) -> None:
    market = window()
    world = exchange_truth.world([quiet(market)], exchange_truth.rules(delays=SLOW))
    first = Client(world)
    first.until(10)
    order = first.place(market, Side.BUY, "0.50", "25")
    first.until(15)
    first.tell(cm.CancelOrder(order=order))
    first.until(15.5)
    theirs = first.names.theirs(order)
    assert theirs is not None
    second = Client(world, first=100, known={theirs: order})
    second.until(20)
    assert world.truth().orders == ()
    assert accounts(second) == [], "it was not yet connected when the stream told"
    second.tell(cm.TakeSnapshot())
    second.until(25)
    assert [taken.live for taken in second.of(ev.SnapshotTaken)] == [()]


def test_a_fill_after_the_first_trader_died_is_the_seconds_news_when_it_knows_the_order(exchange_truth: Stage) -> None:
    market = window()
    rows = steady(market, *QUIET, end=30) + steady(market, "0.44x500", "0.48x500", begin=30)
    world = exchange_truth.world([tape_file(market, rows)])
    first = Client(world)
    first.until(10)
    order = first.place(market, Side.BUY, "0.50", "25", post_only=True)
    first.until(15)
    theirs = first.names.theirs(order)
    assert theirs is not None
    second = Client(world, first=100, known={theirs: order})
    second.until(60)
    assert [(fill.order, fill.stage) for fill in second.of(ev.OrderFilled)] == [
        (order, "MATCHED"),
        (order, "MINED"),
        (order, "CONFIRMED"),
    ]


def test_a_second_trader_hears_a_book_only_once_it_follows_it_itself(exchange_truth: Stage) -> None:
    market = window()
    rows = [book(market, at, f"0.50x{at + 10}", "0.52x500") for at in range(-5, 200)]
    world = exchange_truth.world([tape_file(market, rows)])
    first = Client(world)
    first.until(0)
    first.follow(market)
    first.until(10)
    second = Client(world)
    second.until(20)
    assert second.of(ev.BookChanged) == []
    second.follow(market)
    second.until(30)
    kinds = [type(event) for event in second.heard if not isinstance(event, ev.MarketListed)]
    assert kinds[0] is ev.BookSnapshot
    assert set(kinds[1:]) == {ev.BookChanged}


def test_a_window_that_ended_while_nobody_traded_is_told_to_have_ended(exchange_truth: Stage) -> None:
    """The ledger knew both windows: they need not be found, and the first one's end is asked for at once."""
    markets = [window(0), window(1)]
    world = exchange_truth.world([quiet(market) for market in markets])
    Client(world).until(450)
    second = Client(world, markets=markets)
    second.until(451)
    *listed, resolved = second.heard
    assert listed == [ev.MarketListed(at=after(450), market=market) for market in markets]
    assert isinstance(resolved, ev.MarketResolved)
    assert (resolved.market, resolved.payout) == (markets[0].id, quiet(markets[0]).payout)
    assert after(450) < resolved.at < after(450.2)


def test_a_window_that_ended_before_the_trader_knew_it_is_not_told_at_all(exchange_truth: Stage) -> None:
    markets = [window(0), window(1)]
    world = exchange_truth.world([quiet(market) for market in markets])
    Client(world).until(450)
    second = Client(world)
    second.until(500)
    assert [event.market.id for event in second.of(ev.MarketListed)] == [markets[1].id]
    assert second.of(ev.MarketResolved) == []


# --- readings


def test_a_reading_is_trades_live_orders_and_balances_of_one_moment(exchange_truth: Stage) -> None:
    """Everything of ours comes before the reading that sums it up, and adds up to its balances."""
    market = window()
    world = exchange_truth.world([quiet(market)])
    client = Client(world)
    client.until(10)
    bought = client.place(market, Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    client.until(40)
    resting = client.place(market, Side.SELL, "0.60", "10")
    client.until(50)
    client.tell(cm.TakeSnapshot())
    told = client.until(51)
    *before, taken = [event for event in told if not isinstance(event, ev.BookChanged)]
    assert isinstance(taken, ev.SnapshotTaken)
    fills = of(before, ev.OrderFilled)
    assert [(fill.order, fill.shares, fill.stage) for fill in fills] == [(bought, shares(25), "CONFIRMED")]
    assert [(report.order, report.matched) for report in of(before, ev.OrderReported)] == [(resting, 0)]
    assert len(before) == 2
    assert taken.live == (resting,)
    assert taken.foreign == ()
    assert {(held.outcome, held.shares) for held in taken.settled} == {
        (Outcome.UP, shares(25)),
        (Outcome.DOWN, shares(0)),
    }
    assert taken.cash == world.truth().account(TRADER).cash == usd(1_000) - usd("0.52") * 25 - usd("0.43680")


def test_an_order_that_nobody_of_us_knows_is_foreign_in_a_reading(exchange_truth: Stage) -> None:
    market = window()
    world = exchange_truth.world([quiet(market)])
    first = Client(world)
    first.until(10)
    order = first.place(market, Side.BUY, "0.50", "25")
    first.until(15)
    second = Client(world)
    second.tell(cm.TakeSnapshot())
    second.until(16)
    (taken,) = second.of(ev.SnapshotTaken)
    assert taken.live == ()
    assert taken.foreign == (first.names.theirs(order),)
    assert second.of(ev.OrderReported) == []


def test_a_start_reads_every_trade_ever_made_and_later_readings_only_what_moved(exchange_truth: Stage) -> None:
    """The old trade is older than any reading reaches back; a trader that starts must still be told of it."""
    markets = [window(0), window(1), window(2)]
    world = exchange_truth.world([quiet(market) for market in markets])
    first = Client(world)
    first.until(10)
    order = first.place(markets[0], Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    first.until(700)
    first.tell(cm.TakeSnapshot())
    first.until(701)
    assert len(first.of(ev.OrderFilled)) == 3, "the three stages of the stream, and nothing from the reading"
    theirs = first.names.theirs(order)
    assert theirs is not None
    second = Client(world, first=100, known={theirs: order})
    world.start_trader()
    second.until(702)
    assert accounts(second)[-3:] == ["OrderFilled", "SnapshotTaken", "Started"]


def test_a_window_that_is_over_is_not_read_any_more(exchange_truth: Stage) -> None:
    """Its shares are redeemed in their own time, and are no drift."""
    markets = [window(0), window(1)]
    client = Client(exchange_truth.world([quiet(market) for market in markets]))
    client.until(10)
    client.place(markets[0], Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    client.until(450)
    client.tell(cm.TakeSnapshot())
    client.until(451)
    (taken,) = client.of(ev.SnapshotTaken)
    assert {held.market for held in taken.settled} == {markets[1].id}


def test_a_question_about_an_order_that_never_arrived_is_answered_not_found(exchange_truth: Stage) -> None:
    client = Client(exchange_truth.world([quiet(window())]))
    client.names.add(OrderId(77), VenueOrderId("0x77"))
    client.until(10)
    client.tell(cm.QueryOrder(order=OrderId(77)))
    client.tell(cm.QueryOrder(order=OrderId(78)))
    client.until(11)
    assert [event.order for event in client.of(ev.OrderNotFound)] == [77], "one without a name cannot be asked for"


def test_a_question_about_a_live_order_is_answered_with_what_it_matched(exchange_truth: Stage) -> None:
    """10 of 25 were on offer: the trade comes first, then the report that the order is live."""
    market = window()
    client = Client(exchange_truth.world([tape_file(market, steady(market, "0.50x500", "0.52x10 0.60x500"))]))
    client.until(10)
    order = client.place(market, Side.BUY, "0.52", "25")
    client.until(30)
    client.tell(cm.QueryOrder(order=order))
    told = [event for event in client.until(31) if not isinstance(event, ev.BookChanged)]
    assert [type(event) for event in told] == [ev.OrderFilled, ev.OrderReported]
    assert isinstance(told[1], ev.OrderReported)
    assert (told[1].order, told[1].matched) == (order, shares(10))


def test_a_question_about_a_filled_order_tells_its_trades_and_that_it_is_not_live(exchange_truth: Stage) -> None:
    market = window()
    client = Client(exchange_truth.world([quiet(market)]))
    client.until(10)
    order = client.place(market, Side.BUY, "0.52", "25", time_in_force=TimeInForce.FAK)
    client.until(30)
    client.tell(cm.QueryOrder(order=order))
    told = client.until(31)
    assert [type(event) for event in told] == [ev.OrderFilled, ev.OrderNotFound]


def test_a_cancel_of_an_order_without_a_name_leaves_nothing(exchange_truth: Stage) -> None:
    """It was never signed, so the venue cannot know it."""
    client = Client(exchange_truth.world([quiet(window())]))
    client.until(10)
    client.tell(cm.CancelOrder(order=OrderId(5)))
    assert client.until(20) == []


def test_cancelling_everything_takes_every_order_of_the_account(exchange_truth: Stage) -> None:
    market = window()
    world = exchange_truth.world([quiet(market)])
    client = Client(world)
    client.until(10)
    orders = {client.place(market, Side.BUY, at, "25") for at in ("0.50", "0.49")}
    client.until(20)
    client.tell(cm.CancelAll())
    client.until(21)
    assert {event.order for event in client.of(ev.OrderCancelled)} == orders
    assert world.truth().orders == ()


def test_an_order_that_says_when_it_ends_is_expired_a_minute_before(exchange_truth: Stage) -> None:
    market = window()
    client = Client(exchange_truth.world([quiet(market)]))
    client.until(10)
    stated = after(210)
    order = client.place(market, Side.BUY, "0.50", "25", time_in_force=TimeInForce.GTD, expires_at=stated)
    client.until(200)
    (expired,) = client.of(ev.OrderExpired)
    assert expired.order == order
    assert stated - seconds(60) <= expired.at <= stated - seconds(59)


def test_the_history_is_the_middle_of_the_book_at_each_whole_minute(exchange_truth: Stage) -> None:
    market = window()
    rows = steady(market, "0.50x500", "0.52x500", end=90) + steady(market, "0.60x500", "0.64x500", begin=90)
    client = Client(exchange_truth.world([tape_file(market, rows)], exchange_truth.rules(instant=True)))
    client.until(125)
    client.tell(cm.LoadHistory(market=market.id))
    client.until(126)
    (known,) = client.of(ev.HistoryLoaded)
    mids = [((one.minute - START) // 10**9, one.mid) for one in known.own_prices]
    assert mids == [(0, 510_000), (60, 510_000), (120, 620_000)]


# --- the end of the world


def test_the_world_ends_when_all_windows_are_over_and_doubts_had_their_time(exchange_truth: Stage) -> None:
    """A client that always looks for the next window does so until the grace is over, and no longer."""
    market = window()
    world = exchange_truth.world([quiet(market)])
    client = Client(world)
    closed = Instant(market.end + seconds(54))
    assert isinstance(client.to_the_end()[-1], ev.MarketResolved)
    stood = world.clock.now()
    assert closed + GRACE - seconds(30) < stood <= closed + GRACE
    client.until((closed - START) / 1e9 + 2 * GRACE / 1e9)
    assert world.clock.now() == stood, "time does not go on behind the end"


def test_a_world_without_recordings_is_over_at_once(exchange_truth: Stage) -> None:
    client = Client(exchange_truth.world([]))
    assert client.to_the_end() == []


def test_rows_after_the_window_was_closed_change_nothing(exchange_truth: Stage) -> None:
    market = window()
    tape = tape_file(market, steady(market, *QUIET, end=600))
    client = Client(exchange_truth.world([tape]))
    client.until(0)
    client.follow(market)
    client.to_the_end()
    assert isinstance(client.heard[-1], ev.MarketResolved)


def test_the_log_ends_with_the_truth_of_the_exchange(exchange_truth: Stage) -> None:
    world = exchange_truth.world([quiet(window())])
    Client(world).to_the_end()
    assert world.end() == world.truth()
    assert world.opening_cash == usd(1_000)


# --- chance


def journal_of(stage: Stage, name: str, seed: int) -> tuple[str, int]:
    """A whole run in a folder of its own: the digest of its journal, and how many records it has."""
    folder = stage.folder / name
    folder.mkdir()
    below = Stage(folder)
    market = window()
    rows = [book(market, at, f"0.50x{40 + at % 7}", f"0.52x{30 + at % 5}") for at in range(-5, 300)]
    exits = ExitPolicy(target=550_000)  # type: ignore[arg-type]
    run = below.play(
        [tape_file(market, rows)],
        scripted({10: wish(Outcome.UP, "0.52"), 60: wish(Outcome.DOWN, "0.50")}, exits),
        rules=below.rules(seed=seed),
    )
    run.agree()
    assert run.notes(nt.FillBooked)
    (path,) = folder.glob("journal-*.plj")
    with read_journal(path) as reading:
        return digest(path), sum(1 for _ in reading)


def test_the_same_seed_writes_the_same_journal_and_another_seed_another(exchange_truth: Stage) -> None:
    first = journal_of(exchange_truth, "first", 1)
    assert first[1] > 300
    assert journal_of(exchange_truth, "again", 1) == first
    assert journal_of(exchange_truth, "other", 2) != first
