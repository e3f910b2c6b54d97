"""Turns readings of the venue's account into findings that may be acted on.

One reading proves little: balances lag, an order may have arrived while the pages were read. A drift counts when two
readings some time apart show the same one (SPEC 1). A failed reading is evidence of nothing, and until one succeeds
nothing new is opened.
"""

from collections.abc import Collection, Iterable
from typing import TypeAlias

from polystra.core.events import SnapshotTaken
from polystra.core.ids import MarketId
from polystra.core.orders import Order
from polystra.core.positions import MarketPosition
from polystra.core.reconcile import CashDrift, Finding, ShareDrift, diff, on_their_way
from polystra.core.units import Instant, Nanos, Usd, seconds
from polystra.core.view import NEVER

Subject: TypeAlias = tuple[str, str]


TRY_AGAIN = seconds(5)
"""How soon after a failed reading the next one is taken."""

EAGER = seconds(1)
"""How often the account is read while the venue's balance lags behind the chain (`PROTOCOL.md` H 3)."""


class Readings:
    """The readings so far, as far as the next one needs them. Mutable. `cash_agrees`: the last one found the ledger's
    cash at the venue, with nothing on its way."""

    def __init__(self, every: Nanos, confirmed_after: Nanos) -> None:
        self._every = every
        self._confirmed_after = confirmed_after
        self._first_seen: dict[Subject, tuple[Instant, Finding]] = {}
        self._eager_until = Instant(0)
        self.next_at: Instant | None = None
        self.blind: str | None = "no reading of the venue yet"
        self.cash_agrees = False

    def asked(self, at: Instant) -> None:
        """A reading was asked for; the next one is due a period later, or soon while shares are awaited."""
        self.next_at = Instant(at + (EAGER if at < self._eager_until else self._every))

    def await_shares(self, at: Instant) -> None:
        """Shares have reached the chain: read at once, and again until the balance shows them, or it is no lag."""
        self.next_at, self._eager_until = at, Instant(at + self._confirmed_after)

    def shares_shown(self, at: Instant) -> None:
        """The balance shows all that has reached the chain: back to the ordinary period."""
        if self._eager_until:
            self._eager_until, self.next_at = Instant(0), Instant(at + self._every)

    def try_again(self, at: Instant) -> None:
        """The last one failed: the next one is due soon, whatever the period is."""
        self.next_at = min(self.next_at or NEVER, Instant(at + TRY_AGAIN))

    def failed(self, why: str) -> bool:
        """Nothing is known any more; true when that, or why, is new."""
        before, self.blind = self.blind, f"reading the venue failed: {why}"
        return self.blind != before

    def taken(
        self,
        snapshot: SnapshotTaken,
        cash: Usd,
        orders: Iterable[Order],
        positions: Iterable[tuple[MarketId, MarketPosition]],
        *,
        moving: Collection[MarketId] = (),
    ) -> tuple[Finding, ...]:
        """The findings that are proven: all about orders, and drifts that an earlier reading showed too."""
        self.blind = None
        orders = tuple(orders)
        found = diff(snapshot, cash, orders, positions, moving=moving)
        self.cash_agrees = snapshot.cash == cash and not on_their_way(orders, moving)
        drifts = {_subject(one): one for one in found if isinstance(one, CashDrift | ShareDrift)}
        self._first_seen = {
            subject: self._first_seen[subject] if self._same(subject, one) else (snapshot.at, one)
            for subject, one in drifts.items()
        }
        proven = {
            subject for subject, (since, _) in self._first_seen.items() if snapshot.at - since >= self._confirmed_after
        }
        return tuple(one for one in found if not isinstance(one, CashDrift | ShareDrift) or _subject(one) in proven)

    def doubt_of(self, market: MarketId) -> str | None:
        """Why nothing may be opened in a market although nothing is proven: the last reading showed other shares."""
        differs = any(name == market for name, _ in self._first_seen)
        return "shares differ from the venue's" if differs else None

    def _same(self, subject: Subject, now: Finding) -> bool:
        return subject in self._first_seen and self._first_seen[subject][1] == now


def _subject(drift: CashDrift | ShareDrift) -> Subject:
    return ("cash", "") if isinstance(drift, CashDrift) else (drift.market, drift.outcome)
