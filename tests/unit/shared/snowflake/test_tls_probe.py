"""A login that fails without a reason is followed by a handshake, which shows whether the certificate is the reason."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from snowflake import connector

from scripts.localcloud.signing.certificate import make_certificate
from shared.errors import ConfigurationError, SnowflakeUnavailable
from shared.log.secret import Secret
from shared.snowflake.session import SqlSession
from tests.unit.plain_settings import snowflake
from tests.unit.shared.config.configurations import key

TIMED_OUT = "Failed to login: login timed out after 20s"  # all that 5.x reports of a certificate on a busy machine


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server that shakes hands once. Its authority is in `ca.pem`."""
    context = make_certificate(tmp_path, "127.0.0.1").server_context()
    with context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True) as listener:
        listener.settimeout(10)
        serving = threading.Thread(target=_shake_hands, args=(listener,))
        serving.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        serving.join()


def _shake_hands(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.accept()[0].close()


@pytest.fixture(autouse=True)
def _login_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(**_: object) -> None:
        raise connector.OperationalError(TIMED_OUT, errno=14, sqlstate="HYT00")

    monkeypatch.setattr(connector, "connect", connect)
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(variable, raising=False)


def _query(url: str, ca_file: Path | None) -> None:
    settings = snowflake(url=url, private_key=Secret(key()), ca_file=ca_file and str(ca_file))
    SqlSession(settings).query("SELECT 1")


def test_a_login_that_timed_out_over_an_untrusted_certificate_names_the_certificate_and_the_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"certificate of 127\.0\.0\.1:\d+ is not trusted.*SNOWFLAKE_CA_FILE"):
        _query(url, None)


def test_any_other_login_that_timed_out_is_an_unavailable_snowflake(url: str, tmp_path: Path) -> None:
    with pytest.raises(SnowflakeUnavailable, match="timed out"):
        _query(url, tmp_path / "ca.pem")
