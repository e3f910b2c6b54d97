"""Has a deposit wallet redeem and merge through the venue's relayer, which pays for the transaction
(`PROTOCOL.md` B.10).

Nothing is sent twice from here. A batch that was submitted and not answered may have run, may run yet, and cannot run
once its deadline is over: what became of it is seen by what the wallet holds.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NewType, TypeAlias

import msgspec
from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.markets import Market
from polystra.core.units import Instant, seconds
from polystra.edge.polymarket.contracts import DEPOSIT_WALLET_FACTORY
from polystra.edge.polymarket.outcomes import spoken
from polystra.edge.polymarket.private_rest import ReadingFailed, reading
from polystra.edge.polymarket.redemption_calls import OnChain, holding_question, read_holding
from polystra.edge.polymarket.rest import Asking, NoReply
from polystra.edge.polymarket.wallet import SignatureType, Wallet
from polystra.edge.polymarket.wallet_batches import Call, batch_digest
from polystra.edge.polymarket.wire import Unreadable, read

TransactionId = NewType("TransactionId", str)
"""The relayer's own number of what was submitted."""

VALID_FOR = seconds(600)
"""How long a batch may run after it was signed; as long as the official client's."""

DEADLINE = 20.0
"""Seconds that an answer may take."""

_SECOND = 1_000_000_000
_TIMED_OUT = 408


class CannotRedeem(PolystraError):
    """This wallet, or this venue, has nobody that would redeem or merge for it."""


class Progress(StrEnum):
    """How far a transaction is; the first three may still become any of the others."""

    NEW = "STATE_NEW"
    EXECUTED = "STATE_EXECUTED"
    MINED = "STATE_MINED"
    CONFIRMED = "STATE_CONFIRMED"
    FAILED = "STATE_FAILED"
    INVALID = "STATE_INVALID"


class Story(Struct, frozen=True, gc=False):
    """How far a transaction is, and what the relayer says of it."""

    progress: Progress
    why: str


class Batch(Struct, frozen=True, gc=False):
    """Signed, and ready to be submitted."""

    body: bytes


class Taken(Struct, frozen=True, gc=False):
    transaction: TransactionId


class Declined(Struct, frozen=True, gc=False):
    """The relayer said no, and we know it."""

    why: str


class Doubtful(Struct, frozen=True, gc=False):
    """No answer, or one that proves nothing."""

    why: str


Submission: TypeAlias = Taken | Declined | Doubtful


class Relayer:
    """One wallet's way to the chain: `relayer` is asked to act, the node `rpc` what is held."""

    def __init__(self, rest: Asking, wallet: Wallet, *, relayer: str, rpc: str, api_key: str) -> None:
        """Raises `CannotRedeem` for a wallet of another kind, saying what its owner can do."""
        if wallet.kind is not SignatureType.POLY_1271:
            raise CannotRedeem(_why_not(wallet))
        self._rest = rest
        self._wallet = wallet
        self._relayer = relayer.rstrip("/")
        self._rpc = rpc
        self._headers = {"RELAYER_API_KEY": api_key, "RELAYER_API_KEY_ADDRESS": wallet.key.address}

    async def held(self, market: Market) -> OnChain | ReadingFailed:
        """What the wallet holds on the chain, now."""
        asked = holding_question(market, self._wallet.maker)
        call = {"to": asked.target, "data": f"0x{asked.data.hex()}"}
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]})
        answer = await self._rest.ask("POST", self._rpc, deadline=DEADLINE, body=body)
        return reading("eth_call", answer, _held)

    async def batch(self, calls: Sequence[Call], at: Instant) -> Batch | ReadingFailed:
        """These calls, signed at this moment."""
        query = {"address": self._wallet.key.address, "type": "WALLET"}
        url = f"{self._relayer}/v1/account/transactions/params"
        answer = await self._rest.ask("GET", url, deadline=DEADLINE, query=query, headers=self._headers)
        nonce = reading("transactions/params", answer, _nonce)
        return nonce if isinstance(nonce, ReadingFailed) else self._signed(calls, nonce, at)

    def _signed(self, calls: Sequence[Call], nonce: int, at: Instant) -> Batch:
        deadline = (at + VALID_FOR) // _SECOND
        signature = self._wallet.key.sign(batch_digest(self._wallet.maker, calls, nonce=nonce, deadline=deadline))
        body = {
            "type": "WALLET",
            "from": self._wallet.key.address,
            "to": DEPOSIT_WALLET_FACTORY,
            "nonce": str(nonce),
            "signature": f"0x{signature.hex()}",
            "metadata": "",
            "depositWalletParams": {
                "depositWallet": self._wallet.maker,
                "deadline": str(deadline),
                "calls": [
                    {"target": one.target, "value": str(one.value), "data": f"0x{one.data.hex()}"} for one in calls
                ],
            },
        }
        return Batch(msgspec.json.encode(body))

    async def submit(self, batch: Batch) -> Submission:
        """Once. Of errors only a refusal (4xx) proves that nothing was done."""
        url = f"{self._relayer}/submit"
        answer = await self._rest.ask("POST", url, deadline=DEADLINE, headers=self._headers, body=batch.body)
        if isinstance(answer, NoReply):
            return Doubtful(answer.why) if answer.sent else Declined(answer.why)
        if 400 <= answer.status < 500 and answer.status != _TIMED_OUT:
            return Declined(spoken(answer))
        told = reading("submit", answer, _submitted)
        return Doubtful(told.why) if isinstance(told, ReadingFailed) else Taken(told)

    async def story(self, transaction: TransactionId) -> Story | ReadingFailed:
        """What became of it. A relayer that does not know it has not said that it failed."""
        url = f"{self._relayer}/v1/account/transactions/{transaction}"
        answer = await self._rest.ask("GET", url, deadline=DEADLINE, headers=self._headers)
        return reading("transaction", answer, _story)


def _why_not(wallet: Wallet) -> str:
    if wallet.kind is SignatureType.EOA:
        return (
            f"wallet {wallet.maker} is the key's own account (signature type 0), which pays gas for each transaction "
            "itself, and no gas is spent here: redeem at polymarket.com, or trade with a deposit wallet (type 3)"
        )
    return (
        f"wallet {wallet.maker} has signature type {wallet.kind:d}, whose transactions have no deadline, so that one "
        "without an answer could run at any time: redeem at polymarket.com, or trade with a deposit wallet (type 3)"
    )


class _Params(Struct):
    nonce: str


class _Submitted(Struct):
    transaction: str = msgspec.field(name="transactionID")


class _Told(Struct):
    state: Progress
    error: str = msgspec.field(name="error_msg", default="")


class _Node(Struct):
    result: str


_params = msgspec.json.Decoder(_Params)
_taken = msgspec.json.Decoder(_Submitted)
_told = msgspec.json.Decoder(_Told)
_node = msgspec.json.Decoder(_Node)


def _nonce(raw: bytes) -> int:
    text = read(raw, _params).nonce
    if not (text.isascii() and text.isdecimal()):
        raise Unreadable(f"nonce {text[:40]!r}: it takes a whole number")
    return int(text)


def _submitted(raw: bytes) -> TransactionId:
    name = read(raw, _taken).transaction
    if not (name and name.isascii() and name.replace("-", "").isalnum()):
        raise Unreadable(f"transactionID {name[:80]!r}: it takes letters, digits and hyphens")
    return TransactionId(name)


def _story(raw: bytes) -> Story:
    told = read(raw, _told)
    return Story(told.state, told.error)


def _held(raw: bytes) -> OnChain:
    text = read(raw, _node).result
    try:
        return read_holding(bytes.fromhex(text.removeprefix("0x")))
    except ValueError as error:
        raise Unreadable(str(error)) from None
