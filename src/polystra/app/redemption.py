"""Turns what settled markets pay into cash, each claim once, one transaction after the other.

    nothing ─► wanted ─► sent ─► paid        written down before the relayer is asked, when it answered, at the end
                  └────────┴───► failed      it said so, or the batch's time is over and the shares are still there

A claim that is wanted or sent is never asked for again: it is found out what became of it, also after a restart. Of a
transaction whose end nobody tells the chain does: shares that are gone were paid; shares that are there after the time
in which the batch could run were not, and never will be by it. Until then no other one is sent, as both would sign for
the same nonce.
"""

from asyncio import Lock
from collections.abc import Callable

from msgspec import Struct

from polystra.app.transactions import ASK_EVERY, DAY, DEAD_AFTER, story_of, verdict
from polystra.core.claims import ClaimStage
from polystra.core.errors import NotSupported
from polystra.core.events import ClaimReported
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Nanos, Usd
from polystra.edge.clock import Time
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.redemption_calls import OnChain, redemption
from polystra.edge.polymarket.relayer import (
    Batch,
    Declined,
    Doubtful,
    Progress,
    Relayer,
    Story,
    Taken,
)
from polystra.edge.store.claims import Claim, ClaimStep
from polystra.edge.store.errors import LedgerUnavailable
from polystra.edge.store.ledger import Ledger

Tell = Callable[[ClaimReported], None]


class Fate(Struct, frozen=True, kw_only=True):
    """How a claim stands after a round; `stage` is None for one that was not asked for, `why` says why."""

    claim: Claim
    stage: ClaimStage | None
    paid: Usd = Usd(0)
    why: str = ""


class Redemption:
    """Redeems the claims of one ledger for one wallet. `tell` hears every step, after it was written down."""

    def __init__(self, ledger: Ledger, relayer: Relayer, clock: Time, tell: Tell) -> None:
        self._ledger = ledger
        self._relayer = relayer
        self._clock = clock
        self._tell = tell

    async def round(self, *, most: int, patience: Nanos) -> tuple[Fate, ...]:
        """Finds out about the one on its way, then redeems the others, oldest first, with no more than `most`
        transactions; each is waited for as long as `patience`. Raises `LedgerUnavailable`."""
        fates: list[Fate] = []
        merging = bool(self._ledger.merges_on_their_way())
        for claim in sorted(self._ledger.unpaid_claims(), key=lambda one: not one.open):
            if claim.open:
                fates.append(await self._follow(claim, patience))
            elif merging:
                fates.append(Fate(claim=claim, stage=None, why="a merge is on its way: one after the other"))
            elif any(fate.stage is not None and fate.stage.open for fate in fates):
                fates.append(Fate(claim=claim, stage=None, why="another one is on its way: one after the other"))
            elif most <= 0:
                fates.append(Fate(claim=claim, stage=None, why="the budget is used up"))
            else:
                fate = await self._redeem(claim, patience)
                most -= fate.stage is not None
                fates.append(fate)
        return tuple(fates)

    async def go_on(self, *, every: Nanos, most_a_day: int, turn: Lock) -> None:
        """Round after round until it is cancelled, each while it has its `turn` at the wallet's nonces. While the
        ledger cannot be written nothing is sent."""
        while True:
            try:
                async with turn:
                    left = most_a_day - self._ledger.transactions_tried(Instant(self._clock.now() - DAY))
                    await self.round(most=left, patience=DEAD_AFTER)
            except LedgerUnavailable:
                pass  # whoever trades has said so already
            await self._clock.until(Instant(self._clock.now() + every))

    async def _redeem(self, claim: Claim, patience: Nanos) -> Fate:
        held = await self._relayer.held(claim.market)
        if isinstance(held, ReadingFailed):
            return Fate(claim=claim, stage=None, why=f"the chain could not be asked: {held.why}")
        pays = _pays(claim, held)
        if not pays:
            return Fate(claim=claim, stage=None, why="the wallet holds nothing that pays: redeemed elsewhere?")
        at = self._clock.now()
        try:
            batch = await self._relayer.batch(redemption(claim.market, held), at)
        except NotSupported as error:
            return Fate(claim=claim, stage=None, why=str(error))
        if isinstance(batch, ReadingFailed):
            return Fate(claim=claim, stage=None, why=f"the relayer could not be asked: {batch.why}")
        return await self._submit(
            self._step(claim, ClaimStep(at=at, stage=ClaimStage.WANTED, pays=pays)), batch, patience
        )

    async def _submit(self, claim: Claim, batch: Batch, patience: Nanos) -> Fate:
        match await self._relayer.submit(batch):
            case Taken(transaction):
                return await self._follow(self._move(claim, ClaimStage.SENT, asked=transaction), patience)
            case Declined(why):
                return self._fate(self._move(claim, ClaimStage.FAILED, why=why))
            case Doubtful(why):
                return self._fate(claim, f"no answer, it may have run: {why}")

    async def _follow(self, claim: Claim, patience: Nanos) -> Fate:
        until = self._clock.now() + patience
        while True:
            claim, why = await self._look(claim)
            if not claim.open or self._clock.now() >= until:
                return self._fate(claim, why)
            await self._clock.until(Instant(self._clock.now() + ASK_EVERY))

    async def _look(self, claim: Claim) -> tuple[Claim, str]:
        """The claim as far as it is by now; in words why that is not known, if it is not."""
        assert claim.last is not None
        story = await story_of(self._relayer, claim.last.asked)
        if isinstance(story, Story):
            if story.progress is Progress.CONFIRMED:
                return self._move(claim, ClaimStage.PAID), ""
            if story.progress in (Progress.FAILED, Progress.INVALID):
                return await self._look_at_the_chain(claim, story.why or story.progress, over=True)
        if self._clock.now() < claim.last.at + DEAD_AFTER and isinstance(story, Story):
            return claim, f"the relayer says {story.progress}"
        return await self._look_at_the_chain(claim, story.why)

    async def _look_at_the_chain(self, claim: Claim, why: str, *, over: bool = False) -> tuple[Claim, str]:
        """The last word, also where the relayer says that it is `over`: what it gave up may have run after all."""
        assert claim.last is not None
        held = await self._relayer.held(claim.market)
        if isinstance(held, ReadingFailed):
            return claim, f"{why}; the chain could not be asked: {held.why}"
        ran, now = not _pays(claim, held), self._clock.now()
        stage, said = verdict(ran=ran, over=over, why=why, asked_at=claim.last.at, now=now)
        return (claim, said) if stage is None else (self._move(claim, stage, why=said), "")

    # --- writing it down

    def _move(self, claim: Claim, stage: ClaimStage, *, asked: str | None = None, why: str = "") -> Claim:
        """The next step of a claim that was wanted."""
        last = claim.last
        assert last is not None
        step = ClaimStep(at=self._clock.now(), stage=stage, pays=last.pays, asked=asked or last.asked, why=why)
        return self._step(claim, step)

    def _step(self, claim: Claim, step: ClaimStep) -> Claim:
        self._ledger.step_claim(claim.market.id, step)
        paid = step.pays if step.stage is ClaimStage.PAID else Usd(0)
        told = ClaimReported(
            at=Instant(0), market=claim.market.id, stage=step.stage, claim=claim.amount, paid=paid, why=step.why
        )
        self._tell(told)
        return Claim(market=claim.market, payout=claim.payout, amount=claim.amount, last=step)

    def _fate(self, claim: Claim, why: str = "") -> Fate:
        last = claim.last
        assert last is not None
        paid = last.pays if last.stage is ClaimStage.PAID else Usd(0)
        return Fate(claim=claim, stage=last.stage, paid=paid, why=why or last.why)


def _pays(claim: Claim, held: OnChain) -> Usd:
    """What the shares on the chain bring, by the contract's rounding: down, each outcome on its own."""
    return Usd(sum(held.of(outcome) * claim.payout.of(outcome) // MICRO for outcome in Outcome))
