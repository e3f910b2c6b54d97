"""The exchange's fee and the engine's were written apart from one protocol; they agree on every price and size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.fees import FeeSchedule, fee_of_fill, taker_fee
from polystra.core.ids import MarketId, TokenId
from polystra.core.terms import Liquidity, Side
from polystra.core.units import Price, Shares
from polystra.sim import fees
from polystra.sim.messages import MarketFacts


@given(
    rate=st.sampled_from([0, 1, 30_000, 40_000, 50_000, 70_000, 72_000, 250_000]),
    exponent=st.sampled_from([1, 2]),
    at=st.integers(1, 9_999).map(lambda step: Price(step * 100)),
    amount=st.integers(1, 10**11).map(Shares),
    side=st.sampled_from(list(Side)),
    in_shares=st.booleans(),
)
def test_both_fees_agree(rate: int, exponent: int, at: Price, amount: Shares, side: Side, in_shares: bool) -> None:
    theirs = MarketFacts(
        id=MarketId("0xm"),
        up_token=TokenId("1"),
        down_token=TokenId("2"),
        fee_rate=rate,
        fee_exponent=exponent,
        fee_in_shares=in_shares,
    )
    ours = FeeSchedule(rate=rate, exponent=exponent, in_shares_on_buys=in_shares)
    fee = fee_of_fill(ours, side, Liquidity.TAKER, at, amount)
    assert fees.taker_fee(theirs, at, amount) == taker_fee(ours, at, amount)
    usd, shares = fees.charged(theirs, side, at, amount)
    assert shares == fee.shares
    assert usd == fee.usd or (side is Side.SELL and usd == at * amount // 1_000_000 < fee.usd)
