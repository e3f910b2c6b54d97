"""Makes an order's hash and signature (`PROTOCOL.md` A.3, A.4).

The EIP-712 hash of an order is the venue's id of it, whatever wallet signs, so it is known before a byte is sent. A
key's own account, a proxy and a Safe sign that hash. A deposit wallet is a contract: its owner signs the order nested
in a statement that names the wallet (ERC-7739), and the signature carries what the wallet needs to rebuild it.
"""

from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from polystra.core.errors import PolystraError
from polystra.core.ids import TokenId, VenueOrderId
from polystra.core.terms import OrderTerms, Side
from polystra.core.units import Instant
from polystra.edge.polymarket.addresses import Address, InvalidAddress, address_word
from polystra.edge.polymarket.amounts import amounts_of
from polystra.edge.polymarket.contracts import CHAIN, Exchange
from polystra.edge.polymarket.eip712 import MOST, digest, struct_hash, text_hash, word
from polystra.edge.polymarket.keys import SigningKey
from polystra.edge.polymarket.wallet import SignatureType, Wallet

NOTHING = bytes(32)
"""The metadata or builder code of an order that has none."""

MOST_SALT = 2**53
"""The salt travels as a JSON number, which is exact only so far."""

_MILLISECOND = 1_000_000
_DIGITS = 78


class InvalidOrder(PolystraError):
    """An order that cannot be signed, or whose parts contradict one another."""


class Order(Struct, frozen=True, gc=False, kw_only=True):
    """What is signed. Amounts are base units: a BUY gives `maker_amount` of collateral, a SELL of shares. `timestamp`
    is in milliseconds; `metadata` and `builder` are 32 bytes. How long the order lives is not signed."""

    salt: int
    maker: Address
    signer: Address
    token: TokenId
    maker_amount: int
    taker_amount: int
    side: Side
    kind: SignatureType
    timestamp: int
    metadata: bytes = NOTHING
    builder: bytes = NOTHING


class SignedOrder(Struct, frozen=True, gc=False):
    """`id` is the hash of the order, `signature` `0x` and hex: 65 bytes, or 317 of a deposit wallet."""

    id: VenueOrderId
    order: Order
    signature: str


class OrderSigner:
    """Signs what one wallet asks for. `draw_salt` gives a fresh number up to `MOST_SALT` for each order: the same salt,
    time and terms would be the same order, which the venue refuses as a duplicate."""

    def __init__(self, wallet: Wallet, *, draw_salt: Callable[[], int], builder: bytes = NOTHING) -> None:
        self._key = wallet.key
        self._kind = wallet.kind
        self._maker = wallet.maker
        self._signer = wallet.signer
        self._draw_salt = draw_salt
        self._builder = builder

    def sign(self, terms: OrderTerms, *, token: TokenId, exchange: Exchange, at: Instant) -> SignedOrder:
        """Raises `InvalidOrder` for terms that cannot be an order, such as an amount of nothing."""
        amounts = amounts_of(terms)
        order = Order(
            salt=self._draw_salt(),
            maker=self._maker,
            signer=self._signer,
            token=token,
            maker_amount=amounts.maker,
            taker_amount=amounts.taker,
            side=terms.side,
            kind=self._kind,
            timestamp=at // _MILLISECOND,
            builder=self._builder,
        )
        return sign_order(order, exchange, self._key)


def sign_order(order: Order, exchange: Exchange, key: SigningKey) -> SignedOrder:
    """Raises `InvalidOrder`, also for an order that names another account's signature than this key can give."""
    if order.maker_amount <= 0 or order.taker_amount <= 0:
        raise InvalidOrder(
            f"maker amount {order.maker_amount}, taker amount {order.taker_amount}: both must be above 0"
        )
    nested = order.kind is SignatureType.POLY_1271
    if not nested and order.signer != key.address:
        raise InvalidOrder(
            f"the order names {order.signer} as signer, the key is of {key.address}: use that wallet's key"
        )
    contents = contents_hash(order)
    identity = digest(exchange.separator, contents)
    if nested:
        signature = key.sign(wallet_digest(order, contents, exchange)) + wrapping(contents, exchange)
    else:
        signature = key.sign(identity)
    return SignedOrder(VenueOrderId(f"0x{identity.hex()}"), order, f"0x{signature.hex()}")


def order_id(order: Order, exchange: Exchange) -> VenueOrderId:
    """The hash by which the venue knows an order. Raises `InvalidOrder`."""
    return VenueOrderId(f"0x{digest(exchange.separator, contents_hash(order)).hex()}")


def contents_hash(order: Order) -> bytes:
    """The hash of an order without its domain. Raises `InvalidOrder` for a part that does not fit its type."""
    _check_parts(order)
    try:
        return struct_hash(
            _ORDER_TYPE_HASH,
            word(order.salt),
            address_word(order.maker),
            address_word(order.signer),
            token_word(order.token),
            word(order.maker_amount),
            word(order.taker_amount),
            _SIDES[order.side],
            _KINDS[order.kind],
            word(order.timestamp),
            order.metadata,
            order.builder,
        )
    except (OverflowError, InvalidAddress) as error:
        raise InvalidOrder(f"the order for token {order.token} cannot be hashed: {error}") from None


def _check_parts(order: Order) -> None:
    if not 0 <= order.salt <= MOST_SALT:
        raise InvalidOrder(f"salt {order.salt}: it is a whole number from 0 to 2^53")
    if len(order.metadata) != len(NOTHING) or len(order.builder) != len(NOTHING):
        raise InvalidOrder(
            f"metadata of {len(order.metadata)}, builder code of {len(order.builder)} bytes: each takes {len(NOTHING)}"
        )
    if order.kind is SignatureType.POLY_1271 and order.maker != order.signer:
        raise InvalidOrder(f"a deposit wallet signs for itself: maker {order.maker} must be signer {order.signer}")
    if order.kind is SignatureType.EOA and order.maker != order.signer:
        raise InvalidOrder(f"signature type 0 pays for itself: maker {order.maker} must be signer {order.signer}")


@lru_cache(maxsize=1024)
def token_word(token: TokenId) -> bytes:
    """The 32 bytes by which a token is hashed. Raises `InvalidOrder`."""
    number = int(token) if token.isascii() and token.isdecimal() and len(token) <= _DIGITS else -1
    if not 0 <= number <= MOST:
        raise InvalidOrder(f"token {token[:100]!r} is not a decimal number of 256 bits: take the id from discovery")
    return word(number)


def wallet_digest(order: Order, contents: bytes, exchange: Exchange) -> bytes:
    """What the owner of a deposit wallet signs: the order, and that this wallet says it."""
    statement = struct_hash(
        _STATEMENT_TYPE_HASH, contents, _WALLET_NAME, _WALLET_VERSION, _CHAIN, address_word(order.signer), NOTHING
    )
    return digest(exchange.separator, statement)


def wrapping(contents: bytes, exchange: Exchange) -> bytes:
    """What follows the owner's signature: domain, contents, the order's type in words, and the length of those."""
    return exchange.separator + contents + _TYPE_AND_LENGTH


ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_STATEMENT_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)

_ORDER_TYPE_HASH = text_hash(ORDER_TYPE)
_STATEMENT_TYPE_HASH = text_hash(_STATEMENT_TYPE + ORDER_TYPE)
_TYPE_AND_LENGTH = ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
_WALLET_NAME = text_hash("DepositWallet")
_WALLET_VERSION = text_hash("1")
_CHAIN = word(CHAIN)
_SIDES = {Side.BUY: word(0), Side.SELL: word(1)}
_KINDS = {kind: word(kind) for kind in SignatureType}
