"""A deposit wallet on the chain that is not there, and how it is asked to act."""

import json
from random import Random
from typing import Any

from msgspec.structs import replace

from polystra.core.ids import MarketId, TokenId
from polystra.edge.polymarket.contracts import (
    DEPOSIT_WALLET_FACTORY,
)
from polystra.edge.polymarket.eip712 import word
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.wallet_batches import Call, batch_digest, selector
from polystra.exchange.deposit_wallets import deposit_wallet_of
from tests.edge.exchange_cases import (
    NEW_LISTING,
    START,
    Running,
)

SECRET = Random(41).randrange(1, 2**255).to_bytes(32, "big")
KEY = SigningKey(SECRET)
WALLET = deposit_wallet_of(KEY.address)
MOST = 2**256 - 1

V2_UP = TokenId(str((1 << 248) | (0xABC123 << 104)))
V2_DOWN = TokenId(str(int(V2_UP) | 1))
V2_CONDITION = MarketId(f"0x{int(V2_UP):064x}")
V2 = replace(
    NEW_LISTING,
    facts=replace(NEW_LISTING.facts, id=V2_CONDITION, up_token=V2_UP, down_token=V2_DOWN),
    slug="sol-updown-15m-1795432200",
)
"""A Protocol-V2 market whose condition and tokens fit each other, as they do on the chain."""


def rpc(running: Running, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    status, answer = running.call("POST", running.urls.rpc, body=body)
    assert (status, answer["id"], answer["jsonrpc"]) == (200, 7, "2.0")
    return answer


def call(running: Running, contract: str, signature: str, *words: int) -> Any:
    data = selector(signature) + b"".join(word(one) for one in words)
    return rpc(running, "eth_call", {"to": contract, "data": f"0x{data.hex()}"}, "latest")


def batch(*calls: Call, nonce: int = 0, deadline: int = START // 10**9 + 600, key: SigningKey = KEY) -> dict[str, Any]:
    signed = key.sign(batch_digest(WALLET, calls, nonce=nonce, deadline=deadline))
    return {
        "type": "WALLET",
        "from": KEY.address,
        "to": DEPOSIT_WALLET_FACTORY,
        "nonce": str(nonce),
        "signature": f"0x{signed.hex()}",
        "depositWalletParams": {
            "depositWallet": WALLET,
            "deadline": str(deadline),
            "calls": [{"target": one.target, "value": "0", "data": f"0x{one.data.hex()}"} for one in calls],
        },
    }


def submit(running: Running, body: dict[str, Any], key: str = "any") -> tuple[int, Any]:
    headers = {"RELAYER_API_KEY": key} if key else {}
    return running.call("POST", f"{running.urls.relayer}/submit", headers=headers, body=json.dumps(body).encode())


def with_wallet(running: Running) -> Running:
    """The same, with a wallet that has 100 USD."""
    create = {"type": "WALLET-CREATE", "from": KEY.address, "to": DEPOSIT_WALLET_FACTORY}
    assert submit(running, create)[0] == 200
    running.fund(WALLET, "100")
    return running
