"""Quantities and the only rounding: what a border may hand over, and where a price may stand."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from polystra.core.errors import InvalidQuantity
from polystra.core.ids import MarketId, TokenId, VenueOrderId
from polystra.core.terms import Side
from polystra.core.units import (
    MICRO,
    NO_ASK,
    NO_BID,
    SIZE_STEP,
    Instant,
    Price,
    Shares,
    Tick,
    cost_of,
    decimal,
    micro,
    mirror,
    price,
    seconds,
    shares,
    show,
    usd,
    whole_steps,
)
from polystra.sim import messages as sim
from polystra.sim.exchange import Exchange
from polystra.sim.records import Account
from polystra.sim.rules import Rules
from tests.unit.core.samples import GRIDS

CENTS = Tick(price("0.01"))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0.53", 530_000),
        (".53", 530_000),
        ("5.62", 5_620_000),
        ("0.530000000000", 530_000),
        ("1e-6", 1),
        ("-0.000001", -1),
        ("0", 0),
        ("-0", 0),
        (3, 3_000_000),
        (Decimal("108250.123456"), 108_250_123_456),
        ("9223372036854.775807", 2**63 - 1),
    ],
)
def test_a_decimal_number_becomes_exact_millionths(number: str | int | Decimal, expected: int) -> None:
    assert micro(number) == expected
    assert (price(number), shares(number), usd(number)) == (expected,) * 3


@pytest.mark.parametrize("number", [0.53, 1.0, True, False, None, b"0.53", float("nan"), [1]])
def test_a_float_or_another_kind_never_becomes_a_quantity(number: object) -> None:
    with pytest.raises(InvalidQuantity, match="never a"):
        micro(number)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["NaN", "-NaN", "Infinity", "-Infinity", "inf"])
def test_what_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuantity, match="finite"):
        micro(text)


@pytest.mark.parametrize("text", ["", " ", "abc", "0,53", "0x10", "1.2.3", "sNaN", "--1", "0.5 3"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuantity, match="not a decimal number"):
        micro(text)


@pytest.mark.parametrize("text", ["0.0000001", "0.1234567", "1e-7", "0.53" + "0" * 20 + "1"])
def test_a_seventh_decimal_is_refused_and_never_rounded_away(text: str) -> None:
    with pytest.raises(InvalidQuantity):
        micro(text)


def test_digits_behind_the_28th_are_not_dropped_in_silence() -> None:
    """The default decimal context rounds to 28 digits, and 0.1234560...01 would have passed for 0.123456."""
    with pytest.raises(InvalidQuantity):
        micro("0.123456" + "0" * 30 + "1")
    with pytest.raises(InvalidQuantity):
        micro("123456789012345678901234567890.1234567")


@pytest.mark.parametrize(
    "text", ["1e13", "-1e13", "9223372036854.775808", "1e309", "1e999999", "-1e999999999", "9" * 50]
)
def test_a_number_that_no_journal_can_hold_is_refused(text: str) -> None:
    """FAULTS 3.3: recorded data and venue JSON are hostile; 1e309 must neither pass nor crash."""
    with pytest.raises(InvalidQuantity):
        micro(text)


def test_a_refused_number_is_named_with_the_reason() -> None:
    with pytest.raises(InvalidQuantity, match=r"'0\.1234567' is not a finite number of at most six decimals"):
        price("0.1234567")
    with pytest.raises(InvalidQuantity, match="larger than a quantity can be, 9223372036854"):
        usd("1e13")


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (530_000, "0.53"),
        (1, "0.000001"),
        (0, "0"),
        (10_000_000, "10"),
        (100_000_000_000_000, "100000000"),
        (-70_000, "-0.07"),
        (2**63, "9223372036854.775808"),
    ],
)
def test_a_quantity_is_shown_in_full_and_without_noughts(quantity: int, text: str) -> None:
    assert show(quantity) == text
    assert str(decimal(quantity)) == text
    assert decimal(quantity) * MICRO == quantity


def test_seconds_are_whole_nanoseconds() -> None:
    assert seconds(0.001) == 1_000_000
    assert seconds(0.1) + seconds(0.2) == seconds(0.3)
    assert seconds(900) == 900 * 10**9
    assert seconds(-1.5) == -1_500_000_000


def test_up_at_53_is_down_at_47_and_no_bid_there_is_no_ask_here() -> None:
    assert mirror(price("0.53")) == price("0.47")
    assert mirror(NO_BID) == NO_ASK
    assert mirror(NO_ASK) == NO_BID


def test_a_remainder_below_a_millionth_is_dropped() -> None:
    assert cost_of(price("0.0001"), Shares(9_999)) == 0
    assert cost_of(price("0.333333"), Shares(3)) == 0
    assert cost_of(price("0.55"), shares("5.62")) == usd("3.091")
    assert cost_of(price("0.0001"), SIZE_STEP) == 1, "two-decimal sizes never have a remainder"


@pytest.mark.parametrize(
    ("held", "orderable"),
    [("5.9075", "5.9"), ("5.62", "5.62"), ("0.009999", "0"), ("0.01", "0.01"), ("0", "0"), ("-3", "0")],
)
def test_what_an_order_can_carry_is_whole_hundredths_and_never_negative(held: str, orderable: str) -> None:
    assert whole_steps(shares(held)) == shares(orderable)


# --- the tick ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
def test_the_ends_of_the_grid_are_one_tick_from_0_and_1(grid: Price) -> None:
    tick = Tick(grid)
    assert (tick.lowest, tick.highest) == (grid, MICRO - grid)
    assert tick.holds(tick.lowest)
    assert tick.holds(tick.highest)
    for outside in (0, MICRO, -grid, MICRO + grid, tick.lowest - 1, tick.highest + 1):
        assert not tick.holds(outside), outside


def test_rounding_stays_on_the_grid_even_beyond_its_ends() -> None:
    assert CENTS.down(0) == CENTS.down(-1) == CENTS.down(9_999) == price("0.01")
    assert CENTS.up(MICRO) == CENTS.up(2 * MICRO) == CENTS.up(990_001) == price("0.99")
    assert CENTS.down(MICRO) == price("0.99")
    assert CENTS.up(0) == CENTS.up(-20_000) == price("0.01")


def test_a_price_on_the_grid_stays_where_it_is() -> None:
    for at in range(10_000, MICRO, 10_000):
        assert CENTS.down(at) == CENTS.up(at) == at
        assert CENTS.holds(at)
        assert not CENTS.holds(at + 1)


@pytest.mark.parametrize("size", [0, -10_000, 30_000, 600_000, MICRO, 999_999])
def test_a_grid_that_is_not_its_own_mirror_is_refused(size: int) -> None:
    """With a step of 0.03 the highest price would be 0.97, which is no multiple of it: every order refused."""
    with pytest.raises(InvalidQuantity, match="tick"):
        Tick(Price(size))


@pytest.mark.spec("L3.A2", pure="rounding involves no exchange; L3.A1 submits the rounded prices to one")
@pytest.mark.parametrize(
    ("middle", "below", "above"), [("0.485", "0.48", "0.49"), ("0.205", "0.20", "0.21")], ids=["0.485", "0.205"]
)
def test_half_a_cent_goes_to_the_side_it_serves(middle: str, below: str, above: str) -> None:
    """There is no half-way rule: the side decides. 0.485 is 0.48 for one who buys and waits, 0.49 for one who sells
    and waits; one who wants to trade at once goes the other way, 0.49 to buy and 0.48 to sell. Binary fractions play
    no part (round(48.5) is 48, and 0.205 * 100 is 20.499999999999996).
    """
    wanted = price(middle)
    passive = {Side.BUY: CENTS.down(wanted), Side.SELL: CENTS.up(wanted)}
    marketable = {Side.BUY: CENTS.up(wanted), Side.SELL: CENTS.down(wanted)}
    assert passive == {Side.BUY: price(below), Side.SELL: price(above)}
    assert marketable == {Side.BUY: price(above), Side.SELL: price(below)}


MARKET, UP, ANN = MarketId("0xm"), TokenId("11"), Account("0xann")
WORLD_START = Instant(10**15)


def listed(grid: Price) -> Exchange:
    """An exchange with one empty market of a grid, and a client with cash and shares in plenty."""
    exchange = Exchange(Rules(), Random(1))
    facts = sim.MarketFacts(id=MARKET, up_token=UP, down_token=TokenId("12"), tick=grid)
    exchange.handle(sim.ListMarket(market=facts), WORLD_START)
    exchange.handle(sim.Deposit(account=ANN, amount=usd(1_000_000)), WORLD_START)
    exchange.handle(sim.Split(account=ANN, market=MARKET, shares=shares(500_000)), WORLD_START)
    return exchange


def answer_to(exchange: Exchange, number: int, side: Side, at: int, size: Shares) -> sim.Output:
    cash, amount = cost_of(Price(at), size), int(size)
    order = sim.Submit(
        account=ANN,
        order=VenueOrderId(f"0x{number}"),
        token=UP,
        side=side,
        maker_amount=cash if side is Side.BUY else amount,
        taker_amount=amount if side is Side.BUY else cash,
    )
    return next(
        output
        for output in exchange.handle(order, WORLD_START)
        if isinstance(output, sim.OrderAccepted | sim.OrderRejected)
    )


@pytest.mark.spec("L3.A1", pure="no engine is needed: the rounded prices go to a simulated exchange themselves")
@pytest.mark.parametrize("grid", GRIDS, ids=show)
def test_no_order_is_rejected_for_its_tick(grid: Price) -> None:
    """10,000 random middles: rounded for both sides they are on the grid, no step away and within the order's own
    limit, and the exchange takes every price that came out.
    """
    tick, chance, exchange = Tick(grid), Random(7), listed(grid)
    rounded: dict[Side, set[Price]] = {Side.BUY: set(), Side.SELL: set()}
    for _ in range(10_000):
        middle = chance.randrange(1, MICRO)
        bid, ask = tick.down(middle), tick.up(middle)
        assert tick.holds(bid)
        assert tick.holds(ask)
        if tick.lowest <= middle <= tick.highest:
            assert middle - grid < bid <= middle <= ask < middle + grid
        rounded[Side.BUY].add(bid)
        rounded[Side.SELL].add(ask)
    number = 0
    for side, prices in rounded.items():
        for at in sorted(prices):
            number += 1
            answer = answer_to(exchange, number, side, at, shares(5))
            assert isinstance(answer, sim.OrderAccepted), answer
        exchange.handle(sim.CancelAll(account=ANN), WORLD_START)


@pytest.mark.parametrize("grid", GRIDS, ids=show)
def test_an_unrounded_price_is_rejected_for_its_tick(grid: Price) -> None:
    """The counter-proof: this exchange does look."""
    exchange = listed(grid)
    for number, (side, at) in enumerate([(Side.BUY, MICRO // 2 + 50), (Side.SELL, MICRO // 2 - 50)]):
        answer = answer_to(exchange, number, side, at, shares(100))
        assert isinstance(answer, sim.OrderRejected)
        assert "tick" in answer.text or "accuracy" in answer.text
