"""A secret is never printed, and texts of others lose theirs."""

import json
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secret import Secret, mask, names_a_secret

CANARY = "Xq7canary=="


def test_a_secret_shows_nothing_of_itself() -> None:
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]} %s" % secret
    assert secret.reveal() == CANARY


def test_a_secret_does_not_travel() -> None:
    with pytest.raises(TypeError, match="does not travel"):
        pickle.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        json.dumps(Secret(CANARY))
    with pytest.raises(TypeError):
        msgspec.json.encode(Secret(CANARY))


def test_secrets_compare_by_what_they_hold_and_empty_ones_are_false() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")


@pytest.mark.parametrize(
    "text",
    [
        f"Endpoint=sb://ns/;SharedAccessKeyName=listen;SharedAccessKey={CANARY};EntityPath=e",
        f"CBS: SharedAccessSignature sr=sb%3a%2f%2fns%2f&sig={CANARY}&se=1700000000&skn=listen",
        f"https://ns/hub?sr=a&sig={CANARY}&se=1",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n",
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"b'-----BEGIN ENCRYPTED PRIVATE KEY-----\\n{CANARY}\\n",
        f"Authorization: Bearer {CANARY}",
        f"token eyJ0eXAiOiJKV1QifQ.{CANARY.rstrip('=')}.x",
        f'could not connect to "postgresql://evsup:{CANARY}@db.example:5432/evsup"',
        f"postgresql://evsup:pa@{CANARY}@db/evsup",
        f"host=db user=evsup password={CANARY} dbname=evsup",
        f"host=db password='it\\'s {CANARY}'",
        f"host=db password=a\\ {CANARY}",
        f"{{'private_key_passphrase': '{CANARY}'}}",
        f'{{"oauth_client_secret": "a\\"{CANARY}", "x": 1}}',
        f'"{{\\"password\\": \\"{CANARY}\\"}}"',
        f"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE={CANARY}",
        f"AccountKey={CANARY};EndpointSuffix=core.windows.net",
    ],
)
def test_a_secret_in_somebody_s_text_is_masked(text: str) -> None:
    assert CANARY.rstrip("=") not in mask(text)
    assert "***" in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "partition 3: committed token 123 above the checkpoint 120",
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;EntityPath=flights",
        "https://myorg-myaccount.snowflakecomputing.com:443/v2/streaming",
        "SNOWFLAKE_PRIVATE_KEY_FILE=/etc/evsup/rsa_key.p8",
        'FATAL: password authentication failed for user "evsup"',
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_evidence_stays(text: str) -> None:
    assert mask(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert mask(f"host=db password={CANARY} dbname=evsup") == "host=db password=*** dbname=evsup"
    assert mask(f"amqps://u:{CANARY}@ns:5671/hub") == "amqps://u:***@ns:5671/hub"


@given(st.text())
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_names_of_credentials_are_known() -> None:
    assert names_a_secret("oauth_client_secret")
    assert names_a_secret("PGPASSWORD")
    assert not names_a_secret("private_key_file")
    assert not names_a_secret("offset_token")
