"""How far our clock is from the venue's: what one answer proves, several, and clocks that are wrong."""

from hypothesis import given
from hypothesis import strategies as st

from polystra.core.units import Instant, seconds
from polystra.edge.clock import WallClock
from polystra.edge.polymarket.private_rest import ReadingFailed
from polystra.edge.polymarket.server_clock import ClockOffset, VenueTime, clock_offset, narrowed, offset_of
from polystra.edge.polymarket.wire import SECOND
from polystra.exchange.faults import Fault, Switch
from tests.edge.client_cases import LeapingTime
from tests.edge.exchange_cases import START, Running, exchange
from tests.edge.venue_cases import Client


class WrongClock:
    """The wall clock, set wrong."""

    def __init__(self, by: int) -> None:
        self._by = by
        self._wall = WallClock()

    def now(self) -> Instant:
        return Instant(self._wall.now() + self._by)

    async def until(self, instant: Instant) -> None:
        await self._wall.until(Instant(instant - self._by))


@given(
    truth=st.integers(-(10**11), 10**11),
    asks=st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1),
)
def test_the_true_difference_is_always_within_what_is_proved(truth: int, asks: list[tuple[int, int, int]]) -> None:
    """Each ask leaves after a while, and takes its time there and back."""
    known, now = None, 10**18
    for pause, there, back in asks:
        sent = now + pause
        stated = (sent + there + truth) // SECOND * SECOND
        now = sent + there + back
        found = offset_of(sent=Instant(sent), received=Instant(now), stated=Instant(stated))
        known = found if known is None else narrowed(known, found)
        assert known.low <= truth <= known.high
        assert abs(known.middle - truth) <= known.uncertainty


def test_a_clock_that_was_set_in_between_makes_the_older_answer_worthless() -> None:
    before, after = ClockOffset(0, 10, Instant(1)), ClockOffset(20, 30, Instant(2))
    assert narrowed(before, after) == after
    assert narrowed(before, ClockOffset(5, 30, Instant(3))) == ClockOffset(5, 10, Instant(3))


def test_clocks_are_too_far_apart_only_when_that_is_certain() -> None:
    assert ClockOffset(11, 20, Instant(0)).beyond(seconds(1e-8))
    assert ClockOffset(-20, -11, Instant(0)).beyond(seconds(1e-8))
    assert not ClockOffset(9, 20, Instant(0)).beyond(seconds(1e-8))
    assert ClockOffset(0, 3, Instant(0)).uncertainty == 2
    assert ClockOffset(0, 0, Instant(5)).age(Instant(12)) == 7


def test_a_clock_that_is_5_s_ahead_is_found_out_within_a_second(running: Running, ours: Client) -> None:
    wrong = WrongClock(seconds(5))
    offset = ours.run(clock_offset(ours.rest, running.urls.clob, time=wrong))
    assert isinstance(offset, ClockOffset)
    assert offset.low <= -seconds(5) <= offset.high
    assert offset.uncertainty < seconds(1)
    assert abs(VenueTime(wrong, offset).now() - WallClock().now()) < seconds(1)


def test_four_answers_leave_a_quarter_of_a_second_open(ours: Client) -> None:
    """The venue's clock stands still, ours leaps from ask to ask: the last answer proves most."""
    with exchange(stepped=True) as running:
        one = ours.run(clock_offset(ours.rest, running.urls.clob, time=LeapingTime()))
        time = LeapingTime()
        found = ours.run(clock_offset(ours.rest, running.urls.clob, time=time, asks=4))
        assert isinstance(one, ClockOffset)
        assert isinstance(found, ClockOffset)
        assert time.waits == [seconds(0.25)] * 3
        assert (one.uncertainty, found.uncertainty) == (seconds(0.5), seconds(0.125))


def test_a_venue_that_does_not_tell_its_time_proves_nothing(running: Running, ours: Client) -> None:
    running.faults.switch_on(Switch(fault=Fault.ERROR_BEFORE, where="GET /time", times=None))
    assert isinstance(ours.run(clock_offset(ours.rest, running.urls.clob, time=LeapingTime())), ReadingFailed)
    assert isinstance(ours.run(clock_offset(ours.rest, running.urls.clob, time=LeapingTime(), asks=0)), ReadingFailed)


def test_waiting_for_a_moment_of_the_venue_waits_for_ours_that_is_the_same(ours: Client) -> None:
    time = LeapingTime()
    ours.run(VenueTime(time, ClockOffset(seconds(3), seconds(5), START)).until(Instant(START + seconds(10))))
    assert time.waits == [seconds(6)]
