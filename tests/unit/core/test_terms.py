"""What an order asks for, and the lots that the venue takes."""

from __future__ import annotations

from random import Random

import pytest

from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import (
    OrderTerms,
    Outcome,
    Purpose,
    Side,
    Slot,
    TimeInForce,
    TradeStage,
    slot_of,
    whole_cent_lot,
)
from polystra.core.units import CENT, MICRO, SIZE_STEP, Instant, Price, Shares, cost_of, price, shares, show, usd
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.records import Account
from polystra.sim.rules import FAK_KILLED, Rules
from tests.unit.core.samples import GRIDS, WINDOW, selling, taking, terms


def test_sides_and_outcomes_have_one_other() -> None:
    assert (Side.BUY.other, Side.SELL.other) == (Side.SELL, Side.BUY)
    assert (Outcome.UP.other, Outcome.DOWN.other) == (Outcome.DOWN, Outcome.UP)


@pytest.mark.parametrize(
    ("kind", "immediate"),
    [(TimeInForce.GTC, False), (TimeInForce.GTD, False), (TimeInForce.FOK, True), (TimeInForce.FAK, True)],
)
def test_only_fok_and_fak_are_immediate(kind: TimeInForce, immediate: bool) -> None:
    assert kind.immediate is immediate


@pytest.mark.parametrize(
    ("stage", "settled"),
    [
        (TradeStage.MATCHED, False),
        (TradeStage.RETRYING, False),
        (TradeStage.FAILED, False),
        (TradeStage.MINED, True),
        (TradeStage.CONFIRMED, True),
    ],
)
def test_shares_are_there_from_mined_on(stage: TradeStage, settled: bool) -> None:
    assert stage.settled is settled


@pytest.mark.parametrize("kind", TimeInForce)
def test_only_an_immediate_buy_is_an_order_in_cash(kind: TimeInForce) -> None:
    assert terms(time_in_force=kind).in_cash is kind.immediate
    assert selling(time_in_force=kind).in_cash is False


def test_a_buy_spends_its_limit_times_its_size() -> None:
    assert terms("0.55", "5.62").spend == usd("3.091")
    assert taking("0.0001", "0.01").spend == 1


def test_a_slot_is_market_outcome_side_and_purpose_and_no_price() -> None:
    one = terms("0.55", "6")
    assert slot_of(one) == Slot(WINDOW.id, Outcome.UP, Side.BUY, Purpose.ENTRY)
    assert slot_of(one) == slot_of(taking("0.60", "9", post_only=False, expires_at=Instant(1)))
    for other in (
        terms(market=MarketId("0x02")),
        terms(outcome=Outcome.DOWN),
        terms(side=Side.SELL),
        terms(purpose=Purpose.STOP),
    ):
        assert slot_of(other) != slot_of(one)


def test_terms_need_the_fields_that_cost_money() -> None:
    with pytest.raises(TypeError, match="price"):
        OrderTerms(  # type: ignore[call-arg]
            market=WINDOW.id, outcome=Outcome.UP, side=Side.BUY, purpose=Purpose.ENTRY, shares=shares(6)
        )


# --- lots that cost whole cents ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "lot"),
    [
        ("0.5", "0.02"),
        ("0.25", "0.04"),
        ("0.75", "0.04"),
        ("0.125", "0.08"),
        ("0.2", "0.05"),
        ("0.1", "0.1"),
        ("0.55", "0.2"),
        ("0.53", "1"),
        ("0.52", "0.25"),
        ("0.505", "2"),
        ("0.501", "10"),
        ("0.0001", "100"),
        ("0.4375", "0.16"),
    ],
)
def test_the_smallest_size_that_costs_whole_cents(limit: str, lot: str) -> None:
    """0.04 shares at 0.25 cost one cent; a list of round factors once made it 0.20 and entries up to 4 % smaller."""
    assert whole_cent_lot(price(limit)) == shares(lot)


@pytest.mark.parametrize("grid", GRIDS, ids=show)
def test_at_every_price_of_the_grid_a_lot_costs_whole_cents_and_no_smaller_one_does(grid: Price) -> None:
    for at in range(grid, MICRO, grid):
        lot = whole_cent_lot(Price(at))
        assert lot % SIZE_STEP == 0
        assert at * lot % (MICRO * CENT) == 0
        for part in (2, 5):  # sizes that cost whole cents are multiples of the smallest, and it divides 10,000 shares
            smaller, rest = divmod(lot, part * SIZE_STEP)
            assert rest or at * smaller * SIZE_STEP % (MICRO * CENT), f"{show(at)}: {show(lot)} is not the smallest"


def test_a_lot_is_whole_cents_even_off_every_grid() -> None:
    at = Price(333_333)
    assert cost_of(at, whole_cent_lot(at)) % CENT == 0


@pytest.mark.parametrize("grid", GRIDS, ids=show)
def test_the_exchange_never_refuses_the_amounts_of_a_whole_lot(grid: Price) -> None:
    """FAULTS row 17: cash with two decimals and shares with four, or `invalid amounts`. Nothing is on offer here, so
    each order must die of exactly that.
    """
    exchange, now, ann = Exchange(Rules(), Random(1)), Instant(10**15), Account("0xann")
    facts = sim.MarketFacts(id=MarketId("0xm"), up_token=TokenId("11"), down_token=TokenId("12"), tick=grid)
    exchange.handle(sim.ListMarket(market=facts), now)
    exchange.handle(sim.Deposit(account=ann, amount=usd(1_000_000)), now)
    chance = Random(3)
    prices = range(grid, MICRO, grid)
    for number, at in enumerate(prices if len(prices) < 1_000 else sorted(chance.sample(prices, 1_000))):
        lot = whole_cent_lot(Price(at))
        size = Shares(-(-usd(1) * MICRO // (at * lot)) * lot + lot * chance.randrange(50))
        for kind in (TimeInForce.FAK, TimeInForce.FOK):
            order = sim.Submit(
                account=ann,
                order=VenueOrderId(f"0x{number}{kind}"),
                token=facts.up_token,
                side=Side.BUY,
                maker_amount=cost_of(Price(at), size),
                taker_amount=size,
                time_in_force=kind,
            )
            refused = next(one for one in exchange.handle(order, now) if isinstance(one, sim.OrderRejected))
            assert "found to match" in FAK_KILLED.text
            assert "found to match" in refused.text or "fully filled" in refused.text, refused
