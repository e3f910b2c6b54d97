"""Keys for pretend money. Anybody can make them: they are worth nothing anywhere else."""

import hashlib
from collections.abc import Callable

from polystra.core.ids import OrderId
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.wallet import Wallet, own_wallet


def throwaway_secret(number: int) -> bytes:
    """The private key of throwaway account `number`, counted from 1."""
    return hashlib.sha256(f"polystra throwaway test key {number}".encode()).digest()


def throwaway_wallet(number: int) -> Wallet:
    """The wallet that is that key's own account."""
    return own_wallet(SigningKey(throwaway_secret(number)))


def seeded_salts(seed: int) -> Callable[[OrderId], int]:
    """Salts that make a run repeatable: the same seed and order number give the same salt, of 53 bits."""

    def salt(order: OrderId) -> int:
        return int.from_bytes(hashlib.sha256(f"{seed} salt {order}".encode()).digest()[:8]) >> 11

    return salt
