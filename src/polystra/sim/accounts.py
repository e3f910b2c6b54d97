"""Who owns what, what of it is settled, and what the exchange's cache has seen of that.

A matched trade changes `owned` at once. Its incoming side is `unmined` until the chain has it, and until the cache has
seen that it is `unseen_in` (what came, not shown yet) and `unseen_out` (what went, still shown). An order may use what
is free: owned, less what the cache has not seen come in, less what open orders hold back. So nothing is ever spent
twice and a failed trade can always be taken back, because nobody could have spent what it brought.
"""

from msgspec import Struct

from polystra.core.ids import TokenId
from polystra.core.terms import Side
from polystra.core.units import Shares, Usd
from polystra.sim.records import STREET, VENUE, Account, AccountTruth, Balances, Holding, Leg


class Balance(Struct, eq=False):
    """One account's amount of cash or of one token, in millionths."""

    owned: int = 0
    unmined: int = 0
    unseen_in: int = 0
    unseen_out: int = 0
    reserved: int = 0

    @property
    def settled(self) -> int:
        return self.owned - self.unmined

    @property
    def shown(self) -> int:
        """What the cache says."""
        return self.owned - self.unseen_in + self.unseen_out

    @property
    def free(self) -> int:
        """What a new order may use."""
        return self.owned - self.unseen_in - self.reserved


_NOTHING = Balance()


class Purse(Struct, eq=False):
    """Everything one account has."""

    cash: Balance
    tokens: dict[TokenId, Balance]

    def token(self, token: TokenId) -> Balance:
        return self.tokens.setdefault(token, Balance())


def _flows(leg: Leg) -> tuple[int, int]:
    """Cash and shares that a leg brings; negative is what it gives."""
    if leg.side is Side.BUY:
        return -(leg.cash + leg.fee), leg.shares - leg.fee_shares
    return leg.cash - leg.fee, -leg.shares


class Accounts:
    """Mutable. The street and the venue settle at once; everybody else in the stages of the trade."""

    def __init__(self) -> None:
        self.purses: dict[Account, Purse] = {}
        self.deposited = Usd(0)
        self.street = self.purse(STREET)
        self.venue = self.purse(VENUE)

    def purse(self, account: Account) -> Purse:
        """Opens the account on its first mention."""
        known = self.purses.get(account)
        if known is None:
            known = self.purses[account] = Purse(Balance(), {})
        return known

    def deposit(self, account: Account, amount: Usd) -> None:
        self.purse(account).cash.owned += amount
        self.deposited = Usd(self.deposited + amount)

    def pay_out(self, account: Account, amount: Usd) -> None:
        """From the venue, which may have less than that. It is on the chain and in the cache at once."""
        self.purse(account).cash.owned += amount
        self.venue.cash.owned -= amount

    # --- the stages of one leg

    def match(self, leg: Leg) -> None:
        self._move(leg, 1)

    def fail(self, leg: Leg) -> None:
        """Takes a match back, exactly; only before it was mined."""
        self._move(leg, -1)

    def mine(self, leg: Leg) -> None:
        for balance, flow in self._touched(leg):
            balance.unmined -= max(flow, 0)

    def show(self, leg: Leg) -> None:
        """The cache sees it."""
        for balance, flow in self._touched(leg):
            balance.unseen_in -= max(flow, 0)
            balance.unseen_out -= max(-flow, 0)

    def _move(self, leg: Leg, sign: int) -> None:
        for balance, flow in self._touched(leg):
            balance.owned += sign * flow
            if leg.account != STREET:
                balance.unmined += sign * max(flow, 0)
                balance.unseen_in += sign * max(flow, 0)
                balance.unseen_out += sign * max(-flow, 0)
        self.venue.cash.owned += sign * leg.fee
        self.venue.token(leg.token).owned += sign * leg.fee_shares

    def _touched(self, leg: Leg) -> tuple[tuple[Balance, int], tuple[Balance, int]]:
        purse = self.purse(leg.account)
        cash, shares = _flows(leg)
        return (purse.cash, cash), (purse.token(leg.token), shares)

    # --- readings

    def cached(self, account: Account) -> Balances:
        purse = self.purses.get(account, Purse(Balance(), {}))
        held = tuple((token, Shares(balance.shown)) for token, balance in purse.tokens.items() if balance.shown)
        return Balances(cash=Usd(purse.cash.shown), shares=held)

    def holders(self, tokens: tuple[TokenId, ...]) -> tuple[Account, ...]:
        """Who owns any of these tokens, the street and the venue left out."""
        return tuple(
            account
            for account, purse in self.purses.items()
            if account not in (STREET, VENUE) and any(purse.tokens.get(token, _NOTHING).owned for token in tokens)
        )

    def truth(self) -> tuple[AccountTruth, ...]:
        return tuple(
            AccountTruth(
                account=account,
                cash=Usd(purse.cash.owned),
                settled=Usd(purse.cash.settled),
                reserved=Usd(purse.cash.reserved),
                holdings=tuple(
                    Holding(
                        token=token,
                        owned=Shares(balance.owned),
                        settled=Shares(balance.settled),
                        reserved=Shares(balance.reserved),
                    )
                    for token, balance in purse.tokens.items()
                ),
            )
            for account, purse in self.purses.items()
        )
