"""Says which account pays for our orders and whose key signs them (`PROTOCOL.md` A.3)."""

from enum import IntEnum

from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.edge.polymarket.addresses import Address, address
from polystra.edge.polymarket.keys import SigningKey


class InvalidWallet(PolystraError):
    """Key, kind of wallet and paying account do not belong together."""


class SignatureType(IntEnum):
    """The kinds of wallet, as orders number them."""

    EOA = 0
    POLY_PROXY = 1
    GNOSIS_SAFE = 2
    POLY_1271 = 3
    """The deposit wallet: a contract that signs through its owner's key."""


class Wallet(Struct, frozen=True, kw_only=True):
    """A key with the account that holds the money, `funder`: the key's own account, or a contract that it owns.

    Raises `InvalidWallet` when kind and funder contradict each other, `InvalidAddress` for a funder that is none.
    """

    key: SigningKey
    kind: SignatureType
    funder: Address

    def __post_init__(self) -> None:
        own = address(self.funder) == self.key.address
        if own and self.kind is not SignatureType.EOA:
            raise InvalidWallet(
                f"funder {self.funder} is the key's own account, so the signature type is {SignatureType.EOA:d}, "
                f"not {self.kind:d}: name the wallet that Polymarket shows, or change the type"
            )
        if not own and self.kind is SignatureType.EOA:
            raise InvalidWallet(
                f"signature type {self.kind:d} pays from the key's own account {self.key.address}, not from "
                f"{self.funder}: leave the funder out, or say which kind of wallet it is (1, 2 or 3)"
            )

    @property
    def maker(self) -> Address:
        """Who pays."""
        return address(self.funder)

    @property
    def signer(self) -> Address:
        """Whom the order names as its signer: the deposit wallet itself, for all others the key's account."""
        return self.maker if self.kind is SignatureType.POLY_1271 else self.key.address


def own_wallet(key: SigningKey) -> Wallet:
    """The wallet that is the key's own account."""
    return Wallet(key=key, kind=SignatureType.EOA, funder=key.address)
