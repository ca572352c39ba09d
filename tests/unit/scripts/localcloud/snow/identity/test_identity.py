"""A key-pair JWT is accepted from its user alone, and a scoped token until it expires."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from scripts.localcloud.snow.http.refusal import JWT_INVALID, ROLE_UNKNOWN, TOKEN_EXPIRED, TOKEN_INVALID, Refusal
from scripts.localcloud.snow.identity.identity import Caller, Identities, fingerprint
from tests.unit.scripts.localcloud.snow.key_pairs import DAY_S, SUBJECT, jwt

HOUR_S = 3600
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize("exp", [time.time() + DAY_S, (time.time() + DAY_S) * 1000], ids=["seconds", "milliseconds"])
def test_a_signed_jwt_is_accepted(identities: Identities, exp: float) -> None:
    assert identities.login(jwt(exp=exp, scp="session:role:LOADER")).user.subject == SUBJECT


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (jwt(STRANGER), JWT_INVALID),
        (jwt(algorithm="none"), JWT_INVALID),
        (jwt(sub="ACCT.OTHER"), JWT_INVALID),
        (jwt(iss=f"{SUBJECT}.{fingerprint(STRANGER.public_key())}"), JWT_INVALID),
        (jwt(exp=time.time() - 3600), JWT_INVALID),
        (jwt(exp=None), JWT_INVALID),
        (jwt(iat=None), JWT_INVALID),
        (jwt(iat=time.time() - 2 * HOUR_S), JWT_INVALID),
        (jwt(iat=time.time() + HOUR_S), JWT_INVALID),
        ("", JWT_INVALID),
        (jwt(scp="session:role:OTHER"), ROLE_UNKNOWN),
    ],
)
def test_any_other_jwt_is_refused(identities: Identities, token: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        identities.login(token)
    assert (caught.value.status, caught.value.code) == (401, code)


@pytest.mark.parametrize(
    ("subject", "role", "code"), [("ACCT.OTHER", "", JWT_INVALID), ("acct.evsup", "ACCOUNTADMIN", ROLE_UNKNOWN)]
)
def test_a_jwt_is_good_for_its_own_user_and_a_granted_role_alone(
    identities: Identities, subject: str, role: str, code: str
) -> None:
    assert identities.login(jwt(), "acct.evsup", "LOADER").user.name == "EVSUP"
    with pytest.raises(Refusal) as caught:
        identities.login(jwt(), subject, role)
    assert caught.value.code == code


def test_a_scoped_token_is_accepted_until_it_expires(identities: Identities) -> None:
    caller = identities.login(jwt(scp="session:role:loader"))
    token = identities.issue(caller, "host")
    assert identities.admit(token) == caller == Caller(caller.user, "LOADER")
    identities.scoped.expire()
    with pytest.raises(Refusal) as caught:
        identities.admit(token)
    assert caught.value.code == TOKEN_EXPIRED
    identities.scoped.lifetime_s = -1
    with pytest.raises(Refusal) as caught:
        identities.admit(identities.issue(identities.login(jwt()), "host"))
    assert caught.value.code == TOKEN_EXPIRED


def test_a_token_of_anybody_else_is_invalid(identities: Identities) -> None:
    foreign = Identities().issue(identities.login(jwt()), "host")
    for token in (foreign, jwt(), "a.b.c", ""):
        with pytest.raises(Refusal) as caught:
            identities.admit(token)
        assert caught.value.code == TOKEN_INVALID
