"""What a market promises its makers, as every page of the venue tells it: the same facts in three forms."""

from polystra.core.units import Nanos, Usd
from polystra.exchange.listings import Listing

_CENT = 10_000
_DAY = Nanos(86_400_000_000_000)


def spread_form(listing: Listing) -> float | int:
    """The widest rewarded distance from the middle, in cents."""
    return listing.facts.reward_spread / _CENT


def whole_reward(listing: Listing) -> Usd:
    """The daily rate for each day that has begun between listing and end, at least one."""
    days = max(1, -(-(listing.facts.end - listing.listed_at) // _DAY))
    return Usd(listing.facts.reward_rate * days)
