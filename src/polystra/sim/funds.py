"""What moves money without a trade: deposits, redemption, pairs made and undone.

These act on the chain, which is why they first have the cache read it.
"""

from polystra.core.terms import Outcome
from polystra.core.units import Instant, Shares, Usd
from polystra.sim import settlement
from polystra.sim.cancels import refuse
from polystra.sim.floor import Floor
from polystra.sim.markets import Market, MarketState
from polystra.sim.messages import (
    CashMoved,
    Deposit,
    Merge,
    Redeem,
    RefreshBalances,
    Split,
    Transfer,
)
from polystra.sim.records import Account
from polystra.sim.rules import Refusal, poor


def deposit(floor: Floor, request: Deposit, now: Instant) -> None:
    """Raises ValueError for less than nothing."""
    if request.amount < 0:
        raise ValueError(f"deposit of {request.amount} for {request.account}: want 0 or more")
    floor.accounts.deposit(request.account, request.amount)


def refresh_balances(floor: Floor, request: RefreshBalances, now: Instant) -> None:
    settlement.refresh(floor, request.account)


def redeem(floor: Floor, request: Redeem, now: Instant) -> None:
    """Settled shares alone; what is mined later can be redeemed later. A second time finds nothing and pays nothing."""
    market = floor.market(request.market)
    if market.state is not MarketState.RESOLVED:
        refuse(floor, request.account, Refusal(400, f"market {request.market} is not resolved"))
        return
    settlement.refresh(floor, request.account)
    paid = 0
    for outcome in Outcome:
        held = floor.accounts.purse(request.account).token(market.facts.token(outcome))
        burnt = held.settled
        paid += market.pays(outcome, burnt)
        held.owned -= burnt
        market.burn(outcome, Shares(burnt))
    market.collateral = Usd(market.collateral - paid)
    _pay(floor, request.account, market, paid)


def split(floor: Floor, request: Split, now: Instant) -> None:
    market = floor.market(request.market)
    settlement.refresh(floor, request.account)
    cash = floor.accounts.purse(request.account).cash
    if request.shares <= 0 or cash.free < request.shares:
        refuse(floor, request.account, poor(cash.shown, cash.reserved, cash.unseen_out, request.shares))
        return
    _make_pairs(floor, request.account, market, request.shares)


def merge(floor: Floor, request: Merge, now: Instant) -> None:
    market = floor.market(request.market)
    settlement.refresh(floor, request.account)
    purse = floor.accounts.purse(request.account)
    held = min((purse.token(market.facts.token(outcome)) for outcome in Outcome), key=lambda token: token.free)
    if request.shares <= 0 or held.free < request.shares:
        refuse(floor, request.account, poor(held.shown, held.reserved, held.unseen_out, request.shares))
        return
    _make_pairs(floor, request.account, market, Shares(-request.shares))


def transfer(floor: Floor, request: Transfer, now: Instant) -> None:
    """What an open order may still sell stays: it would be there without its shares."""
    settlement.refresh(floor, request.account)
    held = floor.accounts.purse(request.account).token(request.token)
    if request.shares <= 0 or held.free < request.shares:
        refuse(floor, request.account, poor(held.shown, held.reserved, held.unseen_out, request.shares))
        return
    held.owned -= request.shares
    floor.accounts.purse(request.to).token(request.token).owned += request.shares


def _make_pairs(floor: Floor, account: Account, market: Market, pairs: Shares) -> None:
    purse = floor.accounts.purse(account)
    for outcome in Outcome:
        purse.token(market.facts.token(outcome)).owned += pairs
    market.pairs(pairs)
    _pay(floor, account, market, -pairs)


def _pay(floor: Floor, account: Account, market: Market, cash: int) -> None:
    floor.accounts.purse(account).cash.owned += cash
    floor.out.append(CashMoved(at=floor.now, account=account, market=market.facts.id, cash=Usd(cash)))
