"""Which contract redeems and merges in a market, how it is asked, and how the chain is asked what we hold there.

A CLOB-V2 market is redeemed by the collateral adapter, both outcomes at once; a Protocol-V2 market by the Router, each
outcome on its own (`PROTOCOL.md` A.2). The same contracts merge pairs. Up/down markets are no part of a neg-risk event.
"""

from msgspec import Struct

from polystra.core.errors import NotSupported
from polystra.core.markets import Generation, Market
from polystra.core.terms import Outcome
from polystra.core.units import Shares
from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.contracts import (
    COLLATERAL,
    COLLATERAL_ADAPTER,
    CONDITIONAL_TOKENS,
    POSITION_MANAGER,
    ROUTER,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.wallet_batches import Call, selector

_ADAPTED = selector("redeemPositions(address,bytes32,bytes32,uint256[])")
_ROUTED = selector("redeem(bytes31,uint256,uint256)")
_ADAPTED_MERGE = selector("mergePositions(address,bytes32,bytes32,uint256[],uint256)")
_ROUTED_MERGE = selector("merge(bytes31,uint256)")
_HELD = selector("balanceOfBatch(address[],uint256[])")
_WORD = 32


class OnChain(Struct, frozen=True, gc=False):
    """What the chain says that a wallet holds of a market."""

    up: Shares
    down: Shares

    def of(self, outcome: Outcome) -> Shares:
        return self.up if outcome is Outcome.UP else self.down


def redemption(market: Market, held: OnChain) -> list[Call]:
    """Raises `NotSupported` for a market whose contracts are unknown."""
    if market.generation is Generation.CLOB_V2:
        words = (int(COLLATERAL, 16), 0, int(market.id, 16), 4 * _WORD, 2, 1, 2)
        return [_call(COLLATERAL_ADAPTER, _ADAPTED, words)]
    if market.generation is Generation.PROTOCOL_V2:
        condition = _new_condition(market)
        sides = enumerate((held.up, held.down))
        return [_call(ROUTER, _ROUTED, (condition, side, shares)) for side, shares in sides if shares]
    raise NotSupported(f"{market.slug}: generation {market.generation}: no contract is known to redeem it")


def merger(market: Market, pairs: Shares) -> list[Call]:
    """Turns so many pairs into as many USD. Raises `NotSupported` for a market whose contracts are unknown."""
    if market.generation is Generation.CLOB_V2:
        words = (int(COLLATERAL, 16), 0, int(market.id, 16), 5 * _WORD, pairs, 2, 1, 2)
        return [_call(COLLATERAL_ADAPTER, _ADAPTED_MERGE, words)]
    if market.generation is Generation.PROTOCOL_V2:
        return [_call(ROUTER, _ROUTED_MERGE, (_new_condition(market), pairs))]
    raise NotSupported(f"{market.slug}: generation {market.generation}: no contract is known to merge its pairs")


def holding_question(market: Market, wallet: Address) -> Call:
    """How to ask what a wallet holds of both outcomes; `read_holding` reads the answer."""
    contract = POSITION_MANAGER if market.generation is Generation.PROTOCOL_V2 else CONDITIONAL_TOKENS
    owner, tokens = int(wallet, 16), (int(market.up_token), int(market.down_token))
    return _call(contract, _HELD, (2 * _WORD, 5 * _WORD, 2, owner, owner, 2, *tokens))


def read_holding(answer: bytes) -> OnChain:
    """Raises `ValueError` for anything but a list of two amounts."""
    words = [int.from_bytes(answer[at : at + _WORD], "big") for at in range(0, len(answer), _WORD)]
    if len(answer) != 4 * _WORD or words[:2] != [_WORD, 2] or max(words) >= 1 << 63:
        raise ValueError(f"a list of two amounts is expected, not 0x{answer[:160].hex()}")
    return OnChain(Shares(words[2]), Shares(words[3]))


def _new_condition(market: Market) -> int:
    """A token is its condition, 31 bytes, and one more."""
    return int(market.up_token) >> 8 << 8


def _call(contract: Address, function: bytes, words: tuple[int, ...]) -> Call:
    return Call(contract, 0, function + b"".join(word(one) for one in words))
