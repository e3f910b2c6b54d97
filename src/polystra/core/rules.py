"""The numbers an engine runs by: everything that is a setting, as plain values."""

from msgspec import Struct

from polystra.core.reversal import ReversalRules
from polystra.core.risk import Limits
from polystra.core.scale_in import ScaleInRules
from polystra.core.sizing import StakeRules
from polystra.core.unfilled import UnfilledRules
from polystra.core.units import Nanos, seconds


class Rules(Struct, frozen=True, gc=False, kw_only=True):
    """Times in nanoseconds.

    `book_patience`: a book silent for longer is not trusted. `doubt_patience`: an order that nobody finds is declared
    gone after this long, which must be longer than the latest late acceptance. `reading_every`: how often the venue's
    account is read and compared. `drift_confirmed_after`: two readings this far apart must show the same drift.
    `max_clock_offset`: how far the machine's clock may be from the venue's, which times are corrected by.
    `auto_adjust`: the part of a position (millionths) that may be written off without calling a person (SPEC 1).
    `adopts`: whether shares that somebody bought outside are managed like our own, or left alone.
    `unfilled`: when a resting entry is given up; None: it rests as long as it is wished for. `scale_in`: when what is
    held is added to, `reversal`: when the other side of what is stopped is bought; None: never.
    """

    limits: Limits
    stakes: StakeRules
    book_patience: Nanos = seconds(10)
    doubt_patience: Nanos = seconds(60)
    reading_every: Nanos = seconds(60)
    drift_confirmed_after: Nanos = seconds(30)
    max_clock_offset: Nanos = seconds(10)
    auto_adjust: int = 20_000
    adopts: bool = True
    unfilled: UnfilledRules | None = None
    scale_in: ScaleInRules | None = None
    reversal: ReversalRules | None = None
