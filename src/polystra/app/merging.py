"""Turns equal holdings of Up and Down back into cash, 1 USD a pair, each merge once.

    nothing ─► wanted ─► sent ─► paid        written down before the relayer is asked, when it answered, at the end
                  └────────┴───► failed      it said so, or the batch's time is over and the shares are still there

As with a redemption (`redemption`) nothing is asked twice while nobody knows what became of it, and the chain has the
last word. Two things differ. The engine trades the same shares: it hears that a merge is wanted, sells none of them
from then on, and only then is the relayer asked, if they are still free. And shares are left: the merge ran when the
chain has fewer of both outcomes than our books by as many pairs, which counts only while no trade is on its way. What
is left alone is in the same wallet: of what the chain has, only the rest is ours.
"""

from asyncio import Lock
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from polystra.app.transactions import ASK_EVERY, DAY, DEAD_AFTER, story_of, verdict
from polystra.core.claims import ClaimStage
from polystra.core.errors import NotSupported
from polystra.core.events import MergeReported
from polystra.core.ids import MarketId
from polystra.core.markets import Market
from polystra.core.merges import PairsHeld
from polystra.core.terms import Outcome
from polystra.core.units import Instant, Nanos, Shares, seconds, show
from polystra.edge.clock import Time
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.redemption_calls import OnChain, merger
from polystra.edge.polymarket.relayer import (
    Batch,
    Declined,
    Doubtful,
    Progress,
    Relayer,
    Story,
    Taken,
)
from polystra.edge.store.errors import LedgerUnavailable
from polystra.edge.store.ledger import Ledger
from polystra.edge.store.merges import Merge

LISTEN_EVERY = seconds(0.1)
"""How often it is looked whether the engine has heard that a merge is wanted."""

Tell: TypeAlias = Callable[[MergeReported], object]
Books: TypeAlias = Callable[[], tuple[PairsHeld, ...] | None]
"""What the engine says now of every market that is not settled; None while it has not started."""


class MergeFate(Struct, frozen=True, kw_only=True):
    """How the pairs of a market stand after a round; `merge` is None for those not asked for, `why` says why."""

    market: Market
    pairs: Shares
    merge: Merge | None
    why: str = ""

    @property
    def stage(self) -> ClaimStage | None:
        return None if self.merge is None else self.merge.stage

    @property
    def open(self) -> bool:
        return self.merge is not None and self.merge.stage.open


class Merging:
    """Merges pairs for one wallet. `books` is the engine's word, `tell` hears every step after it was written down."""

    def __init__(self, ledger: Ledger, relayer: Relayer, clock: Time, books: Books, tell: Tell) -> None:
        self._ledger = ledger
        self._relayer = relayer
        self._clock = clock
        self._books = books
        self._tell = tell

    async def round(
        self, *, most: int, patience: Nanos, least: Shares, only: str | None = None
    ) -> tuple[MergeFate, ...]:
        """Finds out about the one on its way, then merges in every market, or the one of the slug `only`, that has
        `least` free pairs, with no more than `most` transactions. Raises `LedgerUnavailable`."""
        fates = [await self._follow(merge, patience) for merge in self._ledger.merges_on_their_way()]
        for held in self._books() or ():
            if held.free < least or only not in (None, held.market.slug):
                continue
            fate = await self._merge(held, patience) if not (why := self._why_not(fates, most)) else _left(held, why)
            most -= fate.merge is not None
            fates.append(fate)
        return tuple(fates)

    async def go_on(self, *, every: Nanos, most_a_day: int, least: Shares, turn: Lock) -> None:
        """Round after round until it is cancelled, each while it has its `turn` at the wallet's nonces. While the
        ledger cannot be written nothing is sent."""
        while True:
            try:
                async with turn:
                    if self._books() is not None:
                        left = most_a_day - self._ledger.transactions_tried(Instant(self._clock.now() - DAY))
                        await self.round(most=left, patience=DEAD_AFTER, least=least)
            except LedgerUnavailable:
                pass  # whoever trades has said so already
            await self._clock.until(Instant(self._clock.now() + every))

    def _why_not(self, fates: list[MergeFate], most: int) -> str:
        if any(fate.open for fate in fates) or any(claim.open for claim in self._ledger.unpaid_claims()):
            return "another transaction is on its way: one after the other"
        return "" if most > 0 else "the budget is used up"

    async def _merge(self, held: PairsHeld, patience: Nanos) -> MergeFate:
        chain = await self._relayer.held(held.market)
        if isinstance(chain, ReadingFailed):
            return _left(held, f"the chain could not be asked: {chain.why}")
        ours = min(_ours(chain, held, outcome) for outcome in Outcome)
        if ours < held.free:
            return _left(held, f"the chain has {show(Shares(max(ours, 0)))} pairs: not what our books say")
        at = self._clock.now()
        try:
            batch = await self._relayer.batch(merger(held.market, held.free), at)
        except NotSupported as error:
            return _left(held, str(error))
        if isinstance(batch, ReadingFailed):
            return _left(held, f"the relayer could not be asked: {batch.why}")
        merge = Merge(id=self._ledger.next_merge(), market=held.market, pairs=held.free, at=at, stage=ClaimStage.WANTED)
        return await self._submit(self._step(merge), batch, patience)

    async def _submit(self, merge: Merge, batch: Batch, patience: Nanos) -> MergeFate:
        if not await self._is_reserved(merge):
            return _fate(self._move(merge, ClaimStage.FAILED, why="sold or over meanwhile: nothing was asked"))
        match await self._relayer.submit(batch):
            case Taken(transaction):
                return await self._follow(self._move(merge, ClaimStage.SENT, asked=transaction), patience)
            case Declined(why):
                return _fate(self._move(merge, ClaimStage.FAILED, why=why))
            case Doubtful(why):
                return _fate(merge, f"no answer, it may have run: {why}")

    async def _is_reserved(self, merge: Merge) -> bool:
        """Whether the engine knows of it by now, and has sold nothing of it in between."""
        while (held := self._held(merge.market.id)) is not None and merge.id not in held.merging:
            await self._clock.until(Instant(self._clock.now() + LISTEN_EVERY))
        return held is not None and held.free >= 0

    async def _follow(self, merge: Merge, patience: Nanos) -> MergeFate:
        until = self._clock.now() + patience
        while True:
            merge, why = await self._look(merge)
            if not merge.stage.open or self._clock.now() >= until:
                return _fate(merge, why)
            await self._clock.until(Instant(self._clock.now() + ASK_EVERY))

    async def _look(self, merge: Merge) -> tuple[Merge, str]:
        """The merge as far as it is by now; in words why that is not known, if it is not."""
        story = await story_of(self._relayer, merge.asked)
        if isinstance(story, Story):
            if story.progress is Progress.CONFIRMED:
                return self._move(merge, ClaimStage.PAID), ""
            if story.progress in (Progress.FAILED, Progress.INVALID):
                return await self._look_at_the_chain(merge, story.why or story.progress, over=True)
            if self._clock.now() < merge.at + DEAD_AFTER:
                return merge, f"the relayer says {story.progress}"
        return await self._look_at_the_chain(merge, story.why)

    async def _look_at_the_chain(self, merge: Merge, why: str, *, over: bool = False) -> tuple[Merge, str]:
        """The last word, also where the relayer says that it is `over`: what it gave up may have run after all."""
        if merge.settled:
            return self._move(merge, ClaimStage.FAILED, why="the window settled before it was asked"), ""
        before = self._held(merge.market.id)
        chain = await self._relayer.held(merge.market)
        if isinstance(chain, ReadingFailed):
            return merge, f"{why}; the chain could not be asked: {chain.why}"
        held = self._held(merge.market.id)
        if held is None or before is None or not held.quiet or _shares(held) != _shares(before):
            return merge, f"{why}; a trade is on its way, so the chain proves nothing yet"
        ran = min(held.of(outcome) - _ours(chain, held, outcome) for outcome in Outcome) >= merge.pairs
        stage, said = verdict(ran=ran, over=over, why=why, asked_at=merge.at, now=self._clock.now())
        return (merge, said) if stage is None else (self._move(merge, stage, why=said), "")

    def _held(self, market: MarketId) -> PairsHeld | None:
        return next((held for held in self._books() or () if held.market.id == market), None)

    # --- writing it down

    def _move(self, merge: Merge, stage: ClaimStage, *, asked: str | None = None, why: str = "") -> Merge:
        """The next step of a merge that was wanted."""
        return self._step(replace(merge, at=self._clock.now(), stage=stage, asked=asked or merge.asked, why=why))

    def _step(self, merge: Merge) -> Merge:
        self._ledger.step_merge(merge)
        told = MergeReported(
            at=Instant(0),
            market=merge.market.id,
            merge=merge.id,
            stage=merge.stage,
            pairs=merge.pairs,
            stepped_at=merge.at,
            why=merge.why,
        )
        self._tell(told)
        return merge


def _ours(chain: OnChain, held: PairsHeld, outcome: Outcome) -> int:
    """What the chain has without what is left alone; below zero where not even that is there."""
    return chain.of(outcome) - held.alone(outcome)


def _shares(held: PairsHeld) -> tuple[Shares, ...]:
    return held.up, held.down, held.up_alone, held.down_alone


def _left(held: PairsHeld, why: str) -> MergeFate:
    return MergeFate(market=held.market, pairs=held.free, merge=None, why=why)


def _fate(merge: Merge, why: str = "") -> MergeFate:
    return MergeFate(market=merge.market, pairs=merge.pairs, merge=merge, why=why or merge.why)
