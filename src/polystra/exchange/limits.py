"""How often a signer may place and cancel (`PROTOCOL.md` E.8): two token buckets each, filled by the venue's clock.

A request needs its whole cost in the bucket or is refused entirely with 429, so a batch dearer than the bucket is deep
never passes. Every covered reply says how things stand. The signer here is the address that signed the request. The
buckets are not kept in the log of inputs: what was refused never got to the exchange.

The limits by IP address are not here: the venue queues by them instead of refusing, which a fault can do.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct

from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import Address
from polystra.exchange.replies import Refused

RATE_LIMITED = "rate limited"

_SECOND = 1_000_000_000


class Kind(StrEnum):
    """What a bucket is for."""

    ORDERS = "orders"
    CANCELS = "cancels"


class Tier(StrEnum):
    """By the volume of 30 days at the venue; here by `/control/limits`. NONE has no limits and no headers."""

    NONE = "none"
    STANDARD = "standard"
    COPPER = "copper"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"
    DIAMOND = "diamond"
    ELITE = "elite"


class Enforcement(StrEnum):
    """WARNING lets everything through and says with a header what would not have been."""

    ENFORCED = "enforced"
    WARNING = "warning"


class Allowance(Struct, frozen=True, gc=False):
    """Of one bucket: how many a second flow in, how many it holds, and whether a sweep may leave it below zero."""

    rate: int
    burst: int
    debt: bool = True


ALLOWANCES: Mapping[Tier, Mapping[Kind, Allowance]] = {
    tier: {Kind.ORDERS: Allowance(rate, burst), Kind.CANCELS: Allowance(2 * rate, cancels, debt)}
    for tier, rate, burst, cancels, debt in (
        (Tier.STANDARD, 40, 60, 120, True),
        (Tier.COPPER, 60, 90, 180, True),
        (Tier.BRONZE, 80, 120, 240, True),
        (Tier.SILVER, 200, 300, 600, True),
        (Tier.GOLD, 400, 600, 1_200, True),
        (Tier.PLATINUM, 450, 675, 1_350, False),
        (Tier.DIAMOND, 525, 787, 1_575, False),
        (Tier.ELITE, 600, 900, 1_800, False),
    )
}
"""A signer may cancel twice as often as it may place."""


class Bucket:
    """Mutable. `level` is in billionths of a request, so that each nanosecond brings a whole number."""

    def __init__(self, allowance: Allowance, now: Instant) -> None:
        self.allowance = allowance
        self.level = self.brim
        self._at = now

    @property
    def brim(self) -> int:
        return self.allowance.burst * _SECOND

    def fill(self, now: Instant) -> None:
        self.level = min(self.brim, self.level + self.allowance.rate * (now - self._at))
        self._at = now

    def take(self, cost: int) -> bool:
        """Whether it held as much; nothing is taken if not."""
        held = self.level >= cost * _SECOND
        self.level -= cost * _SECOND if held else 0
        return held

    def owe(self, cost: int) -> None:
        self.level -= cost * _SECOND
        if not self.allowance.debt:
            self.level = max(self.level, 0)

    def seconds_until(self, level: int) -> int:
        """Whole ones, rounded up, until that much is in; what is deeper than the bucket is as far as its brim."""
        missing = min(level, self.brim) - self.level
        return max(0, -(-missing // (self.allowance.rate * _SECOND)))


STATED: web.RequestKey[dict[str, str]] = web.RequestKey("stated")
"""The headers that a reply has to carry."""


class Limits:
    """Mutable."""

    def __init__(self, now: Callable[[], Instant], tier: Tier) -> None:
        self._now = now
        self._buckets: dict[tuple[Address, Kind], Bucket] = {}
        self.tier = tier
        self.enforcement = Enforcement.ENFORCED

    def set_to(self, tier: Tier, enforcement: Enforcement) -> None:
        """Of all signers, from now on, each with full buckets."""
        self.tier, self.enforcement = tier, enforcement
        self._buckets.clear()

    def spend(self, request: web.Request, signer: Address, kind: Kind, cost: int) -> None:
        """Before anything is done; raises `Refused` when the bucket holds less."""
        if self.tier is Tier.NONE:
            return
        bucket = self._bucket(signer, kind)
        held = bucket.take(cost)
        self._state(request, bucket)
        if held:
            return
        if self.enforcement is Enforcement.WARNING:
            request[STATED]["Poly-RateLimit-Warning"] = "true"
            return
        request[STATED]["Retry-After"] = str(max(1, bucket.seconds_until(cost * _SECOND)))
        raise Refused(429, RATE_LIMITED)

    def owe(self, request: web.Request, signer: Address, kind: Kind, cost: int) -> None:
        """After it was done, when it turned out to cost more."""
        if self.tier is not Tier.NONE:
            bucket = self._bucket(signer, kind)
            bucket.owe(cost)
            self._state(request, bucket)

    def _bucket(self, signer: Address, kind: Kind) -> Bucket:
        now = self._now()
        bucket = self._buckets.get((signer, kind))
        if bucket is None:
            bucket = self._buckets[signer, kind] = Bucket(ALLOWANCES[self.tier][kind], now)
        bucket.fill(now)
        return bucket

    def _state(self, request: web.Request, bucket: Bucket) -> None:
        request.setdefault(STATED, {}).update(
            {
                "Poly-RateLimit-Remaining": str(bucket.level // _SECOND),
                "Poly-RateLimit-Reset": str(-(-self._now() // _SECOND) + bucket.seconds_until(bucket.brim)),
                "Poly-RateLimit-Tier": self.tier,
            }
        )


@web.middleware
async def stated(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Puts on a reply what was found out on the way to it."""
    response = await handler(request)
    response.headers.update(request.get(STATED, {}))
    return response
