"""Keeps our cash, the day's profit and what waits to be claimed, and adds up the account over the open markets."""

from collections.abc import Iterable, Set

from polystra.core.account import Account, stake_of
from polystra.core.claims import ClaimStage
from polystra.core.desk import Desk
from polystra.core.ids import MarketId
from polystra.core.units import Instant, Usd, seconds

DAY = seconds(86_400)


class Treasury:
    """Money in total. Mutable; profit of the day starts anew at midnight UTC."""

    def __init__(self) -> None:
        self.cash = Usd(0)
        self.allowance: Usd | None = None
        self._claims = 0
        self._redeeming: set[MarketId] = set()
        self._redeemed: set[MarketId] = set()
        self._day = 0
        self._realised_today = 0

    def open(self, cash: Usd, realised_today: Usd, at: Instant) -> None:
        """Begin with what the ledger knows."""
        self.cash, self._realised_today, self._day = cash, realised_today, at // DAY

    def move(self, amount: int) -> None:
        """Cash came in, or went out where the amount is negative."""
        self.cash = Usd(self.cash + amount)

    def realise(self, amount: int, at: Instant) -> None:
        """Count a realised profit towards the day it happens on."""
        day = at // DAY
        if day != self._day:
            self._day, self._realised_today = day, 0
        self._realised_today += amount

    def claim(self, amount: int) -> None:
        """Shares of a resolved market can be claimed for this much; negative takes a claim back."""
        self._claims += amount

    def owe(self, redeemable: Usd, redeeming: Iterable[MarketId]) -> None:
        """Begin with what waited to be claimed, and the markets whose redemption nobody knows the end of."""
        self._claims, self._redeeming = redeemable, set(redeeming)

    @property
    def redeeming(self) -> Set[MarketId]:
        """Markets of whose claims cash may be at the venue already that ours does not have yet."""
        return self._redeeming

    def redeem(self, market: MarketId, stage: ClaimStage, claim: Usd, paid: Usd) -> bool:
        """How far a claim is. Once it is paid it is cash, once; false for what is told again after that."""
        if market in self._redeemed:
            return False
        if stage.open:
            self._redeeming.add(market)
            return True
        self._redeeming.discard(market)
        if stage is ClaimStage.PAID:
            self._redeemed.add(market)
            self.claim(-claim)
            self.move(paid)
        return True

    def account(self, open_desks: Iterable[Desk], at: Instant) -> Account:
        """The whole account, worst case."""
        reserved = at_stake = positions = 0
        for desk in open_desks:
            own = desk.reserved
            reserved += own
            at_stake += stake_of(desk.position)
            positions += own > 0 or not desk.position.flat
        return Account(
            cash=self.cash,
            reserved=Usd(reserved),
            at_stake=Usd(at_stake),
            open_positions=positions,
            redeemable=Usd(self._claims),
            realised_today=Usd(self._realised_today if at // DAY == self._day else 0),
            allowance=self.allowance,
        )
