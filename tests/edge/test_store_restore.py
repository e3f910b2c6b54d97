"""After a restart: what the engine is told, and what no longer matters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from polystra.core.claims import ClaimStage
from polystra.core.commands import PlaceOrder
from polystra.core.events import LedgerLoaded, TradingState
from polystra.core.ids import OrderId, TradeId, VenueOrderId
from polystra.core.markets import Market, Payout
from polystra.core.notes import (
    AdjustmentBooked,
    AnyNote,
    BreakEvenArmed,
    EntryGivenUp,
    EntryRetried,
    MarketHalted,
    MarketSettled,
    MemoryKept,
    OpeningCorrected,
    OutsideOrderSeen,
    StateChanged,
    TradeStageMoved,
)
from polystra.core.orders import OrderState
from polystra.core.restored import RestoredArming
from polystra.core.terms import Outcome, Purpose, Side, TimeInForce, TradeStage
from polystra.core.units import Instant, Usd, price, seconds, shares, usd
from polystra.edge.store.claims import ClaimStep
from polystra.edge.store.errors import LedgerContradiction
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.restore import DAY
from tests.edge.store_cases import BTC, DAWN, NOON, booked, born, followed, intent, moved, open_ledger, window

EVENING = Instant(NOON + seconds(36_000))
YESTERDAY = Instant(NOON - DAY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with open_ledger(path) as ledger:
        yield ledger


def told(ledger: Ledger, *notes: AnyNote, at: Instant = NOON) -> None:
    ledger.record(1, at, [], notes)


def settled(market: Market, redeemable: str, pnl: str) -> MarketSettled:
    return MarketSettled(market=market.id, payout=Payout(usd(1)), up_shares=shares(redeemable), down_shares=shares(0),
                         redeemable=usd(redeemable), pnl=usd(pnl))  # fmt: skip


def test_a_new_ledger_knows_nothing_and_counts_from_one(ledger: Ledger) -> None:
    assert ledger.load(NOON) == LedgerLoaded(at=NOON, next_order=OrderId(1), cash=Usd(0))


def test_an_order_that_is_not_ours_comes_back_under_its_number_and_is_no_name_of_ours(ledger: Ledger) -> None:
    """The first balance was read at noon; a trade from before it gives its cash back."""
    ledger.deposit(NOON, usd(100), "opening")
    command = intent(1, purpose=Purpose.OUTSIDE).command
    assert isinstance(command, PlaceOrder)
    wanted, hand, before = command.terms, VenueOrderId("0xhand"), Instant(NOON - 5)
    fill = booked(1, "t1", "5", "0.70")
    seen = OutsideOrderSeen(order=OrderId(1), venue_order=hand, market=BTC.id, terms=wanted, traded_at=before)
    told(ledger, followed(BTC), seen, moved(1, "", OrderState.FILLED), fill)
    told(ledger, OpeningCorrected(market=BTC.id, trade=TradeId("t1"), amount=usd("3.5")), at=Instant(NOON + 7))
    loaded = ledger.load(EVENING)
    (order,) = loaded.orders
    assert (order.order, order.outside, order.ended, order.decided_at) == (OrderId(1), hand, True, before)
    assert order.terms == wanted
    assert loaded.opened_at == NOON
    assert loaded.next_order == OrderId(2)
    assert loaded.cash == usd("103.5") + fill.cash
    assert ledger.venue_orders() == {}


def test_an_intent_comes_back_with_all_its_terms(ledger: Ledger) -> None:
    wanted = intent(1, outcome=Outcome.DOWN, side=Side.SELL, purpose=Purpose.STOP, price=price("0.07"),
                    time_in_force=TimeInForce.GTD, post_only=True, expires_at=EVENING)  # fmt: skip
    ledger.record(1, NOON, [wanted], [followed()])
    loaded = ledger.load(EVENING)
    (order,) = loaded.orders
    assert order.terms == wanted.command.terms  # type: ignore[union-attr]
    assert order.decided_at == NOON
    assert loaded.markets == (BTC,)


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        ("SUBMITTING", False),
        ("WORKING", False),
        ("CANCELLING", False),
        ("UNKNOWN", False),
        ("FILLED", True),
        ("CANCELLED", True),
        ("EXPIRED", True),
        ("REFUSED", True),
    ],
)
def test_an_order_has_ended_by_its_last_step_alone(ledger: Ledger, state: str, ended: bool) -> None:
    ledger.record(1, NOON, [intent(1)], [followed(), born(1)])
    told(ledger, moved(1, "SUBMITTING", "FILLED"), moved(1, "FILLED", state))
    assert [order.ended for order in ledger.load(EVENING).orders] == [ended]


def test_an_order_number_whose_order_was_never_signed_is_not_used_again(ledger: Ledger) -> None:
    ledger.record(1, NOON, [intent(1)], [followed(), born(1), born(2)])
    loaded = ledger.load(EVENING)
    assert loaded.next_order == 3
    assert [order.order for order in loaded.orders] == [1]


def test_a_fill_comes_back_at_its_latest_stage_also_a_failed_one(ledger: Ledger) -> None:
    ledger.record(1, NOON, [intent(1)], [followed()])
    told(ledger, booked(1, "t1", "1", "0.50", stage=TradeStage.MATCHED), booked(1, "t2", "2", "0.50"))
    told(ledger, TradeStageMoved(order=OrderId(1), trade=TradeId("t1"), stage=TradeStage.FAILED))
    fills = ledger.load(EVENING).fills
    assert [(fill.trade, fill.stage, fill.filled_at) for fill in fills] == [
        ("t1", TradeStage.FAILED, NOON),
        ("t2", TradeStage.CONFIRMED, NOON),
    ]


def test_shares_written_off_stay_written_off(ledger: Ledger) -> None:
    told(ledger, followed(), AdjustmentBooked(market=BTC.id, outcome=Outcome.UP, cause="drift", before=shares("6"),
                                              after=shares("5.9")))  # fmt: skip
    (adjusted,) = ledger.load(NOON).adjustments
    assert (adjusted.market, adjusted.outcome, adjusted.shares) == (BTC.id, Outcome.UP, -shares("0.1"))


def test_stopped_stays_stopped_in_the_next_run(path: Path) -> None:
    with open_ledger(path) as ledger:
        told(ledger, StateChanged(before=TradingState.ARMED, after=TradingState.STOPPED, who="cli", why="kill"))
    with open_ledger(path) as ledger:
        assert ledger.load(EVENING).state is TradingState.STOPPED
        told(ledger, StateChanged(before=TradingState.STOPPED, after=TradingState.ARMED, who="cli", why="checked"))
        assert ledger.load(EVENING).state is TradingState.ARMED


def test_better_known_facts_of_a_market_replace_the_first(ledger: Ledger) -> None:
    told(ledger, followed())
    better = window()
    told(ledger, followed(better), MarketHalted(market=BTC.id, why="drift"), MarketHalted(market=BTC.id, why="again"))
    loaded = ledger.load(NOON)
    assert loaded.markets == (better,)
    assert loaded.halted == (BTC.id,)


def test_an_entry_that_was_given_up_is_told_once_until_its_market_is_settled(ledger: Ledger) -> None:
    given_up = EntryGivenUp(
        market=BTC.id, order=OrderId(1), outcome=Outcome.UP, why="too old", age=seconds(301), change=None
    )
    ledger.record(1, NOON, [intent(1), intent(2)], [followed(), born(1), born(2), given_up])
    told(ledger, given_up, EntryRetried(market=BTC.id, first=OrderId(1), second=OrderId(2)))
    assert ledger.load(NOON).given_up == (OrderId(1),)
    told(ledger, settled(BTC, "0", "0"))
    assert ledger.load(NOON).given_up == ()


def test_the_newest_arming_of_each_holding_is_told_until_its_market_is_settled(ledger: Ledger) -> None:
    def armed(outcome: Outcome, bought: str) -> BreakEvenArmed:
        return BreakEvenArmed(market=BTC.id, outcome=outcome, bought=shares(bought), bid=None)

    told(ledger, followed(), armed(Outcome.UP, "5"), armed(Outcome.DOWN, "7"), armed(Outcome.UP, "11"))
    assert ledger.load(NOON).armings == (
        RestoredArming(BTC.id, Outcome.UP, shares(11)),
        RestoredArming(BTC.id, Outcome.DOWN, shares(7)),
    )
    told(ledger, settled(BTC, "0", "0"))
    assert ledger.load(NOON).armings == ()


def test_a_settled_market_is_over_with_all_that_belongs_to_it(ledger: Ledger) -> None:
    ledger.record(1, NOON, [intent(1)], [followed(), born(1), MemoryKept(market=BTC.id, strategy="m", value=b"x"),
                                         MarketHalted(market=BTC.id, why="drift")])  # fmt: skip
    assert ledger.load(NOON).orders
    told(ledger, settled(BTC, "0", "0"))
    loaded = ledger.load(NOON)
    assert (loaded.markets, loaded.orders, loaded.memories, loaded.halted) == ((), (), (), ())
    assert loaded.next_order == 2


def test_an_old_market_matters_only_with_an_open_question(ledger: Ledger) -> None:
    """Old: ended more than a day ago. Without orders, or with ended ones that never traded, it is history."""
    idle, done, doubtful, held, fresh = (window(n, start=Instant(YESTERDAY - seconds(7_200))) for n in range(1, 6))
    fresh = window(5, start=Instant(NOON - seconds(3_600)))
    told(ledger, *(followed(market) for market in (idle, done, doubtful, held, fresh)))
    ledger.record(2, NOON, [intent(1, done), intent(2, doubtful), intent(3, held)], [])
    told(ledger, moved(1, "WORKING", "CANCELLED", market=done), moved(2, "SUBMITTING", "UNKNOWN", market=doubtful),
         booked(3, "t1", "5", "0.5", market=held), moved(3, "WORKING", "FILLED", market=held))  # fmt: skip
    assert set(ledger.load(NOON).markets) == {doubtful, held, fresh}


# --- profit of the day ---------------------------------------------------------------------------------------------


def test_a_buy_alone_realises_nothing(ledger: Ledger) -> None:
    ledger.record(1, NOON, [intent(1)], [followed()])
    told(ledger, booked(1, "t1", "10", "0.50", fee="0.10"))
    assert ledger.load(EVENING).realised_today == 0


def test_a_sale_realises_what_it_brought_beyond_the_average_cost(ledger: Ledger) -> None:
    """10 for 5.10 with fee, 4 of them sold for 2.40 - 0.02: 2.38 - 2.04."""
    ledger.record(1, NOON, [intent(1), intent(2, side=Side.SELL)], [followed()])
    told(ledger, booked(1, "t1", "10", "0.50", fee="0.10"), booked(2, "t2", "4", "0.60", side=Side.SELL, fee="0.02"))
    assert ledger.load(EVENING).realised_today == usd("0.34")


def test_a_settlement_realises_the_whole_profit_of_its_market(ledger: Ledger) -> None:
    ledger.record(1, NOON, [intent(1)], [followed()])
    told(ledger, booked(1, "t1", "10", "0.50", fee="0.10"), settled(BTC, "10", "4.90"))
    assert ledger.load(EVENING).realised_today == usd("4.90")


def test_what_was_realised_before_midnight_is_yesterdays(ledger: Ledger) -> None:
    """Sold 4 before midnight (+0.34), settled after it: the day gets the other 4.56."""
    before = Instant(DAWN - 1)
    orders = [intent(1), intent(2, side=Side.SELL)]
    ledger.record(1, before, orders, [followed()])
    told(ledger, booked(1, "t1", "10", "0.50", fee="0.10"), booked(2, "t2", "4", "0.60", side=Side.SELL, fee="0.02"),
         at=before)  # fmt: skip
    assert ledger.load(before).realised_today == usd("0.34")
    assert ledger.load(DAWN).realised_today == 0
    told(ledger, settled(BTC, "6", "4.90"))
    assert ledger.load(EVENING).realised_today == usd("4.56")
    assert ledger.load(Instant(EVENING + DAY)).realised_today == 0


def test_a_failed_sale_realised_nothing(ledger: Ledger) -> None:
    ledger.record(1, NOON, [intent(1), intent(2, side=Side.SELL)], [followed()])
    told(ledger, booked(1, "t1", "10", "0.50"), booked(2, "t2", "4", "0.60", side=Side.SELL))
    told(ledger, TradeStageMoved(order=OrderId(2), trade=TradeId("t2"), stage=TradeStage.FAILED))
    assert ledger.load(EVENING).realised_today == 0


def test_what_was_won_waits_to_be_claimed_until_it_is_paid(ledger: Ledger) -> None:
    ledger.record(1, NOON, [], [followed(), settled(BTC, "5", "2")])
    loaded = ledger.load(NOON)
    assert (loaded.redeemable, loaded.redeeming) == (usd(5), ())
    ledger.step_claim(BTC.id, ClaimStep(at=NOON, stage=ClaimStage.WANTED, pays=usd(5)))
    loaded = ledger.load(NOON)
    assert (loaded.redeemable, loaded.redeeming, loaded.cash) == (usd(5), (BTC.id,), 0)
    ledger.step_claim(BTC.id, ClaimStep(at=NOON, stage=ClaimStage.PAID, pays=usd(5)))
    loaded = ledger.load(NOON)
    assert (loaded.redeemable, loaded.redeeming, loaded.cash) == (0, (), usd(5))
    with pytest.raises(LedgerContradiction):
        ledger.step_claim(BTC.id, ClaimStep(at=NOON, stage=ClaimStage.PAID, pays=usd(5)))
    assert ledger.unpaid_claims() == ()


def test_a_claim_that_failed_is_open_to_be_tried_again(ledger: Ledger) -> None:
    ledger.record(1, NOON, [], [followed(), settled(BTC, "5", "2")])
    for stage in (ClaimStage.WANTED, ClaimStage.SENT, ClaimStage.FAILED):
        ledger.step_claim(BTC.id, ClaimStep(at=NOON, stage=stage, pays=usd(5)))
    assert [(claim.amount, claim.open) for claim in ledger.unpaid_claims()] == [(usd(5), False)]
    assert (ledger.transactions_tried(NOON), ledger.transactions_tried(Instant(NOON + 1))) == (1, 0)
