"""The fold: every micro-unit that trades move is in the holdings, whatever the trades were."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from polystra.core.fees import FeeSchedule, fee_of_fill
from polystra.core.ids import OrderId, TradeId
from polystra.core.markets import Payout
from polystra.core.orders import Fill, Order, filled
from polystra.core.positions import FLAT, Adjustment, position_of
from polystra.core.terms import Liquidity, Outcome, Side, TradeStage
from polystra.core.units import MICRO, Instant, Price, Shares, Usd, shares
from tests.unit.core.samples import CRYPTO, OLD_CRYPTO, fill, order, terms

eras = st.sampled_from([CRYPTO, OLD_CRYPTO])
prices = st.integers(1, MICRO - 1).map(Price)
amounts = st.one_of(
    st.integers(1, 2_000).map(lambda steps: Shares(steps * 10_000)), st.integers(1, 20_000_000).map(Shares)
)


@st.composite
def trades(draw: st.DrawFn, stages: Iterable[TradeStage] = TradeStage, most: int = 12) -> list[Order]:
    """Orders of both outcomes and sides with some trades each, also more sold than bought and at equal times."""
    schedule: FeeSchedule = draw(eras)
    orders = []
    for number in range(draw(st.integers(0, most))):
        side, outcome = draw(st.sampled_from(Side)), draw(st.sampled_from(Outcome))
        fills = []
        for part in range(draw(st.integers(1, 3))):
            at, size, liquidity = draw(prices), draw(amounts), draw(st.sampled_from(Liquidity))
            fee = fee_of_fill(schedule, side, liquidity, at, size)
            fills.append(
                Fill(
                    trade=TradeId(f"t{number}-{part}"),
                    price=at,
                    shares=size,
                    liquidity=liquidity,
                    stage=draw(st.sampled_from(list(stages))),
                    at=Instant(draw(st.integers(0, 5))),
                    fee_usd=fee.usd,
                    fee_shares=fee.shares,
                )
            )
        orders.append(order(terms(side=side, outcome=outcome), number + 1, fills=tuple(fills)))
    return orders


def moves(orders: list[Order], outcome: Outcome) -> list[tuple[Side, Fill]]:
    mine = (one for one in orders if one.terms.outcome is outcome)
    return [(one.terms.side, part) for one in mine for part in one.fills if part.counts]


def gained(side: Side, part: Fill) -> int:
    return part.shares - part.fee_shares if side is Side.BUY else -part.shares


@given(trades())
def test_cash_and_holdings_add_up_to_the_millionth(orders: list[Order]) -> None:
    """realised - cost of what is held = all the cash that moved, in both fee eras."""
    position = position_of(orders)
    for outcome in Outcome:
        held, counted = position.of(outcome), moves(orders, outcome)
        assert held.realised - held.cost == sum(part.cash(side) for side, part in counted)
        assert held.shares == sum(gained(side, part) for side, part in counted)
        assert held.fees == sum(part.fee_usd for _, part in counted)
        assert held.bought == sum(gained(side, part) for side, part in counted if side is Side.BUY)
        assert held.settled == sum(
            gained(side, part) for side, part in counted if side is Side.SELL or part.stage.settled
        )
        assert held.cost >= 0
        assert held.paid >= 0
        assert held.paid <= held.cost
        assert held.settled <= held.shares
        bought_at = [part.at for side, part in counted if side is Side.BUY]
        assert (held.opened_at in bought_at) if bought_at else held.opened_at is None
    assert position.locked == min(position.up.shares, position.down.shares)


@given(trades(), st.sampled_from([0, MICRO // 2, MICRO]))
def test_what_a_market_brought_is_cash_and_claims(orders: list[Order], payout: int) -> None:
    position = position_of(orders)
    cash = sum(part.cash(side) for outcome in Outcome for side, part in moves(orders, outcome))
    assert position.pnl(Payout(Usd(payout))) == cash + position.redeemable(Payout(Usd(payout)))


@given(trades(), st.randoms(use_true_random=False))
def test_the_order_in_which_orders_are_kept_does_not_matter(orders: list[Order], chance: Random) -> None:
    shuffled = list(orders)
    chance.shuffle(shuffled)
    assert position_of(shuffled) == position_of(orders)


@given(trades(most=6), st.randoms(use_true_random=False))
def test_the_order_in_which_stages_arrive_does_not_matter(orders: list[Order], chance: Random) -> None:
    """Each trade goes through all its stages to one end; the streams mix and repeat them as they like."""
    ends = [TradeStage.CONFIRMED, TradeStage.FAILED]
    fates = {part.trade: chance.choice(ends) for one in orders for part in one.fills}
    straight = [
        replace(one, fills=tuple(replace(part, stage=fates[part.trade]) for part in one.fills)) for one in orders
    ]
    told = []
    for one in orders:
        now = replace(one, terms=replace(one.terms, shares=shares(10_000)), fills=())
        news = [
            replace(part, stage=stage)
            for part in one.fills
            for stage in (TradeStage.MATCHED, TradeStage.RETRYING, TradeStage.MINED, fates[part.trade])
        ]
        news += chance.choices(news, k=3)
        chance.shuffle(news)
        for part in news:
            now = filled(now, part)
        told.append(replace(now, fills=tuple(sorted(now.fills, key=lambda part: part.trade))))
    assert position_of(told) == position_of(straight)


@given(trades(stages=[TradeStage.FAILED]))
def test_failed_trades_net_to_nothing(orders: list[Order]) -> None:
    assert position_of(orders) == FLAT


@given(trades())
def test_a_second_fold_makes_no_change(orders: list[Order]) -> None:
    assert position_of(iter(orders)) == position_of(orders) == position_of([*orders, order(number=99)])


@given(st.lists(st.tuples(prices, amounts), min_size=1, max_size=6), st.data())
def test_nothing_held_costs_nothing(bought: list[tuple[Price, Shares]], data: st.DataObject) -> None:
    """Whatever is bought and then sold in whatever parts leaves no cost behind, and never a negative one between."""
    buys = [replace(fill(), price=at, shares=size, at=Instant(number)) for number, (at, size) in enumerate(bought)]
    left: int = sum(size for _, size in bought)
    held = FLAT.up
    sales: list[Fill] = []
    while left:
        size = Shares(data.draw(st.integers(1, left)) if len(sales) < 8 else left)
        sales.append(replace(fill(), price=data.draw(prices), shares=size, at=Instant(100 + len(sales))))
        left -= size
        held = position_of(_two_orders(buys, sales)).up
        assert (held.shares, held.cost >= 0, held.paid >= 0) == (left, True, True)
        if held.entry_price is not None:
            lost = (len(buys) + len(sales)) * MICRO // left + 1  # each trade rounds by less than a millionth of a USD
            assert min(at for at, _ in bought) - lost <= held.entry_price <= max(at for at, _ in bought) + lost
    assert (held.cost, held.paid, held.entry_price) == (0, 0, None)
    assert held.realised == sum(part.value for part in sales) - sum(part.value for part in buys)


def _two_orders(buys: list[Fill], sales: list[Fill]) -> list[Order]:
    return [
        replace(order(terms(), 1), fills=tuple(buys)),
        replace(order(terms(side=Side.SELL), 2), id=OrderId(2), fills=tuple(sales)),
    ]


@given(
    trades(), st.lists(st.tuples(st.sampled_from(Outcome), st.integers(-5_000_000, -1), st.integers(0, 6)), max_size=3)
)
def test_an_adjustment_moves_shares_and_no_money(orders: list[Order], lost: list[tuple[Outcome, int, int]]) -> None:
    adjustments = [Adjustment(outcome=outcome, shares=Shares(amount), at=Instant(at)) for outcome, amount, at in lost]
    before, after = position_of(orders), position_of(orders, adjustments)
    for outcome in Outcome:
        gone = sum(amount for one, amount, _ in lost if one is outcome)
        assert after.of(outcome).shares == before.of(outcome).shares + gone
        assert after.of(outcome).settled == before.of(outcome).settled + gone
        cash = sum(part.cash(side) for side, part in moves(orders, outcome))
        assert after.of(outcome).realised - after.of(outcome).cost == cash
        assert after.of(outcome).bought == before.of(outcome).bought
