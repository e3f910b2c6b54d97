"""The CLOB's own list of markets (`PROTOCOL.md` B.1), whole and in short, a thousand a page, newest last.

`sampling` lists have only markets that reward their makers now.
"""

from aiohttp import web

from polystra.core.ids import MarketId
from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Usd
from polystra.edge.polymarket.contracts import COLLATERAL
from polystra.exchange.catalogue import moment
from polystra.exchange.faults import Fault, Faults
from polystra.exchange.listings import Listing
from polystra.exchange.pages import requested_page
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.reward_terms import spread_form
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, base_fee, number, outcome_word, seconds_of, top_of
from polystra.sim.records import STREET

ROWS = 1_000
"""Of a page."""


class MarketPages:
    def __init__(self, venue: Venue, faults: Faults) -> None:
        self._venue = venue
        self._faults = faults

    def routes(self) -> Routes:
        return [
            web.get("/markets", self.markets),
            web.get("/simplified-markets", self.simplified),
            web.get("/sampling-markets", self.sampling),
            web.get("/sampling-simplified-markets", self.sampling_simplified),
            web.get("/markets/live-activity/{market}", self.live_activity),
            web.get("/markets/{market}", self.market),
        ]

    async def markets(self, request: web.Request) -> web.Response:
        return self._page(request, [market_form(self._venue, one) for one in self._listings()])

    async def simplified(self, request: web.Request) -> web.Response:
        return self._page(request, [short_form(self._venue, one) for one in self._listings()])

    async def sampling(self, request: web.Request) -> web.Response:
        return self._page(request, [market_form(self._venue, one) for one in self._sampled()])

    async def sampling_simplified(self, request: web.Request) -> web.Response:
        return self._page(request, [short_form(self._venue, one) for one in self._sampled()])

    async def market(self, request: web.Request) -> web.Response:
        return reply(market_form(self._venue, self._asked(request)))

    async def live_activity(self, request: web.Request) -> web.Response:
        """What members traded in a market, newest first; the trades of the recordings have no names to tell."""
        listing = self._asked(request)
        trades = [one for one in self._venue.current().truth().trades if one.market == listing.facts.id]
        return reply(
            [
                {
                    "event_type": "trade",
                    "market": {
                        "condition_id": listing.facts.id,
                        "asset_id": trade.taker.token,
                        "question": listing.question,
                        "icon": "",
                        "slug": listing.slug,
                    },
                    "user": {"address": trade.taker.account, "username": "", "pseudonym": ""},
                    "side": trade.taker.side,
                    "size": number(trade.taker.shares),
                    "fee_rate_bps": 0,
                    "price": number(trade.taker.price),
                    "outcome": outcome_word(trade.taker.outcome),
                    "outcome_index": list(Outcome).index(trade.taker.outcome),
                    "transaction_hash": "",
                    "timestamp": str(seconds_of(trade.matched_at)),
                }
                for trade in reversed(trades)
                if trade.taker.account != STREET
            ]
        )

    def _listings(self) -> list[Listing]:
        self._venue.advance()
        return [listing for listing in self._venue.listings.values() if not self._is_late(listing)]

    def _is_late(self, listing: Listing) -> bool:
        return self._faults.strikes(Fault.HYDRATED_LATE, listing.slug) is not None

    def _sampled(self) -> list[Listing]:
        return [one for one in self._listings() if rewards_now(self._venue, one)]

    def _asked(self, request: web.Request) -> Listing:
        self._venue.advance()
        listing = self._venue.listings.get(MarketId(request.match_info["market"]))
        if listing is None or self._is_late(listing):
            raise Refused(404, "market not found")
        return listing

    def _page(self, request: web.Request, rows: list[Json]) -> web.Response:
        return reply(requested_page(request.query.get("next_cursor", ""), rows, ROWS, "Invalid payload"))


def rewards_now(venue: Venue, listing: Listing) -> bool:
    """Whether its makers earn rewards at present."""
    return listing.facts.reward_rate > 0 and listing.facts.id not in venue.closed_at


def market_form(venue: Venue, listing: Listing) -> Json:
    """A market as the CLOB tells it: numbers, and whole words for what Gamma puts into texts."""
    facts = listing.facts
    closed, tick = facts.id in venue.closed_at, venue.book(facts.id).tick
    return {
        "enable_order_book": not closed,
        "active": True,
        "closed": closed,
        "archived": False,
        "accepting_orders": accepting(venue, listing),
        "accepting_order_timestamp": moment(max(listing.listed_at, facts.accepts_from)),
        "minimum_order_size": number(facts.min_shares),
        "minimum_tick_size": number(tick),
        "condition_id": facts.id,
        "question_id": facts.id,
        "question": listing.question,
        "description": listing.resolution_source,
        "market_slug": listing.slug,
        "end_date_iso": moment(facts.end),
        "game_start_time": None,
        "seconds_delay": 0,
        "fpmm": "",
        "maker_base_fee": base_fee(listing),
        "taker_base_fee": base_fee(listing),
        "notifications_enabled": True,
        "neg_risk": listing.neg_risk,
        "neg_risk_market_id": "",
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": _rewards(venue, listing),
        "is_50_50_outcome": False,
        "tokens": tokens_form(venue, listing),
        "tags": [],
    }


def short_form(venue: Venue, listing: Listing) -> Json:
    """A simplified market."""
    closed = listing.facts.id in venue.closed_at
    return {
        "condition_id": listing.facts.id,
        "rewards": _rewards(venue, listing),
        "tokens": tokens_form(venue, listing),
        "active": True,
        "closed": closed,
        "archived": False,
        "accepting_orders": accepting(venue, listing),
    }


def accepting(venue: Venue, listing: Listing) -> bool:
    return listing.facts.id not in venue.closed_at and venue.now() >= listing.facts.accepts_from


def tokens_form(venue: Venue, listing: Listing) -> list[Json]:
    """Both outcomes at what they are worth: the payout, or the middle of the book. Nobody wins a void market."""
    payout = venue.payouts.get(listing.facts.id)
    top = top_of(venue.book(listing.facts.id))
    up = payout if payout is not None else Usd((top.bid + top.ask) // 2)
    worth = {Outcome.UP: up, Outcome.DOWN: MICRO - up}
    return [
        {
            "token_id": listing.facts.token(outcome),
            "outcome": outcome_word(outcome),
            "price": number(worth[outcome]),
            "winner": payout is not None and worth[outcome] == MICRO,
        }
        for outcome in Outcome
    ]


def _rewards(venue: Venue, listing: Listing) -> Json:
    rate = number(listing.facts.reward_rate)
    paid = [{"asset_address": COLLATERAL, "rewards_daily_rate": rate}] if rewards_now(venue, listing) else None
    return {"rates": paid, "min_size": number(listing.facts.reward_min), "max_spread": spread_form(listing)}
