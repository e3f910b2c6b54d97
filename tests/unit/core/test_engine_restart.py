"""A start is a recovery: what the ledger remembers, what the venue shows, and what is done once awake."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from polystra.core import events as ev
from polystra.core import notes as nt
from polystra.core import restored as rs
from polystra.core.errors import ContradictoryFacts
from polystra.core.events import TradingState
from polystra.core.ids import MarketId, OrderId, TradeId
from polystra.core.markets import Series
from polystra.core.strategies.stand_aside import StandAside
from polystra.core.strategy import BreakEvenPolicy, ExitPolicy
from polystra.core.terms import Liquidity, OrderTerms, Outcome, TradeStage
from polystra.core.units import price, seconds, shares, usd
from tests.core_cases import AT_ONCE, MATCHED, MINED, Asked, Bench, Counting, Wanting, moment, wish, with_exits
from tests.unit.core.samples import NOON, WINDOW, selling, taking, terms

BOUGHT = taking("0.54", "10")
TARGET = selling("0.99", "10")


def stored(order: int, wanted: OrderTerms, *, ended: bool = False, at: float = 60) -> rs.RestoredOrder:
    return rs.RestoredOrder(order=OrderId(order), terms=wanted, decided_at=moment(at), ended=ended)


def trade(order: int, each: str, size: str, stage: TradeStage = MINED, name: str = "t1") -> rs.RestoredFill:
    return rs.RestoredFill(
        order=OrderId(order),
        trade=TradeId(name),
        price=price(each),
        shares=shares(size),
        liquidity=Liquidity.TAKER,
        stage=stage,
        filled_at=moment(60),
    )


def restarted(strategy: Any = None, at: float = 100, cash: str = "994.42612", **ledger: Any) -> Bench:
    """Asleep, with a ledger that knows of the bought shares o1 unless told otherwise."""
    bench = Bench(strategy or with_exits(AT_ONCE))
    known: dict[str, Any] = {
        "next_order": OrderId(9),
        "cash": usd(cash),
        "markets": (WINDOW,),
        "orders": (stored(1, BOUGHT, ended=True),),
        "fills": (trade(1, "0.54", "10"),),
    }
    assert bench.hear(at, ev.LedgerLoaded, **(known | ledger)) == []
    return bench


def test_what_was_held_is_held_again_and_gets_its_exit() -> None:
    bench = restarted()
    bench.reading(100, "994.42612", "10")
    assert bench.hear(100, ev.Started) == ["follow", "place o9 target SELL UP 10 @ 0.99 GTC"]
    assert bench.state(1) == "FILLED", "whole, whatever the ledger called its end"
    assert bench.notes[0] != nt.MarketFollowed(market=WINDOW), "nothing new: the ledger knows it"


def test_an_unended_target_is_unknown_asked_about_and_not_placed_again() -> None:
    bench = restarted(orders=(stored(1, BOUGHT, ended=True), stored(2, TARGET)))
    bench.reading(100, "994.42612", "10", live=(2,))
    assert bench.hear(100, ev.Started) == ["follow", "query o2"]
    assert bench.hear(100.2, ev.OrderReported, order=OrderId(2), matched=shares(0)) == []
    assert bench.pass_to(200) == []


def test_a_target_reported_by_the_reading_is_working_before_the_start() -> None:
    bench = restarted(orders=(stored(1, BOUGHT, ended=True), stored(2, TARGET)))
    bench.hear(100, ev.OrderReported, order=OrderId(2), matched=shares(0))
    bench.reading(100, "994.42612", "10", live=(2,))
    assert bench.hear(100, ev.Started) == ["follow"]


def test_an_intent_that_never_left_is_found_missing_and_given_up_after_the_patience() -> None:
    bench = restarted(orders=(stored(1, BOUGHT, ended=True), stored(2, TARGET, at=99)))
    bench.reading(100, "994.42612", "10")
    assert bench.hear(100, ev.Started) == ["follow", "query o2"]
    assert bench.hear(100.5, ev.OrderNotFound, order=OrderId(2)) == []
    assert {said for _, said in bench.pass_to(160)} == {"query o2"}
    bench.hear(160, ev.OrderNotFound, order=OrderId(2))
    assert bench.pass_to(161) == [(161, "place o9 target SELL UP 10 @ 0.99 GTC")]


def test_an_unknown_entry_keeps_its_cash_across_the_restart() -> None:
    bench = restarted(orders=(stored(1, BOUGHT),), fills=(), cash="1000")
    assert bench.known.account.reserved > usd("5.40")
    assert bench.state(1) == "UNKNOWN"


def test_a_fill_that_came_while_it_was_down_is_booked_by_the_reading() -> None:
    bench = restarted(orders=(stored(1, BOUGHT),), fills=(), cash="1000")
    bench.fill(100, 1, "0.54", "10", MINED)
    bench.reading(100, "994.42612", "10")
    assert bench.known.cash == usd("994.42612")
    assert bench.hear(100, ev.Started) == ["follow", "place o9 target SELL UP 10 @ 0.99 GTC"]


def test_a_fill_the_ledger_knows_is_not_booked_twice() -> None:
    bench = restarted()
    bench.fill(100, 1, "0.54", "10", MINED)
    assert (bench.known.cash, bench.desk.position.up.shares) == (usd("994.42612"), shares(10))
    assert bench.told(nt.FillBooked) == []


def test_a_fill_short_of_the_chain_is_not_sold() -> None:
    bench = restarted(fills=(trade(1, "0.54", "10", MATCHED),))
    bench.reading(100, "994.42612")
    assert bench.hear(100, ev.Started) == ["follow"]


def test_adjustments_are_remembered() -> None:
    bench = restarted(
        adjustments=(rs.RestoredAdjustment(market=WINDOW.id, outcome=Outcome.UP, shares=shares("-0.2"), at=moment(90)),)
    )
    bench.reading(100, "994.42612", "9.8")
    assert bench.hear(100, ev.Started) == ["follow", "place o9 target SELL UP 9.8 @ 0.99 GTC"]


def test_a_strategy_remembers_what_it_asked_to_be_told() -> None:
    kept = rs.Memory(WINDOW.id, "counting", msgspec.msgpack.encode(Asked(41)))
    bench = restarted(Counting(first_memory=Asked()), memories=(kept,))
    bench.hear(100, ev.Started)
    assert bench.desk.memory == Asked(42)


@pytest.mark.parametrize("value", [b"", b"\xc1", b"\x93abc", msgspec.msgpack.encode({"times": "x"})])
def test_an_unreadable_memory_is_no_memory(value: bytes) -> None:
    bench = restarted(Counting(first_memory=Asked()), memories=(rs.Memory(WINDOW.id, "counting", value),))
    assert bench.desk.memory == Asked()


def test_the_memory_of_another_strategy_is_not_ours() -> None:
    kept = rs.Memory(WINDOW.id, "another", msgspec.msgpack.encode(Asked(41)))
    assert restarted(Counting(first_memory=Asked()), memories=(kept,)).desk.memory == Asked()
    assert restarted(Wanting(), memories=(replace(kept, strategy="wanting"),)).desk.memory is None


def test_halts_and_the_trading_state_survive() -> None:
    bench = restarted(Wanting(wishes=(wish(),)), orders=(), fills=(), cash="1000", halted=(WINDOW.id,))
    bench.reading(100, "1000")
    bench.hear(100, ev.Started)
    assert bench.book(101) == []
    assert bench.told(nt.EntryDenied)[-1].value == "halted before the restart"
    stopped = restarted(state=TradingState.STOPPED)
    stopped.reading(100, "994.42612", "10")
    assert stopped.hear(100, ev.Started) == ["follow"], "stopped is stopped until a person says otherwise"


def test_the_loss_of_the_day_survives_and_ends_with_the_day() -> None:
    bench = restarted(Wanting(wishes=(wish(),)), orders=(), fills=(), cash="1000", realised_today=usd("-50.01"))
    bench.reading(100, "1000")
    bench.hear(100, ev.Started)
    bench.book(101)
    assert bench.told(nt.EntryDenied)[-1].limit == "daily loss"
    assert bench.known.account.realised_today == usd("-50.01")
    bench.known.at = moment(43_200)
    assert bench.known.account.realised_today == 0, "a new day"


def test_a_position_whose_strategy_is_gone_is_looked_after() -> None:
    strange = replace(WINDOW, series=Series("ETH", seconds(900)))
    bench = restarted(markets=(strange,))
    assert bench.desk.strategy == StandAside(exits=AT_ONCE)
    bench.reading(100, "994.42612", "10")
    assert bench.hear(100, ev.Started) == ["follow", "place o9 target SELL UP 10 @ 0.99 GTC"]
    assert bench.hear(101, ev.MarketListed, market=strange) == []


GHOST = MarketId("0xghost")


@pytest.mark.parametrize(
    "ledger",
    [
        {"orders": (stored(1, replace(BOUGHT, market=GHOST)),)},
        {"adjustments": (rs.RestoredAdjustment(market=GHOST, outcome=Outcome.UP, shares=shares(-1), at=moment(90)),)},
        {"memories": (rs.Memory(GHOST, "x", b""),)},
        {"halted": (GHOST,)},
    ],
)
def test_a_ledger_that_contradicts_itself_is_not_started_from(ledger: dict[str, Any]) -> None:
    with pytest.raises(ContradictoryFacts, match="market 0xghost, which is not among its markets"):
        restarted(**ledger)


def test_numbers_of_orders_are_never_used_twice() -> None:
    bench = restarted(Wanting(wishes=(wish(),)), orders=(), fills=(), next_order=OrderId(41), cash="1000")
    bench.reading(100, "1000")
    bench.hear(100, ev.Started)
    assert bench.book(101) == ["place o41 entry BUY UP 10 @ 0.54 FAK"]
    bench.refused(101, 41)
    assert bench.pass_to(102) == [(102, "place o42 entry BUY UP 10 @ 0.54 FAK")]


def test_a_resting_order_of_an_earlier_life_that_nobody_wants_is_taken_back() -> None:
    bench = restarted(Wanting(), orders=(stored(1, terms("0.50", "6")),), fills=(), cash="1000")
    bench.hear(100, ev.OrderReported, order=OrderId(1), matched=shares(0))
    bench.reading(100, "1000", live=(1,))
    assert bench.hear(100, ev.Started) == ["follow", "cancel o1"]
    assert bench.known.at > NOON


def test_an_armed_holding_stays_armed_over_a_restart() -> None:
    """It had been bid 20 % above its entry. When the trader is back the bid is where it was bought."""
    protected = with_exits(ExitPolicy(target=price("0.99"), break_even=BreakEvenPolicy(arm=200_000)))
    armed = (rs.RestoredArming(WINDOW.id, Outcome.UP, shares(10)),)
    for armings, sold in ((armed, "stop"), ((), "target")):
        bench = restarted(protected, armings=armings)
        bench.reading(100, "994.42612", "10")
        bench.book(100, "0.55", "0.57")
        bench.hear(100, ev.Started)
        assert bench.log[-1][1].startswith(f"place o9 {sold} SELL UP 10")
