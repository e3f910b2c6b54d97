"""What can be made to go wrong (`FAULTS.md`), each with a switch, a counter of its hits and a line of help."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from polystra.core.units import Nanos
from polystra.sim.chance import ALWAYS, falls
from polystra.sim.messages import Mishap


class Fault(StrEnum):
    """A mishap strikes inside the exchange: it has no place, and is kept in the log of inputs."""

    RESET = "reset"
    REQUEST_LATE = "request-late"
    BLOCKED = "blocked"
    ERROR_BEFORE = "error-before"
    ERROR_AFTER = "error-after"
    REPLY_LOST = "reply-lost"
    REPLY_LATE = "reply-late"
    ANSWER_EMPTY = "answer-empty"
    ORDER_REFUSED = "order-refused"
    VERSION_FLIPPED = "version-flipped"
    BOOK_PLACEHOLDER = "book-placeholder"
    TOKENS_MISSING = "tokens-missing"
    CATALOGUE_STALE = "catalogue-stale"
    GENERATION_UNKNOWN = "generation-unknown"
    HYDRATED_LATE = "hydrated-late"
    DATA_LATE = "data-late"
    STREAM_CLOSED = "stream-closed"
    STREAM_FROZEN = "stream-frozen"
    STREAM_SLOW = "stream-slow"
    PONG_LOST = "pong-lost"
    PONG_LATE = "pong-late"
    FRAME_LOST = "frame-lost"
    FRAME_TWICE = "frame-twice"
    FRAME_LATE = "frame-late"
    FRAMES_SWAPPED = "frames-swapped"
    BEST_WRONG = "best-wrong"
    BOOK_CROSSED = "book-crossed"
    ORDER_DELAYED = Mishap.ORDER_DELAYED.value
    BOOK_THINNED = Mishap.BOOK_THINNED.value
    BOOK_EMPTIED = Mishap.BOOK_EMPTIED.value
    FILL_SHORT = Mishap.FILL_SHORT.value
    FILL_OVER = Mishap.FILL_OVER.value
    FILL_AFTER_CANCEL = Mishap.FILL_AFTER_CANCEL.value
    FILL_AFTER_CLOSE = Mishap.FILL_AFTER_CLOSE.value
    TRADE_CROSSED = Mishap.TRADE_CROSSED.value
    TRADE_FAILED = Mishap.TRADE_FAILED.value
    TRADE_RETRIED = Mishap.TRADE_RETRIED.value
    BALANCE_STALE = Mishap.BALANCE_STALE.value
    BALANCE_LATE = Mishap.BALANCE_LATE.value


MISHAPS: Mapping[Fault, Mishap] = {Fault(mishap): mishap for mishap in Mishap}

LATE_MISHAPS = frozenset(
    {
        Mishap.ORDER_DELAYED,
        Mishap.FILL_AFTER_CANCEL,
        Mishap.FILL_AFTER_CLOSE,
        Mishap.TRADE_FAILED,
        Mishap.TRADE_RETRIED,
        Mishap.BALANCE_LATE,
    }
)
"""Those for which a delay means something."""

HELP: Mapping[Fault, str] = {
    Fault.RESET: "the connection breaks before the exchange has read the request: nothing happened",
    Fault.REQUEST_LATE: "the request is heard only after `delay`, whoever has given up waiting by then",
    Fault.BLOCKED: "the request is answered 403 with Cloudflare's page, and nothing happened",
    Fault.ERROR_BEFORE: "the request is answered with status `http`, a page or `text`, and nothing happened",
    Fault.ERROR_AFTER: "what was asked is done, and answered with status `http`, a page or `text`",
    Fault.REPLY_LOST: "the connection breaks after the exchange did what was asked",
    Fault.REPLY_LATE: "the answer to what was done comes later by `delay`",
    Fault.ANSWER_EMPTY: "the list of orders or trades is answered empty, the balance of a token as nothing",
    Fault.ORDER_REFUSED: "one order, alone or in a batch, is refused with `text`, and the status that goes with it",
    Fault.VERSION_FLIPPED: "GET /version says 3, and orders are refused with order_version_mismatch",
    Fault.BOOK_PLACEHOLDER: "GET /book and POST /books show the lowest bid and the highest ask that a tick allows",
    Fault.TOKENS_MISSING: "the catalogue shows a market before its tokens; `where` is a slug",
    Fault.CATALOGUE_STALE: "the catalogue shows a market as it last did; `where` is a slug",
    Fault.GENERATION_UNKNOWN: "the catalogue shows a market of contracts that nobody knows; `where` is a slug",
    Fault.HYDRATED_LATE: "the CLOB does not know a market yet that the catalogue shows; `where` is a slug",
    Fault.DATA_LATE: "the Data API repeats an answer: trades for 300 s, activity 15 s, positions 5 s",
    Fault.STREAM_CLOSED: "a stream is closed in place of its next frame, or of its next PONG",
    Fault.STREAM_FROZEN: "frames are swallowed while PONG goes on",
    Fault.STREAM_SLOW: "a frame and all behind it come later by `delay`",
    Fault.PONG_LOST: "a PING is not answered; not in lock step, where PING goes by the wall clock",
    Fault.PONG_LATE: "a PING is answered after `delay`; not in lock step, where PING goes by the wall clock",
    Fault.FRAME_LOST: "a frame is left out, and those behind it are not",
    Fault.FRAME_TWICE: "a frame comes twice",
    Fault.FRAME_LATE: "a frame comes later by `delay`, overtaken by those behind it",
    Fault.FRAMES_SWAPPED: "a frame comes after the one behind it",
    Fault.BEST_WRONG: "a price_change tells an empty book's best prices",
    Fault.BOOK_CROSSED: "a price_change tells a bid above the best ask, which the next one takes back",
    Fault.ORDER_DELAYED: "an order that would take is answered `delayed` at once and matched after `delay`",
    Fault.BOOK_THINNED: "half of what an order would take of the background is gone when it is matched",
    Fault.BOOK_EMPTIED: "all that an order would take of the background is gone when it is matched",
    Fault.FILL_SHORT: "an order is filled whole with 0.01 share less than it asked for",
    Fault.FILL_OVER: "an order that takes gets 0.01 share more than it asked for, where book and balance have it",
    Fault.FILL_AFTER_CANCEL: "a cancelled order was filled just before, which is told and listed only after `delay`",
    Fault.FILL_AFTER_CLOSE: "an order that rests when its market closes is filled after `delay`",
    Fault.TRADE_CROSSED: "the background stands across from a trade on the other outcome",
    Fault.TRADE_FAILED: "a trade goes RETRYING (after `delay`, if there is one) and FAILED, and is taken back",
    Fault.TRADE_RETRIED: "a trade goes RETRYING (after `delay`, if there is one), and then on as usual",
    Fault.BALANCE_STALE: "a mined trade is not seen by the cached balance until /balance-allowance/update is asked",
    Fault.BALANCE_LATE: "a mined trade is seen by the cached balance only after `delay`",
}

ROWS: Mapping[Fault, tuple[int, ...]] = {
    Fault.RESET: (10,),
    Fault.REQUEST_LATE: (9, 10),
    Fault.BLOCKED: (9, 25),
    Fault.ERROR_BEFORE: (9, 12),
    Fault.ERROR_AFTER: (10, 12),
    Fault.REPLY_LOST: (10,),
    Fault.REPLY_LATE: (9, 10, 22),
    Fault.ANSWER_EMPTY: (15, 22),
    Fault.ORDER_REFUSED: (11, 12, 15, 17, 33),
    Fault.VERSION_FLIPPED: (26,),
    Fault.BOOK_PLACEHOLDER: (6,),
    Fault.TOKENS_MISSING: (30,),
    Fault.CATALOGUE_STALE: (19, 30),
    Fault.GENERATION_UNKNOWN: (23,),
    Fault.HYDRATED_LATE: (30,),
    Fault.DATA_LATE: (22,),
    Fault.STREAM_CLOSED: (3,),
    Fault.STREAM_FROZEN: (1,),
    Fault.STREAM_SLOW: (3, 22),
    Fault.PONG_LOST: (2,),
    Fault.PONG_LATE: (2,),
    Fault.FRAME_LOST: (3, 18, 19, 22),
    Fault.FRAME_TWICE: (3, 22),
    Fault.FRAME_LATE: (3, 22),
    Fault.FRAMES_SWAPPED: (3, 22),
    Fault.BEST_WRONG: (5,),
    Fault.BOOK_CROSSED: (4,),
    Fault.ORDER_DELAYED: (11,),
    Fault.BOOK_THINNED: (11, 21),
    Fault.BOOK_EMPTIED: (11,),
    Fault.FILL_SHORT: (21,),
    Fault.FILL_OVER: (21,),
    Fault.FILL_AFTER_CANCEL: (22,),
    Fault.FILL_AFTER_CLOSE: (19,),
    Fault.TRADE_CROSSED: (22,),
    Fault.TRADE_FAILED: (13, 14),
    Fault.TRADE_RETRIED: (13, 14),
    Fault.BALANCE_STALE: (15,),
    Fault.BALANCE_LATE: (15,),
}
"""The failures of `FAULTS.md` 1 that a fault plays."""

FRAMED = frozenset(
    {
        Fault.STREAM_CLOSED,
        Fault.STREAM_FROZEN,
        Fault.STREAM_SLOW,
        Fault.FRAME_LOST,
        Fault.FRAME_TWICE,
        Fault.FRAME_LATE,
        Fault.FRAMES_SWAPPED,
    }
)
"""Those that strike a frame, so that its text can say which."""

_PONGS = (Fault.PONG_LOST, Fault.PONG_LATE)
_BOOKS = (
    Fault.BEST_WRONG,
    Fault.BOOK_CROSSED,
    Fault.BOOK_PLACEHOLDER,
    Fault.TOKENS_MISSING,
    Fault.CATALOGUE_STALE,
    Fault.GENERATION_UNKNOWN,
    Fault.HYDRATED_LATE,
    Fault.DATA_LATE,
)
_ENTRY = (Fault.ORDER_DELAYED, Fault.BOOK_THINNED, Fault.BOOK_EMPTIED)


def group_of(fault: Fault) -> str:
    """The group of `FAULTS.md` 2.2: A market data, B order entry, C fills; frames of the user stream are of both."""
    if fault in FRAMED or fault in _PONGS:
        return "AC"
    if fault in _BOOKS:
        return "A"
    return "C" if fault in MISHAPS and fault not in _ENTRY else "B"


Later: TypeAlias = Callable[[Nanos, Callable[[], None]], None]


class Switch(Struct, frozen=True, kw_only=True):
    """A fault that is on. `where` is a route (`POST /order`, `GET /data/order/{order}`), a stream (`market`, `user`) or
    a market's slug, and empty for all; `times` is how often it will still strike, None for always. The first `skip`
    occasions pass; of the others `chance` of a thousand are struck. `only` lets it strike no frame but those with this
    text in them: a token, `"event_type":"tick_size_change"`; of a mishap, see `sim.SetMishap`."""

    fault: Fault
    where: str = ""
    times: int | None = 1
    skip: int = 0
    chance: int = ALWAYS
    delay: Nanos = Nanos(0)
    http: int = 500
    text: str = ""
    only: str = ""


class Faults:
    """Mutable. A fault has at most one switch for each place. `later` acts after a while of the exchange's time; what
    is left to chance is drawn from `seed`, place by place."""

    def __init__(self) -> None:
        self.seed = b""
        self._draws: Counter[str] = Counter()
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
        if switch.skip:
            self._on[fault, switch.where] = replace(switch, skip=switch.skip - 1)
            return None
        if switch.chance < ALWAYS and not self._falls(switch):
            return None
        self.hits[fault] += 1
        if switch.times is not None:
            left = replace(switch, times=switch.times - 1)
            self._on[fault, switch.where] = left
            if not left.times:
                del self._on[fault, switch.where]
        return switch

    def _falls(self, switch: Switch) -> bool:
        name = f"{switch.fault} {switch.where}"
        self._draws[name] += 1
        return falls(self.seed, name, self._draws[name], switch.chance)
