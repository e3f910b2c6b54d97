"""The funded accounts of an exchange alone. Anybody can make their keys: elsewhere they are worth nothing."""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from polystra.app.throwaway import throwaway_secret
from polystra.core.units import Usd
from polystra.edge.polymarket.addresses import Address, address_of
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.wallet import SignatureType
from polystra.exchange.venue import Venue
from polystra.sim import messages as sim

OWN = (SignatureType.EOA,)


class ThrowawayAccount(Struct, frozen=True, kw_only=True):
    """`address` is the key's own account, `wallet` the one that pays: the same for signature type 0, a contract that
    the key owns for all others."""

    address: Address
    private_key: str
    wallet: Address
    signature_type: SignatureType
    cash: Usd


def throwaway_accounts(count: int, cash: Usd, kinds: Sequence[SignatureType] = OWN) -> tuple[ThrowawayAccount, ...]:
    """Always the same keys, and the same wallets for the same kinds, which take turns."""
    return tuple(_account(n, cash, kinds[(n - 1) % len(kinds)]) for n in range(1, count + 1))


def open_accounts(venue: Venue, accounts: Iterable[ThrowawayAccount]) -> None:
    """Those that the venue does not have yet, with their cash."""
    known = {account.account for account in venue.current().truth().accounts}
    for account in accounts:
        held = venue.members.open_wallet(account.address, account.signature_type, account.wallet)
        if held not in known:
            venue.feed(sim.Deposit(account=held, amount=account.cash))


def _account(number: int, cash: Usd, kind: SignatureType) -> ThrowawayAccount:
    secret = throwaway_secret(number)
    own = SigningKey(secret).address
    contract = hashlib.sha256(f"polystra throwaway wallet {number} {kind:d}".encode()).digest()[:20]
    return ThrowawayAccount(
        address=own,
        private_key=f"0x{secret.hex()}",
        wallet=own if kind is SignatureType.EOA else address_of(contract),
        signature_type=kind,
        cash=cash,
    )
