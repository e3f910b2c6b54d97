"""Says what the venue lets us do at present: its mode, the rule our account is under, and whether our clocks agree.

A mode is learned from the words of a refusal. It holds for as long as the venue says, else for 1, 2, 4, then 8 seconds
each time, a rule of the account for a minute; then the next order that is wanted finds out. While one holds no entry is
placed and cancels go on; what rests stays as long as it is wanted, since it could not be placed again. From where
trading is blocked nothing is ever placed.
"""

from collections.abc import Mapping
from enum import StrEnum

from polystra.core.errors import ContradictoryFacts
from polystra.core.events import ClockCompared, GeoblockRead
from polystra.core.exits import Sells
from polystra.core.notes import AnyNote, ClockDrifted, VenueModeChanged
from polystra.core.reasons import RefusalReason
from polystra.core.terms import OrderTerms, Side
from polystra.core.units import Instant, Nanos, seconds
from polystra.core.view import NEVER


class Mode(StrEnum):
    OPEN = "open"
    RATE_LIMITED = "rate limited"
    RESTARTING = "restarting"
    POST_ONLY = "post-only"
    CANCEL_ONLY = "cancel-only"
    DISABLED = "disabled"
    CLOSED_ONLY = "closed-only"
    BANNED = "banned"


MODES: Mapping[RefusalReason, Mode] = {
    RefusalReason.RATE_LIMITED: Mode.RATE_LIMITED,
    RefusalReason.RESTARTING: Mode.RESTARTING,
    RefusalReason.POST_ONLY_MODE: Mode.POST_ONLY,
    RefusalReason.CANCEL_ONLY_MODE: Mode.CANCEL_ONLY,
    RefusalReason.TRADING_DISABLED: Mode.DISABLED,
    RefusalReason.CLOSED_ONLY: Mode.CLOSED_ONLY,
    RefusalReason.BANNED: Mode.BANNED,
}
"""The reasons that say nothing about the one order that heard them."""


def forbids(mode: Mode, terms: OrderTerms) -> bool:
    """Whether an order of these terms is one that the venue does not take in this mode."""
    match mode:
        case Mode.OPEN:
            return False
        case Mode.POST_ONLY:
            return not terms.post_only
        case Mode.CLOSED_ONLY:
            return terms.side is Side.BUY
        case _:
            return True


_SELLS = {Mode.OPEN: Sells.ANY, Mode.CLOSED_ONLY: Sells.ANY, Mode.POST_ONLY: Sells.RESTING}


MODE_WAITS = (seconds(1), seconds(2), seconds(4), seconds(8))
RULE_WAIT = seconds(60)
"""Of a rule that our account is under: it does not end by itself."""


def _own_wait(mode: Mode, attempts: int) -> Nanos:
    if mode in (Mode.CLOSED_ONLY, Mode.BANNED):
        return RULE_WAIT
    return MODE_WAITS[min(attempts, len(MODE_WAITS)) - 1]


class Standing:
    """How we stand with the venue. Mutable."""

    def __init__(self, max_clock_offset: Nanos) -> None:
        self._max_offset = max_clock_offset
        self._mode = Mode.OPEN
        self._until = Instant(0)
        self._learned_at = Instant(0)
        self._attempts = 0
        self._ahead = Nanos(0)
        self._blocked: str | None = None

    def mode(self, at: Instant) -> Mode:
        """The mode that is believed now; once its time is over, that nothing is restricted."""
        return self._mode if at < self._until else Mode.OPEN

    def next_at(self, at: Instant) -> Instant:
        """When the present mode ends, as far as we know."""
        return self._until if at < self._until else NEVER

    @property
    def why_no_entries(self) -> str | None:
        """Why nothing may be opened and no entry may rest, None when it may."""
        if self._blocked is not None:
            return f"trading is blocked in {self._blocked}"
        if abs(self._ahead) > self._max_offset:
            return f"the machine's clock is {self._ahead / 1e9:+.1f} s off the venue's"
        return None

    def takes_entries(self, at: Instant) -> bool:
        return self.mode(at) is Mode.OPEN

    def sells(self, at: Instant) -> Sells:
        if self._blocked is not None:
            return Sells.NONE
        return _SELLS.get(self.mode(at), Sells.NONE)

    # --- news

    def refused(self, reason: RefusalReason, at: Instant, retry_after: Nanos | None) -> list[AnyNote]:
        """An order was refused for one of `MODES`."""
        mode = MODES.get(reason)
        if mode is None:
            raise ContradictoryFacts(f"refused for {reason}, which is no mode of the venue")
        before = self._mode
        if mode is not before:
            self._attempts = 1
        elif at >= self._until:
            self._attempts += 1  # what was refused before that was on its way already, and tried nothing
        pause = retry_after or _own_wait(mode, self._attempts)
        until = Instant(at + pause)
        self._mode, self._learned_at = mode, at
        if mode is before:
            self._until = max(self._until, until)
            return []
        self._until = until
        return [VenueModeChanged(before=before, after=mode, until=until)]

    def accepted(self, terms: OrderTerms, sent_at: Instant) -> list[AnyNote]:
        """An order was taken: a mode that forbids it is over, unless the order was on its way before we learned it."""
        if not forbids(self._mode, terms) or sent_at <= self._learned_at:
            return []
        before, self._mode, self._until, self._attempts = self._mode, Mode.OPEN, Instant(0), 0
        return [VenueModeChanged(before=before, after=Mode.OPEN)]

    def clock_compared(self, event: ClockCompared) -> list[AnyNote]:
        before, self._ahead = self._ahead, event.ahead
        was, now = (abs(ahead) > self._max_offset for ahead in (before, event.ahead))
        return [ClockDrifted(ahead=event.ahead, over=not now)] if was is not now else []

    def geoblock_read(self, event: GeoblockRead) -> list[AnyNote]:
        before, self._blocked = self._blocked, event.place if event.blocked else None
        if (before is None) is (self._blocked is None):
            return []
        told = ("allowed here", f"blocked in {event.place}")
        return [VenueModeChanged(before=told[not event.blocked], after=told[event.blocked])]
