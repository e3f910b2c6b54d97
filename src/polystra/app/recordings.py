"""What was played: every recording is read once before a run begins, and its facts are kept beside the ledger.

So a broken file is refused before anything is written, the journal's head can name the recordings by their digest,
and a report can say later where its windows came from and what was never known about them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.ids import MarketId
from polystra.edge.tapes.format import RecordingError, TapeFile

RECORDINGS = "recordings.json"


class RecordingsDamaged(PolystraError):
    """The list of recordings beside a ledger is not what was written there."""


class Recording(Struct, frozen=True, kw_only=True):
    """One recorded window. `payout_source` is "official", "unknown" or "inferred: ..." with the rule; `assumptions` are
    what is taken for granted about the market and the venue that plays it."""

    market: MarketId
    slug: str
    source: str
    attribution: str
    payout_source: str
    digest: str
    events: int
    has_trades: bool
    has_sizes: bool
    has_strike: bool
    assumptions: tuple[str, ...] = ()
    skipped: Mapping[str, int]
    noted: Mapping[str, int]


def examine(files: Sequence[TapeFile], assumed: tuple[str, ...] = ()) -> tuple[Recording, ...]:
    """Reads every recording whole; raises `RecordingError` for a broken one, and for a window given twice. `assumed` is
    what is taken for granted about the venue in all of them."""
    twice = [slug for slug, count in Counter(file.market.slug for file in files).items() if count > 1]
    if twice:
        places = ", ".join(str(file.path) for file in files if file.market.slug == twice[0])
        raise RecordingError(twice[0], f"this window is recorded more than once ({places})", "give one folder of them")
    return tuple(_examined(file, assumed) for file in files)


def digest_of(recordings: Iterable[Recording]) -> str:
    """Names a choice of recordings, whatever folders they lie in."""
    return hashlib.sha256("\n".join(one.digest for one in recordings).encode()).hexdigest()


def keep(folder: Path, recordings: Sequence[Recording]) -> None:
    body = msgspec.json.format(msgspec.json.encode(recordings, order="deterministic"), indent=1)
    (folder / RECORDINGS).write_bytes(body + b"\n")


def kept(folder: Path) -> tuple[Recording, ...] | None:
    """The recordings of the run in a folder; None when none are listed there. Raises `RecordingsDamaged`."""
    path = folder / RECORDINGS
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Recording, ...])
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise RecordingsDamaged(f"{path}: {error}: restore it, or delete it to report without sources") from None


def _examined(file: TapeFile, assumed: tuple[str, ...]) -> Recording:
    tape = file.load()
    return Recording(
        market=tape.market.id,
        slug=tape.market.slug,
        source=tape.source,
        attribution=tape.attribution,
        payout_source=tape.payout_source,
        digest=tape.digest,
        events=len(tape),
        has_trades=tape.has_trades,
        has_sizes=tape.has_sizes,
        has_strike=tape.strike is not None,
        assumptions=tape.market.assumptions + assumed,
        skipped=tape.skipped,
        noted=tape.noted,
    )
