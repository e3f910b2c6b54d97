"""Delays: inside their span, decided by seed, way and moment alone, and never overtaking within one stream."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polystra.core.units import Instant, Nanos
from polystra.sim.latency import NO_DELAY, Delays, Latency, Span, fixed

SECOND = 1_000_000_000
Way = Callable[[Instant], Instant]

moments = st.integers(0, 2**61).map(Instant)
spans = st.tuples(st.integers(0, 20 * SECOND), st.integers(0, 20 * SECOND)).map(
    lambda ends: Span(Nanos(min(ends)), Nanos(max(ends)))
)


def everywhere(span: Span) -> Delays:
    return Delays(submit=span, answer=span, user=span, market=span)


def ways(latency: Latency) -> dict[str, Way]:
    return {
        "submit": latency.submit,
        "answer": latency.answer,
        "user": latency.user,
        "market": latency.market,
    }


def test_a_draw_stays_inside_its_span_and_reaches_both_ends() -> None:
    span, rng = Span(Nanos(3), Nanos(5)), Random(1)
    assert {span.draw(rng) for _ in range(100)} == {3, 4, 5}


def test_a_fixed_span_draws_nothing() -> None:
    rng = Random(1)
    state = rng.getstate()
    assert fixed(Nanos(7)).draw(rng) == 7
    assert rng.getstate() == state


@pytest.mark.parametrize("ends", [(-1, 5), (5, 4)])
def test_a_span_that_cannot_be_is_refused(ends: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="want 0 <= low <= high"):
        Span(Nanos(ends[0]), Nanos(ends[1]))


@given(span=spans, seed=st.integers(), sent=moments)
def test_everything_arrives_inside_its_span(span: Span, seed: int, sent: Instant) -> None:
    for way in ways(Latency(everywhere(span), seed)).values():
        assert span.low <= way(sent) - sent <= span.high


def test_every_length_of_a_span_is_drawn() -> None:
    latency = Latency(everywhere(Span(Nanos(3), Nanos(5))), 1)
    for way in (latency.submit, latency.answer):
        assert {way(Instant(at)) - at for at in range(100)} == {3, 4, 5}


@given(span=spans, seed=st.integers(), sent=moments, later=st.integers(0, 3 * SECOND))
def test_nothing_overtakes_on_a_stream(span: Span, seed: int, sent: Instant, later: int) -> None:
    """Also not what left a nanosecond later, or across a point of the grid."""
    latency = Latency(everywhere(span), seed)
    step = max(SECOND, span.high - span.low)
    around = Instant(sent // step * step)
    for way in (latency.user, latency.market):
        assert way(sent) <= way(Instant(sent + 1)) <= way(Instant(sent + 1 + later))
        assert way(Instant(max(around - 1, 0))) <= way(around) <= way(Instant(around + 1))


@pytest.mark.parametrize("width", [0.05, 1, 10])
def test_a_stream_that_is_ten_times_a_second_keeps_its_order_for_minutes(width: float) -> None:
    wide = everywhere(Span(Nanos(0), Nanos(int(width * SECOND))))
    for seed in range(20):
        for stream in (Latency(wide, seed).user, Latency(wide, seed).market):
            arrivals = [stream(Instant(at * SECOND // 10)) for at in range(1_000)]
            assert arrivals == sorted(arrivals)


def test_requests_and_answers_may_overtake_one_another() -> None:
    latency = Latency(everywhere(Span(Nanos(0), Nanos(1_000_000))), 3)
    sent = [Instant(at) for at in range(0, 50_000, 1_000)]
    for way in (latency.submit, latency.answer):
        arrivals = [way(at) for at in sent]
        assert arrivals != sorted(arrivals)


@given(seed=st.integers(), sent=st.lists(moments, min_size=2, max_size=20), shuffled=st.randoms())
def test_a_delay_depends_on_nothing_that_was_asked_before(seed: int, sent: list[Instant], shuffled: Random) -> None:
    one, other = Latency(Delays(), seed), Latency(Delays(), seed)
    expected = {at: [way(at) for way in ways(one).values()] for at in sent}
    shuffled.shuffle(sent)
    for at in sent:
        for name, way in ways(other).items():
            assert way(at) == expected[at][list(ways(other)).index(name)]


def test_seeds_ways_and_moments_are_late_each_in_its_own_manner() -> None:
    wide = everywhere(Span(Nanos(0), Nanos(SECOND)))
    arrivals = [
        way(at) - at
        for seed in (1, 2, "one")
        for way in ways(Latency(wide, seed)).values()
        for at in (Instant(10 * SECOND), Instant(11 * SECOND))
    ]
    assert len(set(arrivals)) == len(arrivals)


def test_without_delay_everything_arrives_as_it_is_sent() -> None:
    for way in ways(Latency(NO_DELAY, 1)).values():
        assert way(Instant(9)) == 9
