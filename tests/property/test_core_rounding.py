"""Rounding under random numbers: the border, the tick, lots, stakes, fees."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.errors import InvalidQuantity
from polystra.core.fees import FeeSchedule, fee_of_fill, taker_fee, worst_fee
from polystra.core.sizing import StakeRules, size_for, stake_for
from polystra.core.terms import Liquidity, Side, TimeInForce, whole_cent_lot
from polystra.core.units import (
    CENT,
    MICRO,
    SIZE_STEP,
    Price,
    Shares,
    Tick,
    Usd,
    cost_of,
    decimal,
    micro,
    mirror,
    show,
    whole_steps,
)
from tests.unit.core.samples import GRIDS, taking, terms

inside = st.integers(1, MICRO - 1).map(Price)
ticks = st.sampled_from(GRIDS).map(Tick)
sizes = st.integers(1, 10_000).map(lambda steps: Shares(steps * SIZE_STEP))
fractions_of_a_share = st.integers(1, 20_000_000).map(Shares)
schedules = st.builds(
    FeeSchedule,
    rate=st.sampled_from([0, 30_000, 50_000, 70_000, 72_000, 250_000]),
    exponent=st.sampled_from([1, 2]),
    in_shares_on_buys=st.booleans(),
)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_quantity_comes_back_from_its_text_and_number(quantity: int) -> None:
    assert micro(show(quantity)) == quantity
    assert micro(decimal(quantity)) == quantity
    assert "e" not in show(quantity).lower()


@given(st.decimals())
def test_a_decimal_is_taken_exactly_or_refused(number: Decimal) -> None:
    try:
        taken = micro(number)
    except InvalidQuantity:
        fits = number.is_finite() and abs(number) < 10**12 and number == round(number, 6)
        assert not fits or len(number.as_tuple().digits) > 34
    else:
        assert Fraction(taken, MICRO) == Fraction(number)


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_refused_by_our_own_error(text: str) -> None:
    try:
        taken = micro(text)
    except InvalidQuantity:
        return
    assert Fraction(taken, MICRO) == Fraction(Decimal(text))


@given(ticks, st.integers(-MICRO, 2 * MICRO))
def test_rounding_is_on_the_grid_nearest_and_within_the_limit(tick: Tick, wanted: int) -> None:
    down, up = tick.down(wanted), tick.up(wanted)
    assert tick.holds(down)
    assert tick.holds(up)
    assert (down, up) == (tick.down(down), tick.up(up)), "rounding twice is rounding once"
    if wanted >= tick.lowest:
        assert down <= wanted, "a BUY never pays more than its own limit"
        assert wanted - down < tick.size or down == tick.highest
    if wanted <= tick.highest:
        assert up >= wanted, "a SELL never takes less than its own limit"
        assert up - wanted < tick.size or up == tick.lowest


@given(ticks, inside)
def test_down_and_up_are_mirrors(tick: Tick, wanted: Price) -> None:
    """A BUY of Down rounded down is the same order as an offer of Up rounded up."""
    assert mirror(tick.down(wanted)) == tick.up(mirror(wanted))
    assert tick.holds(wanted) is tick.holds(mirror(wanted)) is (tick.down(wanted) == wanted == tick.up(wanted))


@given(inside, sizes)
def test_a_lot_is_the_least_size_that_costs_whole_cents(limit: Price, size: Shares) -> None:
    lot = whole_cent_lot(limit)
    assert limit * lot % (MICRO * CENT) == 0
    assert (limit * size % (MICRO * CENT) == 0) is (size % lot == 0), "all such sizes are multiples of it"


@given(st.integers(0, 10**12).map(Usd), inside, st.sampled_from(TimeInForce))
def test_a_size_never_costs_more_than_its_stake_and_wastes_less_than_a_step(
    stake: Usd, limit: Price, kind: TimeInForce
) -> None:
    size = size_for(stake, limit, kind)
    step = whole_cent_lot(limit) if kind.immediate else SIZE_STEP
    assert size % step == 0
    assert size * limit <= stake * MICRO < (size + step) * limit + limit
    assert whole_steps(size) == size
    if kind.immediate:
        assert cost_of(limit, size) * MICRO == size * limit
        assert cost_of(limit, size) % CENT == 0


@given(
    st.integers(-(10**12), 10**12).map(Usd),
    st.integers(0, MICRO),
    st.integers(0, MICRO),
    st.integers(0, 10**10).map(Usd),
)
def test_a_stake_is_within_its_cap_and_grows_with_conviction(cash: Usd, low: int, high: int, cap: Usd) -> None:
    rules = StakeRules(fraction=50_000, max_stake=cap)
    smaller, larger = (stake_for(rules, conviction, cash) for conviction in sorted((low, high)))
    assert 0 <= smaller <= larger <= cap
    assert larger <= max(cash, 0) * 4 * 50_000 // MICRO


@given(schedules, inside, fractions_of_a_share)
def test_a_fee_is_the_formula_to_half_a_step(schedule: FeeSchedule, at: Price, amount: Shares) -> None:
    p = Fraction(at, MICRO)
    exact = Fraction(amount) * Fraction(schedule.rate, MICRO) * (p * (1 - p)) ** schedule.exponent
    fee = taker_fee(schedule, at, amount)
    assert fee % 10 == 0
    assert -5 < exact - fee <= 5 or exact - fee == -5
    assert fee == taker_fee(schedule, mirror(at), amount), "the curve is its own mirror"


@given(schedules, inside, fractions_of_a_share, st.sampled_from(Side))
def test_a_fill_costs_cash_or_shares_and_never_more_than_it_is_worth(
    schedule: FeeSchedule, at: Price, amount: Shares, side: Side
) -> None:
    fee = fee_of_fill(schedule, side, Liquidity.TAKER, at, amount)
    assert fee.usd == 0 or fee.shares == 0
    assert 0 <= fee.shares < amount
    assert 0 <= fee.usd <= 10 + at * amount // MICRO
    assert fee_of_fill(schedule, side, Liquidity.MAKER, at, amount).usd == 0


@st.composite
def fills_within(draw: st.DrawFn, in_cash: bool) -> tuple[Price, Shares, list[tuple[Price, Shares]]]:
    """An order, and up to a hundred fills of any size at its limit or better, of no more than it asked for."""
    limit, size = draw(inside), draw(sizes)
    left: int = cost_of(limit, size) if in_cash else size
    found: list[tuple[Price, Shares]] = []
    for _ in range(draw(st.integers(1, 100))):
        at = draw(st.integers(1, limit).map(Price))
        most = left * MICRO // at if in_cash else left
        if most <= 0:
            break
        part = Shares(draw(st.integers(1, most)) if draw(st.booleans()) else min(most, SIZE_STEP))
        found.append((at, part))
        left -= -(-at * part // MICRO) if in_cash else part
    return limit, size, found


@given(schedules, fills_within(in_cash=True))
def test_the_worst_fee_covers_a_buy_in_cash(
    schedule: FeeSchedule, case: tuple[Price, Shares, list[tuple[Price, Shares]]]
) -> None:
    limit, size, fills = case
    wanted = taking(show(limit), show(size))
    paid = sum(fee_of_fill(schedule, Side.BUY, Liquidity.TAKER, at, part).usd for at, part in fills)
    assert paid <= worst_fee(schedule, wanted)


@given(schedules, fills_within(in_cash=False))
def test_the_worst_fee_covers_a_buy_in_shares(
    schedule: FeeSchedule, case: tuple[Price, Shares, list[tuple[Price, Shares]]]
) -> None:
    limit, size, fills = case
    wanted = terms(show(limit), show(size))
    paid = sum(fee_of_fill(schedule, Side.BUY, Liquidity.TAKER, at, part).usd for at, part in fills)
    assert paid <= worst_fee(schedule, wanted)
