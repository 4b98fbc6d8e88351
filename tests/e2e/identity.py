"""An owner who is known by his key."""

import base64
import datetime
import hashlib
import json
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def client_identity(folder):
    """A key and a self-signed certificate for it: what an owner makes for himself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clinic")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
                   .sign(key, hashes.SHA256()))
    pem = pathlib.Path(folder) / f"{os.urandom(4).hex()}.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                          serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM))
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return str(pem), base64.b64encode(hashlib.sha256(spki).digest()).decode()


def configuration(folder, owner="clinic", **settings):
    """The file that configures a server in `folder`, and the certificate of its owner."""
    certificate, digest = client_identity(folder)
    path = pathlib.Path(folder) / "cloister.json"
    path.write_text(json.dumps({
        "store": str(path.parent / "store"), "listen_port": 0, "platform": "simulated",
        "allow_swap": True, "owner": {"name": owner, "key_sha256": digest}, **settings}))
    return path, certificate
