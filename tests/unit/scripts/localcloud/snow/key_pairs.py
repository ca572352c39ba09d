"""A user's key pair, and the JWTs that are signed with it."""

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from scripts.localcloud.snow.identity.identity import Identities, fingerprint

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ROLE = "LOADER"
SUBJECT = "ACCT.EVSUP"
DAY_S = 86_400  # parameters are made when tests are collected, long before the last one runs
PRINT = fingerprint(KEY.public_key())


def register(identities: Identities) -> None:
    """Make the user known, in one role."""
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert identities.register("acct", "evsup", pem.decode(), [ROLE]) == PRINT


def jwt(key: rsa.RSAPrivateKey = KEY, algorithm: str = "RS256", **changed: Any) -> str:
    """A JWT of the user, or one that is wrong in what was changed."""
    claims = {"iss": f"{SUBJECT}.{PRINT}", "sub": SUBJECT, "iat": time.time(), "exp": time.time() + DAY_S} | changed
    claims = {name: claim for name, claim in claims.items() if claim is not None}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": algorithm}, claims)]
    signed = b".".join(parts)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
