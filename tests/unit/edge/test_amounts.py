"""The two amounts of an order, for each grid, kind and side (`PROTOCOL.md` E.1): the venue takes them all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.ids import VenueOrderId
from polystra.core.terms import OrderTerms, Outcome, Purpose, Side, TimeInForce, whole_cent_lot
from polystra.core.units import MICRO, Price, Shares, price, shares, usd
from polystra.edge.polymarket.amounts import Amounts, amounts_of
from polystra.sim import messages as sim
from polystra.sim import rules
from tests.unit.sim.bench import ANN, MARKET, UP, Bench, of

BUY, SELL = Side.BUY, Side.SELL
RESTS, TAKES, WHOLE = TimeInForce.GTC, TimeInForce.FAK, TimeInForce.FOK
DECIMALS = {"0.1": 3, "0.01": 4, "0.005": 5, "0.0025": 6, "0.001": 5, "0.0001": 6}
"""Of a limit order's cash, by tick."""


def terms(side: Side, at: Price, size: Shares, time_in_force: TimeInForce) -> OrderTerms:
    return OrderTerms(
        market=MARKET,
        outcome=Outcome.UP,
        side=side,
        purpose=Purpose.ENTRY,
        price=at,
        shares=size,
        time_in_force=time_in_force,
    )


@pytest.mark.parametrize(
    ("side", "kind", "at", "size", "maker", "taker"),
    [
        (BUY, RESTS, "0.5", "5.01", "2.505", "5.01"),
        (SELL, RESTS, "0.5", "5.01", "5.01", "2.505"),
        (BUY, RESTS, "0.53", "5.62", "2.9786", "5.62"),
        (SELL, RESTS, "0.53", "5.62", "5.62", "2.9786"),
        (BUY, RESTS, "0.525", "5.01", "2.63025", "5.01"),
        (SELL, RESTS, "0.525", "5.01", "5.01", "2.63025"),
        (BUY, RESTS, "0.5225", "5.01", "2.617725", "5.01"),
        (SELL, RESTS, "0.5225", "5.01", "5.01", "2.617725"),
        (BUY, RESTS, "0.523", "5.01", "2.62023", "5.01"),
        (SELL, RESTS, "0.523", "5.01", "5.01", "2.62023"),
        (BUY, RESTS, "0.5231", "5.01", "2.620731", "5.01"),
        (SELL, RESTS, "0.5231", "5.01", "5.01", "2.620731"),
        (BUY, TAKES, "0.5", "10.02", "5.01", "10.02"),
        (BUY, TAKES, "0.53", "10", "5.3", "10"),
        (BUY, TAKES, "0.53", "5.62", "2.97", "5.62"),
        (BUY, WHOLE, "0.523", "10", "5.23", "10"),
        (BUY, TAKES, "0.5231", "100", "52.31", "100"),
        (SELL, TAKES, "0.53", "5.62", "5.62", "2.9786"),
        (SELL, TAKES, "0.523", "5.01", "5.01", "2.6202"),
        (SELL, WHOLE, "0.5231", "5.01", "5.01", "2.6207"),
        (SELL, TAKES, "0.001", "5.01", "5.01", "0.005"),
    ],
)
def test_amounts_of(side: Side, kind: TimeInForce, at: str, size: str, maker: str, taker: str) -> None:
    assert amounts_of(terms(side, price(at), shares(size), kind)) == Amounts(usd(maker), usd(taker))


def submitted(order: OrderTerms) -> sim.Submit:
    amounts = amounts_of(order)
    return sim.Submit(
        account=ANN,
        order=VenueOrderId("0xnew"),
        token=UP,
        side=order.side,
        maker_amount=amounts.maker,
        taker_amount=amounts.taker,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
    )


def market_with(tick: str) -> Bench:
    """An exchange with money, shares, and a book that meets every price on this grid."""
    bench = Bench(tick=price(tick))
    bench.tell(sim.Deposit(account=ANN, amount=usd(10**9)))
    bench.split("10000")
    return bench


@st.composite
def drawn(draw: st.DrawFn, tick: str, kinds: tuple[TimeInForce, ...]) -> OrderTerms:
    step = price(tick)
    at = Price(draw(st.integers(1, MICRO // step - 1)) * step)
    side, kind = draw(st.sampled_from(Side)), draw(st.sampled_from(kinds))
    if side is BUY and kind.immediate:
        lot = whole_cent_lot(at)
        return terms(side, at, Shares(lot * draw(st.integers(-(-MICRO * MICRO // (at * lot)), 10**5))), kind)
    least = 100 if kind.immediate else 500
    return terms(side, at, Shares(draw(st.integers(least, 10**6)) * 10_000), kind)


@pytest.mark.parametrize("tick", DECIMALS)
@given(data=st.data())
def test_a_resting_order_is_accepted_at_exactly_its_price_on_every_grid(tick: str, data: st.DataObject) -> None:
    order = data.draw(drawn(tick, (RESTS,)))
    bench = market_with(tick)
    (answer,) = of(bench.tell(submitted(order)), sim.OrderAccepted)
    assert answer.status is sim.OrderAnswer.LIVE
    (resting,) = bench.exchange.open_orders(ANN)
    assert (resting.price, resting.size) == (order.price, order.shares)
    cash = amounts_of(order).maker if order.side is BUY else amounts_of(order).taker
    assert cash % 10 ** (6 - DECIMALS[tick]) == 0


@pytest.mark.parametrize("tick", DECIMALS)
@given(data=st.data())
def test_an_immediate_order_is_accepted_and_never_worse_than_its_limit(tick: str, data: st.DataObject) -> None:
    """A BUY in whole lots has exactly its price; a SELL's may be read up to 0.0001 lower, never higher."""
    order = data.draw(drawn(tick, (TAKES, WHOLE)))
    bench = market_with(tick)
    deep = ((order.price, Shares(10**17)),)
    bids, asks = (deep, ()) if order.side is SELL else ((), deep)
    bench.tell(sim.SetBook(market=MARKET, bids=bids, asks=asks))
    request = submitted(order)
    (answer,) = of(bench.tell(request), sim.OrderAccepted)
    assert answer.status is sim.OrderAnswer.MATCHED
    limit = rules.limit_price(request, price(tick))
    assert not isinstance(limit, rules.Refusal)
    if order.side is BUY:
        assert limit == order.price
        assert (answer.making, answer.taking) == (order.spend, order.shares)
    else:
        assert order.price - 100 <= limit <= order.price
        assert answer.making == order.shares


@pytest.mark.parametrize("tick", DECIMALS)
def test_a_price_off_the_grid_is_refused(tick: str) -> None:
    """So the acceptance above means something."""
    bench = market_with(tick)
    off = Price(price(tick) + price(tick) // 2)
    (refused,) = of(bench.tell(submitted(terms(BUY, off, shares(100), RESTS))), sim.OrderRejected)
    assert "breaks minimum tick size rule" in refused.text


def test_an_immediate_buy_off_its_lot_is_refused() -> None:
    """5.01 shares at 0.53 cost 2.6553, and 2.65 for 5.01 is no price on the grid: why entries are sized in lots."""
    bench = market_with("0.01")
    (refused,) = of(bench.tell(submitted(terms(BUY, price("0.53"), shares("5.01"), TAKES))), sim.OrderRejected)
    assert "breaks minimum tick size rule" in refused.text
