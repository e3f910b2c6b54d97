"""Shares out the fees that takers paid among the makers they met (`PROTOCOL.md` F.2).

    pool of a market and day = rebate rate x fees of its takers;  a maker's part = its fills' fees / all fills' fees

where the fee of a fill is what a taker would pay for it. Trades that failed do not count, nor does a part below a
millionth; the venue's least payment of one dollar is not applied, as nothing is paid.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from polystra.core.ids import MarketId
from polystra.core.terms import TradeStage
from polystra.core.units import MICRO, Usd
from polystra.exchange.listings import Listing
from polystra.sim.fees import taker_fee
from polystra.sim.records import Account, Trade
from polystra.sim.rewards import DAY


def rebates(
    trades: Iterable[Trade], listings: Mapping[MarketId, Listing], maker: Account, day: int
) -> dict[MarketId, Usd]:
    """What one maker gets for one UTC day, counted from 1970, by market; markets that bring nothing are left out."""
    pools: dict[MarketId, int] = defaultdict(int)
    all_parts: dict[MarketId, int] = defaultdict(int)
    own_parts: dict[MarketId, int] = defaultdict(int)
    for trade in trades:
        if trade.matched_at // DAY != day or trade.stage is TradeStage.FAILED:
            continue
        facts = listings[trade.market].facts
        part = taker_fee(facts, trade.maker.price, trade.maker.shares)
        pools[trade.market] += trade.taker.fee * facts.rebate_rate // MICRO
        all_parts[trade.market] += part
        own_parts[trade.market] += part if trade.maker.account == maker else 0
    return {
        market: Usd(share)
        for market, own in own_parts.items()
        if own and (share := pools[market] * own // all_parts[market])
    }
