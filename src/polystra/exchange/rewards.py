"""What makers earn (`PROTOCOL.md` B.1, B.4, F): rewards of markets and of members, scoring orders, and fee rebates.

Rewards are sampled by the exchange (`sim.rewards`), which pays them and the rebates only if it is told to
(`sim.payouts`). Amounts are in pUSD; days are UTC days.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec
from aiohttp import web

from polystra.core.ids import MarketId, VenueOrderId
from polystra.core.units import NO_ASK, NO_BID, Usd, show
from polystra.edge.polymarket.addresses import Address, InvalidAddress, address
from polystra.edge.polymarket.contracts import COLLATERAL
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.auth import Gate
from polystra.exchange.catalogue import moment
from polystra.exchange.listings import Listing
from polystra.exchange.market_pages import rewards_now, tokens_form
from polystra.exchange.pages import requested_page
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.reward_terms import spread_form, whole_reward
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, number, top_of
from polystra.sim.records import Account
from polystra.sim.rewards import Earning

ROWS = 500
"""Of a page, unless fewer are asked for."""

_EPOCH = date(1970, 1, 1)


class Rewards:
    def __init__(self, venue: Venue, gate: Gate) -> None:
        self._venue = venue
        self._gate = gate

    def routes(self) -> Routes:
        return [
            web.get("/rewards/markets/current", self.current),
            web.get("/rewards/markets/multi", self.found),
            web.get("/rewards/markets/{market}", self.market),
            web.get("/rewards/user", self.earned),
            web.get("/rewards/user/total", self.total),
            web.get("/rewards/user/percentages", self.percentages),
            web.get("/rewards/user/markets", self.earned_by_market),
            web.get("/rebates/current", self.rebates),
            web.get("/order-scoring", self.scoring),
            web.post("/orders-scoring", self.scorings),
        ]

    # --- markets

    async def current(self, request: web.Request) -> web.Response:
        return _page(request, [_current_form(one) for one in self._rewarded()])

    async def market(self, request: web.Request) -> web.Response:
        """One row, or none for a market that rewards nobody now."""
        asked = request.match_info["market"]
        return _page(request, [self._market_form(one) for one in self._rewarded() if one.facts.id == asked])

    async def found(self, request: web.Request) -> web.Response:
        """Those whose question has the words of `q`, in order of their listing, whatever `order_by` says."""
        words = request.query.get("q", "").lower()
        return _page(request, [self._found_form(one) for one in self._rewarded() if words in one.question.lower()])

    def _rewarded(self) -> list[Listing]:
        self._venue.advance()
        return [one for one in self._venue.listings.values() if rewards_now(self._venue, one)]

    def _market_form(self, listing: Listing) -> Json:
        return {
            "condition_id": listing.facts.id,
            "question": listing.question,
            "market_slug": listing.slug,
            "event_slug": listing.slug,
            "image": "",
            "rewards_max_spread": spread_form(listing),
            "rewards_min_size": number(listing.facts.reward_min),
            "market_competitiveness": self._competition(listing),
            "tokens": tokens_form(self._venue, listing),
            "rewards_config": [_config(listing)],
        }

    def _found_form(self, listing: Listing) -> Json:
        top = top_of(self._venue.book(listing.facts.id))
        known = top.bid != NO_BID and top.ask != NO_ASK
        return self._market_form(listing) | {
            "market_id": str(listing.number),
            "spread": number(top.ask - top.bid) if known else 0,
            "group_item_title": "",
            "volume_24hr": 0,
            "event_id": str(listing.number // 4),
            "created_at": moment(listing.listed_at),
            "end_date": moment(listing.facts.end),
            "one_day_price_change": 0,
        }

    def _competition(self, listing: Listing) -> float | int:
        """All makers' scores together, in shares."""
        return number(sum(self._scores(listing.facts.id).values()))

    def _scores(self, market: MarketId) -> dict[Account, int]:
        return self._venue.current().maker_scores(market, self._venue.now())

    # --- members

    async def earned(self, request: web.Request) -> web.Response:
        account, day = await self._asked(request)
        return _page(request, [_earning_form(one) for one in self._earnings(account, _day(day))])

    async def total(self, request: web.Request) -> web.Response:
        """One row, or none for a day without earnings."""
        account, day = await self._asked(request)
        found = self._earnings(account, _day(day))
        whole = show(_sum(found))
        row = _paid(_sum(found)) | {"date": f"{day}T00:00:00Z", "maker_address": account}
        return reply([row | {"native_earnings": whole, "sponsored_earnings": "0"}] if found else [])

    async def percentages(self, request: web.Request) -> web.Response:
        """Of each market that rewards makers now, how much of its rewards the member would get, in percent."""
        account = await self._account(request)
        return reply({one.facts.id: self._percentage(one, account) for one in self._rewarded()})

    async def earned_by_market(self, request: web.Request) -> web.Response:
        """Markets that reward makers now; `no_competition` leaves those in which others score too."""
        account, day = await self._asked(request)
        markets = self._rewarded()
        if request.query.get("no_competition", "").lower() == "true":
            markets = [one for one in markets if not any(self._scores(one.facts.id).values())]
        earned = self._earnings(account, _day(day))
        return _page(request, [self._earned_form(one, account, earned) for one in markets])

    def _earned_form(self, listing: Listing, account: Account | None, earned: Iterable[Earning]) -> Json:
        here = _sum(one for one in earned if one.market == listing.facts.id)
        return self._market_form(listing) | {
            "maker_address": account or "",
            "earning_percentage": self._percentage(listing, account),
            "earnings": [_paid(here)],
        }

    def _percentage(self, listing: Listing, account: Account | None) -> float:
        scores = self._scores(listing.facts.id)
        total = sum(scores.values())
        return 100 * scores.get(account, 0) / total if account and total else 0.0

    def _earnings(self, account: Account | None, day: int) -> list[Earning]:
        earnings = self._venue.current().earnings(self._venue.now())
        return [one for one in earnings if one.account == account and one.day == day]

    async def _asked(self, request: web.Request) -> tuple[Account | None, date]:
        account = await self._account(request)
        return account, _date(request)

    async def _account(self, request: web.Request) -> Account | None:
        member = await self._gate.member(request)
        kind = request.query.get("signature_type", "0")
        if kind not in {f"{known:d}" for known in SignatureType}:
            raise Refused(400, "Invalid signature_type")
        return self._venue.members.account(member.owner, SignatureType(int(kind)))

    # --- orders

    async def scoring(self, request: web.Request) -> web.Response:
        await self._gate.member(request)
        order = request.query.get("order_id")
        if not order:
            raise Refused(400, "Invalid orderID")
        return reply({"scoring": self._scores_now(VenueOrderId(order))})

    async def scorings(self, request: web.Request) -> web.Response:
        await self._gate.member(request)
        try:
            asked = _ids(await request.read())
        except UNREADABLE:
            raise Refused(400, "Invalid payload") from None
        return reply({order: self._scores_now(order) for order in asked})

    def _scores_now(self, order: VenueOrderId) -> bool:
        """An order that is unknown, or ended, does not score."""
        return self._venue.current().scores(order, self._venue.now())

    # --- rebates

    async def rebates(self, request: web.Request) -> web.Response:
        """What a maker's fills of that day bring it of the fees that takers paid; null for nothing."""
        day, maker = _date(request), _maker(request)
        found = [one for one in self._venue.current().rebates(_day(day)) if one.account == Account(maker)]
        rows = [
            {
                "date": day.isoformat(),
                "condition_id": one.market,
                "asset_address": COLLATERAL,
                "maker_address": maker,
                "rebated_fees_usdc": show(one.amount),
            }
            for one in found
        ]
        return reply(rows or None)


def _config(listing: Listing) -> Json:
    """The programme of a market: its rate, from its listing to its end."""
    facts = listing.facts
    return {
        "id": listing.number,
        "asset_address": COLLATERAL,
        "start_date": moment(listing.listed_at)[:10],
        "end_date": moment(facts.end)[:10],
        "rate_per_day": number(facts.reward_rate),
        "total_rewards": number(whole_reward(listing)),
    }


def _current_form(listing: Listing) -> Json:
    rate = number(listing.facts.reward_rate)
    return {
        "condition_id": listing.facts.id,
        "rewards_config": [_config(listing)],
        "rewards_max_spread": spread_form(listing),
        "rewards_min_size": number(listing.facts.reward_min),
        "native_daily_rate": rate,
        "total_daily_rate": rate,
    }


def _earning_form(earning: Earning) -> Json:
    return _paid(earning.earned) | {
        "date": f"{_EPOCH + timedelta(days=earning.day)}T00:00:00Z",
        "condition_id": earning.market,
        "maker_address": earning.account,
    }


def _paid(amount: Usd) -> Json:
    return {"asset_address": COLLATERAL, "asset_rate": "1", "earnings": show(amount)}


def _sum(earnings: Iterable[Earning]) -> Usd:
    return Usd(sum(one.earned for one in earnings))


def _page(request: web.Request, rows: list[Json]) -> web.Response:
    asked = request.query.get("page_size", "")
    limit = int(asked) if asked.isascii() and asked.isdecimal() and 0 < int(asked[:9]) < ROWS else ROWS
    shown = requested_page(request.query.get("next_cursor", ""), rows, limit, "Invalid payload")
    return reply(shown | {"total_count": len(rows)})


def _date(request: web.Request) -> date:
    asked = request.query.get("date", "")
    try:
        return datetime.strptime(asked, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise Refused(400, f"date {asked[:20]!r}: give a day as 2026-11-24") from None


def _day(day: date) -> int:
    return (day - _EPOCH).days


def _maker(request: web.Request) -> Address:
    try:
        return address(request.query.get("maker_address", ""))
    except InvalidAddress as error:
        raise Refused(400, f"maker_address: {error}") from None


_ids = msgspec.json.Decoder(list[VenueOrderId]).decode
