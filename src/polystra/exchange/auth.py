"""Who asks (`PROTOCOL.md` D): API keys for L1 signatures, and requests checked by L2 hashes over their raw bytes."""

import msgspec
from aiohttp import web
from msgspec import Struct

from polystra.core.units import Instant
from polystra.edge.polymarket import auth
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.auth import Credentials, l1_account
from polystra.exchange.members import KeyUse, Member
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json
from polystra.sim.messages import Restriction

NO_L1 = "Invalid L1 Request headers"
NO_L2 = "Unauthorized/Invalid api key"

_SECOND = 1_000_000_000


class Place(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the venue believes that its clients are, and whether it serves them there."""

    blocked: bool = False
    country: str = "IE"
    region: str = "L"


class Gate:
    """Lets members through. Mutable: `place` is told to whoever asks, and stops nobody, as the real one is asked of
    another host than orders go to."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.place = Place()

    async def member(self, request: web.Request) -> Member:
        """Who signed this request; raises `Refused`. The path is signed without its query."""
        known = self._venue.members.verifier(request.headers.get(auth.API_KEY, ""))
        if known is None:
            raise Refused(401, NO_L2)
        member, verifier = known
        body = await request.read()
        path = request.rel_url.raw_path
        if verifier.accepts(request.headers, method=request.method, path=path, body=body) and self._timely(request):
            return member
        raise Refused(401, NO_L2)

    def owner(self, request: web.Request) -> Address:
        """Whose key signed the L1 headers; raises `Refused`."""
        owner = l1_account(request.headers)
        if owner is None or not self._timely(request):
            raise Refused(401, NO_L1)
        return owner

    def _timely(self, request: web.Request) -> bool:
        """The timestamp is a whole number of seconds: the signature over it was checked first."""
        tolerance = self._venue.tolerance
        if tolerance is None:
            return True
        stated = Instant(int(request.headers[auth.TIMESTAMP]) * _SECOND)
        return abs(self._venue.now() - stated) <= tolerance


class ApiKeys:
    """The routes under `/auth`."""

    def __init__(self, venue: Venue, gate: Gate) -> None:
        self._venue = venue
        self._gate = gate

    def routes(self) -> Routes:
        return [
            web.post("/auth/api-key", self.create),
            web.get("/auth/derive-api-key", self.derive),
            web.get("/auth/api-keys", self.list),
            web.delete("/auth/api-key", self.delete),
            web.get("/auth/ban-status/closed-only", self.closed_only),
            web.get("/api/geoblock", self.geoblock),
            web.post("/auth/builder-api-key", self.create_builder),
            web.get("/auth/builder-api-key", self.builders),
            web.delete("/auth/builder-api-key", self.revoke_builder),
            web.post("/auth/readonly-api-key", self.create_reader),
            web.get("/auth/readonly-api-keys", self.readers),
            web.delete("/auth/readonly-api-key", self.delete_reader),
        ]

    async def create(self, request: web.Request) -> web.Response:
        made = self._venue.members.create_key(self._gate.owner(request), _nonce(request))
        if made is None:
            raise Refused(400, "Could not create api key")
        return reply(_shown(made))

    async def derive(self, request: web.Request) -> web.Response:
        known = self._venue.members.derive_key(self._gate.owner(request), _nonce(request))
        if known is None:
            raise Refused(400, "Could not derive api key!")
        return reply(_shown(known))

    async def list(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        return reply({"apiKeys": self._venue.members.keys(member.owner)})

    async def delete(self, request: web.Request) -> web.Response:
        self._venue.members.delete_key(await self._gate.member(request))
        return reply("OK")

    async def closed_only(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        accounts = self._venue.members.accounts(member.owner)
        found = {self._venue.restrictions.get(account, Restriction.NONE) for account in accounts}
        return reply({"closed_only": Restriction.CLOSED_ONLY in found})

    async def geoblock(self, request: web.Request) -> web.Response:
        place = self._gate.place
        return reply(
            {"blocked": place.blocked, "ip": request.remote or "", "country": place.country, "region": place.region}
        )

    # --- keys that do not trade; nobody has recorded the answers about keys to read with

    async def create_builder(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        made = self._venue.members.create_side_key(member.owner, KeyUse.BUILD)
        return reply({"key": made.api_key, "secret": made.secret, "passphrase": made.passphrase})

    async def builders(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        return reply([{"key": key} for key in self._venue.members.side_keys(member.owner, KeyUse.BUILD)])

    async def revoke_builder(self, request: web.Request) -> web.Response:
        """The one that signed the request, or all of the member who did."""
        members, path = self._venue.members, request.rel_url.raw_path
        signed = members.builder_of(request.headers, method=request.method, path=path)
        keys = [signed] if signed else members.side_keys((await self._gate.member(request)).owner, KeyUse.BUILD)
        for key in keys:
            members.delete_side_key(key)
        return reply("OK")

    async def create_reader(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        return reply({"apiKey": self._venue.members.create_side_key(member.owner, KeyUse.READ).api_key})

    async def readers(self, request: web.Request) -> web.Response:
        member = await self._gate.member(request)
        return reply({"readonlyApiKeys": self._venue.members.side_keys(member.owner, KeyUse.READ)})

    async def delete_reader(self, request: web.Request) -> web.Response:
        """One of the member's own; raises `Refused` for any other."""
        member = await self._gate.member(request)
        try:
            key = _key(await request.read()).key
        except UNREADABLE:
            raise Refused(400, "Invalid payload") from None
        if key not in self._venue.members.side_keys(member.owner, KeyUse.READ):
            raise Refused(404, "api key not found")
        self._venue.members.delete_side_key(key)
        return reply("OK")


class _Named(msgspec.Struct):
    key: str


_key = msgspec.json.Decoder(_Named).decode


def _nonce(request: web.Request) -> int:
    return int(request.headers.get(auth.NONCE, "0"))


def _shown(credentials: Credentials) -> Json:
    return {
        "apiKey": credentials.api_key,
        "secret": credentials.secret,
        "passphrase": credentials.passphrase,
    }
