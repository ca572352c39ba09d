"""The control store fails over to its standby under a running tree: within the lease nothing stops."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings
from scripts.localcloud.postgres import Postgres, Standby
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

CLOUD = CloudSettings(partitions=1, store="postgres", commit_delay_s=0.3)


@contextmanager
def replicated(expiration_s: int, attributes: str) -> Iterator[tuple[Pipeline, Postgres, Standby]]:
    """Services whose control store is a primary with a standby, both named in the DSN."""
    directory = Path(tempfile.gettempdir()) / f"evsup-standby-{secrets.token_hex(8)}"
    with pipeline_of(cloud=CLOUD, EVENTHUB_OWNERSHIP_EXPIRATION=str(expiration_s), **UNCHECKED) as pipeline:
        primary = pipeline.cloud.postgres
        assert primary is not None
        with Standby(directory, primary) as standby:
            hosts = f":{primary.port},127.0.0.1:{standby.port}/"
            pipeline.environment["CONTROL_POSTGRES_DSN"] = primary.dsn.replace(f":{primary.port}/", hosts) + attributes
            yield pipeline, primary, standby


def await_retries(evsup: Evsup, reason: str) -> None:
    """Wait until two renewals of the leases have failed for this reason."""

    def retried() -> bool:
        return sum("lease_retrying" in line and reason in line for line in evsup.stderr.splitlines()) > 1

    eventually(retried, f"the leases are tried again: {reason}")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("?target_session_attrs=read-write", "session is read-only"),
        ("", "in a read-only transaction"),  # the standby answers 25006: it is read-only
    ],
)
def test_a_standby_promoted_within_the_lease_is_used_and_nothing_stops(attributes: str, reason: str) -> None:
    with replicated(30, attributes) as (pipeline, primary, standby):
        pipeline.publish(300)
        evsup = pipeline.start()
        worker = evsup.await_running(1)["0"]
        pipeline.await_all()
        primary.stop_immediately()
        pipeline.publish(300)
        await_retries(evsup, reason)
        standby.promote()
        pipeline.await_all()
        eventually(lambda: str(evsup.workers()["0"].checkpointed) == pipeline.token("0"), "the checkpoint follows")
        after = evsup.workers()["0"]
        assert (after.pid, after.epoch) == (worker.pid, worker.epoch)
        assert evsup.stop() == 0
        pipeline.prove()


def test_a_start_on_a_standby_ends_with_69_and_says_how_to_find_the_primary() -> None:
    with replicated(8, "") as (pipeline, _, standby):
        done = pipeline.run("start", CONTROL_POSTGRES_DSN=standby.dsn)
        assert done.returncode == 69
        assert "read-only" in done.stderr.splitlines()[-1]
        assert "target_session_attrs=read-write" in done.stderr.splitlines()[-1]
        checked = pipeline.run("check", CONTROL_POSTGRES_DSN=standby.dsn)
        assert (checked.returncode, "target_session_attrs=read-write" in checked.stdout) == (69, True)


def test_a_standby_promoted_too_late_finds_the_tree_drained_with_75_and_nothing_lost() -> None:
    with replicated(8, "?target_session_attrs=read-write") as (pipeline, primary, standby):
        pipeline.publish(300)
        evsup = pipeline.start()
        pipeline.await_all()
        primary.stop_immediately()
        pipeline.publish(300)
        assert evsup.wait() == 75
        assert "lease" in evsup.last_line
        assert "read-only" in evsup.last_line
        standby.promote()
        again = pipeline.start()
        again.await_running(1)
        pipeline.await_all()
        assert again.stop() == 0
        pipeline.prove()
