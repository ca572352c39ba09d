"""The roles of docs/postgres.md: its statements are run, and grant exactly what evsup needs."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from scripts.localcloud.cloud import CloudSettings
from scripts.localcloud.daemon import HOST
from scripts.localcloud.postgres import Postgres
from shared.config.settings import ControlSettings
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.errors import NotPermitted
from shared.log.secret import Secret
from shared.model import Checkpoint, SupervisorRow
from tests.harness.pipeline import pipeline_of
from tests.integration.conftest import EXPIRATION_S, a_group

PAGE = Path(__file__).parents[4] / "docs" / "postgres.md"
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
ROLES, GRANTS, FOR_OPERATORS = (block.strip().rstrip(";").split(";\n") for block in BLOCKS)
PRIVILEGES = [
    (privilege, table)
    for grant in GRANTS
    if (parsed := re.fullmatch(r"GRANT (.*) ON (.*) TO evsup", grant))
    for table in parsed[2].split(", ")
    for privilege in parsed[1].split(", ")
]


@dataclass
class Installation:
    """A server that was set up as the page says."""

    server: Postgres

    def dsn(self, role: str) -> str:
        password = {"evsup_owner": "choose one", "evsup": "choose another"}[role]
        return f"host={HOST} port={self.server.port} dbname=evsup user={role} password='{password}'"

    def store(self, role: str) -> ControlStore:
        settings = ControlSettings(store="postgres", postgres_dsn=Secret(self.dsn(role)))
        return open_store(settings, a_group(), EXPIRATION_S)

    def as_owner(self, *statements: str) -> None:
        with psycopg.connect(self.dsn("evsup_owner"), autocommit=True) as session:
            for statement in statements:
                session.execute(statement.encode())


def set_up(server: Postgres) -> Installation:
    made = Installation(server)
    server.execute(*ROLES)
    with closing(made.store("evsup_owner")) as store:
        store.initialise()
    made.as_owner(*GRANTS)
    return made


@pytest.fixture(scope="module")
def installation(open_directory: Path) -> Iterator[Installation]:
    with Postgres(open_directory / "roles") as server:
        yield set_up(server)


def a_life(store: ControlStore) -> None:
    """Each call of the store that `evsup start` makes, once."""
    store.check()
    term = store.claim("0", "a", EXPIRATION_S)
    assert term is not None
    assert store.renew([term]) == [term]
    me = SupervisorRow("a", "host", 1, None, "0.1.0")
    for _ in range(2):
        store.heartbeat(me)
        store.save_checkpoint(Checkpoint("0", 1, "o1", term.epoch))
    assert [row.owner_id for row in store.supervisors()] == [row.owner_id for row in store.ownerships()] == ["a"]
    assert store.load_checkpoint("0") is not None
    assert store.release(term)
    store.retire("a")


def test_the_page_names_every_privilege_that_is_needed(installation: Installation) -> None:
    with closing(installation.store("evsup")) as store:
        a_life(store)


@pytest.mark.parametrize(("privilege", "table"), PRIVILEGES)
def test_the_page_names_no_privilege_that_is_not_needed(installation: Installation, privilege: str, table: str) -> None:
    installation.as_owner(f"REVOKE {privilege} ON {table} FROM evsup")
    try:
        with closing(installation.store("evsup")) as store, pytest.raises(NotPermitted, match=table):
            a_life(store)
    finally:
        installation.as_owner(f"GRANT {privilege} ON {table} TO evsup")


def test_the_role_of_evsup_creates_nothing(installation: Installation) -> None:
    with closing(installation.store("evsup")) as store, pytest.raises(NotPermitted):
        store.initialise()


def test_an_operator_needs_the_audit_as_well(installation: Installation) -> None:
    with closing(installation.store("evsup")) as store:
        term = store.claim("0", "a", EXPIRATION_S)
        assert term is not None
        checkpoint = Checkpoint("0", 7, "o7", term.epoch)
        with pytest.raises(NotPermitted, match="evsup_audit"):
            store.move_checkpoint(checkpoint, "me", "set")
        with pytest.raises(NotPermitted, match="permission denied for table evsup_audit") as told:
            store.check_audit()
        assert "`GRANT INSERT ON TABLE evsup_audit TO …`" in told.value.fix
        installation.as_owner(*FOR_OPERATORS)
        store.check_audit()
        store.move_checkpoint(checkpoint, "me", "set")


def test_a_tree_runs_under_the_role(installation: Installation) -> None:
    cloud = CloudSettings(partitions=1, commit_delay_s=0.3)
    owner = installation.dsn("evsup_owner")
    with pipeline_of(cloud=cloud, CONTROL_STORE="postgres", CONTROL_POSTGRES_DSN=owner) as pipeline:
        pipeline.environment["CONTROL_POSTGRES_DSN"] = installation.dsn("evsup")
        installation.as_owner("REVOKE INSERT ON evsup_audit FROM evsup")
        refused = pipeline.run("start", SNOWFLAKE_ON_REJECT="quarantine")
        assert (refused.returncode, "GRANT INSERT ON TABLE evsup_audit" in refused.stderr) == (77, True), "not too late"
        pipeline.publish(100)
        evsup = pipeline.start()
        pipeline.await_all()
        assert evsup.stop() == 0
