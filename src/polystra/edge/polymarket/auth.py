"""Proves to the venue who asks (`PROTOCOL.md` D), and checks such a proof.

L1, to get an API key: the account's key signs who and when. L2, for every other private request: a hash of the request
under the secret that came with the API key. Times are those of the caller's clock, in whole seconds on the wire.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import NoReturn, final

from polystra.core.errors import PolystraError
from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import Address, InvalidAddress, address, address_word
from polystra.edge.polymarket.contracts import CHAIN
from polystra.edge.polymarket.eip712 import MOST, digest, domain_separator, struct_hash, text_hash, word
from polystra.edge.polymarket.keys import SigningKey, signer_address

ADDRESS = "POLY_ADDRESS"
SIGNATURE = "POLY_SIGNATURE"
TIMESTAMP = "POLY_TIMESTAMP"
NONCE = "POLY_NONCE"
API_KEY = "POLY_API_KEY"
PASSPHRASE = "POLY_PASSPHRASE"

_SECOND = 1_000_000_000


class InvalidCredentials(PolystraError):
    """An API secret that is no base64. The message never repeats it."""


@final
class Credentials:
    """What an API key consists of. `secret` and `passphrase` are to be read by name only: neither repr, pickle, copy
    nor JSON gives them away."""

    __slots__ = ("api_key", "passphrase", "secret")

    def __init__(self, *, api_key: str, secret: str, passphrase: str) -> None:
        self.api_key = api_key
        self.secret = secret
        self.passphrase = passphrase

    def __repr__(self) -> str:
        return f"Credentials(of API key {self.api_key})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials are neither copied nor stored: hand on the object, or its parts by name")


# --- L1 --------------------------------------------------------------------------------------------------------------


def l1_headers(key: SigningKey, *, at: Instant, nonce: int = 0) -> dict[str, str]:
    """The headers that create or derive the API key of the key's account; each nonce has an API key of its own."""
    timestamp = str(at // _SECOND)
    signature = key.sign(_attested(key.address, timestamp, nonce))
    return {
        ADDRESS: key.address,
        SIGNATURE: f"0x{signature.hex()}",
        TIMESTAMP: timestamp,
        NONCE: str(nonce),
    }


def l1_account(headers: Mapping[str, str]) -> Address | None:
    """The account that proved itself by L1 headers; None when they prove nothing. How old they are is the caller's
    to judge."""
    signature, timestamp, nonce = headers.get(SIGNATURE, ""), headers.get(TIMESTAMP, ""), headers.get(NONCE, "0")
    if not (_whole(timestamp) and _whole(nonce) and int(nonce) <= MOST and signature.startswith("0x")):
        return None
    try:
        account = address(headers.get(ADDRESS, ""))
        raw = bytes.fromhex(signature[2:])
    except (InvalidAddress, ValueError):
        return None
    return account if signer_address(raw, _attested(account, timestamp, int(nonce))) == account else None


def _attested(account: Address, timestamp: str, nonce: int) -> bytes:
    said = struct_hash(_ATTEST, address_word(account), text_hash(timestamp), word(nonce), _MESSAGE)
    return digest(_DOMAIN, said)


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 78


_DOMAIN = domain_separator(name="ClobAuthDomain", version="1", chain=CHAIN)
_ATTEST = text_hash("ClobAuth(address address,string timestamp,uint256 nonce,string message)")
_MESSAGE = text_hash("This message attests that I control the given wallet")


# --- L2 --------------------------------------------------------------------------------------------------------------


@final
class RequestSigner:
    """Signs requests under one API key. `account` is the one the key's L1 proof was for, not a deposit wallet's.

    Raises `InvalidCredentials` for a secret that is not base64.
    """

    __slots__ = ("_keyed", "_who")

    def __init__(self, credentials: Credentials, account: Address) -> None:
        self._keyed = _keyed(credentials)
        self._who = {ADDRESS: account, API_KEY: credentials.api_key, PASSPHRASE: credentials.passphrase}

    def headers(self, *, at: Instant, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """The headers of one request. `path` begins with / and has no query, which is not signed; `body` is what will
        be sent, byte for byte. Raises `ValueError` for a path with a query: it would be refused as a wrong key."""
        if "?" in path:
            raise ValueError(f"path {path}: the query is not signed, give the part before the question mark")
        timestamp = str(at // _SECOND)
        return self._who | {
            SIGNATURE: _request_signature(self._keyed, timestamp, method, path, body),
            TIMESTAMP: timestamp,
        }

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a request signer holds an API secret and is neither copied nor stored: hand on the object")


@final
class RequestVerifier:
    """Checks requests that should be signed under one API key, in a time that does not depend on what is wrong.

    Raises `InvalidCredentials` for a secret that is not base64.
    """

    __slots__ = ("_account", "_credentials", "_keyed")

    def __init__(self, credentials: Credentials, account: Address) -> None:
        self._keyed = _keyed(credentials)
        self._credentials = credentials
        self._account = account

    def accepts(self, headers: Mapping[str, str], *, method: str, path: str, body: bytes = b"") -> bool:
        """Whether the headers prove this request: account, API key, passphrase, and the hash over the raw body. How
        old they are is the caller's to judge."""
        timestamp = headers.get(TIMESTAMP, "")
        if not _whole(timestamp):
            return False
        try:
            account = address(headers.get(ADDRESS, ""))
        except InvalidAddress:
            return False
        pairs = (
            (account, self._account),
            (headers.get(API_KEY, ""), self._credentials.api_key),
            (headers.get(PASSPHRASE, ""), self._credentials.passphrase),
            (headers.get(SIGNATURE, ""), _request_signature(self._keyed, timestamp, method, path, body)),
        )
        fits = True
        for given, expected in pairs:
            fits &= _same(given, expected)
        return fits

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a request verifier holds an API secret and is neither copied nor stored: hand on the object")


def _keyed(credentials: Credentials) -> hmac.HMAC:
    """A hash that already contains the secret; a copy of it signs one request."""
    secret = credentials.secret.rstrip("=").translate(_TO_STANDARD)
    try:
        raw = base64.b64decode(secret + "=" * (-len(secret) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        del secret
        raise InvalidCredentials(f"the secret of API key {credentials.api_key} is not base64: derive the key anew")
    return hmac.new(raw, digestmod="sha256")


def _request_signature(keyed: hmac.HMAC, timestamp: str, method: str, path: str, body: bytes) -> str:
    request = keyed.copy()
    request.update(f"{timestamp}{method}{path}".encode("utf-8", "backslashreplace") + body)
    return base64.urlsafe_b64encode(request.digest()).decode()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "backslashreplace"), expected.encode())


_TO_STANDARD = str.maketrans("-_", "+/")
