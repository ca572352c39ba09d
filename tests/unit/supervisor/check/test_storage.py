"""The hosts of the stage are those that SYSTEM$ALLOWLIST names, and each has to answer a TLS handshake."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.localcloud.signing.certificate import Certificate, make_certificate
from shared.errors import SinkUnavailable
from supervisor.check.storage import Host, stage_hosts, storage_outcome

LISTED = """[
    {"type": "SNOWFLAKE_DEPLOYMENT", "host": "xy.snowflakecomputing.com", "port": 443},
    {"type": "STAGE", "host": "sfc.s3.us-west-2.amazonaws.com", "port": 443},
    {"type": "STAGE", "host": "sfc.s3.amazonaws.com", "port": "443"},
    {"type": "STAGE", "host": "sfc.s3.amazonaws.com", "port": 443},
    {"type": "OCSP_CACHE", "host": "ocsp.snowflakecomputing.com", "port": 80}
]"""


def test_only_hosts_of_type_stage_are_hosts_of_the_stage() -> None:
    assert stage_hosts(LISTED) == [Host("sfc.s3.us-west-2.amazonaws.com", 443), Host("sfc.s3.amazonaws.com", 443)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "{}", "[]", "[1]"),
        *('[{"host": "x"}]', '[{"type": "STAGE"}]', '[{"type": "STAGE", "host": "x", "port": "y"}]'),
    ],
)
def test_an_answer_that_names_no_stage_is_no_failure(text: str) -> None:
    assert not stage_hosts(text)
    assert storage_outcome(stage_hosts(text), None).verdict == "skipped"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, "127.0.0.1")


@pytest.fixture
def storage(certificate: Certificate) -> Iterator[Host]:
    """A server that answers handshakes, and fails when it gets a byte after one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = certificate.server_context()

        def serve() -> None:
            while True:
                try:
                    with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                        assert not peer.recv(1), "nothing is written"
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield Host("127.0.0.1", listener.getsockname()[1])


@pytest.fixture
def closed() -> Host:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Host("127.0.0.1", listener.getsockname()[1])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)


def test_a_stage_that_answers_is_ok(storage: Host, certificate: Certificate) -> None:
    outcome = storage_outcome([storage], str(certificate.ca_file))
    assert (outcome.verdict, outcome.detail) == ("ok", f"{storage} answers")


def test_a_stage_that_does_not_answer_fails_and_is_named(closed: Host) -> None:
    with pytest.raises(SinkUnavailable) as raised:
        storage_outcome([closed], None)
    assert f"{closed}: [Errno 111]" in raised.value.why
    assert "firewall" in raised.value.fix


def test_one_host_of_several_that_answers_is_enough(storage: Host, closed: Host, certificate: Certificate) -> None:
    outcome = storage_outcome([storage, closed], str(certificate.ca_file))
    assert outcome.verdict == "warn"
    assert str(closed) in outcome.detail
    assert str(storage) not in outcome.detail


def test_a_certificate_that_is_not_trusted_has_a_fix_of_its_own(storage: Host) -> None:
    with pytest.raises(SinkUnavailable) as raised:
        storage_outcome([storage], None)
    assert "certificate verify failed" in raised.value.why
    assert "SNOWFLAKE_CA_FILE" in raised.value.fix


def test_behind_a_proxy_the_hosts_are_named_and_not_tried(closed: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    outcome = storage_outcome([closed], None)
    assert outcome.verdict == "skipped"
    assert str(closed) in outcome.detail
