"""Everything that changes a venue, as values: who keeps them all can make the same venue again.

What only reads is no input, and time is none either: whatever falls due happens at its own moment. Each input carries
the moment `at` at which the venue took it; a later input never has an earlier one.
"""

from typing import Protocol, TypeAlias

from msgspec import Struct

from polystra.core.units import Instant
from polystra.exchange.listings import Listing
from polystra.exchange.members import MemberChange
from polystra.sim import messages as sim
from polystra.sim.records import Account


class Asked(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="kind", tag="asked"):
    """What a client or the world asked of the exchange; `key` is the API key that placed an order, and `builder` the
    code of whoever brought it, empty for nobody."""

    at: Instant
    asked: sim.Request
    key: str = ""
    builder: str = ""


class Listed(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="listed"):
    """A market that somebody listed, other than a recording."""

    at: Instant
    listed: Listing


class Played(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="played"):
    """The recordings took their next step: which one that was, they know."""

    at: Instant


class MemberChanged(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="member"):
    at: Instant
    member: MemberChange


class NoticesDropped(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="notices-dropped"):
    """Accounts that want no more of the notifications with these numbers, or of any when there are none."""

    at: Instant
    accounts: tuple[Account, ...]
    numbers: tuple[str, ...]


Input: TypeAlias = Asked | Listed | Played | MemberChanged | NoticesDropped


class Record(Protocol):
    """Who is told of every input before the venue acts on it, and of every output before anybody else hears it."""

    def took(self, one: Input) -> None: ...

    def did(self, output: sim.Output) -> None: ...


class NoRecord:
    """For a venue that nobody makes again."""

    def took(self, one: Input) -> None:
        """Forgotten."""

    def did(self, output: sim.Output) -> None:
        """Forgotten."""
