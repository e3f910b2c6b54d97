"""The engine's own duties: asleep until Started, one gate, one thing said once, the same events the same steps."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core import restored as rs
from polystra.core.claims import ClaimStage
from polystra.core.engine import Engine
from polystra.core.errors import ContradictoryFacts
from polystra.core.events import AnyEvent, TradingState
from polystra.core.ids import MarketId, MergeId, OrderId, TokenId, TradeId, VenueOrderId
from polystra.core.knowledge import Knowledge
from polystra.core.markets import PriceSource, Series
from polystra.core.reasons import CancelReason, RefusalReason
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import Needs
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import Instant, Tick, price, seconds, shares, usd
from tests.core_cases import (
    ON_LEVELS,
    RULES,
    UP_WON,
    Asked,
    Bench,
    Counting,
    Wanting,
    another,
    line,
    moment,
    wish,
)
from tests.unit.core.samples import NOON, WINDOW, terms

SRC = Path(__file__).parents[3] / "src" / "polystra"
GHOST, NOBODY = MarketId("0xghost"), OrderId(999)
CANDLE = ev.Candle(opened_at=NOON, length=seconds(60), open=1, high=2, low=1, close=2, volume=3)


def every_event(at: Instant, market: MarketId, order: OrderId) -> list[AnyEvent]:
    """One of each kind, about this market and this order."""
    return [
        ev.LedgerLoaded(at=at, next_order=OrderId(1), cash=usd(1_000)),
        ev.MarketListed(at=at, market=WINDOW),
        ev.BookSnapshot(at=at, market=market, bids=((price("0.52"), shares(9)),), asks=((price("0.54"), shares(9)),)),
        ev.BookChanged(at=at, market=market, changes=(ev.LevelChange(Side.BUY, price("0.53"), shares(9)),)),
        ev.BestQuoted(at=at, market=market, bid=price("0.52"), ask=price("0.54")),
        ev.TradePrinted(at=at, market=market, price=price("0.54"), size=shares(1)),
        ev.TickSizeChanged(at=at, market=market, tick=Tick(price("0.001"))),
        ev.PricePrinted(at=at, asset="BTC", source=PriceSource.CHAINLINK_TWAP_60, value=1, stamped_at=at),
        ev.CandleClosed(at=at, asset="BTC", source=PriceSource.BINANCE_CANDLE, candle=CANDLE),
        ev.HistoryLoaded(at=at, market=market),
        ev.HistoryFailed(at=at, market=market, why="down"),
        ev.OrderAccepted(at=at, order=order, rests=True),
        ev.OrderRefused(at=at, order=order, reason=RefusalReason.OTHER, text="no"),
        ev.OrderOutcomeUnknown(at=at, order=order, why="timeout"),
        ev.OrderNotSent(at=at, order=order, why="disk full"),
        ev.OrderFilled(
            at=at,
            order=order,
            trade=TradeId("t"),
            price=price("0.5"),
            shares=shares(1),
            liquidity=Liquidity.MAKER,
            stage=TradeStage.MINED,
        ),
        ev.OrderCancelled(at=at, order=order, reason=CancelReason.ASKED),
        ev.OrderExpired(at=at, order=order),
        ev.CancelRefused(at=at, order=order, text="not found"),
        ev.CancelOutcomeUnknown(at=at, order=order, why="timeout"),
        ev.OrderReported(at=at, order=order, matched=shares(0)),
        ev.OrderNotFound(at=at, order=order),
        ev.ScoringRead(at=at, order=order, scoring=True),
        ev.OutsideFilled(
            at=at,
            venue_order=VenueOrderId("0xhand"),
            market=market,
            outcome=Outcome.UP,
            side=Side.BUY,
            trade=TradeId("h"),
            price=price("0.5"),
            shares=shares(1),
            liquidity=Liquidity.TAKER,
            stage=TradeStage.MINED,
            traded_at=at,
        ),
        ev.SnapshotTaken(
            at=at, cash=usd(1_000), settled=(ev.HeldShares(market, Outcome.UP, shares(0)),), live=(order,)
        ),
        ev.SnapshotFailed(at=at, why="timeout"),
        ev.StreamLost(at=at, stream=ev.Stream.MARKET),
        ev.StreamLost(at=at, stream=ev.Stream.USER),
        ev.StreamLost(at=at, stream=ev.Stream.PRICES),
        ev.StreamRestored(at=at, stream=ev.Stream.MARKET),
        ev.StreamRestored(at=at, stream=ev.Stream.USER),
        ev.TradingStateSet(at=at, state=TradingState.ARMED, who="test", why="test"),
        ev.BookRead(at=at, market=market, bids=(), asks=(), venue_at=at),
        ev.ClockCompared(at=at, ahead=seconds(0)),
        ev.GeoblockRead(at=at, blocked=False, place="IE"),
        ev.ClaimReported(at=at, market=market, stage=ClaimStage.SENT, claim=usd(5)),
        ev.MergeReported(at=at, market=market, merge=MergeId(1), stage=ClaimStage.SENT, pairs=shares(5), stepped_at=at),
        ev.FeedTroubled(at=at, stream=ev.Stream.PRICES, what="subscription refused"),
        ev.NotificationsRead(at=at, notices=()),
        ev.MarketClosed(at=at, market=market),
        ev.MarketResolved(at=at, market=market, payout=UP_WON),
        ev.Woke(at=at),
    ]


def an_engine(strategy: Any = None) -> Engine:
    return Engine(RULES, {WINDOW.series: strategy or Wanting(wishes=(wish(),))}, StandAside())


# --- the vocabulary ----------------------------------------------------------------------------------------------


def test_every_event_is_learned_and_no_other() -> None:
    known = Knowledge(RULES, {}, StandAside())
    assert set(known.on) == set(get_args(AnyEvent))


def test_the_list_of_events_above_leaves_none_out() -> None:
    assert {type(event) for event in every_event(NOON, GHOST, NOBODY)} | {ev.Started} == set(get_args(AnyEvent))


@pytest.mark.parametrize("awake", [False, True])
def test_events_about_unknown_markets_and_orders_change_nothing(awake: bool) -> None:
    engine = Engine(RULES, {}, StandAside())
    if awake:
        engine.handle(ev.Started(at=NOON))
    for event in every_event(moment(1), GHOST, NOBODY):
        assert all(
            not type(command).__name__.startswith(("Place", "Cancel")) for command in engine.handle(event).commands
        )
    assert engine.next_wake is None


def test_a_drift_of_a_market_nobody_follows_is_not_looked_at() -> None:
    bench = Bench()
    bench.start(0)
    for at in (1, 40):
        ghosts = (ev.HeldShares(GHOST, Outcome.UP, shares(7)),)
        bench.hear(at, ev.SnapshotTaken, cash=usd(1_000), settled=ghosts, live=(NOBODY,))
    assert bench.told(nt.DriftFound) == []


# --- asleep ------------------------------------------------------------------------------------------------------


def test_asleep_no_event_leads_to_a_command() -> None:
    engine = an_engine()
    for round_ in range(2):
        for event in every_event(moment(60 + round_), WINDOW.id, OrderId(1)):
            assert engine.handle(event).commands == (), f"{type(event).__name__} while asleep"
            assert engine.next_wake is None


def test_started_is_the_moment_it_acts_on_all_it_learned() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.hear(60, ev.LedgerLoaded, next_order=OrderId(7), cash=usd(1_000), markets=(WINDOW,))
    bench.book(60)
    bench.reading(60, "1000")
    assert bench.log == []
    assert bench.hear(60, ev.Started) == ["follow", "place o7 entry BUY UP 10 @ 0.54 FAK"]


def test_started_without_a_reading_opens_nothing() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.hear(0, ev.LedgerLoaded, next_order=OrderId(1), cash=usd(1_000), markets=(WINDOW,))
    assert bench.hear(0, ev.Started) == ["follow"]
    assert bench.book(60) == []
    assert [note.value for note in bench.told(nt.EntryDenied)][-1] == "no reading of the venue yet"
    assert bench.reading(60.5, "1000") == ["place o1 entry BUY UP 10 @ 0.54 FAK"]


def test_an_order_the_first_reading_did_not_list_is_asked_about_once_awake() -> None:
    bench = Bench()
    stored = rs.RestoredOrder(order=OrderId(3), terms=terms("0.50", "6"), decided_at=NOON, ended=False)
    bench.hear(60, ev.LedgerLoaded, next_order=OrderId(4), cash=usd(1_000), markets=(WINDOW,), orders=(stored,))
    assert bench.reading(60, "1000") == []
    assert "query o3" in bench.hear(60, ev.Started)


# --- who makes approvals and exits -------------------------------------------------------------------------------


def _constructions(name: str) -> set[str]:
    """The files of `src` in which `name(...)` is called."""
    found = set()
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                if called == name:
                    found.add(str(path.relative_to(SRC)))
    return found


@pytest.mark.parametrize(("name", "home"), [("Approved", "core/risk.py"), ("ExitOrder", "core/exits.py")])
def test_what_may_be_sent_is_made_in_one_place(name: str, home: str) -> None:
    assert _constructions(name) == {home}


def test_the_search_for_constructions_finds_them() -> None:
    assert "core/engine.py" in _constructions("PlaceOrder")


# --- following ---------------------------------------------------------------------------------------------------


def test_a_market_is_followed_once_and_its_history_asked_for_once() -> None:
    bench = Bench(Counting(needs=Needs(own_prices=5, history=True)))
    assert bench.start(0) == ["follow", "load history"]
    assert bench.hear(1, ev.MarketListed, market=WINDOW) == []
    assert len(bench.told(nt.MarketFollowed)) == 1


def test_a_series_that_nobody_trades_is_not_followed() -> None:
    bench = Bench()
    bench.start(0, listed=False)
    assert bench.hear(0, ev.MarketListed, market=replace(WINDOW, series=Series("ETH", seconds(900)))) == []
    assert bench.known.desks == {}


def test_a_market_listed_with_other_tokens_is_a_contradiction() -> None:
    bench = Bench()
    bench.start(0)
    with pytest.raises(ContradictoryFacts, match="listed with other tokens"):
        bench.hear(1, ev.MarketListed, market=replace(WINDOW, up_token=TokenId("99")))


# --- what is said ------------------------------------------------------------------------------------------------


def test_a_decision_is_said_when_it_changes_and_not_each_time_it_is_made() -> None:
    bench = Bench(Wanting(wishes=(wish(),), wakes_on=ON_LEVELS))
    bench.start(0)
    for at in range(1, 10):
        bench.book(at, "0.30", "0.60")
    assert [note.action for note in bench.told(nt.EntryDecided)] == ["enter"]
    assert len(bench.told(nt.EntryDenied)) <= 2, "first no book, then a wide one"


def test_a_memory_is_kept_when_it_changes_and_can_be_read_back() -> None:
    bench = Bench(Counting())
    bench.start(0)
    kept = bench.told(nt.MemoryKept)
    assert [note.strategy for note in kept] == ["counting"]
    assert msgspec.msgpack.decode(kept[-1].value, type=Asked) == Asked(1)


def test_a_strategy_without_memory_keeps_none() -> None:
    bench = Bench(Wanting())
    bench.start(0)
    assert bench.told(nt.MemoryKept) == []


def test_two_engines_told_the_same_say_the_same() -> None:
    one, other = an_engine(), an_engine()
    for event in every_event(moment(60), WINDOW.id, OrderId(1)):
        assert one.handle(event) == other.handle(event)


def test_a_foreign_order_is_said_once_and_left_alone() -> None:
    bench = Bench()
    bench.start(0)
    for at in (1, 61, 121):
        assert bench.reading(at, "1000", foreign=(VenueOrderId("0xabc"),)) == []
    assert len(bench.told(nt.ForeignOrderSeen)) == 1


def test_two_markets_trade_side_by_side() -> None:
    bench = Bench(Wanting(wishes=(wish(),)))
    bench.start(0)
    bench.hear(0, ev.MarketListed, market=another("0x02"))
    bench.book(1)
    other = ev.BookSnapshot(
        at=moment(2), market=MarketId("0x02"), bids=((price("0.52"), shares(9)),), asks=((price("0.54"), shares(9)),)
    )
    said = [line(command) for command in bench.engine.handle(other).commands]
    assert said == ["place o2 entry BUY UP 9 @ 0.54 FAK"]
    bench.hear(3, ev.CandleClosed, asset="BTC", source=PriceSource.BINANCE_CANDLE, candle=CANDLE)
    assert bench.known.account.reserved > usd("10.26")
