"""The price path of a generated market, and what Up is worth on it."""

from itertools import pairwise

import pytest

from polystra.sim.scenario.chance import Span, chance_of_up, up_wins
from polystra.sim.scenario.path import PricePath, Weather

CALM = Weather(volatility=5e-5)
OPENING = 64_000_000_000
LENGTH = 300
WINDOW = Span(300, 600)


def path(weather: Weather = CALM, seed: str = "a") -> PricePath:
    return PricePath(weather, seed=seed, opening=OPENING, length=LENGTH)


def test_a_leg_goes_on_where_the_one_before_ended() -> None:
    walked = path(Weather(volatility=5e-5, jumps=60.0, jump=0.001))
    assert walked.price(0) == OPENING
    for number in range(1, 5):
        assert walked.price(number * LENGTH) == walked.leg(number).level == walked.leg(number - 1).end


@pytest.mark.parametrize("swing", [0.0, 0.002])
def test_no_second_is_far_from_the_one_before(swing: float) -> None:
    """Also not between two legs, and not while the price is pushed off: 2/1000 come and go over 120 seconds."""
    walked = path(Weather(volatility=5e-5, swing=swing))
    prices = [walked.price(second) for second in range(4 * LENGTH)]
    assert max(abs(after - before) for before, after in pairwise(prices)) < OPENING // 2_000


def test_a_jump_lies_between_two_seconds() -> None:
    walked = path(Weather(volatility=1e-6, jumps=6.0, jump=0.01))
    number = next(number for number in range(20) if len(walked.leg(number).jumps) == 1)
    ((second, size),) = walked.leg(number).jumps
    before, after = (walked.price(number * LENGTH + at) for at in (second, second + 1))
    assert abs(after - before - size) < OPENING // 50_000


def test_a_path_without_jumps_has_none() -> None:
    assert all(path().leg(number).jumps == () for number in range(20))


def test_a_leg_is_the_same_whichever_was_looked_at_before() -> None:
    forth, back = path(), path()
    ahead = [forth.price(second) for second in range(6 * LENGTH)]
    assert ahead == [back.price(second) for second in reversed(range(6 * LENGTH))][::-1]


def test_another_seed_is_another_path() -> None:
    assert path(seed="a").price(100) != path(seed="b").price(100)


def test_a_drift_shows_in_where_windows_end() -> None:
    walked = path(Weather(volatility=5e-5, drift=3.0))
    moves = [walked.leg(number).move for number in range(8)]
    assert all(move > 0 for move in moves) or all(move < 0 for move in moves)


def test_a_swing_does_not_show_in_where_windows_end() -> None:
    still, pushed = path(), path(Weather(volatility=5e-5, swing=0.01))
    assert [still.leg(number).level for number in range(8)] == [pushed.leg(number).level for number in range(8)]
    assert abs(pushed.price(LENGTH + 120) - still.price(LENGTH + 120)) > OPENING // 500


def test_the_average_is_of_sixty_prices_that_end_three_seconds_before_its_stamp() -> None:
    walked = path()
    assert walked.average(400) == sum(walked.price(second) for second in range(338, 398)) // 60


def test_without_volatility_there_is_no_market() -> None:
    with pytest.raises(ValueError, match=r"volatility 0\.0"):
        Weather(volatility=0.0)


# --- what Up is worth


def test_a_tie_resolves_up() -> None:
    flat = path(Weather(volatility=1e-15))
    assert flat.average(WINDOW.start) == flat.average(WINDOW.end)
    assert up_wins(flat, WINDOW)


def test_a_millionth_less_resolves_down() -> None:
    fell = next(path(seed=str(seed)) for seed in range(99) if not up_wins(path(seed=str(seed)), WINDOW))
    assert fell.average(WINDOW.end) < fell.average(WINDOW.start)


@pytest.mark.parametrize("second", [0, 200, 237])
def test_before_anything_of_the_price_to_beat_is_known_both_are_alike(second: int) -> None:
    assert chance_of_up(path(), WINDOW, second) == 0.5


def test_once_the_last_price_of_the_average_is_known_so_is_the_outcome() -> None:
    for seed in "abcdefgh":
        walked = path(seed=seed)
        assert chance_of_up(walked, WINDOW, 597) == float(up_wins(walked, WINDOW))
        assert chance_of_up(walked, WINDOW, 700) == float(up_wins(walked, WINDOW))


def test_a_price_above_the_one_to_beat_makes_up_likely_and_the_more_so_the_later() -> None:
    rising = next(
        walked
        for walked in (path(seed=str(seed)) for seed in range(99))
        if min(walked.price(at) for at in range(400, 597)) > walked.average(300) + OPENING // 5_000
    )
    early, late = (chance_of_up(rising, WINDOW, second) for second in (400, 590))
    assert 0.5 < early < late
    assert late > 0.999


@pytest.mark.parametrize("second", [250, 280, 297, 310, 450, 560, 590])
def test_the_chance_is_right_as_often_as_it_says(second: int) -> None:
    """2,000 paths of even volatility: what is bet on 60 to 80 comes about as often."""
    weather = Weather(volatility=5e-5, regimes=0.0, gusts=0.0)
    bets = []
    for seed in range(2_000):
        walked = path(weather, str(seed))
        bets.append((chance_of_up(walked, WINDOW, second), up_wins(walked, WINDOW)))
    for low, high in ((0.2, 0.5), (0.5, 0.8)):
        found = [(chance, won) for chance, won in bets if low <= chance <= high]
        stated = sum(chance for chance, _ in found) / len(found)
        assert sum(won for _, won in found) / len(found) == pytest.approx(stated, abs=3 * (0.25 / len(found)) ** 0.5)
