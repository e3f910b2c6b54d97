"""What accounts did on the chain besides trading, remembered for the Data API: pairs split, merged and redeemed, cash
deposited, and what makers were paid."""

import hashlib
from collections.abc import Sequence

from polystra.core.terms import Outcome
from polystra.core.units import MICRO, Instant, Usd
from polystra.exchange.data_rows import Deed
from polystra.exchange.inputs import Asked
from polystra.exchange.venue import News, Venue
from polystra.sim import messages as sim
from polystra.sim.records import Account

DEPOSIT = "DEPOSIT"


class Deeds:
    """Mutable. To be made before the venue's first input."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._done: list[Deed] = []
        venue.listeners.append(self._hear)

    def of(self, account: Account) -> list[Deed]:
        """Oldest first."""
        return [deed for deed in self._done if deed.account == account]

    def _hear(self, news: Sequence[News]) -> None:
        for one in news:
            match one:
                case sim.CashMoved():
                    self._done.append(self._move(one))
                case sim.MakerPaid():
                    self._done.append(self._credit(one.income, one.account, one.at, one.cash))
                case Asked(asked=sim.Deposit() as deposit) if deposit.amount:
                    self._done.append(self._credit(DEPOSIT, deposit.account, one.at, deposit.amount))
                case _:
                    pass

    def _move(self, moved: sim.CashMoved) -> Deed:
        """Of a market that is resolved nobody makes or merges pairs: it is called a redemption, of what won."""
        payout = self._venue.payouts.get(moved.market)
        kind = "SPLIT" if moved.cash < 0 else "MERGE" if payout is None else "REDEEM"
        winner = {MICRO: Outcome.UP, 0: Outcome.DOWN}.get(payout) if payout is not None else None
        return Deed(
            kind=kind,
            account=moved.account,
            listing=self._venue.listings[moved.market],
            at=moved.at,
            transaction=self._transaction(f"{kind} {moved.account} {moved.market}"),
            size=abs(moved.cash),
            cash=abs(moved.cash),
            outcome=winner if kind == "REDEEM" else None,
        )

    def _credit(self, kind: str, account: Account, at: Instant, cash: Usd) -> Deed:
        transaction = self._transaction(f"{kind} {account}")
        return Deed(kind=kind, account=account, at=at, transaction=transaction, size=cash, cash=cash)

    def _transaction(self, name: str) -> str:
        return f"0x{hashlib.sha256(f'{name} {len(self._done)}'.encode()).hexdigest()}"
