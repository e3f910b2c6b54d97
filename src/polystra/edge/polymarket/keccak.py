"""The hash of the chain: Keccak-256 with the padding it had before SHA-3 was standardised, which hashlib lacks.

An order needs three of them. `safe-pysha3` (C) takes 0.6 to 1.6 µs each but has wheels for Linux alone; elsewhere
`pycryptodome` stands in, about three times slower. Both are compared in the tests.
"""

try:
    from sha3 import keccak_256 as _keccak_256

    IMPLEMENTATION = "safe-pysha3"

    def keccak256(data: bytes) -> bytes:
        """The 32 bytes of the hash."""
        digest: bytes = _keccak_256(data).digest()
        return digest

except ImportError:
    from Crypto.Hash import keccak as _keccak

    IMPLEMENTATION = "pycryptodome"

    def keccak256(data: bytes) -> bytes:
        """The 32 bytes of the hash."""
        digest: bytes = _keccak.new(digest_bits=256, data=data).digest()
        return digest
