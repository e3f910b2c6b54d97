"""Liquidity rewards: which orders score, how makers share a market's rate, and when samples are taken."""

from __future__ import annotations

import pytest

from polystra.core.ids import MarketId, VenueOrderId
from polystra.core.terms import Outcome
from polystra.core.units import Usd, shares, usd
from polystra.sim import messages as m
from polystra.sim.records import STREET
from polystra.sim.rewards import DAY, MINUTE
from tests.unit.sim.bench import ANN, BOB, MARKET, OTHER, Bench

RATE = usd(1_440)
"""A dollar a minute."""


def bench(*, rate: Usd = RATE, size: str = "10") -> Bench:
    """The background's best levels count from a size of 50 on, its others are too far away."""
    made = Bench(reward_rate=rate)
    made.book({"0.48": size, "0.40": "1000"}, {"0.52": size, "0.60": "1000"})
    made.tell(m.Deposit(account=ANN, amount=usd(1_000)))
    made.tell(m.Deposit(account=BOB, amount=usd(1_000)))
    return made


def scoring(made: Bench, order: str) -> bool:
    return made.exchange.scores(VenueOrderId(order), made.now)


def test_an_order_scores_once_it_is_large_near_and_old_enough() -> None:
    made = bench()
    made.buy("0.48", "100")
    made.buy("0.48", "100", outcome=Outcome.DOWN, account=BOB)
    assert not scoring(made, "o1")
    made.wait(29.9)
    assert not scoring(made, "o1")
    made.wait(0.1)
    assert scoring(made, "o1")


@pytest.mark.parametrize(("at", "size"), [("0.48", "49.99"), ("0.45", "100")], ids=["too small", "too far"])
def test_a_small_order_and_a_far_one_do_not_score(at: str, size: str) -> None:
    made = bench(size="60")
    made.buy(at, size)
    made.wait(60)
    assert not scoring(made, "o1")


def test_an_order_that_is_unknown_cancelled_or_in_a_closed_market_does_not_score() -> None:
    made = bench(size="60")
    made.buy("0.48", "100")
    made.buy("0.49", "100")
    made.wait(60)
    assert [scoring(made, "o1"), scoring(made, "o2")] == [True, True]
    made.cancel("o1")
    made.tell(m.CloseMarket(market=MARKET))
    assert not any(scoring(made, order) for order in ("o1", "o2", "o9"))


def test_a_market_without_a_large_level_on_a_side_has_no_middle_and_no_scores() -> None:
    made = Bench()
    made.book({"0.48": "100"}, {"0.52": "10"})
    made.wait(60)
    assert made.exchange.maker_scores(MARKET, made.now) == {}


def test_scores_by_hand() -> None:
    made = bench(size="60")
    made.buy("0.49", "90")
    made.buy("0.49", "90", outcome=Outcome.DOWN)
    made.buy("0.49", "90", account=BOB)
    made.wait(30)
    # v = 4.5 cents, the middle 0.50. At 1 cent ((4.5 - 1) / 4.5)^2 = 0.604938; 60 shares at 2 cents: 0.308641 each.
    # Ann on both sides: 90 x 0.604938. Bob on one: a third of it. The street on both: 60 x 0.308641.
    ann = 90_000_000 * 35**2 // 45**2
    assert made.exchange.maker_scores(MARKET, made.now) == {
        ANN: ann,
        BOB: ann // 3,
        STREET: 60_000_000 * 25**2 // 45**2,
    }


def test_near_the_ends_one_side_alone_scores_nothing() -> None:
    made = Bench()
    made.book({"0.91": "60"}, {"0.93": "60"})
    made.buy("0.91", "90")
    made.wait(30)
    scores = made.exchange.maker_scores(MARKET, made.now)
    assert scores[ANN] == 0 < scores[STREET]


def test_each_minute_shares_its_part_of_the_rate_and_the_day_adds_up() -> None:
    made = bench(size="60")
    made.buy("0.49", "90")
    made.buy("0.49", "90", outcome=Outcome.DOWN)
    made.wait(30)
    scores = made.exchange.maker_scores(MARKET, made.now)
    each = RATE * scores[ANN] // (1_440 * sum(scores.values()))
    made.wait(600)
    (earning,) = made.exchange.earnings(made.now)
    assert (earning.day, earning.market, earning.account) == (made.now // DAY, MARKET, ANN)
    assert earning.earned in (each * 10, each * 11)


def test_to_look_at_earnings_does_not_change_them() -> None:
    """A minute is sampled once, whether somebody asked in it or not."""
    looked, left = bench(size="60"), bench(size="60")
    for made in (looked, left):
        made.buy("0.49", "90")
    for _ in range(100):
        for made in (looked, left):
            made.wait(7)
        looked.exchange.earnings(looked.now)
    assert looked.exchange.earnings(looked.now) == left.exchange.earnings(left.now) != ()


def test_what_was_cancelled_before_a_sample_does_not_earn_in_it() -> None:
    made = bench(size="60")
    made.buy("0.49", "90")
    made.wait(45)
    before = made.exchange.earnings(made.now)
    made.cancel("o1")
    made.wait(3_600)
    assert made.exchange.earnings(made.now) == before


def test_samples_fall_at_other_moments_of_each_minute() -> None:
    made = bench(size="60")
    made.buy("0.49", "90")
    made.wait(60)
    moments: list[int] = []
    earned = made.exchange.earnings(made.now)
    for _ in range(3_000):
        made.wait(0.2)
        if (now := made.exchange.earnings(made.now)) != earned:
            moments.append(made.now)
            earned = now
    assert len({at // MINUTE for at in moments}) == len(moments) in (9, 10, 11)
    assert len({at % MINUTE // 1_000_000_000 for at in moments}) > 5


def test_a_day_has_its_own_earnings() -> None:
    made = bench(size="60")
    made.buy("0.49", "90")
    made.wait(86_400)
    assert [earning.day for earning in made.exchange.earnings(made.now)] == [11, 12]


def test_nobody_earns_without_a_rate_or_where_nobody_scores() -> None:
    free = bench(rate=Usd(0), size="60")
    free.buy("0.49", "90")
    far = bench()
    far.buy("0.30", "90")
    small = Bench(reward_rate=RATE)
    small.book({"0.48": "10"}, {"0.52": "10"})
    small.buy("0.47", "60")
    for made in (free, far, small):
        made.wait(3_600)
        assert made.exchange.earnings(made.now) == ()


def test_who_holds_shares_of_a_market() -> None:
    made = bench()
    made.tell(m.ListMarket(market=OTHER))
    made.tell(m.Split(account=ANN, market=MARKET, shares=shares(5)))
    made.tell(m.Split(account=BOB, market=OTHER.id, shares=shares(5)))
    assert made.exchange.holders(MARKET) == (ANN,)
    made.tell(m.Merge(account=ANN, market=MARKET, shares=shares(5)))
    assert made.exchange.holders(MARKET) == ()
    with pytest.raises(ValueError, match="not listed"):
        made.exchange.holders(MarketId("0xnone"))
