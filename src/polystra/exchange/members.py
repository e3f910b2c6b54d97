"""Who trades here: the accounts that keys own, and the API keys given out for them.

An *owner* is the account of a private key. It trades from that account itself (signature type 0) or from a wallet
contract that it owns (1 to 3); which contract that is, the chain knows and here `open_wallet` says. API keys belong to
owners. They are made from a seed, so that a venue started again gives out the same ones: a change needs no secret to
be made again.
"""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias, assert_never

from msgspec import Struct

from polystra.edge.polymarket.addresses import Address
from polystra.edge.polymarket.auth import (
    ADDRESS,
    API_KEY,
    PASSPHRASE,
    SIGNATURE,
    TIMESTAMP,
    Credentials,
    RequestVerifier,
)
from polystra.edge.polymarket.eip712 import MOST
from polystra.edge.polymarket.wallet import SignatureType
from polystra.sim.records import Account

_BUILDER_SIGNS = (API_KEY, PASSPHRASE, SIGNATURE, TIMESTAMP)


class KeyUse(StrEnum):
    """What a key is for that does not trade. Both are given out and taken back here, and open nothing."""

    READ = "read"
    BUILD = "build"


class SideKey(Struct):
    """A key that does not trade. `gone` once it was taken back."""

    owner: Address
    use: KeyUse
    credentials: Credentials
    gone: bool = False


class Member(Struct, frozen=True, gc=False):
    """Somebody who proved an API key."""

    owner: Address
    api_key: str


class WalletOpened(Struct, frozen=True, gc=False, tag=True):
    """An `approved` one lets every contract move what it has; another lets none, until it says so."""

    owner: Address
    kind: SignatureType
    wallet: Address
    approved: bool = True


class SpenderApproved(Struct, frozen=True, gc=False, tag=True):
    """An account lets `spender` move so much of a contract's money, or, of shares, all or nothing: a whole number of
    256 bits, as text."""

    account: Account
    contract: Address
    spender: Address
    amount: str


class Relayed(Struct, frozen=True, gc=False, tag=True):
    """A wallet of this owner ran a batch of calls, which takes its nonce."""

    owner: Address


class KeyCreated(Struct, frozen=True, gc=False, tag=True):
    owner: Address
    nonce: int


class KeyDeleted(Struct, frozen=True, gc=False, tag=True):
    member: Member


class SideKeyCreated(Struct, frozen=True, gc=False, tag=True):
    owner: Address
    use: KeyUse


class SideKeyDeleted(Struct, frozen=True, gc=False, tag=True):
    api_key: str


MemberChange: TypeAlias = (
    WalletOpened | SpenderApproved | Relayed | KeyCreated | KeyDeleted | SideKeyCreated | SideKeyDeleted
)


class Members:
    """Mutable. `on_change` hears of every change before it is made."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self.on_change: Callable[[MemberChange], None] = lambda change: None
        self._wallets: dict[Address, dict[SignatureType, Address]] = {}
        self._owners: dict[Account, Address] = {}
        self._unapproved: set[Account] = set()
        self._allowances: dict[tuple[Account, Address, Address], int] = {}
        self._nonces: Counter[Address] = Counter()
        self._keys: dict[tuple[Address, int], Credentials] = {}
        self._members: dict[str, tuple[Member, RequestVerifier, Credentials]] = {}
        self._side_keys: dict[str, SideKey] = {}

    # --- accounts

    def open_wallet(self, owner: Address, kind: SignatureType, wallet: Address, *, approved: bool = True) -> Account:
        """The account of a wallet; type 0 is the owner's own. Raises ValueError where that contradicts the past."""
        account = Account(wallet)
        if (kind is SignatureType.EOA) is not (wallet == owner):
            raise ValueError(f"wallet {wallet} of type {kind:d} for {owner}: the owner's own account is type 0")
        known = self._wallets.get(owner, {}).get(kind)
        if known == wallet:
            return account
        if known is not None or self._owners.get(account, owner) != owner:
            raise ValueError(
                f"wallet {wallet} of type {kind:d} for {owner}: it, or the owner's wallet, is known already"
            )
        self.on_change(WalletOpened(owner, kind, wallet, approved))
        self._wallets.setdefault(owner, {})[kind] = wallet
        self._owners[account] = owner
        if not approved:
            self._unapproved.add(account)
        return account

    def account(self, owner: Address, kind: SignatureType) -> Account | None:
        """What an owner trades from with this signature type; None for a wallet nobody opened."""
        if kind is SignatureType.EOA:
            return self.open_wallet(owner, kind, owner)
        wallet = self._wallets.get(owner, {}).get(kind)
        return None if wallet is None else Account(wallet)

    def accounts(self, owner: Address) -> tuple[Account, ...]:
        """All accounts of an owner, its own first."""
        own = Account(owner)
        others = (Account(wallet) for wallet in self._wallets.get(owner, {}).values())
        return (own, *(account for account in others if account != own))

    def owner(self, account: Account) -> Address | None:
        return self._owners.get(account)

    def is_wallet(self, wallet: Address) -> bool:
        return Account(wallet) in self._owners

    # --- on the chain

    def approve(self, change: SpenderApproved) -> None:
        self.on_change(change)
        self._allowances[change.account, change.contract, change.spender] = int(change.amount)

    def allowance(self, account: Account, contract: Address, spender: Address) -> int:
        known = self._allowances.get((account, contract, spender))
        if known is not None:
            return known
        return MOST if account in self._owners and account not in self._unapproved else 0

    def relay(self, owner: Address) -> None:
        self.on_change(Relayed(owner))
        self._nonces[owner] += 1

    def nonce(self, owner: Address) -> int:
        """That of the next batch."""
        return self._nonces[owner]

    # --- API keys

    def create_key(self, owner: Address, nonce: int) -> Credentials | None:
        """None when there is one for this nonce already."""
        if (owner, nonce) in self._keys:
            return None
        self.on_change(KeyCreated(owner, nonce))
        credentials = self._keys[owner, nonce] = self._made(owner, nonce)
        member = Member(owner, credentials.api_key)
        self._members[member.api_key] = (member, RequestVerifier(credentials, owner), credentials)
        return credentials

    def derive_key(self, owner: Address, nonce: int) -> Credentials | None:
        """None when it was never created."""
        return self._keys.get((owner, nonce))

    def delete_key(self, member: Member) -> None:
        """Nothing happens to one that is gone already."""
        if member.api_key not in self._members:
            return
        self.on_change(KeyDeleted(member))
        del self._members[member.api_key]
        self._keys = {who: held for who, held in self._keys.items() if held.api_key != member.api_key}

    def keys(self, owner: Address) -> list[str]:
        return [held.api_key for (who, _), held in self._keys.items() if who == owner]

    def verifier(self, api_key: str) -> tuple[Member, RequestVerifier] | None:
        known = self._members.get(api_key)
        return None if known is None else known[:2]

    def identified(self, api_key: str, secret: str, passphrase: str) -> Member | None:
        """Who shows whole credentials, as the user stream asks for."""
        known = self._members.get(api_key)
        if known is None:
            return None
        member, _, held = known
        fits = _same(secret, held.secret) & _same(passphrase, held.passphrase)
        return member if fits else None

    # --- keys that do not trade

    def create_side_key(self, owner: Address, use: KeyUse) -> Credentials:
        self.on_change(SideKeyCreated(owner, use))
        number = len(self._side_keys)
        made = self._made(owner, f"{use} {number}")
        self._side_keys[made.api_key] = SideKey(owner, use, made)
        return made

    def delete_side_key(self, api_key: str) -> None:
        """Nothing happens to one that is unknown, or gone already."""
        known = self._side_keys.get(api_key)
        if known is not None and not known.gone:
            self.on_change(SideKeyDeleted(api_key))
            known.gone = True

    def side_keys(self, owner: Address, use: KeyUse) -> list[str]:
        """Those not taken back, oldest first."""
        held = self._side_keys.items()
        return [name for name, key in held if (key.owner, key.use, key.gone) == (owner, use, False)]

    def builder_of(self, headers: Mapping[str, str], *, method: str, path: str) -> str | None:
        """The builder key that signed a request without a body; None when none did."""
        known = self._side_keys.get(headers.get("POLY_BUILDER_API_KEY", ""))
        if known is None or known.gone or known.use is not KeyUse.BUILD:
            return None
        shown = {name: headers.get(name.replace("POLY_", "POLY_BUILDER_"), "") for name in _BUILDER_SIGNS}
        verifier = RequestVerifier(known.credentials, known.owner)
        signed = verifier.accepts(shown | {ADDRESS: known.owner}, method=method, path=path)
        return known.credentials.api_key if signed else None

    # --- again

    def redo(self, change: MemberChange) -> None:
        """A change that was made before. Raises ValueError where it contradicts what is known."""
        match change:
            case WalletOpened():
                self.open_wallet(change.owner, change.kind, change.wallet, approved=change.approved)
            case SpenderApproved():
                self.approve(change)
            case Relayed():
                self.relay(change.owner)
            case KeyCreated():
                self.create_key(change.owner, change.nonce)
            case KeyDeleted():
                self.delete_key(change.member)
            case SideKeyCreated():
                self.create_side_key(change.owner, change.use)
            case SideKeyDeleted():
                self.delete_side_key(change.api_key)
            case _:
                assert_never(change)

    def _made(self, owner: Address, nonce: int | str) -> Credentials:
        def drawn(what: str) -> bytes:
            return hmac.digest(self._seed, f"{what} {owner} {nonce}".encode(), hashlib.sha256)

        name = drawn("key").hex()
        return Credentials(
            api_key=f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:32]}",
            secret=base64.urlsafe_b64encode(drawn("secret")).decode(),
            passphrase=drawn("passphrase").hex(),
        )


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "backslashreplace"), expected.encode())
