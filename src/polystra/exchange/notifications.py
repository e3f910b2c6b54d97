"""What the venue told an account on its page (`PROTOCOL.md` B.4), listed and dropped."""

from collections.abc import Sequence

from aiohttp import web

from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.auth import Gate
from polystra.exchange.members import Member
from polystra.exchange.notices import Notices, Notification
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import Json, seconds_of
from polystra.sim.records import Account


class Notifications:
    def __init__(self, venue: Venue, gate: Gate, notices: Notices) -> None:
        self._venue = venue
        self._gate = gate
        self._notices = notices

    def routes(self) -> Routes:
        return [web.get("/notifications", self.list), web.delete("/notifications", self.drop)]

    async def list(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        self._venue.advance()
        return reply([_form(one, member) for one in self._notices.of(self._accounts(request, member))])

    async def drop(self, request: web.Request) -> web.Response:
        """Those of the member's own that are named, or all of them when none is."""
        member = await self._gate.member(request)
        named = [name for name in request.query.get("ids", "").split(",") if name]
        self._venue.drop_notices(self._accounts(request, member), named)
        return reply("OK")

    def _accounts(self, request: web.Request, member: Member) -> Sequence[Account]:
        """The one of a signature type, or all that the member has."""
        kind = request.query.get("signature_type")
        if kind is None:
            return self._venue.members.accounts(member.owner)
        if kind not in {f"{known:d}" for known in SignatureType}:
            raise Refused(400, "Invalid signature_type")
        account = self._venue.members.account(member.owner, SignatureType(int(kind)))
        return () if account is None else (account,)


def _form(one: Notification, member: Member) -> Json:
    return {
        "id": one.number,
        "owner": one.key or member.api_key,
        "timestamp": seconds_of(one.at),
        "type": one.kind,
        "payload": one.payload,
    }
