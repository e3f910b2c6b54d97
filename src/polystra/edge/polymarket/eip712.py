"""Hashes structured data the way wallets sign it: EIP-712.

What is signed is `0x1901`, the hash of a domain (who will check it) and the hash of a struct (what is said), so that a
signature given for one contract, chain or version is worth nothing on another.
"""

from polystra.edge.polymarket.addresses import Address, address_word
from polystra.edge.polymarket.keccak import keccak256

MOST = 2**256 - 1


def text_hash(text: str) -> bytes:
    """How a struct carries a text, and how it names its own type."""
    return keccak256(text.encode())


def word(number: int) -> bytes:
    """The 32 bytes of an unsigned number. Raises `OverflowError` below 0 and above `MOST`."""
    return number.to_bytes(32, "big")


def struct_hash(type_hash: bytes, *words: bytes) -> bytes:
    """The hash of a struct whose members are given in order, each as its 32 bytes."""
    return keccak256(type_hash + b"".join(words))


def domain_separator(*, name: str, version: str, chain: int, contract: Address | None = None) -> bytes:
    """The hash of a domain; one without a contract is a different type, not one with a zero."""
    words = [text_hash(name), text_hash(version), word(chain)]
    if contract is None:
        return struct_hash(_PLAIN_DOMAIN, *words)
    return struct_hash(_CONTRACT_DOMAIN, *words, address_word(contract))


def digest(separator: bytes, struct: bytes) -> bytes:
    """The 32 bytes that the key signs."""
    return keccak256(b"\x19\x01" + separator + struct)


_PLAIN_DOMAIN = text_hash("EIP712Domain(string name,string version,uint256 chainId)")
_CONTRACT_DOMAIN = text_hash("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
