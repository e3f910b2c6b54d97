"""The operator's side: time, truth, faults, accounts and the world. For this machine only.

GET  /control/truth              everything, exactly
GET  /control/time               {"now": ns, "next_due": ns or null}; in lock step also "waits_for": what keeps time
                                 from moving, in words
POST /control/time               {"to": ns} or {"by": ns}, where time is stepped
GET  /control/lock-step          a WebSocket, see `steps`, where time is in lock step
GET  /control/faults             switches that are on, of every fault its hits, a line of help, its groups and rows in
                                 `FAULTS.md`, and the words of the venue that `order-refused` knows
POST /control/faults             {"fault": "reply-lost", "where": "POST /order", "times": 1, "delay": 0}; also "skip",
                                 "chance" (parts per thousand), "http" and "text" of an error, and "only": the text of
                                 the frames that are meant, or whom a mishap concerns
DELETE /control/faults[/{fault}] off; counters stay
GET  /control/limits             the tier that signers are in, and whether it is enforced
POST /control/limits             {"tier": "standard", "enforcement": "enforced"}, one or both; buckets are full again
POST /control/geoblock           {"blocked": true, "country": "GB", "region": "ENG"}
POST /control/accounts           {"owner": address, "kind": 0, "wallet": address, "cash": millionths}
POST /control/world              a Listing, or a request of `sim.messages`, as tagged JSON
"""

import ipaddress
from http import HTTPStatus
from typing import NoReturn, TypeAlias, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from polystra.core.units import Instant, Nanos, Usd
from polystra.edge.polymarket.addresses import InvalidAddress, address
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.auth import Gate, Place
from polystra.exchange.faults import FRAMED, HELP, LATE_MISHAPS, MISHAPS, ROWS, Fault, Faults, Switch, group_of
from polystra.exchange.limits import Enforcement, Limits, Tier
from polystra.exchange.listings import Listing
from polystra.exchange.lock_step import LockStep
from polystra.exchange.pace import SteppedPace, WallPace
from polystra.exchange.replies import Refused, Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE
from polystra.exchange.words import WORDS
from polystra.sim import messages as sim
from polystra.sim.chance import ALWAYS

CONTROL = "/control"

Pace: TypeAlias = WallPace | SteppedPace | LockStep
"""What moves the venue's time."""

_T = TypeVar("_T")

_ERRORS = {status.value for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST}

_World: TypeAlias = (
    Listing
    | sim.SetBook
    | sim.ChangeLevels
    | sim.PrintTrade
    | sim.SetTick
    | sim.CloseMarket
    | sim.Resolve
    | sim.Deposit
    | sim.Transfer
    | sim.SetMode
    | sim.SetRestriction
    | sim.Restart
)


class _Move(Struct, forbid_unknown_fields=True):
    to: Instant | None = None
    by: Nanos | None = None


class _Opened(Struct, forbid_unknown_fields=True):
    owner: str
    kind: SignatureType = SignatureType.EOA
    wallet: str = ""
    cash: Usd = Usd(0)


class _Limited(Struct, forbid_unknown_fields=True):
    tier: Tier | None = None
    enforcement: Enforcement | None = None


class Control:
    def __init__(self, venue: Venue, *, faults: Faults, pace: Pace, limits: Limits, gate: Gate) -> None:
        self._venue = venue
        self._faults = faults
        self._pace = pace
        self._limits = limits
        self._gate = gate

    def routes(self) -> Routes:
        return [
            web.get("/truth", self.truth),
            web.get("/time", self.time),
            web.post("/time", self.move),
            web.get("/faults", self.faults),
            web.post("/faults", self.switch_on),
            web.delete("/faults", self.switch_off),
            web.delete("/faults/{fault}", self.switch_off),
            web.get("/limits", self.limits),
            web.post("/limits", self.set_limits),
            web.post("/geoblock", self.set_geoblock),
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
        exchange = self._venue.current()
        mishaps = [_shown(one) for one in exchange.mishaps().values()]
        return reply(
            {
                "on": [*self._faults.switches(), *mishaps],
                "hits": {**self._faults.hits, **exchange.mishap_hits()},
                "help": HELP,
                "groups": {fault: group_of(fault) for fault in Fault},
                "rows": ROWS,
                "words": WORDS,
            }
        )

    async def switch_on(self, request: web.Request) -> web.Response:
        switch = await _read(request, Switch)
        if switch.delay < 0 or switch.skip < 0 or (switch.times is not None and switch.times < 1):
            raise Refused(
                400,
                f"delay {switch.delay}, skip {switch.skip}, times {switch.times}: "
                "delay and skip 0 or more, times 1 or more or null",
            )
        if not 1 <= switch.chance <= ALWAYS:
            raise Refused(400, f"chance {switch.chance}: give parts per thousand, 1 to {ALWAYS}")
        if switch.only and switch.fault not in FRAMED and switch.fault not in MISHAPS:
            raise Refused(400, f"fault {switch.fault} strikes no frame: leave `only` out")
        if switch.http not in _ERRORS:
            raise Refused(400, f"http {switch.http}: give a known status from 400 to 599")
        if mishap := MISHAPS.get(switch.fault):
            if switch.where or (switch.delay and mishap not in LATE_MISHAPS):
                known = "where" if mishap in LATE_MISHAPS else "where and no delay"
                raise Refused(400, f"fault {switch.fault} has no {known}: leave it out")
            self._venue.feed(_mishap(mishap, switch))
        else:
            self._faults.switch_on(switch)
        return await self.faults(request)

    async def switch_off(self, request: web.Request) -> web.Response:
        name = request.match_info.get("fault")
        if name is not None and name not in set(Fault):
            raise Refused(404, f"fault {name}: known are {', '.join(Fault)}")
        self._faults.switch_off(name)
        for mishap in self._venue.current().mishaps():
            if name in (None, mishap):
                self._venue.feed(sim.SetMishap(mishap=mishap, times=0))
        return await self.faults(request)

    # --- limits and places

    async def limits(self, _: web.Request) -> web.Response:
        return reply({"tier": self._limits.tier, "enforcement": self._limits.enforcement})

    async def set_limits(self, request: web.Request) -> web.Response:
        asked = await _read(request, _Limited)
        self._limits.set_to(asked.tier or self._limits.tier, asked.enforcement or self._limits.enforcement)
        return await self.limits(request)

    async def set_geoblock(self, request: web.Request) -> web.Response:
        self._gate.place = await _read(request, Place)
        return reply(self._gate.place)

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


def _mishap(mishap: sim.Mishap, switch: Switch) -> sim.SetMishap:
    return sim.SetMishap(
        mishap=mishap,
        times=switch.times,
        skip=switch.skip,
        chance=switch.chance,
        delay=switch.delay,
        only=switch.only,
    )


def _shown(one: sim.SetMishap) -> Switch:
    return Switch(
        fault=Fault(one.mishap), times=one.times, skip=one.skip, chance=one.chance, delay=one.delay, only=one.only
    )


async def _read(request: web.Request, form: type[_T]) -> _T:
    try:
        return msgspec.json.decode(await request.read(), type=form)
    except UNREADABLE as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    raise Refused(400, str(error)) from None
