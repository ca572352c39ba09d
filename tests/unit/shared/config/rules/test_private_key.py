"""The private key that signs in to Snowflake: where it comes from, and what is wrong with it."""

from pathlib import Path

import pytest

from tests.unit.shared.config.configurations import (
    PASSPHRASE,
    KeyKind,
    complete,
    fault_text,
    key,
    loaded,
)


def with_one_wrong_character(pem: str, line: int) -> str:
    lines = pem.splitlines()
    lines[line] = lines[line][:20] + ("A" if lines[line][20] != "A" else "B") + lines[line][21:]
    return "\n".join(lines)


def keyed(path: Path, text: str, **changes: str) -> dict[str, str]:
    path.write_text(text)
    path.chmod(0o600)
    return complete(SNOWFLAKE_PRIVATE_KEY="", SNOWFLAKE_PRIVATE_KEY_FILE=str(path), **changes)


def test_both_sources_of_the_key_at_once_are_refused(tmp_path: Path) -> None:
    environ = keyed(tmp_path / "key.p8", key()) | {"SNOWFLAKE_PRIVATE_KEY": key()}
    assert "drop one of the two" in fault_text(environ)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ec", "not an RSA key"),
        ("weak", "has 1024 bits"),
        ("public", "the private one is needed"),
    ],
)
def test_a_key_that_snowflake_refuses_is_refused_first(kind: KeyKind, reason: str, tmp_path: Path) -> None:
    assert reason in fault_text(keyed(tmp_path / "key.pem", key(kind)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a password", "is not PEM"),
        (key()[:300], "ends before its last line"),
        (key().replace(key().splitlines()[7], ""), "part of it is missing or changed"),
        (with_one_wrong_character(key(), line=3), "part of it is missing or changed"),
        (with_one_wrong_character(key(), line=12), "part of it is missing or changed"),
        (with_one_wrong_character(key(), line=24), "part of it is missing or changed"),
        ("\N{SNOWMAN}", "is not PEM"),
        (key().replace(key().splitlines()[3], "abc…"), "'\\u2026' in line 4"),
        (key().replace("-----BEGIN", "—BEGIN"), "five hyphens at each end"),
        (key() + key(), "more than one private key"),
        ("/etc/evsup/rsa_key.p8", "belongs in SNOWFLAKE_PRIVATE_KEY_FILE"),
        ("ssh-rsa AAAAB3 me@here", "a public key of OpenSSH"),
        ("PuTTY-User-Key-File-3: ssh-rsa", "in PuTTY's format"),
        ('{"type": "service_account"}', "is JSON"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\n-----END OPENSSH PRIVATE KEY-----", "ssh-keygen -p -m PKCS8"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "is a certificate"),
    ],
)
def test_a_damaged_key_is_refused_without_quoting_it(text: str, reason: str, tmp_path: Path) -> None:
    said = fault_text(keyed(tmp_path / "key.pem", text))
    assert reason in " ".join(said.split())
    assert key()[200:220] not in said


def test_a_key_file_must_be_a_readable_file(tmp_path: Path) -> None:
    environ = complete(SNOWFLAKE_PRIVATE_KEY="")
    assert "no such file" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": "nowhere"})
    assert "is a directory" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": str(tmp_path)})
    assert "cannot be read: File name too long" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": "n" * 300})
    assert "is a pipe or a device" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_FILE": "/dev/null"})


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path) -> None:
    environ = keyed(tmp_path / "key.p8", key("encrypted"))
    assert "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE\n      is required" in fault_text(environ)
    assert "does not open" in fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "wrong"})
    assert fault_text(environ | {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": PASSPHRASE}) == ""


def test_a_key_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    environ = keyed(path, key())
    path.chmod(0o644)
    (warning,) = loaded(**environ).warnings
    assert f"chmod 600 {path}" in warning
