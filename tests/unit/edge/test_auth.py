"""Proofs of who asks: what is sent, and what is not believed."""

from collections.abc import Iterator

import pytest

from polystra.core.units import Instant
from polystra.edge.polymarket.auth import (
    Credentials,
    InvalidCredentials,
    RequestSigner,
    RequestVerifier,
    l1_account,
    l1_headers,
)
from polystra.edge.polymarket.keys import SigningKey

KEY = SigningKey(bytes.fromhex("4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d"))
STRANGER = SigningKey(bytes([9]) * 32)
AT = Instant(1_795_432_241_123_456_789)
CREDENTIALS = Credentials(
    api_key="9c0a4d4e-0000-4000-8000-000000000001",
    secret="c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=",
    passphrase="0123456789abcdef",
)
REQUEST = {"method": "POST", "path": "/order", "body": b'{"it\'s":1}'}


def signed() -> dict[str, str]:
    return RequestSigner(CREDENTIALS, KEY.address).headers(at=AT, method="POST", path="/order", body=b'{"it\'s":1}')


def accepts(headers: dict[str, str], method: str = "POST", path: str = "/order", body: bytes = b'{"it\'s":1}') -> bool:
    return RequestVerifier(CREDENTIALS, KEY.address).accepts(headers, method=method, path=path, body=body)


def test_the_first_proof_names_account_second_and_nonce() -> None:
    headers = l1_headers(KEY, at=AT, nonce=7)
    assert list(headers) == ["POLY_ADDRESS", "POLY_SIGNATURE", "POLY_TIMESTAMP", "POLY_NONCE"]
    assert headers["POLY_ADDRESS"] == KEY.address
    assert (headers["POLY_TIMESTAMP"], headers["POLY_NONCE"]) == ("1795432241", "7")


def test_the_first_proof_is_believed() -> None:
    assert l1_account(l1_headers(KEY, at=AT)) == KEY.address
    assert l1_account(l1_headers(KEY, at=AT, nonce=2**256 - 1)) == KEY.address
    assert l1_account(l1_headers(KEY, at=AT) | {"POLY_ADDRESS": KEY.address.lower()}) == KEY.address


def test_a_first_proof_without_a_nonce_means_nonce_0() -> None:
    headers = l1_headers(KEY, at=AT)
    del headers["POLY_NONCE"]
    assert l1_account(headers) == KEY.address


def test_no_bit_of_a_first_proof_may_flip() -> None:
    headers = l1_headers(KEY, at=AT)
    for flipped in flips(bytes.fromhex(headers["POLY_SIGNATURE"][2:])):
        assert l1_account(headers | {"POLY_SIGNATURE": f"0x{flipped.hex()}"}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"POLY_ADDRESS": STRANGER.address},
        {"POLY_ADDRESS": ""},
        {"POLY_ADDRESS": "0x12"},
        {"POLY_TIMESTAMP": "1795432242"},
        {"POLY_TIMESTAMP": "01795432241"},
        {"POLY_TIMESTAMP": ""},
        {"POLY_TIMESTAMP": "now"},
        {"POLY_NONCE": "1"},
        {"POLY_NONCE": "-1"},
        {"POLY_NONCE": str(2**256)},
        {"POLY_NONCE": "9" * 100_000},
        {"POLY_SIGNATURE": ""},
        {"POLY_SIGNATURE": "0x"},
        {"POLY_SIGNATURE": "0x" + "zz" * 65},
        {"POLY_SIGNATURE": "\ud800"},
    ],
)
def test_a_changed_first_proof_is_not_believed(changed: dict[str, str]) -> None:
    assert l1_account(l1_headers(KEY, at=AT) | changed) is None


def test_no_headers_prove_nothing() -> None:
    assert l1_account({}) is None
    assert not accepts({})


def test_a_stranger_cannot_claim_our_account() -> None:
    assert l1_account(l1_headers(STRANGER, at=AT) | {"POLY_ADDRESS": KEY.address}) is None


def test_a_request_is_believed() -> None:
    assert accepts(signed())
    assert accepts(signed() | {"POLY_ADDRESS": KEY.address.lower()})


def test_a_request_without_a_body_is_believed() -> None:
    headers = RequestSigner(CREDENTIALS, KEY.address).headers(at=AT, method="GET", path="/data/orders")
    assert accepts(headers, "GET", "/data/orders", b"")
    assert not accepts(headers, "GET", "/data/orders", b"{}")


def test_one_signer_signs_many_requests_alike() -> None:
    """The hash with the secret in it is copied for each request, never used up."""
    signer = RequestSigner(CREDENTIALS, KEY.address)
    first = signer.headers(at=AT, method="GET", path="/a")
    assert signer.headers(at=AT, method="GET", path="/b") != first
    assert signer.headers(at=AT, method="GET", path="/a") == first


@pytest.mark.parametrize(
    "changed",
    [
        {"POLY_ADDRESS": STRANGER.address},
        {"POLY_ADDRESS": ""},
        {"POLY_API_KEY": "9c0a4d4e-0000-4000-8000-000000000002"},
        {"POLY_API_KEY": ""},
        {"POLY_PASSPHRASE": "0123456789abcdee"},
        {"POLY_PASSPHRASE": "\ud800é"},
        {"POLY_TIMESTAMP": "1795432242"},
        {"POLY_TIMESTAMP": ""},
        {"POLY_TIMESTAMP": "-1"},
        {"POLY_SIGNATURE": ""},
        {"POLY_SIGNATURE": "A" * 43 + "="},
        {"POLY_SIGNATURE": "\ud800é"},
    ],
)
def test_a_changed_header_is_not_believed(changed: dict[str, str]) -> None:
    assert not accepts(signed() | changed)


def test_a_changed_request_is_not_believed() -> None:
    """Even by a byte that JSON would not tell apart: the venue hashes what it received."""
    assert not accepts(signed(), method="DELETE")
    assert not accepts(signed(), path="/orders")
    assert not accepts(signed(), path="/order\ud800")
    assert not accepts(signed(), body=b'{"it\'s": 1}')
    assert not accepts(signed(), body=b'{"it"s":1}')
    assert not accepts(signed(), body=b"")


def test_no_character_of_a_request_s_signature_may_change() -> None:
    headers = signed()
    signature = headers["POLY_SIGNATURE"]
    for place in range(len(signature)):
        other = "A" if signature[place] != "A" else "B"
        assert not accepts(headers | {"POLY_SIGNATURE": signature[:place] + other + signature[place + 1 :]})
    assert not accepts(headers | {"POLY_SIGNATURE": signature.rstrip("=")})


def test_a_request_under_another_secret_is_not_believed() -> None:
    other = Credentials(api_key=CREDENTIALS.api_key, secret="b3RoZXI=", passphrase=CREDENTIALS.passphrase)
    assert not accepts(RequestSigner(other, KEY.address).headers(at=AT, **REQUEST))  # type: ignore[arg-type]


def test_a_query_is_not_signed_by_mistake() -> None:
    with pytest.raises(ValueError, match="the query is not signed"):
        RequestSigner(CREDENTIALS, KEY.address).headers(at=AT, method="GET", path="/data/orders?id=1")


@pytest.mark.parametrize("secret", ["", "====", "no base64 !", "é", "A"])
def test_a_secret_that_is_no_base64_is_refused_without_being_repeated(secret: str) -> None:
    for use in (RequestSigner, RequestVerifier):
        with pytest.raises(InvalidCredentials) as refused:
            use(Credentials(api_key="key", secret=secret, passphrase="p"), KEY.address)
        assert len(secret) < 3 or secret not in str(refused.value)


def test_a_secret_is_read_with_and_without_padding_in_both_alphabets() -> None:
    raw = "--__--__abcdefg"
    proofs = {
        RequestSigner(Credentials(api_key="k", secret=secret, passphrase="p"), KEY.address).headers(
            at=AT, method="GET", path="/a"
        )["POLY_SIGNATURE"]
        for secret in (raw, raw + "=", raw.translate(str.maketrans("-_", "+/")) + "=")
    }
    assert len(proofs) == 1


def flips(raw: bytes) -> Iterator[bytes]:
    for place in range(len(raw)):
        for bit in range(8):
            yield raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
