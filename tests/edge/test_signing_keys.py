"""The key and the API secret never show, whatever is printed, stored or copied; and only real ones are taken."""

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from polystra.edge.polymarket.addresses import Address, InvalidAddress, address, address_of
from polystra.edge.polymarket.auth import Credentials, InvalidCredentials, RequestSigner, RequestVerifier
from polystra.edge.polymarket.contracts import STANDARD
from polystra.edge.polymarket.keys import InvalidKey, SigningKey
from polystra.edge.polymarket.signing import OrderSigner
from polystra.edge.polymarket.wallet import InvalidWallet, SignatureType, Wallet, own_wallet
from tests.edge.signing_cases import AT, KEY, SECRET, TERMS, TOKEN, wallet

API_SECRET = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTEyMzQ="
PASSPHRASE = "canary-passphrase-0123456789"
CANARIES = (SECRET.hex(), repr(SECRET), str(int.from_bytes(SECRET, "big")), API_SECRET, PASSPHRASE, "canary-canary")
CREDENTIALS = Credentials(api_key="an-api-key", secret=API_SECRET, passphrase=PASSPHRASE)
HOLDERS: dict[str, Any] = {
    "key": KEY,
    "wallet": own_wallet(KEY),
    "order signer": OrderSigner(own_wallet(KEY), draw_salt=lambda: 1),
    "credentials": CREDENTIALS,
    "request signer": RequestSigner(CREDENTIALS, KEY.address),
    "request verifier": RequestVerifier(CREDENTIALS, KEY.address),
}
SECRETIVE = [HOLDERS[name] for name in HOLDERS if name not in ("wallet", "order signer")]


@dataclass
class Settings:
    held: Any


class Value(msgspec.Struct):
    held: Any


def rich_text(holder: Any) -> str:
    return pretty_repr(holder, expand_all=True)


def logged(holder: Any) -> str:
    stream = io.StringIO()
    logger = logging.getLogger("canary")
    written = logging.StreamHandler(stream)
    logger.addHandler(written)
    logger.error("%s %r", holder, holder)
    logger.removeHandler(written)
    return stream.getvalue()


PRINTERS: tuple[Callable[[Any], str], ...] = (
    repr,
    str,
    format,
    ascii,
    rich_text,
    logged,
    lambda holder: f"{holder} {holder!r}",
    lambda holder: "%s %r" % (holder, holder),  # noqa: UP031
    lambda holder: repr([holder, {"a": holder}, Settings(holder), Value(holder)]),
    lambda holder: rich_text([holder, {"a": holder}, Settings(holder), Value(holder)]),
    lambda holder: json.dumps({"held": holder}, default=str),
    lambda holder: repr(dir(holder)),
)


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_no_way_of_printing_shows_a_secret(holder: Any) -> None:
    for printed in PRINTERS:
        check_silent(printed(holder))


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_secret_is_not_stored(holder: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as error:
            pickle.dumps(holder, protocol)
        check_silent(str(error.value))
    for encode in (msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins, json.dumps):
        with pytest.raises(TypeError) as refused:
            encode(holder)
        check_silent(str(refused.value))


@pytest.mark.parametrize("holder", SECRETIVE)
def test_a_secret_is_not_copied(holder: Any) -> None:
    for take in (copy.copy, copy.deepcopy, lambda it: asdict(Settings(it))):
        with pytest.raises(TypeError):
            take(holder)
    with pytest.raises(TypeError):
        vars(holder)


def test_a_traceback_with_local_names_shows_no_secret() -> None:
    """From inside the signing, and from a key that was copied with a digit missing."""
    signer = OrderSigner(own_wallet(KEY), draw_salt=lambda: 1 // 0)
    request = {"POLY_TIMESTAMP": "1", "POLY_ADDRESS": KEY.address}
    for provoke in (
        lambda: KEY.sign(b"too short"),
        lambda: signer.sign(TERMS, token=TOKEN, exchange=STANDARD, at=AT),
        lambda: RequestSigner(CREDENTIALS, KEY.address).headers(at=0, method="GET", path="/a?b"),  # type: ignore[arg-type]
        lambda: RequestVerifier(CREDENTIALS, KEY.address).accepts(request, method="GET", path="/a", body=None),  # type: ignore[arg-type]
    ):
        with pytest.raises((ValueError, ZeroDivisionError, TypeError)) as error:
            provoke()
        check_silent(everything_in(error.value))


NO_KEYS = (
    "",
    "0x",
    SECRET.hex()[:-1],
    SECRET.hex() + "0",
    f"0x{SECRET.hex()}00",
    f"g{SECRET.hex()[1:]}",
    "0" * 64,
    "f" * 64,
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    "１" * 64,
)


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        SigningKey.from_hex(text)
    assert not text or text not in str(refused.value)
    for frame in frames_of(refused.value)[1:]:
        assert not text or text not in repr(frame.f_locals)


@pytest.mark.parametrize("secret", [b"", b"\1" * 31, b"\1" * 33, bytes(32), b"\xff" * 32])
def test_bytes_that_are_no_key_are_refused(secret: bytes) -> None:
    with pytest.raises(InvalidKey) as refused:
        SigningKey(secret)
    for frame in frames_of(refused.value)[1:]:
        assert "secret" not in frame.f_locals


def test_a_key_is_read_with_and_without_prefix() -> None:
    for text in (SECRET.hex(), f"0x{SECRET.hex()}", f" 0X{SECRET.hex().upper()}\n"):
        assert SigningKey.from_hex(text).address == KEY.address


def test_the_account_of_a_known_key() -> None:
    assert KEY.address == "0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1"


def test_an_api_secret_that_is_none_is_refused_without_being_repeated() -> None:
    spoiled = Credentials(api_key="an-api-key", secret=f"{API_SECRET}!", passphrase=PASSPHRASE)
    for use in (RequestSigner, RequestVerifier):
        with pytest.raises(InvalidCredentials) as refused:
            use(spoiled, KEY.address)
        check_silent(everything_in(refused.value))


@pytest.mark.parametrize("kind", [SignatureType.POLY_PROXY, SignatureType.GNOSIS_SAFE, SignatureType.POLY_1271])
def test_a_contract_s_wallet_pays_from_the_contract(kind: SignatureType) -> None:
    held = wallet(kind)
    assert held.maker != KEY.address
    assert held.signer == (held.maker if kind is SignatureType.POLY_1271 else KEY.address)
    with pytest.raises(InvalidWallet, match="the signature type is 0"):
        Wallet(key=KEY, kind=kind, funder=KEY.address)


def test_an_own_wallet_pays_for_itself_alone() -> None:
    held = own_wallet(KEY)
    assert (held.maker, held.signer) == (KEY.address, KEY.address)
    with pytest.raises(InvalidWallet, match="leave the funder out"):
        Wallet(key=KEY, kind=SignatureType.EOA, funder=address_of(bytes(20)))


def test_a_funder_with_a_typing_mistake_is_refused() -> None:
    right = wallet(SignatureType.GNOSIS_SAFE).funder
    wrong = Address(right[:-1] + ("1" if right[-1] != "1" else "2"))
    with pytest.raises(InvalidAddress, match="wrong checksum"):
        wallet(SignatureType.GNOSIS_SAFE, funder=wrong)


def test_an_address_is_written_in_one_way() -> None:
    """The examples of EIP-55."""
    for right in (
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ):
        assert address(right) == address(right.lower()) == address("0x" + right[2:].upper()) == right


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "0" * 39, "0x" + "0" * 41, "00" * 21, "0x" + " 0" * 20, "0x" + "g" * 40]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        address(text)


def check_silent(text: str) -> None:
    for canary in CANARIES:
        assert canary.lower() not in text.lower()


def everything_in(error: BaseException) -> str:
    """What the most talkative of tracebacks would print of our own frames, without those of this test."""
    frames = frames_of(error)
    spoken = [
        repr(frame.f_locals) + rich_text(frame.f_locals)
        for frame in frames
        if "edge/polymarket" in frame.f_code.co_filename
    ]
    shown = io.StringIO()
    Console(file=shown, width=200).print(
        Traceback.from_exception(type(error), error, error.__traceback__, show_locals=False)
    )
    return "\n".join([*spoken, shown.getvalue(), "".join(traceback.format_exception(error))])


def frames_of(error: BaseException) -> list[Any]:
    found, step = [], error.__traceback__
    while isinstance(step, TracebackType):
        found.append(step.tb_frame)
        step = step.tb_next
    return found
