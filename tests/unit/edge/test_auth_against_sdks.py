"""Our proofs beside those of both official clients."""

import base64
from random import Random

from polystra.core.units import Instant
from polystra.edge.polymarket.auth import Credentials, RequestSigner, l1_account, l1_headers
from polystra.edge.polymarket.contracts import CHAIN
from polystra.edge.polymarket.keys import SigningKey
from tests.edge.signing_cases import official

SECOND = 1_000_000_000


def test_the_first_proof_is_that_of_both_clients() -> None:
    first, accounts = official("polymarket._internal.l1_auth"), official("eth_account").Account
    second, signers = official("py_clob_client_v2.headers.headers"), official("py_clob_client_v2.signer")
    random = Random(1)
    for _ in range(50):
        secret = random.randrange(1, 2**255).to_bytes(32, "big")
        seconds, nonce = random.randrange(10**10), random.choice((0, 1, random.randrange(2**256)))
        ours = l1_headers(SigningKey(secret), at=Instant(seconds * SECOND + random.randrange(SECOND)), nonce=nonce)
        theirs = first.sign_api_key_auth(accounts.from_key(secret), chain_id=CHAIN, timestamp=seconds, nonce=nonce)
        assert ours == {
            "POLY_ADDRESS": theirs.address,
            "POLY_SIGNATURE": theirs.signature,
            "POLY_TIMESTAMP": str(theirs.timestamp),
            "POLY_NONCE": str(theirs.nonce),
        }
        assert ours == second.create_level_1_headers(signers.Signer(f"0x{secret.hex()}", CHAIN), nonce, seconds)
        assert l1_account(ours) == theirs.address


def test_a_request_s_proof_is_that_of_both_clients() -> None:
    """The older client turns ' into \" before it hashes, so bodies with one are left to the test of raw bytes."""
    first = official("polymarket._internal.hmac")
    second, signers = official("py_clob_client_v2.headers.headers"), official("py_clob_client_v2.signer")
    types = official("py_clob_client_v2.clob_types")
    random = Random(2)
    for number in range(200):
        secret = base64.urlsafe_b64encode(random.randbytes(random.choice((31, 32, 33)))).decode()
        credentials = Credentials(api_key=f"key-{number}", secret=secret, passphrase=f"pass-{number}")
        key = random.randrange(1, 2**255).to_bytes(32, "big")
        seconds, method = random.randrange(10**10), random.choice(("GET", "POST", "DELETE"))
        body = random.choice(("", '{"orderID":"0x12"}', '{"ü":"€"}'))
        ours = RequestSigner(credentials, SigningKey(key).address).headers(
            at=Instant(seconds * SECOND), method=method, path="/data/orders", body=body.encode()
        )
        assert ours["POLY_SIGNATURE"] == first.build_hmac_signature(
            secret=secret, timestamp=seconds, method=method, path="/data/orders", body=body or None
        )
        assert ours == second.create_level_2_headers(
            signers.Signer(f"0x{key.hex()}", CHAIN),
            types.ApiCreds(f"key-{number}", secret, f"pass-{number}"),
            types.RequestArgs(method=method, request_path="/data/orders", serialized_body=body or None),
            seconds,
        )
