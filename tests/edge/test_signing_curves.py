"""The quick parts and what stands in for them give the same bits."""

import hashlib
import subprocess
import sys
from random import Random

import pytest

from polystra.edge.polymarket import fast_curve, keys, slow_curve
from polystra.edge.polymarket.keccak import IMPLEMENTATION, keccak256
from tests.edge.signing_cases import KEY, SECRET

ORDER_OF_THE_CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_the_hash_of_the_chain_is_not_sha3() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"") != hashlib.sha3_256(b"").digest()


def test_both_hashes_agree_at_every_length() -> None:
    other = pytest.importorskip("Crypto.Hash.keccak")
    for length in range(300):
        data = bytes(number % 251 for number in range(length))
        assert keccak256(data) == other.new(digest_bits=256, data=data).digest()


def test_plain_python_signs_and_recovers_like_libsecp256k1() -> None:
    random = Random(5)
    secrets = [
        1,
        2,
        ORDER_OF_THE_CURVE - 1,
        ORDER_OF_THE_CURVE // 2,
        *(random.randrange(1, ORDER_OF_THE_CURVE) for _ in range(40)),
    ]
    digests = [
        bytes(32),
        b"\xff" * 32,
        ORDER_OF_THE_CURVE.to_bytes(32, "big"),
        *(random.randbytes(32) for _ in range(40)),
    ]
    for secret, digest in zip(secrets, [*digests, digests[0]], strict=True):
        raw = secret.to_bytes(32, "big")
        signature = slow_curve.signer(raw)(digest)
        assert signature == fast_curve.signer(raw)(digest)
        assert slow_curve.public_key(raw) == fast_curve.public_key(raw)
        assert (
            slow_curve.recover(signature, digest) == fast_curve.recover(signature, digest) == slow_curve.public_key(raw)
        )


def test_plain_python_recovers_nothing_where_libsecp256k1_does_not() -> None:
    random = Random(6)
    signature = fast_curve.signer(SECRET)(b"\5" * 32)
    broken = [
        bytes(64) + b"\0",
        b"\xff" * 64 + b"\0",
        signature[:64] + b"\4",
        signature[:64] + b"\2",
        bytes(32) + signature[32:],
        signature[:32] + bytes(32) + signature[64:],
        *(random.randbytes(64) + bytes([random.randrange(4)]) for _ in range(40)),
    ]
    found = [slow_curve.recover(one, b"\5" * 32) for one in broken]
    assert found == [fast_curve.recover(one, b"\5" * 32) for one in broken]
    assert found.count(None) > 10
    assert set(found) != {None}


def test_signatures_are_those_of_rfc_6979() -> None:
    """The vector of key 1 and the SHA-256 of `Satoshi Nakamoto` that wallets share."""
    digest = hashlib.sha256(b"Satoshi Nakamoto").digest()
    signature = keys.SigningKey((1).to_bytes(32, "big")).sign(digest)
    assert signature.hex()[:128] == (
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    )


def test_without_the_quick_parts_one_line_says_so_and_the_signature_is_the_same() -> None:
    code = (
        "import sys; sys.modules['coincurve'] = sys.modules['sha3'] = None\n"
        "from polystra.edge.polymarket import keccak, keys\n"
        "from polystra.edge.polymarket import auth, signing\n"
        f"key = keys.SigningKey(bytes.fromhex({SECRET.hex()!r}))\n"
        "print(keys.CURVE, keccak.IMPLEMENTATION, key.sign(b'\\x05' * 32).hex(), sep='; ')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"plain Python; pycryptodome; {KEY.sign(bytes([5]) * 32).hex()}"
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "coincurve is not installed" in ran.stderr


def test_the_quick_parts_are_in_use_here() -> None:
    """Where there are no wheels of them (see above) this test is the one to be skipped, by name."""
    if sys.version_info >= (3, 14) or sys.platform != "linux":
        pytest.skip("no wheels of coincurve or safe-pysha3 for this interpreter")
    assert (keys.CURVE, IMPLEMENTATION) == ("coincurve", "safe-pysha3")
