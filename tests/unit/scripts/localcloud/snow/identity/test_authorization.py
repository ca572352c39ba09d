"""Client credentials get an access token, which is good for one user and one role until it expires."""

import pytest

from scripts.localcloud.snow.http.refusal import ROLE_UNKNOWN, TOKEN_EXPIRED, TOKEN_INVALID, Refusal
from scripts.localcloud.snow.identity.identity import Identities
from tests.unit.scripts.localcloud.snow.key_pairs import SUBJECT

FORM = {
    "grant_type": "client_credentials",
    "client_id": "evsup",
    "client_secret": "c4nary",
    "scope": "session:role:LOADER",
}


def token_of(identities: Identities, subject: str = SUBJECT, **changes: str) -> str:
    identities.authorization.register("evsup", "c4nary", subject, ["session:role:LOADER", "session:role:OTHER"])
    return str(identities.authorization.grant(FORM | changes)["access_token"])


def test_an_access_token_signs_its_user_in(identities: Identities) -> None:
    assert identities.login_by_token(token_of(identities)).user.subject == SUBJECT
    assert identities.login_by_token(token_of(identities), "acct.evsup", "loader").user.subject == SUBJECT


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "session:role:ACCOUNTADMIN"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_any_other_form_is_refused(identities: Identities, changes: dict[str, str], error: str) -> None:
    with pytest.raises(Refusal) as caught:
        token_of(identities, **changes)
    assert caught.value.code == error


def test_an_access_token_is_good_for_its_own_user_and_role_alone(identities: Identities) -> None:
    good, foreign = token_of(identities), token_of(Identities())
    for token, subject, role, code in (
        (good, "ACCT.OTHER", "LOADER", TOKEN_INVALID),
        (good, SUBJECT, "OTHER", ROLE_UNKNOWN),
        (token_of(identities, scope="session:role:OTHER"), SUBJECT, "OTHER", ROLE_UNKNOWN),
        (token_of(identities, "ACCT.NOBODY"), None, "", TOKEN_INVALID),
        (foreign, SUBJECT, "LOADER", TOKEN_INVALID),
        ("", SUBJECT, "LOADER", TOKEN_INVALID),
    ):
        with pytest.raises(Refusal) as caught:
            identities.login_by_token(token, subject, role)
        assert caught.value.code == code


def test_an_access_token_expires(identities: Identities) -> None:
    token = token_of(identities)
    identities.authorization.tokens.expire()
    with pytest.raises(Refusal) as caught:
        identities.login_by_token(token)
    assert caught.value.code == TOKEN_EXPIRED
    assert identities.login_by_token(token_of(identities)).user.subject == SUBJECT
