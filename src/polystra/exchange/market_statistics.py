"""What the Data API's second version says about markets (`PROTOCOL.md` B.9): tokens, holders, open interest, volume and
resolutions. Amounts are JSON numbers. What the background holds and trades among itself is not counted."""

from collections.abc import Iterable

from aiohttp import web

from polystra.core.terms import Outcome
from polystra.core.units import MICRO
from polystra.exchange.data_queries import data_page, event_number, listings_asked, words
from polystra.exchange.listings import Listing
from polystra.exchange.positions import Position, positions
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, number, outcome_word, seconds_of


class MarketStatistics:
    """A part of the Data API."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        return [
            web.get("/v2/tokens", self.tokens),
            web.get("/v2/holders", self.holders),
            web.get("/v2/oi", self.open_interest),
            web.get("/v2/live-volume", self.volume),
            web.get("/v2/resolutions", self.resolutions),
        ]

    async def tokens(self, request: web.Request) -> web.Response:
        """By token, else by condition."""
        named = words(request, "token_id")
        rows = [
            self._token(listing, outcome)
            for listing in listings_asked(self._venue, request)
            for outcome in Outcome
            if not named or listing.facts.token(outcome) in named
        ]
        return reply({"data": rows})

    async def holders(self, request: web.Request) -> web.Response:
        """Of each token, the largest first."""
        rows: list[Json] = []
        for listing in self._named(request):
            held = list(self._held(listing))
            for outcome in Outcome:
                own = sorted((one for one in held if one.outcome is outcome), key=lambda one: -one.size)
                if own:
                    rows.append({"token_id": own[0].token, "holders": [_holder(one) for one in own]})
        return reply(data_page(request, rows))

    async def open_interest(self, request: web.Request) -> web.Response:
        """The collateral of each market that is named, otherwise of all in one row."""
        locked = {one.market: one.collateral for one in self._venue.current().truth().supply}
        if not request.query.get("condition_id"):
            return reply({"data": [{"condition_id": "GLOBAL", "value": number(sum(locked.values()))}]})
        markets = [one.facts.id for one in listings_asked(self._venue, request)]
        return reply({"data": [{"condition_id": one, "value": number(locked[one])} for one in markets]})

    async def volume(self, request: web.Request) -> web.Response:
        """Shares that takers traded in an event, once they are on the chain."""
        listings = self._named(request)
        sums = {listing.facts.id: 0 for listing in listings}
        for trade in self._venue.current().truth().trades:
            if trade.market in sums and trade.stage.settled:
                sums[trade.market] += trade.taker.shares
        rows = [{"condition_id": market, "taker_volume": number(sums[market])} for market in sums]
        return reply({"data": {"taker_volume_total": number(sum(sums.values())), "conditions": rows}})

    async def resolutions(self, request: web.Request) -> web.Response:
        """Of markets that were resolved, by question, condition or event; a question here has its market's id."""
        question = request.query.get("question_id")
        rows = [
            self._resolution(listing)
            for listing in self._named(request)
            if listing.facts.id in self._venue.payouts and question in (None, listing.facts.id)
        ]
        return reply({"data": rows})

    # --- what there is

    def _named(self, request: web.Request) -> list[Listing]:
        """Raises `Refused` where nothing is named."""
        if not any(request.query.get(name) for name in _NAMES):
            raise Refused(400, f"name what is asked about: {', '.join(_NAMES)}")
        return listings_asked(self._venue, request)

    def _held(self, listing: Listing) -> Iterable[Position]:
        for account in self._venue.current().holders(listing.facts.id):
            yield from (one for one in positions(self._venue, account) if one.listing is listing and one.size)

    def _token(self, listing: Listing, outcome: Outcome) -> Json:
        facts, payout = listing.facts, self._venue.payouts.get(listing.facts.id)
        index = list(Outcome).index(outcome)
        pays = None if payout is None else number(payout if outcome is Outcome.UP else MICRO - payout)
        return {
            "token_id": facts.token(outcome),
            "condition_id": facts.id,
            "structural_condition_id": None,
            "module": "neg_risk" if listing.neg_risk else "v1_ctf" if listing.contract.version == "2" else "binary",
            "outcome_index": index,
            "clob_index": index,
            "outcome": outcome_word(outcome),
            "opposite_token_id": facts.token(outcome.other),
            "resolved": payout is not None,
            "final_price": pays,
            "title": listing.question,
            "market_slug": listing.slug,
            "closed": payout is not None,
            "neg_risk": listing.neg_risk,
            "neg_risk_market_id": None,
            "question_index": None,
            "event_id": event_number(listing),
            "event_slug": listing.slug,
        }

    def _resolution(self, listing: Listing) -> Json:
        """Its moment is the one at which trading closed."""
        market = listing.facts.id
        payout, at = self._venue.payouts[market], seconds_of(self._venue.closed_at[market])
        return {
            "question_id": market,
            "condition_id": market,
            "status": "resolved",
            "extended_review": False,
            "was_disputed": False,
            "new_version_q": False,
            "proposed_price": None,
            "reproposed_price": None,
            "price": number(payout),
            "last_update_timestamp": at,
            "market_type": "BINARY",
            "payouts": [payout, MICRO - payout],
            "resolution_source": "reported",
            "reporter": "CHAINLINK",
            "resolved_at": at,
        }


_NAMES = ("condition_id", "condition", "market", "event_id", "question_id")


def _holder(one: Position) -> Json:
    return {
        "proxy_wallet": one.account,
        "token_id": one.token,
        "amount": number(one.size),
        "outcome_index": list(Outcome).index(one.outcome),
        "display_username_public": False,
        "verified": False,
        "avg_price": number(one.average),
        "entry_cost_usdc": number(one.cost),
        "current_price": number(one.price),
        "current_value": number(one.value),
        "realized_pnl": number(one.realized),
        "unrealized_pnl": number(one.unrealized),
        "total_pnl": number(one.realized + one.unrealized),
    }
