"""What a deposit wallet (signature type 3) is asked to do: calls of contracts, in a batch that its owner signs.

The batch runs whole or not at all, once (it takes the wallet's next nonce), and never after its deadline. It is signed
by EIP-712, as `Batch` of the domain `DepositWallet`.
"""

from collections.abc import Sequence

from msgspec import Struct

from polystra.edge.polymarket.addresses import Address, address_word
from polystra.edge.polymarket.contracts import CHAIN
from polystra.edge.polymarket.eip712 import digest, domain_separator, struct_hash, text_hash, word
from polystra.edge.polymarket.keccak import keccak256

_CALL = "Call(address target,uint256 value,bytes data)"
_CALL_TYPE = text_hash(_CALL)
_BATCH_TYPE = text_hash(f"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls){_CALL}")


class Call(Struct, frozen=True, gc=False):
    """What a wallet is to ask of a contract."""

    target: Address
    value: int
    data: bytes


def selector(signature: str) -> bytes:
    """The four bytes by which a function is called."""
    return keccak256(signature.encode())[:4]


def batch_digest(wallet: Address, calls: Sequence[Call], *, nonce: int, deadline: int) -> bytes:
    """What the owner signs. Raises `OverflowError` for a number of more than 256 bits."""
    hashed = b"".join(
        struct_hash(_CALL_TYPE, address_word(one.target), word(one.value), keccak256(one.data)) for one in calls
    )
    batch = struct_hash(_BATCH_TYPE, address_word(wallet), word(nonce), word(deadline), keccak256(hashed))
    return digest(domain_separator(name="DepositWallet", version="1", chain=CHAIN, contract=wallet), batch)
