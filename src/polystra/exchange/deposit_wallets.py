"""The addresses of deposit wallets (signature type 3) on the chain.

A factory makes them by CREATE2, so that the address follows from the owner alone. There are two generations: the newer
ask a beacon what they run (ERC-1967), the earlier hold that themselves.
"""

from polystra.edge.polymarket.addresses import Address, address_of, address_word
from polystra.edge.polymarket.contracts import DEPOSIT_WALLET_FACTORY
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


def deposit_wallet_of(owner: Address) -> Address:
    """The wallet that the factory makes for an owner today."""
    arguments = address_word(DEPOSIT_WALLET_FACTORY) + address_word(owner)
    prefix = (_PREFIX + (len(arguments) << _LENGTH_AT)).to_bytes(10, "big")
    code = prefix + address_word(BEACON)[12:] + _CODE + arguments
    made = b"\xff" + address_word(DEPOSIT_WALLET_FACTORY)[12:] + keccak256(arguments) + keccak256(code)
    return address_of(keccak256(made)[12:])
