"""What holds for every transaction that a relayer is asked for: how long it can run, and when it has failed."""

from polystra.core.claims import ClaimStage
from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.relayer import VALID_FOR, Relayer, Story, TransactionId

DEAD_AFTER = Nanos(VALID_FOR + seconds(60))
"""When a batch can certainly not run any more, whatever the difference of the clocks."""

ASK_EVERY = seconds(2)
"""How often the relayer is asked how far a transaction is."""

DAY = seconds(86_400)


async def story_of(relayer: Relayer, asked: str | None) -> Story | ReadingFailed:
    """How far a transaction is by the relayer's word; of one without a number it never told anything."""
    if asked is None:
        return ReadingFailed("the relayer never answered")
    return await relayer.story(TransactionId(asked))


def verdict(*, ran: bool, over: bool, why: str, asked_at: Instant, now: Instant) -> tuple[ClaimStage | None, str]:
    """What the chain proves: `ran` when its shares are gone, `over` when the relayer gave it up for `why`. No stage
    while it may run yet."""
    if ran:
        return ClaimStage.PAID, "the shares are gone"
    if over:
        return ClaimStage.FAILED, why
    if now < asked_at + DEAD_AFTER:
        return None, f"{why}; the shares are there still, and it may run yet"
    return ClaimStage.FAILED, "it did not run while it could"
