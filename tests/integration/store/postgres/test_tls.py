"""Postgres over TLS with `verify-full`: the right server is accepted, any other gives one clear error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.localcloud.daemon import HOST
from scripts.localcloud.postgres import Postgres
from scripts.localcloud.signing.certificate import make_certificate
from scripts.localcloud.tls import TlsFront
from shared.config.settings import ControlSettings
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.errors import ConfigurationError, EvsupError, ExitCode
from shared.log.secret import Secret
from shared.model import Term
from tests.harness.pipeline import Pipeline
from tests.integration.conftest import EXPIRATION_S, a_group


@pytest.fixture(scope="module")
def front(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    with TlsFront(tmp_path_factory.mktemp("tls"), postgres.port, asks_first=True) as made:
        yield made


@contextmanager
def reached(postgres: Postgres, port: int, ca_file: Path, host: str = HOST) -> Iterator[ControlStore]:
    """The store under a DSN with sslmode=verify-full."""
    address = postgres.dsn.replace(f"{HOST}:{postgres.port}", f"{host}:{port}")
    dsn = Secret(f"{address}?sslmode=verify-full&sslrootcert={ca_file}")
    store = open_store(ControlSettings(store="postgres", postgres_dsn=dsn), a_group(), EXPIRATION_S)
    try:
        yield store
    finally:
        store.close()


def refusal(store: ControlStore) -> EvsupError:
    with pytest.raises(EvsupError) as caught:
        store.check()
    error = caught.value
    assert type(error) is ConfigurationError
    assert error.exit_code is ExitCode.CONFIGURATION
    assert "sslrootcert" in error.fix
    return error


def test_the_owner_of_the_certificate_is_accepted(postgres: Postgres, front: TlsFront) -> None:
    with reached(postgres, front.port, front.ca_file) as store:
        store.initialise()
        assert store.claim("0", "a", EXPIRATION_S) == Term("0", "a", 1)


def test_another_authority_is_a_configuration_error(postgres: Postgres, front: TlsFront, tmp_path: Path) -> None:
    other = make_certificate(tmp_path, HOST)
    with reached(postgres, front.port, other.ca_file) as store:
        assert "certificate verify failed" in refusal(store).why


def test_another_host_name_is_a_configuration_error(postgres: Postgres, front: TlsFront) -> None:
    with reached(postgres, front.port, front.ca_file, "localhost") as store:
        assert "does not match host name" in refusal(store).why


def test_a_missing_file_of_authorities_is_a_configuration_error(
    postgres: Postgres, front: TlsFront, tmp_path: Path
) -> None:
    with reached(postgres, front.port, tmp_path / "nothing.pem") as store:
        assert "nothing.pem" in refusal(store).why


def test_a_server_without_tls_is_refused_and_not_spoken_to_in_clear(postgres: Postgres, front: TlsFront) -> None:
    with reached(postgres, postgres.port, front.ca_file) as store:
        assert "does not support SSL" in refusal(store).why


def test_a_start_over_a_connection_that_is_not_verified_ends_with_78_and_one_line(
    pipeline: Pipeline, postgres: Postgres, front: TlsFront, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path, HOST)
    dsn = postgres.dsn.replace(f":{postgres.port}/", f":{front.port}/")
    dsn += f"?sslmode=verify-full&sslrootcert={other.ca_file}"
    done = pipeline.run("start", CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=dsn)
    assert done.returncode == 78
    assert "certificate verify failed" in done.stderr.splitlines()[-1]
    assert postgres.password not in done.stderr
