"""Seals models as docs/sealed-models.md has it, with nothing of Cloister's: RFC 9180 by hand."""

import hashlib
import hmac
import struct
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CHUNK = 1 << 20
KEM = b"KEM" + struct.pack(">H", 0x0020)
SUITE = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0002)


def _extract(suite, salt, label, secret):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, "sha256")


def _expand(suite, key, label, info, length):
    text = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, text + b"\x01", "sha256")[:length]  # one block is all that is asked


def _raw(public_key):
    return public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _context(recipient, info):
    """(encapsulated key, key, base nonce)"""
    ephemeral = X25519PrivateKey.generate()
    encapsulated = _raw(ephemeral.public_key())
    agreed = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    shared = _expand(KEM, _extract(KEM, b"", b"eae_prk", agreed), b"shared_secret",
                     encapsulated + recipient, 32)
    schedule = (b"\x00" + _extract(SUITE, b"", b"psk_id_hash", b"")
                + _extract(SUITE, b"", b"info_hash", info))
    secret = _extract(SUITE, shared, b"secret", b"")
    return (encapsulated, _expand(SUITE, secret, b"key", schedule, 32),
            _expand(SUITE, secret, b"base_nonce", schedule, 12))


def _cbor_head(major, value):
    for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * size:
            return bytes([major << 5 | code]) + value.to_bytes(size, "big")
    raise OverflowError(value)


def _cbor(value):
    if isinstance(value, int):
        return _cbor_head(0, value)
    if isinstance(value, bytes):
        return _cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return _cbor_head(3, len(value.encode())) + value.encode()
    entries = sorted((_cbor(key), _cbor(each)) for key, each in value.items())
    return _cbor_head(5, len(entries)) + b"".join(key + each for key, each in entries)


def seal(recipient, model, owner, name, version=1, expires_in=3600, policy=None):
    """A sealed model for the X25519 key `recipient` (32 bytes)."""
    header = _cbor({"format": 1, "owner": owner, "name": name, "version": version,
                    "expires": int(time.time()) + expires_in, "size": len(model),
                    "sha256": hashlib.sha256(model).digest(), "policy": policy or {}})
    encapsulated, key, nonce = _context(recipient, b"cloister sealed model 1" + header)
    cipher = AESGCM(key)
    file = b"CLSTSEAL" + encapsulated + struct.pack("<I", len(header)) + header
    for number, start in enumerate(range(0, len(model), CHUNK)):
        last = b"\x01" if start + CHUNK >= len(model) else b"\x00"
        counted = (int.from_bytes(nonce, "big") ^ number).to_bytes(12, "big")
        file += cipher.encrypt(counted, model[start:start + CHUNK], last)
    return file
