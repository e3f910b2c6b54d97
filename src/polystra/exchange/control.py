"""The operator's side: time, truth, faults, accounts and the world. For this machine only.

GET  /control/truth              everything, exactly
GET  /control/time               {"now": ns, "next_due": ns or null}; in lock step also "waits_for": what keeps time
                                 from moving, in words
POST /control/time               {"to": ns} or {"by": ns}, where time is stepped
GET  /control/lock-step          a WebSocket, see `steps`, where time is in lock step
GET  /control/faults             switches that are on, and hits of every fault
POST /control/faults             {"fault": "reply-lost", "where": "POST /order", "times": 1, "delay": 0}
DELETE /control/faults[/{fault}] off; counters stay
POST /control/accounts           {"owner": address, "kind": 0, "wallet": address, "cash": millionths}
POST /control/world              a Listing, or a request of `sim.messages`, as tagged JSON
"""

import ipaddress
from typing import NoReturn, TypeAlias, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from polystra.core.units import Instant, Nanos, Usd
from polystra.edge.polymarket.addresses import InvalidAddress, address
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.faults import Fault, Faults, Switch
from polystra.exchange.listings import Listing
from polystra.exchange.lock_step import LockStep
from polystra.exchange.pace import SteppedPace, WallPace
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE
from polystra.sim import messages as sim

CONTROL = "/control"

Pace: TypeAlias = WallPace | SteppedPace | LockStep
"""What moves the venue's time."""

_T = TypeVar("_T")

_World: TypeAlias = (
    Listing
    | sim.SetBook
    | sim.ChangeLevels
    | sim.PrintTrade
    | sim.SetTick
    | sim.CloseMarket
    | sim.Resolve
    | sim.Deposit
    | sim.SetMode
    | sim.SetRestriction
)


class _Move(Struct, forbid_unknown_fields=True):
    to: Instant | None = None
    by: Nanos | None = None


class _Opened(Struct, forbid_unknown_fields=True):
    owner: str
    kind: SignatureType = SignatureType.EOA
    wallet: str = ""
    cash: Usd = Usd(0)


class Control:
    def __init__(self, venue: Venue, faults: Faults, pace: Pace) -> None:
        self._venue = venue
        self._faults = faults
        self._pace = pace

    def routes(self) -> Routes:
        return [
            web.get("/truth", self.truth),
            web.get("/time", self.time),
            web.post("/time", self.move),
            web.get("/faults", self.faults),
            web.post("/faults", self.switch_on),
            web.delete("/faults", self.switch_off),
            web.delete("/faults/{fault}", self.switch_off),
            web.post("/accounts", self.open_account),
            web.post("/world", self.world),
        ]

    async def truth(self, _: web.Request) -> web.Response:
        return reply(self._venue.current().truth())

    # --- time

    async def time(self, _: web.Request) -> web.Response:
        now = self._venue.now()
        if isinstance(self._pace, LockStep):
            waits_for = self._pace.waits_for() or None
            return reply({"now": now, "next_due": self._pace.next_due(), "waits_for": waits_for})
        return reply({"now": now, "next_due": self._venue.next_due()})

    async def move(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Move)
        if isinstance(self._pace, LockStep):
            raise Refused(409, "time goes in lock step with a trader: start the exchange with stepped time to move it")
        if not isinstance(self._pace, SteppedPace):
            raise Refused(409, "time goes with the wall clock: start the exchange with stepped time to move it")
        if (asked.to is None) is (asked.by is None):
            raise Refused(400, "say either to (nanoseconds since 1970) or by (nanoseconds from now)")
        to = asked.to if asked.to is not None else Instant(self._venue.now() + (asked.by or 0))
        try:
            self._pace.move_to(to)
        except ValueError as error:
            _refuse(error)
        return await self.time(request)

    # --- faults

    async def faults(self, _: web.Request) -> web.Response:
        return reply({"on": self._faults.switches(), "hits": self._faults.hits})

    async def switch_on(self, request: web.Request) -> web.Response:
        switch = await _read(request, Switch)
        if switch.delay < 0 or (switch.times is not None and switch.times < 1):
            raise Refused(400, f"delay {switch.delay}, times {switch.times}: 0 or more, and 1 or more or null")
        self._faults.switch_on(switch)
        return await self.faults(request)

    async def switch_off(self, request: web.Request) -> web.Response:
        name = request.match_info.get("fault")
        if name is not None and name not in set(Fault):
            raise Refused(404, f"fault {name}: known are {', '.join(Fault)}")
        self._faults.switch_off(None if name is None else Fault(name))
        return await self.faults(request)

    # --- accounts and the world

    async def open_account(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Opened)
        try:
            owner = address(asked.owner)
            wallet = address(asked.wallet) if asked.wallet else owner
            account = self._venue.members.open_wallet(owner, asked.kind, wallet)
            self._venue.feed(sim.Deposit(account=account, amount=asked.cash))
        except (InvalidAddress, ValueError) as error:
            _refuse(error)
        return reply({"account": account})

    async def world(self, request: web.Request) -> web.Response:
        try:
            self._venue.feed(_world(await request.read()))
        except (*UNREADABLE, ValueError) as error:
            _refuse(error)
        return reply("OK")


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whoever moves time and money here must already be on this machine."""
    try:
        near = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        near = False
    if not near:
        raise Refused(403, f"{request.remote} may not control the exchange: ask from the machine it runs on")
    return await handler(request)


_world = msgspec.json.Decoder(_World).decode


async def _read(request: web.Request, form: type[_T]) -> _T:
    try:
        return msgspec.json.decode(await request.read(), type=form)
    except UNREADABLE as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    raise Refused(400, str(error)) from None
