"""A secret is never printed, and texts of others lose theirs."""

import json
import pickle
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.log import secret
from shared.log.secret import Secret, mask, names_a_secret, remember, remember_all

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
        f"evsup:{CANARY}@127.0.0.1:5671",
        f"EVENTHUB_CUSTOM_ENDPOINT=evsup:pa/{CANARY}@[::1]:5671",
        f"https://login.example/token?code={CANARY}&x=1",
        f"https://account.example/?x=1&token={CANARY}",
        f"token={CANARY}",
        f'{{"token" : "{CANARY}", "masterToken": "{CANARY}"}}',
        f"Proxy-Authorization: Basic {CANARY}",
        f"b'GET / HTTP/1.1\\r\\nAuthorization: Basic {CANARY}\\r\\nHost: x'",
        f"{{'authorization': 'Basic {CANARY}'}}",
        f'{{"Authorization": "Snowflake Token=\\"{CANARY}\\""}}',
        f'Authorization: Snowflake Token="{CANARY}"',
        f'with Snowflake Token="{CANARY}"',
        f"access-token: {CANARY}",
        f"x-api-key: {CANARY}",
        f"api-key={CANARY}",
        f"AWS_SECRET_ACCESS_KEY={CANARY}",
        f"https://a.example/?next=https%3A%2F%2Fns%2Fhub%3Fsr%3Da%26sig%3D{CANARY}%26se%3D1",
        f"https://a.example/?next=hub%253Fsig%253D{CANARY}",
        f"next=x%3Faccess_token%3D{CANARY}",
        f'"password" => "{CANARY}"',
        f":password=>'{CANARY}'",
        f"password := {CANARY}",
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
        "sb://ns.servicebus.windows.net:5671/hub, mail to: somebody@example.com",
        "https://login.example/oauth2/v2.0/token?p=B2C_1_signin",
        "SQL compilation error: unexpected token: 'x', offset_token=17, committed token 5",
        "This needs basic authorization, and SharedAccessKeyName=listen",
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


@pytest.mark.parametrize(
    "credential",
    [
        CANARY,
        f"Endpoint=sb://ns/;SharedAccessKeyName=listen;SharedAccessKey={CANARY};EntityPath=e",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={CANARY};EndpointSuffix",
        f"postgresql://evsup:{CANARY}@db.example:5432/evsup",
        f"host=db password='{CANARY}' dbname=evsup",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}\nMIIEvQ\n-----END PRIVATE KEY-----\n",
    ],
)
def test_a_credential_that_is_known_is_masked_with_nothing_around_it_that_would_say_so(credential: str) -> None:
    remember(credential)
    assert mask(f"cannot use {CANARY} here") == "cannot use *** here"
    assert mask("evsup at db.example, ns and listen") == "evsup at db.example, ns and listen"


def test_a_password_is_masked_as_it_was_typed_and_as_it_is_meant() -> None:
    remember("postgresql://evsup:pa%2Fss%40word@db/evsup")
    assert mask("pa%2Fss%40word pa/ss@word") == "*** ***"


@pytest.mark.parametrize(
    "encoded", ["a%2Fb%2Bcanary%3D%3D", "a%2fb%2bcanary%3d%3d", "a/b%2Bcanary%3D%3D", "a/b+canary=%3D"]
)
def test_a_credential_that_is_known_is_masked_percent_encoded_in_whichever_way(encoded: str) -> None:
    remember("a/b+canary==")
    assert "canary" not in mask(f"GET /x?y={encoded}&z=1%20 of host")
    assert mask(f"GET /x?y={encoded}&z=1%20 of host").endswith("&z=1%20 of host")


def test_of_the_environment_credentials_are_known_by_their_names_and_by_what_is_in_them() -> None:
    remember_all(
        {"AZURE_CLIENT_SECRET": "client-canary", "HTTPS_PROXY": "http://me:proxy-canary@proxy", "PWD": "/a/dir-name"}
    )
    assert mask("client-canary proxy-canary /a/dir-name") == "*** *** /a/dir-name"


def test_every_value_of_headers_for_a_collector_is_a_credential_as_it_was_typed_and_as_it_is_sent() -> None:
    remember_all(
        {
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=canary-one, authorization=Basic%20canary%2Ftwo",
            "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "x=canary-three",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318",
        }
    )
    said = "canary-one canary%2Ftwo canary/two canary-three"
    assert mask(f"{said} api-key collector.example:4318") == "*** *** *** *** api-key collector.example:4318"


def test_a_credential_that_begins_or_stands_in_another_uncovers_nothing_of_it() -> None:
    for credential in ("canary22x", "canary22x-prod-tail", "head-canary22x-tail"):
        remember(credential)
    assert mask("canary22x canary22x-prod-tail head-canary22x-tail") == "*** *** ***"


def test_a_credential_too_short_to_differ_from_a_word_is_not_remembered_and_the_oldest_are_forgotten() -> None:
    for number in range(3 * secret.MOST_KNOWN):
        remember(f"short{number % 10}")
        remember(f"credential-{number}-{CANARY}")
    first, last = (f"credential-{number}-{CANARY}" for number in (0, 3 * secret.MOST_KNOWN - 1))
    assert [mask("short1"), mask(first), mask(last)] == ["short1", first, "***"]


# Each was a text on which a pattern looked at the same stretch again and again.
SHAPES = [
    "-eyJaaaaaaaa",
    ",a:",
    "(a:",
    "\x00a:",
    ";a:1",
    "k1:1,",
    '{"a":"b","c":"d:e"},',
    '-----BEGIN PRIVATE KEY-----"',
    "-----BEGIN PRIVATE KEY-----a-----END ",
    "password=\"'",
    "password=\\",
    "authorization: ",
    "://a:",
    "a@",
    "%25",
    "=>",
    "sig",
    " ",
    "a",
    "-",
]
MASKS_S = 0.4  # of 128 KiB: some 25 ms when the time is in proportion to the length, and more than 1 s when it is not


def seconds_to_mask(text: str) -> float:
    began_s = time.process_time()
    mask((text * (128 * 1024))[: 128 * 1024])
    return time.process_time() - began_s


@pytest.mark.parametrize("shape", SHAPES)
def test_a_long_line_of_any_shape_is_masked_in_no_time(shape: str) -> None:
    assert seconds_to_mask(shape) < MASKS_S


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([*SHAPES, "-----BEGIN ", "eyJaaaaaaaa.", "token=", '"', "\n", ".", ":"]), min_size=1))
def test_a_long_line_of_mixed_shapes_is_masked_in_no_time(shapes: list[str]) -> None:
    assert seconds_to_mask("".join(shapes)) < MASKS_S
    assert seconds_to_mask("".join(shapes) + " ") < MASKS_S


def test_a_token_after_dashes_and_a_key_before_another_are_masked() -> None:
    assert mask("-x-eyJhbGciOiJSUzI1.abc.def") == "-x-***"
    assert mask("x-eyJhbGciOiJSUzI1-eyJhbGciOiJSUzI1.abc") == "x-***"
    assert mask("eyJhbGciOiJSUzI1.abc.def;eyJhbGciOiJSUzI1.abc") == "***;***"
    block = f"-----BEGIN PRIVATE KEY-----\n{{{CANARY}}}\n"
    assert CANARY not in mask(f"{block}{block}-----END PRIVATE KEY-----")
