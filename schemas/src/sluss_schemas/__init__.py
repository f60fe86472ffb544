"""What both sides of Sluss agree on: identifiers, code lists, forms, wire structures and the secrecy policy.

This package holds no key that opens anything and no code that could: of cryptography it knows hashes and Ed25519
verification, nothing else.
It does no I/O but reading the packs that it ships, and asks for no time and no randomness.
"""

__version__ = "0.1.0"
