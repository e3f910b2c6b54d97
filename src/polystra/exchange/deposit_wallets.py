"""Deposit wallets (signature type 3) as the chain makes and asks them: their addresses, and what their owner signs.

A factory makes them by CREATE2, so that the address follows from the owner alone. There are two generations: the newer
ask a beacon what they run (ERC-1967), the earlier hold that themselves. A batch of calls is signed by EIP-712, as
`Batch` of the domain `DepositWallet`.
"""

from collections.abc import Sequence

from msgspec import Struct

from polystra.edge.polymarket.addresses import Address, address_of, address_word
from polystra.edge.polymarket.contracts import CHAIN, DEPOSIT_WALLET_FACTORY
from polystra.edge.polymarket.eip712 import digest, domain_separator, struct_hash, text_hash, word
from polystra.edge.polymarket.keccak import keccak256

BEACON = Address("0x7A18EDfe055488A3128f01F563e5B479D92ffc3a")

_PREFIX = 0x6100523D8160233D3973
_LENGTH_AT = 56
"""The bit of the prefix at which the length of the arguments is added."""

_CODE = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)
"""The rest of the proxy's code, which is the same for all."""

_CALL = "Call(address target,uint256 value,bytes data)"
_CALL_TYPE = text_hash(_CALL)
_BATCH_TYPE = text_hash(f"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls){_CALL}")


class Call(Struct, frozen=True, gc=False):
    """What a wallet is to ask of a contract."""

    target: Address
    value: int
    data: bytes


def deposit_wallet_of(owner: Address) -> Address:
    """The wallet that the factory makes for an owner today."""
    arguments = address_word(DEPOSIT_WALLET_FACTORY) + address_word(owner)
    prefix = (_PREFIX + (len(arguments) << _LENGTH_AT)).to_bytes(10, "big")
    code = prefix + address_word(BEACON)[12:] + _CODE + arguments
    made = b"\xff" + address_word(DEPOSIT_WALLET_FACTORY)[12:] + keccak256(arguments) + keccak256(code)
    return address_of(keccak256(made)[12:])


def batch_digest(wallet: Address, calls: Sequence[Call], *, nonce: int, deadline: int) -> bytes:
    """What the owner signs. Raises `OverflowError` for a number of more than 256 bits."""
    hashed = b"".join(
        struct_hash(_CALL_TYPE, address_word(one.target), word(one.value), keccak256(one.data)) for one in calls
    )
    batch = struct_hash(_BATCH_TYPE, address_word(wallet), word(nonce), word(deadline), keccak256(hashed))
    return digest(domain_separator(name="DepositWallet", version="1", chain=CHAIN, contract=wallet), batch)
