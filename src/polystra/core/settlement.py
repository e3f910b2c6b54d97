"""Books what a market came to, once nothing of it can move any more: from its trades and its payout alone."""

from collections.abc import Iterator

from polystra.core.account import stake_of
from polystra.core.desk import Desk
from polystra.core.markets import Payout
from polystra.core.notes import AnyNote, MarketSettled
from polystra.core.treasury import Treasury
from polystra.core.units import Instant, Usd


def settled(desk: Desk, payout: Payout, treasury: Treasury, at: Instant) -> Iterator[AnyNote]:
    """The claim and the profit are counted, and said; anew, by what changed, when late news changed the position."""
    position = desk.position
    if not desk.says("settled", (position, payout)):
        return
    desk.settled = True
    claim = position.redeemable(payout)
    brought = Usd(claim - stake_of(position))
    treasury.claim(claim - desk.claimed)
    treasury.realise(brought - desk.settled_for, at)
    desk.claimed, desk.settled_for = claim, brought
    yield MarketSettled(
        market=desk.market.id,
        payout=payout,
        up_shares=position.up.shares,
        down_shares=position.down.shares,
        redeemable=claim,
        pnl=position.pnl(payout),
    )
