"""Delays: drawn from the Random given, inside their span, and never overtaking within one stream."""

from __future__ import annotations

from random import Random

import pytest

from polystra.core.units import Instant, Nanos
from polystra.sim.latency import NO_DELAY, Delays, Latency, Span, fixed


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


def test_streams_keep_their_order_and_requests_may_overtake() -> None:
    wide = Span(Nanos(0), Nanos(1_000_000))
    latency = Latency(Delays(submit=wide, answer=wide, user=wide, market=wide), Random(3))
    moments = [Instant(at) for at in range(0, 50_000, 1_000)]
    for stream in (latency.user, latency.market):
        arrivals = [stream(at) for at in moments]
        assert arrivals == sorted(arrivals)
        assert all(arrival >= at for arrival, at in zip(arrivals, moments, strict=True))
    for way in (latency.submit, latency.answer):
        arrivals = [way(at) for at in moments]
        assert arrivals != sorted(arrivals)


def test_without_delay_everything_arrives_as_it_is_sent() -> None:
    latency = Latency(NO_DELAY, Random(1))
    for way in (latency.submit, latency.answer, latency.user, latency.market):
        assert way(Instant(9)) == 9


def test_the_same_seed_gives_the_same_delays() -> None:
    one, two = Latency(Delays(), Random(4)), Latency(Delays(), Random(4))
    assert [one.submit(Instant(0)) for _ in range(9)] == [two.submit(Instant(0)) for _ in range(9)]
