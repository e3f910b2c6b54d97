"""Shares out the fees that takers paid among the makers they met (`PROTOCOL.md` F.2).

    pool of a market and day = rebate rate x fees of its takers;  a maker's part = its fills' fees / all fills' fees

where the fee of a fill is what a taker would pay for it. Trades that failed do not count, nor does a part below a
millionth. The background is one maker more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from polystra.core.ids import MarketId
from polystra.core.terms import TradeStage
from polystra.core.units import MICRO, Usd
from polystra.sim.fees import taker_fee
from polystra.sim.markets import Market
from polystra.sim.records import Account, Trade
from polystra.sim.rewards import DAY


class Rebate(Struct, frozen=True, gc=False, kw_only=True):
    """What an account gets back for its fills in a market on one UTC day."""

    market: MarketId
    account: Account
    amount: Usd


def rebates(trades: Iterable[Trade], markets: Mapping[MarketId, Market], day: int) -> tuple[Rebate, ...]:
    """Of one UTC day, counted from 1970, in order of the first fill; what is nothing is left out."""
    pools: dict[MarketId, int] = defaultdict(int)
    parts: dict[tuple[MarketId, Account], int] = defaultdict(int)
    totals: dict[MarketId, int] = defaultdict(int)
    for trade in trades:
        if trade.matched_at // DAY != day or trade.stage is TradeStage.FAILED:
            continue
        facts = markets[trade.market].facts
        part = taker_fee(facts, trade.maker.price, trade.maker.shares)
        pools[trade.market] += trade.taker.fee * facts.rebate_rate // MICRO
        totals[trade.market] += part
        parts[trade.market, trade.maker.account] += part
    return tuple(
        Rebate(market=market, account=account, amount=Usd(amount))
        for (market, account), part in parts.items()
        if part and (amount := pools[market] * part // totals[market])
    )
