"""What those who bring orders read (`PROTOCOL.md` B.4): trades of orders that carry their code, and their fee rates.

A code is 32 bytes that the owner of an order signs. Anybody may ask about any code, and no code charges a fee here.
"""

from aiohttp import web

from polystra.core.terms import Outcome
from polystra.core.units import show
from polystra.exchange.account import ROWS, seconds_asked
from polystra.exchange.pages import requested_page
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, outcome_word, seconds_of, transaction_of
from polystra.sim.records import Leg, Trade

_HEX = set("0123456789abcdefABCDEF")


class Builders:
    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Routes:
        return [web.get("/builder/trades", self.trades), web.get("/fees/builder-fees/{code}", self.fees)]

    async def fees(self, request: web.Request) -> web.Response:
        _code(request.match_info["code"])
        return reply({"builder_maker_fee_rate_bps": 0, "builder_taker_fee_rate_bps": 0})

    async def trades(self, request: web.Request) -> web.Response:
        """Newest first; a trade stands here once for each of its orders that carries the code."""
        code, query = _code(request.query.get("builder_code", "")), request.query
        after, before = seconds_asked(request, "after"), seconds_asked(request, "before")
        found = [
            self._form(trade, leg, kind, code)
            for trade in reversed(self._venue.current().truth().trades)
            for leg, kind in ((trade.taker, "TAKER"), (trade.maker, "MAKER"))
            if self._venue.builders.get(leg.order, "").lower() == code
            and query.get("id", trade.id) == trade.id
            and query.get("market", trade.market) == trade.market
            and query.get("asset_id", leg.token) == leg.token
            and query.get("maker_address", leg.account).lower() == leg.account.lower()
            and (after is None or after <= seconds_of(trade.matched_at))
            and (before is None or seconds_of(trade.matched_at) <= before)
        ]
        return reply(requested_page(query.get("next_cursor", ""), found, ROWS, "Invalid trade params payload"))

    def _form(self, trade: Trade, leg: Leg, kind: str, code: str) -> Json:
        return {
            "id": trade.id,
            "tradeType": kind,
            "takerOrderHash": trade.taker.order,
            "builder": code,
            "market": trade.market,
            "assetId": leg.token,
            "side": leg.side,
            "size": show(leg.shares),
            "sizeUsdc": show(leg.cash),
            "price": show(leg.price),
            "status": f"TRADE_STATUS_{trade.stage}",
            "outcome": outcome_word(leg.outcome),
            "outcomeIndex": list(Outcome).index(leg.outcome),
            "owner": self._venue.key_of(leg.order),
            "maker": leg.account,
            "transactionHash": transaction_of(trade),
            "matchTime": str(seconds_of(trade.matched_at)),
            "bucketIndex": 0,
            "fee": show(leg.fee),
            "feeUsdc": show(leg.fee),
            "createdAt": str(seconds_of(trade.matched_at)),
            "updatedAt": str(seconds_of(trade.updated_at)),
        }


def _code(text: str) -> str:
    digits = text.removeprefix("0x")
    if not (text.startswith("0x") and len(digits) == 64 and set(digits) <= _HEX and set(digits) != {"0"}):
        raise Refused(400, f"builder code {text[:80]!r}: give 0x and 64 hex digits that are not all zero")
    return text.lower()
