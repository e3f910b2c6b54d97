"""Our own rate limits against the exchange's, in time that leaps: whatever is asked when, nothing meets a 429."""

import asyncio
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from polystra.core.units import Instant, Nanos, seconds
from polystra.edge.polymarket import pacing
from polystra.edge.polymarket.pacing import Pacing, Turn
from polystra.edge.polymarket.reply_headers import LimitState
from polystra.edge.polymarket.rest import Answer, NoReply, Reply
from polystra.exchange.limits import ALLOWANCES, Bucket, Kind, Tier
from tests.edge.exchange_cases import START
from tests.edge.feed_cases import HandTime

SECOND = 1_000_000_000


class Ask(Struct, frozen=True):
    """One request: after a pause, with so many orders, so long on its way there and back."""

    kind: Kind
    pause: int
    cost: int
    there: int
    back: int


class Floor:
    """The exchange's buckets at the far end of a slow wire. `headers` says whether it tells how they stand."""

    def __init__(self, time: HandTime, *, tier: Tier = Tier.STANDARD, headers: bool) -> None:
        self.time = time
        self.tier = tier
        self.headers = headers
        self.buckets = {kind: Bucket(ALLOWANCES[tier][kind], time.now()) for kind in Kind}
        self.statuses: list[int] = []

    async def ask(self, ask: Ask) -> Answer:
        await self.time.until(Instant(self.time.now() + ask.there))
        bucket = self.buckets[ask.kind]
        bucket.fill(self.time.now())
        status = 200 if bucket.take(ask.cost) else 429
        self.statuses.append(status)
        limit = LimitState(bucket.level // SECOND, self.tier) if self.headers else None
        await self.time.until(Instant(self.time.now() + ask.back))
        return Reply(status, b"{}", None, limit)


class Caller:
    """Asks without waiting for answers, as the trader does."""

    def __init__(self, floor: Floor, pace: Pacing) -> None:
        self.floor = floor
        self.pace = pace
        self.late: list[Nanos] = []
        self.told: list[Answer] = []

    async def ask(self, ask: Ask) -> None:
        turn: Turn = (self.pace.placement if ask.kind is Kind.ORDERS else self.pace.cancel)(ask.cost)
        asked, left = self.floor.time.now(), list[Nanos]()

        async def send() -> Answer:
            left.append(Nanos(self.floor.time.now() - asked))
            return await self.floor.ask(ask)

        self.told.append(await turn(send))
        if ask.kind is Kind.ORDERS:
            self.late += left


async def play(asks: list[Ask], floor: Floor, pace: Pacing) -> Caller:
    caller, tasks = Caller(floor, pace), []
    for ask in asks:
        await floor.time.go(ask.pause / 1e9)
        tasks.append(asyncio.create_task(caller.ask(ask)))
    await floor.time.go(300)
    assert all(task.done() for task in tasks)
    await asyncio.gather(*tasks)
    return caller


def asks_of(seed: int, count: int) -> list[Ask]:
    """A storm: bursts of everything, on a wire whose delays vary more than the venue's do."""
    draw = Random(seed)
    return [
        Ask(
            kind=draw.choice((Kind.ORDERS, Kind.CANCELS)),
            pause=draw.choice((0, 0, 0, seconds(0.01), seconds(0.3))),
            cost=draw.choice((1, 1, 3, 15)),
            there=seconds(draw.choice((0.001, 0.05, 0.4))),
            back=seconds(draw.choice((0.001, 0.05, 1.5))),
        )
        for _ in range(count)
    ]


def run(asks: list[Ask], *, headers: bool) -> Caller:
    async def inside() -> Caller:
        time = HandTime(START)
        return await play(asks, Floor(time, headers=headers), Pacing(time))

    return asyncio.run(inside())


@example(seed=2635, headers=True)
@given(seed=st.integers(0, 10_000), headers=st.booleans())
def test_no_schedule_of_placements_and_cancels_ever_meets_a_429(seed: int, headers: bool) -> None:
    caller = run(asks_of(seed, 60), headers=headers)
    assert set(caller.floor.statuses) == {200}


@given(seed=st.integers(0, 10_000))
def test_a_placement_leaves_within_a_second_or_never_and_a_cancel_always_leaves(seed: int) -> None:
    asks = asks_of(seed, 60)
    caller = run(asks, headers=True)
    held = [told for told in caller.told if isinstance(told, NoReply)]
    assert all(wait <= pacing.LONGEST for wait in caller.late)
    assert all(told.stale and not told.sent for told in held)
    assert len(caller.late) + len(held) == sum(ask.kind is Kind.ORDERS for ask in asks)
    assert len(caller.floor.statuses) + len(held) == len(asks)


@pytest.mark.parametrize("cost", [1, 15])
def test_the_storm_does_reach_the_limits(cost: int) -> None:
    """Or the property would prove nothing: without pacing the same storm is refused."""

    async def unpaced() -> Floor:
        floor = Floor(HandTime(START), headers=True)
        asks = [Ask(Kind.ORDERS, 0, cost, seconds(0.05), 0) for _ in range(90)]
        tasks = [asyncio.create_task(floor.ask(ask)) for ask in asks]
        await floor.time.go(10)
        await asyncio.gather(*tasks)
        return floor

    assert 429 in asyncio.run(unpaced()).statuses
    asks = [Ask(Kind.ORDERS, 0, cost, seconds(0.05), 0) for _ in range(90)]
    caller = run(asks, headers=True)
    assert set(caller.floor.statuses) == {200}
    assert len(caller.floor.statuses) >= (85 if cost == 1 else 6)
