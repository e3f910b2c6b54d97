"""What can be made to go wrong (`FAULTS.md`), each with a switch, a counter of its hits and a line of help."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.units import Nanos
from polystra.sim.messages import Mishap


class Fault(StrEnum):
    """A mishap strikes inside the exchange: it has neither place nor delay, and is kept in the log of inputs."""

    RESET = "reset"
    REQUEST_LATE = "request-late"
    BLOCKED = "blocked"
    ERROR_BEFORE = "error-before"
    ERROR_AFTER = "error-after"
    REPLY_LOST = "reply-lost"
    REPLY_LATE = "reply-late"
    ORDER_REFUSED = "order-refused"
    BOOK_PLACEHOLDER = "book-placeholder"
    TOKENS_MISSING = "tokens-missing"
    CATALOGUE_STALE = "catalogue-stale"
    DATA_LATE = "data-late"
    STREAM_CLOSED = "stream-closed"
    STREAM_FROZEN = "stream-frozen"
    STREAM_SLOW = "stream-slow"
    PONG_LOST = "pong-lost"
    FRAME_LOST = "frame-lost"
    FRAME_TWICE = "frame-twice"
    FRAME_LATE = "frame-late"
    FRAMES_SWAPPED = "frames-swapped"
    BEST_WRONG = "best-wrong"
    TRADE_FAILED = Mishap.TRADE_FAILED.value
    TRADE_RETRIED = Mishap.TRADE_RETRIED.value
    BALANCE_STALE = Mishap.BALANCE_STALE.value


MISHAPS: Mapping[Fault, Mishap] = {Fault(mishap): mishap for mishap in Mishap}

HELP: Mapping[Fault, str] = {
    Fault.RESET: "the connection breaks before the exchange has read the request: nothing happened",
    Fault.REQUEST_LATE: "the request is heard only after `delay`, whoever has given up waiting by then",
    Fault.BLOCKED: "the request is answered 403 with Cloudflare's page, and nothing happened",
    Fault.ERROR_BEFORE: "the request is answered with status `http`, a page or `text`, and nothing happened",
    Fault.ERROR_AFTER: "what was asked is done, and answered with status `http`, a page or `text`",
    Fault.REPLY_LOST: "the connection breaks after the exchange did what was asked",
    Fault.REPLY_LATE: "the answer to what was done comes later by `delay`",
    Fault.ORDER_REFUSED: "one order, alone or in a batch, is refused with `text`, and the status that goes with it",
    Fault.BOOK_PLACEHOLDER: "GET /book and POST /books show the lowest bid and the highest ask that a tick allows",
    Fault.TOKENS_MISSING: "the catalogue shows a market before its tokens; `where` is a slug",
    Fault.CATALOGUE_STALE: "the catalogue shows a market as it last did; `where` is a slug",
    Fault.DATA_LATE: "the Data API repeats an answer: trades for 300 s, activity 15 s, positions 5 s",
    Fault.STREAM_CLOSED: "a stream is closed in place of its next frame, or of its next PONG",
    Fault.STREAM_FROZEN: "frames are swallowed while PONG goes on",
    Fault.STREAM_SLOW: "a frame and all behind it come later by `delay`",
    Fault.PONG_LOST: "a PING is not answered; not in lock step, where PING goes by the wall clock",
    Fault.FRAME_LOST: "a frame is left out, and those behind it are not",
    Fault.FRAME_TWICE: "a frame comes twice",
    Fault.FRAME_LATE: "a frame comes later by `delay`, overtaken by those behind it",
    Fault.FRAMES_SWAPPED: "a frame comes after the one behind it",
    Fault.BEST_WRONG: "a price_change tells an empty book's best prices",
    Fault.TRADE_FAILED: "a trade goes RETRYING and FAILED, and is taken back",
    Fault.TRADE_RETRIED: "a trade goes RETRYING, and then on as usual",
    Fault.BALANCE_STALE: "a mined trade is not seen by the cached balance until /balance-allowance/update is asked",
}
Later: TypeAlias = Callable[[Nanos, Callable[[], None]], None]


class Switch(Struct, frozen=True, kw_only=True):
    """A fault that is on. `where` is a route (`POST /order`, `GET /data/order/{order}`), a stream (`market`, `user`) or
    a market's slug, and empty for all; `times` is how often it will still strike, None for always. `only` lets it
    strike no frame but those with this text in them: a token, `"event_type":"tick_size_change"`."""

    fault: Fault
    where: str = ""
    times: int | None = 1
    delay: Nanos = Nanos(0)
    http: int = 500
    text: str = ""
    only: str = ""


class Faults:
    """Mutable. A fault has at most one switch for each place. `later` acts after a while of the exchange's time."""

    def __init__(self) -> None:
        self._on: dict[tuple[str, str], Switch] = {}
        self.hits: Counter[str] = Counter(dict.fromkeys(Fault, 0))
        self.later: Later = lambda delay, act: act()

    @property
    def calm(self) -> bool:
        """Whether nothing can strike."""
        return not self._on

    def switch_on(self, switch: Switch) -> None:
        self._on[switch.fault, switch.where] = switch

    def switch_off(self, fault: str | None = None) -> None:
        """All of them when none is named; counters stay."""
        self._on = {key: switch for key, switch in self._on.items() if fault not in (None, switch.fault)}

    def switches(self) -> tuple[Switch, ...]:
        return tuple(self._on.values())

    def strikes(self, fault: Fault, where: str, frame: bytes = b"") -> Switch | None:
        """The switch that strikes here now, counted; None when there is none."""
        if not self._on:
            return None
        switch = self._on.get((fault, where)) or self._on.get((fault, ""))
        if switch is None or switch.only.encode() not in frame:
            return None
        self.hits[fault] += 1
        if switch.times is not None:
            left = replace(switch, times=switch.times - 1)
            self._on[fault, switch.where] = left
            if not left.times:
                del self._on[fault, switch.where]
        return switch
