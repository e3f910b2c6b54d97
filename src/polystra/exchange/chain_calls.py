"""Reads what is asked of the venue's contracts: calls by selector and words (the ABI), as deeds of the exchange."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from polystra.core.terms import Outcome
from polystra.core.units import Shares
from polystra.edge.polymarket.addresses import Address, address_of
from polystra.edge.polymarket.contracts import (
    COLLATERAL,
    COLLATERAL_ADAPTER,
    CONDITIONAL_TOKENS,
    NEG_RISK_COLLATERAL_ADAPTER,
    POSITION_MANAGER,
    ROUTER,
)
from polystra.edge.polymarket.eip712 import MOST
from polystra.edge.polymarket.wallet_batches import Call, selector
from polystra.exchange.listings import Listing
from polystra.exchange.members import SpenderApproved
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim
from polystra.sim.records import Account

Deed: TypeAlias = sim.Split | sim.Merge | sim.Redeem | SpenderApproved

MOST_SHARES = 1 << 62
"""What a message can carry; nobody has as much."""

_WORD = 32


class Reverted(Exception):
    """A contract refuses; the text says why."""


class Words:
    """The arguments of a call, 32 bytes each. Raises `Reverted` for one that is not there."""

    def __init__(self, data: bytes) -> None:
        self._data = data[4:]

    def number(self, place: int) -> int:
        found = self._data[place * _WORD : (place + 1) * _WORD]
        if len(found) < _WORD:
            raise Reverted("execution reverted: the arguments are too short")
        return int.from_bytes(found, "big")

    def address(self, place: int) -> Address:
        return address_of(self.number(place).to_bytes(_WORD, "big")[12:])

    def numbers(self, place: int) -> list[int]:
        """A list, of which only the place is among the arguments."""
        first = self.number(place) // _WORD
        length = self.number(first)
        if length > len(self._data) // _WORD:
            raise Reverted("execution reverted: the list is longer than the arguments")
        return [self.number(first + 1 + one) for one in range(length)]


def deed_of(venue: Venue, account: Account, call: Call) -> Deed:
    """What a call of this account does. Raises `Reverted` for one that does nothing here."""
    read = _CALLS.get((call.target, call.data[:4]))
    if read is None or call.value:
        raise Reverted(f"execution reverted: {call.target} does not know 0x{call.data[:4].hex()} here")
    return read(venue, account, call.target, Words(call.data))


def _approve(_: Venue, account: Account, contract: Address, words: Words) -> Deed:
    return SpenderApproved(account, contract, words.address(0), str(words.number(1)))


def _approve_all(_: Venue, account: Account, contract: Address, words: Words) -> Deed:
    return SpenderApproved(account, contract, words.address(0), str(MOST if words.number(1) else 0))


def _split(venue: Venue, account: Account, _: Address, words: Words) -> Deed:
    return sim.Split(account=account, market=_condition(venue, words.number(2)).facts.id, shares=_shares(words, 4))


def _merge(venue: Venue, account: Account, _: Address, words: Words) -> Deed:
    return sim.Merge(account=account, market=_condition(venue, words.number(2)).facts.id, shares=_shares(words, 4))


def _redeem(venue: Venue, account: Account, _: Address, words: Words) -> Deed:
    return sim.Redeem(account=account, market=_condition(venue, words.number(2)).facts.id)


def _split_new(venue: Venue, account: Account, _: Address, words: Words) -> Deed:
    return sim.Split(account=account, market=_new_condition(venue, words).facts.id, shares=_shares(words, 1))


def _merge_new(venue: Venue, account: Account, _: Address, words: Words) -> Deed:
    return sim.Merge(account=account, market=_new_condition(venue, words).facts.id, shares=_shares(words, 1))


def _redeem_new(venue: Venue, account: Account, _: Address, words: Words) -> Deed:
    """All that is settled of either outcome, whichever is named and how much."""
    return sim.Redeem(account=account, market=_new_condition(venue, words).facts.id)


def _shares(words: Words, place: int) -> Shares:
    return Shares(min(words.number(place), MOST_SHARES))


def _condition(venue: Venue, named: int) -> Listing:
    for listing in venue.listings.values():
        if int(listing.facts.id, 16) == named and listing.contract.version == "2":
            return listing
    raise Reverted(f"execution reverted: condition 0x{named:064x} is not prepared")


def _new_condition(venue: Venue, words: Words) -> Listing:
    """A Protocol-V2 condition has 31 bytes; its tokens are those and one more."""
    named = words.number(0) >> 8
    for listing in venue.listings.values():
        if listing.contract.version == "3" and int(listing.facts.token(Outcome.UP)) >> 8 == named:
            return listing
    raise Reverted(f"execution reverted: condition 0x{named:062x} is not prepared")


_Read: TypeAlias = Callable[[Venue, Account, Address, Words], Deed]

_CALLS: Mapping[tuple[Address, bytes], _Read] = {
    (COLLATERAL, selector("approve(address,uint256)")): _approve,
    (CONDITIONAL_TOKENS, selector("setApprovalForAll(address,bool)")): _approve_all,
    (POSITION_MANAGER, selector("setApprovalForAll(address,bool)")): _approve_all,
    (ROUTER, selector("split(bytes31,uint256)")): _split_new,
    (ROUTER, selector("merge(bytes31,uint256)")): _merge_new,
    (ROUTER, selector("redeem(bytes31,uint256,uint256)")): _redeem_new,
    **{
        (adapter, selector(signature)): read
        for adapter in (COLLATERAL_ADAPTER, NEG_RISK_COLLATERAL_ADAPTER)
        for signature, read in (
            ("splitPosition(address,bytes32,bytes32,uint256[],uint256)", _split),
            ("mergePositions(address,bytes32,bytes32,uint256[],uint256)", _merge),
            ("redeemPositions(address,bytes32,bytes32,uint256[])", _redeem),
        )
    },
}
