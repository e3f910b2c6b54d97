"""A node of the chain, as JSON-RPC, as far as wallets ask one: balances, allowances, receipts and the time.

Balances are the settled ones; what an account spends is gone at once, not when it is mined. A block comes every two
seconds of the venue's clock. Whatever else is asked has an error in answer: nothing is sent to this chain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from aiohttp import web

from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import Address, InvalidAddress, address, address_of
from polystra.edge.polymarket.contracts import (
    CHAIN,
    COLLATERAL,
    CONDITIONAL_TOKENS,
    DEPOSIT_WALLET_FACTORY,
    POSITION_MANAGER,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.wallet_batches import selector
from polystra.exchange.chain_calls import Reverted, Words
from polystra.exchange.deposit_wallets import BEACON
from polystra.exchange.relayer import Relayer
from polystra.exchange.replies import Routes, reply
from polystra.exchange.venue import Venue
from polystra.exchange.wire import UNREADABLE, Json, seconds_of, transaction_of
from polystra.sim.records import Account, AccountTruth

BLOCK = 2
"""Seconds between two blocks."""

MOST_CALLS = 100
"""In one request."""

_UNREADABLE, _INVALID, _UNKNOWN, _WRONG, _REVERTED = -32700, -32600, -32601, -32602, 3


class _Failed(Exception):
    """An answer with an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Rpc:
    def __init__(self, venue: Venue, relayer: Relayer) -> None:
        self._venue = venue
        self._relayer = relayer
        self._methods: Mapping[str, Callable[[Sequence[object]], object]] = {
            "eth_chainId": lambda _: hex(CHAIN),
            "eth_blockNumber": lambda _: hex(self._block()),
            "eth_getBlockByNumber": self._block_form,
            "eth_call": self._call,
            "eth_getTransactionReceipt": self._receipt,
        }
        tokens = {
            selector("balanceOf(address,uint256)"): self._shares,
            selector("balanceOfBatch(address[],uint256[])"): self._shares_of_many,
            selector("isApprovedForAll(address,address)"): self._approved,
        }
        self._contracts: Mapping[Address, Mapping[bytes, _Read]] = {
            COLLATERAL: {
                selector("balanceOf(address)"): self._cash,
                selector("allowance(address,address)"): self._allowance,
                selector("decimals()"): lambda _, __: word(6),
            },
            CONDITIONAL_TOKENS: tokens,
            POSITION_MANAGER: tokens,
            DEPOSIT_WALLET_FACTORY: {selector("beacon()"): lambda _, __: bytes.fromhex(BEACON[2:]).rjust(32, b"\0")},
        }

    def routes(self) -> Routes:
        return [web.post("/rpc", self.answer), web.post("/rpc/", self.answer)]

    async def answer(self, request: web.Request) -> web.Response:
        """One call, or a list of them."""
        try:
            asked = msgspec.json.decode(await request.read())
        except UNREADABLE:
            return reply(_error(None, _UNREADABLE, "parse error"))
        self._venue.advance()
        if not isinstance(asked, list):
            return reply(self._answered(asked))
        if not 0 < len(asked) <= MOST_CALLS:
            return reply(_error(None, _INVALID, f"a batch has 1 to {MOST_CALLS} calls, not {len(asked)}"))
        return reply([self._answered(one) for one in asked])

    def _answered(self, asked: object) -> Json:
        try:
            call = msgspec.convert(asked, _Asked)
        except msgspec.ValidationError:
            return _error(None, _INVALID, "invalid request")
        method = self._methods.get(call.method)
        if method is None:
            return _error(call.id, _UNKNOWN, f"the method {call.method} does not exist/is not available")
        try:
            return {"jsonrpc": "2.0", "id": call.id, "result": method(call.params)}
        except _Failed as failed:
            return _error(call.id, failed.code, str(failed))
        except Reverted as reverted:
            return _error(call.id, _REVERTED, str(reverted))

    # --- blocks and receipts

    def _block(self, at: Instant | None = None) -> int:
        return seconds_of(self._venue.now() if at is None else at) // BLOCK

    def _block_form(self, params: Sequence[object]) -> Json | None:
        """By number, or the newest by any of its names; None for one that is to come."""
        named, newest = params[0] if params else None, self._block()
        if not isinstance(named, str):
            raise _Failed(_WRONG, "block: give its number, or latest")
        if named in ("latest", "pending", "safe", "finalized"):
            number = newest
        else:
            number = int.from_bytes(_hex(named, "block"), "big")
        if number > newest:
            return None
        shown = hex(number)
        return {"number": shown, "timestamp": hex(number * BLOCK), "hash": f"0x{number:064x}", "transactions": []}

    def _receipt(self, params: Sequence[object]) -> Json | None:
        """Of the transaction that settled a trade or ran a batch; None before it is mined and for any other."""
        name = params[0] if params else None
        if not isinstance(name, str) or len(_hex(name, "hash")) != 32:
            raise _Failed(_WRONG, "hash: give 0x and 64 hex digits")
        for trade in self._venue.current().truth().trades:
            if transaction_of(trade) == name:
                return _receipt_form(name, self._block(trade.updated_at), done=trade.stage.settled)
        relayed = self._relayer.settled(name)
        return None if relayed is None else _receipt_form(name, self._block(relayed.at), done=True)

    # --- contracts

    def _call(self, params: Sequence[object]) -> str:
        try:
            asked = msgspec.convert(params[0] if params else None, _Called)
            contract = address(asked.to)
        except (msgspec.ValidationError, InvalidAddress):
            raise _Failed(_WRONG, "call: give to, an address, and data") from None
        data = _hex(asked.data or asked.input, "data")
        read = self._contracts.get(contract, {}).get(data[:4])
        if read is None:
            raise Reverted("execution reverted")
        return f"0x{read(contract, Words(data)).hex()}"

    def _known(self, owner: Address) -> AccountTruth | None:
        found = self._venue.current().truth().accounts
        return next((one for one in found if one.account == Account(owner)), None)

    def _cash(self, _: Address, words: Words) -> bytes:
        known = self._known(words.address(0))
        return word(0 if known is None else known.settled)

    def _allowance(self, contract: Address, words: Words) -> bytes:
        owner, spender = words.address(0), words.address(1)
        return word(self._venue.members.allowance(Account(owner), contract, spender))

    def _approved(self, contract: Address, words: Words) -> bytes:
        owner, spender = words.address(0), words.address(1)
        return word(bool(self._venue.members.allowance(Account(owner), contract, spender)))

    def _shares(self, contract: Address, words: Words) -> bytes:
        return word(self._held(contract, words.address(0), words.number(1)))

    def _shares_of_many(self, contract: Address, words: Words) -> bytes:
        owners, tokens = words.numbers(0), words.numbers(1)
        if len(owners) != len(tokens):
            raise Reverted("execution reverted: as many accounts as ids are wanted")
        named = [address_of(owner.to_bytes(32, "big")[12:]) for owner in owners]
        held = [self._held(contract, owner, token) for owner, token in zip(named, tokens, strict=True)]
        return b"".join(word(one) for one in (32, len(held), *held))

    def _held(self, contract: Address, owner: Address, token: int) -> int:
        """Tokens of Protocol-V2 are with the position manager, all others with the conditional tokens."""
        known, listed = self._known(owner), self._venue.tokens
        for held in () if known is None else known.holdings:
            if held.token == str(token):
                new = listed[held.token][0].contract.version == "3"
                return held.settled if contract == (POSITION_MANAGER if new else CONDITIONAL_TOKENS) else 0
        return 0


_Read: TypeAlias = Callable[[Address, Words], bytes]


def _receipt_form(name: str, block: int, *, done: bool) -> Json:
    return {
        "transactionHash": name,
        "blockNumber": hex(block),
        "blockHash": f"0x{block:064x}",
        "status": "0x1" if done else "0x0",
        "logs": [],
    }


def _hex(text: str, name: str) -> bytes:
    digits = text[2:].rjust(len(text[2:]) + len(text) % 2, "0")
    try:
        if text.startswith("0x"):
            return bytes.fromhex(digits)
    except ValueError:
        pass
    raise _Failed(_WRONG, f"{name}: give 0x and hex digits")


def _error(number: int | str | None, code: int, text: str) -> Json:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}}


class _Asked(msgspec.Struct):
    method: str
    params: list[object] = []
    id: int | str | None = None


class _Called(msgspec.Struct):
    to: str
    data: str = ""
    input: str = "0x"
