"""Each rule of our own token buckets, by the numbers of `PROTOCOL.md` E.8."""

import asyncio

import pytest

from polystra.core.units import Instant, seconds
from polystra.edge.polymarket.pacing import TIERS, Allowance, Bucket, Pacing, Turn
from polystra.edge.polymarket.reply_headers import LimitState, limit_of, wait_of
from polystra.edge.polymarket.rest import Answer, NoReply, Reply
from polystra.exchange.limits import ALLOWANCES, Kind, Tier
from tests.edge.exchange_cases import START
from tests.edge.feed_cases import HandTime, in_loop, settle

OK = Reply(200, b"{}")


def told(remaining: int, tier: str = "standard") -> Reply:
    return Reply(200, b"{}", None, LimitState(remaining, tier))


async def spend(turn: Turn, answer: Answer = OK) -> Answer:
    async def send() -> Answer:
        return answer

    return await turn(send)


def test_the_client_knows_the_tiers_that_the_exchange_enforces() -> None:
    theirs = {
        tier.value: [(one.rate, one.burst, one.debt) for one in (kinds[Kind.ORDERS], kinds[Kind.CANCELS])]
        for tier, kinds in ALLOWANCES.items()
    }
    ours = {
        name: [(one.rate, one.burst, one.debt) for one in (tier.orders, tier.cancels)] for name, tier in TIERS.items()
    }
    assert ours == theirs
    assert Tier.NONE not in ours


@in_loop
async def test_sixty_orders_leave_at_once_and_the_next_after_25_ms() -> None:
    time = HandTime()
    pace = Pacing(time)
    for _ in range(60):
        assert await spend(pace.placement(1)) == OK
    assert time.waited == []
    late = asyncio.create_task(spend(pace.placement(1)))
    await time.go(0.024)
    assert not late.done()
    await time.go(0.001)
    assert late.done()


@in_loop
async def test_an_order_whose_turn_is_more_than_a_second_away_is_not_sent_and_costs_nothing() -> None:
    time = HandTime()
    pace = Pacing(time)
    await spend(pace.placement(60))
    waiting = asyncio.create_task(spend(pace.placement(40)))
    await settle()
    refused = await spend(pace.placement(1))
    assert isinstance(refused, NoReply)
    assert (refused.sent, refused.stale) == (False, True)
    assert refused.why == (
        "1 orders not sent: their turn is 1.0 s away, allowed 1 s; the venue takes 40 orders a second (standard): "
        "place fewer at a time"
    )
    await time.go(1)
    assert waiting.done()
    await time.go(0.025)
    assert await spend(pace.placement(1)) == OK


@in_loop
async def test_orders_do_not_wait_for_cancels_nor_cancels_for_orders() -> None:
    time = HandTime()
    pace = Pacing(time)
    await spend(pace.placement(60))
    await spend(pace.cancel(120))
    assert time.waited == []


@in_loop
async def test_a_cancel_waits_as_long_as_it_takes_after_a_sweep_went_below_zero() -> None:
    time = HandTime()
    pace = Pacing(time)
    await spend(pace.cancel(1))
    pace.swept(400)
    cancel = asyncio.create_task(spend(pace.cancel(1)))
    await time.go(3.52)
    assert not cancel.done()
    await time.go(0.01)
    assert cancel.done()


@in_loop
async def test_where_the_tier_forbids_debt_a_sweep_leaves_nothing_and_no_less() -> None:
    time = HandTime()
    pace = Pacing(time, tier="platinum")
    await spend(pace.cancel(1))
    pace.swept(5_000)
    cancel = asyncio.create_task(spend(pace.cancel(9)))
    await time.go(0.01)
    assert cancel.done()


@in_loop
async def test_what_another_program_spent_is_learned_from_the_headers() -> None:
    time = HandTime()
    pace = Pacing(time)
    await spend(pace.placement(1), told(3))
    await spend(pace.placement(3), told(0))
    assert time.waited == []
    late = asyncio.create_task(spend(pace.placement(1)))
    await settle()
    assert not late.done()
    await time.go(0.025)
    assert late.done()


@in_loop
async def test_a_better_tier_gives_more_and_a_fallen_one_less() -> None:
    time = HandTime()
    pace = Pacing(time)
    await spend(pace.placement(1), told(59, "silver"))
    await time.go(2)
    await spend(pace.placement(300), told(0, "silver"))
    assert time.waited == []
    await time.go(2)
    await spend(pace.placement(1), told(59, "standard"))
    assert pace.tier == "standard"
    assert isinstance(await spend(pace.placement(100)), NoReply)


@in_loop
async def test_a_tier_that_nobody_knows_changes_nothing() -> None:
    pace = Pacing(HandTime())
    await spend(pace.placement(1), told(59, "mithril"))
    assert pace.tier == "standard"


@in_loop
async def test_a_request_that_fails_here_leaves_nothing_under_way() -> None:
    pace = Pacing(HandTime())

    async def breaks() -> Answer:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="a mistake"):
        await pace.placement(60)(breaks)
    pending = asyncio.create_task(spend(pace.placement(1)))
    await settle()
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)


def test_a_clock_that_is_set_back_brings_nothing() -> None:
    bucket = Bucket(Allowance(40, 60), START)
    bucket.take(60)
    bucket.answered(60, None)
    bucket.fill(Instant(START - seconds(100)))
    assert bucket.wait_for(1) == seconds(0.025)
    bucket.fill(START)
    assert bucket.wait_for(60) == 0, "the 100 s since then count again"


def test_room_that_requests_under_way_made_does_not_fill_before_they_are_answered() -> None:
    bucket = Bucket(Allowance(40, 60), START)
    bucket.take(60)
    bucket.fill(Instant(START + seconds(10)))
    assert bucket.wait_for(1) > 0
    bucket.answered(60, None)
    assert bucket.wait_for(1) > 0
    bucket.fill(Instant(START + seconds(10.025)))
    assert bucket.wait_for(1) == 0


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ({"Poly-RateLimit-Remaining": "59", "Poly-RateLimit-Tier": "Standard"}, LimitState(59, "standard")),
        ({"Poly-RateLimit-Remaining": "-7"}, LimitState(-7, "")),
        ({"Poly-RateLimit-Remaining": "many"}, None),
        ({"Poly-RateLimit-Remaining": "--7"}, None),
        ({"Poly-RateLimit-Tier": "gold"}, None),
        ({}, None),
    ],
)
def test_headers_say_how_a_bucket_stands_or_nothing(headers: dict[str, str], state: LimitState | None) -> None:
    assert limit_of(headers) == state


@pytest.mark.parametrize(
    ("text", "wait"), [("7", 7), (" 0 ", 0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("12345678", None)]
)
def test_a_wait_is_whole_seconds_or_nothing(text: str, wait: int | None) -> None:
    assert wait_of({"Retry-After": text}) == wait
