"""Merges of pairs: what a desk has that could be merged, and what it learns of a merge.

Equal numbers of Up and Down are worth 1 USD a pair, now. What is on sale is not free to be merged, and what may be
being merged is not free to be sold: `Desk.shown_position` leaves it out.
"""

from msgspec import Struct

from polystra.core.claims import ClaimStage
from polystra.core.desk import Desk
from polystra.core.events import MergeReported
from polystra.core.ids import MergeId
from polystra.core.markets import Market
from polystra.core.orders import Order, OrderState
from polystra.core.positions import Merged
from polystra.core.restored import RestoredMerge
from polystra.core.terms import Outcome, Side, TradeStage
from polystra.core.units import Shares


class PairsHeld(Struct, frozen=True, gc=False, kw_only=True):
    """What our books say of a market's pairs.

    `up` and `down` have reached the chain and are not sold; `up_alone` and `down_alone` are in the same wallet and left
    alone. `free` is what may be merged; below zero when a sale came in between. `quiet`: no trade is on its way, so
    that the chain should have just these. `merging` are the merges that the engine knows to be on their way.
    """

    market: Market
    up: Shares
    down: Shares
    up_alone: Shares
    down_alone: Shares
    free: Shares
    quiet: bool
    merging: tuple[MergeId, ...]

    def of(self, outcome: Outcome) -> Shares:
        return self.up if outcome is Outcome.UP else self.down

    def alone(self, outcome: Outcome) -> Shares:
        return self.up_alone if outcome is Outcome.UP else self.down_alone


def pairs_of(desk: Desk, *, by_wallet: bool) -> PairsHeld:
    """`by_wallet`: no more is free than the venue's balance showed. In a closed market nothing is: what is left there
    is redeemed."""
    settled = {outcome: desk.position.of(outcome).settled for outcome in Outcome}
    free = min(
        (min(held, desk.in_wallet(outcome)) if by_wallet else held) - _on_sale(desk, outcome)
        for outcome, held in settled.items()
    )
    return PairsHeld(
        market=desk.market,
        up=settled[Outcome.UP],
        down=settled[Outcome.DOWN],
        up_alone=desk.position.up.left_alone,
        down_alone=desk.position.down.left_alone,
        free=Shares(-1 if desk.closed else free - desk.pairs_merging),
        quiet=not any(_on_its_way(order) for order in desk.orders.values()),
        merging=tuple(desk.merging),
    )


def heard(desk: Desk, event: MergeReported) -> bool:
    """Take over how far a merge is; false for what is told again after its end."""
    if event.merge in desk.merges_ended:
        return False
    if event.stage.open:
        desk.merging[event.merge] = event.pairs
        return True
    desk.merging.pop(event.merge, None)
    desk.merges_ended.add(event.merge)
    if event.stage is ClaimStage.PAID:
        desk.merges = (*desk.merges, Merged(pairs=event.pairs, at=event.stepped_at))
        desk.refold()
        for outcome, shown in desk.wallet.items():
            desk.wallet[outcome] = Shares(max(shown - event.pairs, 0))
    return True


def remembered(desk: Desk, stored: RestoredMerge) -> None:
    """What the ledger knows of a merge: how it was paid, or that nobody knows its end."""
    if stored.open:
        desk.merging[stored.merge] = stored.pairs
        return
    desk.merges_ended.add(stored.merge)
    desk.merges = (*desk.merges, Merged(pairs=stored.pairs, at=stored.at))
    desk.refold()


def _on_sale(desk: Desk, outcome: Outcome) -> int:
    """What live sells may still sell, and what ended ones sold by the venue's word although the trades are not here."""
    sells = (order for order in desk.orders.values() if order.terms.side is Side.SELL)
    mine = (order for order in sells if order.terms.outcome is outcome)
    return sum(order.remaining if order.live else order.awaited for order in mine)


def _on_its_way(order: Order) -> bool:
    moving = order.awaited > 0 or (order.live and order.state is not OrderState.WORKING)
    return moving or any(fill.counts and fill.stage is not TradeStage.CONFIRMED for fill in order.fills)
