"""What a place in the book is thought to earn, on cases worked by hand (`PROTOCOL.md` F.4)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from polystra.core.events import Level
from polystra.core.markets import RewardTerms
from polystra.core.reward_share import DAY, Resting, estimated_reward, resting
from polystra.core.terms import Outcome, Side
from polystra.core.units import Nanos, Price, Usd, price, shares, usd
from tests.unit.core.samples import terms

TERMS = RewardTerms(min_shares=shares(50), max_spread=price("0.04"), min_age=Nanos(0), daily=usd(720))
HOUR = Nanos(DAY // 24)


def levels(text: str) -> tuple[Level, ...]:
    pairs = (level.split("x") for level in text.split())
    return tuple((price(at), shares(size)) for at, size in pairs)


def book(bids: str, asks: str) -> dict[Side, tuple[Level, ...]]:
    return {Side.BUY: levels(bids), Side.SELL: levels(asks)}


def bid(at: str, size: str = "100") -> Resting:
    return Resting(Side.BUY, price(at), shares(size))


def ask(at: str, size: str = "100") -> Resting:
    return Resting(Side.SELL, price(at), shares(size))


def worth(
    there: dict[Side, tuple[Level, ...]], *then: Resting, now: tuple[Resting, ...] = (), known: RewardTerms = TERMS
) -> Usd | None:
    return estimated_reward(known, there, now, then, HOUR)


NEAR_HALF = book("0.49x100", "0.51x100")
NEAR_ONE = book("0.94x100", "0.96x100")


def test_two_sides_share_by_their_scores() -> None:
    """Each order is a cent from the middle and scores 9/16 of its shares: ours and theirs are half each, of 30 USD."""
    assert worth(NEAR_HALF, bid("0.49"), ask("0.51")) == usd(15)
    assert worth(NEAR_ONE, bid("0.94"), ask("0.96")) == usd(15)


def test_between_ten_and_ninety_cents_one_side_counts_for_a_third() -> None:
    """18.75 of 18.75 and 56.25."""
    assert worth(NEAR_HALF, ask("0.51")) == usd("7.5")


@pytest.mark.parametrize("there", [NEAR_ONE, book("0.04x100", "0.06x100")], ids=["above 0.90", "below 0.10"])
def test_beyond_them_one_side_earns_nothing(there: dict[Side, tuple[Level, ...]]) -> None:
    middle = (there[Side.BUY][0][0] + there[Side.SELL][0][0]) // 2
    assert worth(there, Resting(Side.SELL, Price(price("0.01") + middle), shares(100))) == 0


def test_one_side_still_counts_at_ninety_cents_itself() -> None:
    assert worth(book("0.89x100", "0.91x100"), ask("0.91")) == usd("7.5")


@pytest.mark.parametrize("far", [ask("0.54"), ask("0.51", "49.99")], ids=["too far", "too small"])
def test_what_is_too_far_or_too_small_scores_nothing(far: Resting) -> None:
    assert worth(NEAR_HALF, far) == 0


def test_levels_too_small_make_no_middle() -> None:
    """The bid of 10 at 0.50 is looked past, or the middle would be 0.505."""
    assert worth(book("0.50x10 0.49x100", "0.51x100"), bid("0.49"), ask("0.51")) == usd(15)
    assert worth(book("0.49x49", "0.51x100"), ask("0.51")) == 0


def test_our_orders_as_they_are_now_are_no_competition() -> None:
    """Moved from 0.53 to 0.51; at neither place is anybody but us and the hundred at 0.51."""
    there = book("0.49x200", "0.51x100 0.53x100")
    mine = (bid("0.49"), ask("0.53"))
    assert worth(there, bid("0.49"), ask("0.51"), now=mine) == usd(15)
    assert worth(NEAR_HALF, bid("0.49"), ask("0.51"), now=(ask("0.52"),)) == usd(15), "not in the book yet"


def test_others_count_for_the_most_that_they_can() -> None:
    """Two makers on one side each count for more than one maker would: 56.25 and 168.75 are 93.75 between them."""
    found = worth(book("0.49x100", "0.51x300"), bid("0.49"), ask("0.51"))
    assert found == usd(30) * 5_625 // (5_625 + 9_375)


def test_where_nobody_scores_nothing_is_earned() -> None:
    assert worth(book("0.40x100", "0.60x100")) == 0


def test_an_unknown_rate_is_an_unknown_reward() -> None:
    assert worth(NEAR_HALF, bid("0.49"), ask("0.51"), known=replace(TERMS, daily=None)) is None


def test_an_order_of_down_is_on_the_other_side() -> None:
    down = replace(terms("0.94", "60"), outcome=Outcome.DOWN)
    assert resting(down, shares(60)) == ask("0.06", "60")
    assert resting(replace(down, side=Side.SELL), shares(50)) == bid("0.06", "50")
    assert resting(terms("0.94", "60"), shares(60)) == bid("0.94", "60")
