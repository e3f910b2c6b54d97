"""Writes markets in the forms of Gamma, the venue's catalogue (`PROTOCOL.md` B.8).

Lists are JSON inside texts, and what is not known is left out.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from polystra.core.terms import Outcome
from polystra.core.units import MICRO, NO_ASK, NO_BID, Instant, Usd, show
from polystra.edge.polymarket.contracts import COLLATERAL
from polystra.exchange.frames import fee_schedule
from polystra.exchange.groups import TAGS, series_form, series_of
from polystra.exchange.listings import Listing
from polystra.exchange.reward_terms import spread_form, whole_reward
from polystra.exchange.wire import Json, Top, base_fee, encode, number, outcome_word

MARKETS_IN_ID = 4
"""Ids of markets that share one id of events."""

STRANGE = "v9"

_SECOND = 1_000_000_000


class Entry(Struct, frozen=True, gc=False, kw_only=True):
    """What the catalogue knows of a market now. `top` is Up's, and may be minutes old. A `bare` market is there before
    its tokens are; a `strange` one names contracts that there are not. Of one that is not `hydrated` the CLOB knows
    nothing yet, and it has no tokens either."""

    listing: Listing
    top: Top
    tick: int
    accepting: bool
    closed_at: Instant | None = None
    up_payout: Usd | None = None
    bare: bool = False
    strange: bool = False
    hydrated: bool = True

    @property
    def closed(self) -> bool:
        return self.up_payout is not None


def market_form(entry: Entry) -> Json:
    """A market with the event it belongs to."""
    event = _event(entry)
    return _market(entry) | {"events": [event]}


def event_form(entry: Entry) -> Json:
    """An event with its only market."""
    return _event(entry) | {"markets": [_market(entry)]}


def _event(entry: Entry) -> Json:
    listing, facts = entry.listing, entry.listing.facts
    return {
        "id": str(listing.number // MARKETS_IN_ID),
        "ticker": listing.slug,
        "slug": listing.slug,
        "title": listing.question,
        "resolutionSource": listing.resolution_source,
        "startDate": moment(listing.listed_at),
        "endDate": moment(facts.end),
        "active": True,
        "closed": entry.closed,
        "archived": False,
        "restricted": True,
        "enableOrderBook": True,
        "negRisk": listing.neg_risk,
        "series": [series_form(series_of(listing))],
        "tags": list(TAGS),
    }


def _market(entry: Entry) -> Json:
    listing, facts = entry.listing, entry.listing.facts
    old = listing.contract.version == "2"
    tokens = [] if entry.bare or not entry.hydrated else [facts.token(outcome) for outcome in Outcome]
    form: Json = {
        "id": str(listing.number),
        "question": listing.question,
        "conditionId": facts.id,
        "slug": listing.slug,
        "resolutionSource": listing.resolution_source,
        "endDate": moment(facts.end),
        "startDate": moment(listing.listed_at),
        "outcomes": _text([outcome_word(outcome) for outcome in Outcome]),
        "outcomePrices": _text([show(price) for price in _prices(entry)]),
        "active": True,
        "closed": entry.closed,
        "archived": False,
        "restricted": True,
        "questionID": facts.id,
        "enableOrderBook": True,
        "orderPriceMinTickSize": number(entry.tick),
        "orderMinSize": number(facts.min_shares),
        "clobTokenIds": _text(tokens),
        "makerBaseFee": base_fee(listing),
        "takerBaseFee": base_fee(listing),
        "acceptingOrders": entry.accepting,
        "acceptingOrdersTimestamp": moment(max(listing.listed_at, facts.accepts_from)),
        "negRisk": listing.neg_risk,
        "eventStartTime": moment(facts.start),
        "feesEnabled": bool(facts.fee_rate),
        "version": STRANGE if entry.strange else "v1" if old else "v2",
        "rewardsMinSize": number(facts.reward_min),
        "rewardsMaxSpread": spread_form(listing),
    }
    if not entry.hydrated:
        del form["acceptingOrdersTimestamp"]
    if not old:
        form["positionIds"] = _text(tokens)
    if programme := _rewards(listing):
        form["clobRewards"] = programme
    if (schedule := fee_schedule(listing)) is not None:
        form |= {"feeType": "crypto_fees_v2", "feeSchedule": schedule}
    if entry.top.bid != NO_BID:
        form["bestBid"] = number(entry.top.bid)
    if entry.top.ask != NO_ASK:
        form["bestAsk"] = number(entry.top.ask)
    if entry.closed:
        form |= {"umaResolutionStatus": "resolved", "closedTime": _closed_time(entry.closed_at or facts.end)}
    return form


def _rewards(listing: Listing) -> list[Json]:
    """The programme of a market that rewards its makers; it stays when the market is closed."""
    facts = listing.facts
    if not facts.reward_rate:
        return []
    return [
        {
            "id": str(listing.number),
            "conditionId": facts.id,
            "assetAddress": COLLATERAL,
            "rewardsAmount": number(whole_reward(listing)),
            "rewardsDailyRate": number(facts.reward_rate),
            "startDate": moment(listing.listed_at)[:10],
            "endDate": moment(facts.end)[:10],
        }
    ]


def _prices(entry: Entry) -> tuple[int, int]:
    """What each outcome is worth: its payout, or the middle of the book."""
    up = entry.up_payout if entry.up_payout is not None else (entry.top.bid + entry.top.ask) // 2
    return up, MICRO - up


def moment(at: Instant) -> str:
    return datetime.fromtimestamp(at // _SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _closed_time(at: Instant) -> str:
    return datetime.fromtimestamp(at // _SECOND, tz=UTC).strftime("%Y-%m-%d %H:%M:%S+00")


def _text(items: Sequence[str]) -> str:
    return encode(items).decode().replace('","', '", "')
