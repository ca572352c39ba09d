"""Signed in to Event Hubs by the default identity, over TLS: what the README recommends."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from scripts.harness.waiting import BUSY_S, eventually
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.sign_in import SignIn
from scripts.localcloud.tls import TlsFront
from tests.harness.pipeline import Pipeline, pipeline_of

NAMESPACE = "contoso-ns.servicebus.windows.net"
# The SDK renews a token when a tenth of its life is left. azure-identity asks for one at most every 30 s.
LIFETIME_S = 36.0
RENEWALS_S = 3 * LIFETIME_S


class Site(NamedTuple):
    """A pipeline whose hub belongs to a namespace, and the service that signs evsup in there."""

    pipeline: Pipeline
    sign_in: SignIn


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        pipeline = stack.enter_context(pipeline_of(2))
        cloud, places = pipeline.cloud, [pipeline.cloud.directory / name for name in ("front", "sign-in")]
        for place in places:
            place.mkdir()
        front = stack.enter_context(TlsFront(places[0], cloud.hub_service.ready["port"]))
        sign_in = stack.enter_context(SignIn(places[1], cloud.identity_key))
        pipeline.environment |= {
            "EVENTHUB_CONNECTION_STRING": "",
            "EVENTHUB_NAMESPACE": NAMESPACE,
            "EVENTHUB_CUSTOM_ENDPOINT": f"{LOOPBACK}:{front.port}",
            "EVENTHUB_CA_FILE": str(front.ca_file),
        }
        yield Site(pipeline, sign_in)


def receivers(pipeline: Pipeline) -> set[str]:
    """The names of the links that are attached; a new link has a new name."""
    return {one.name for facts in pipeline.hub.facts().partitions.values() for one in facts.receivers}


def test_events_move_over_renewed_tokens_each_once_until_the_identity_is_taken_away(site: Site) -> None:
    pipeline, sign_in = site
    sign_in.lifetime_s, sign_in.hidden_s = LIFETIME_S, BUSY_S  # a busy machine may be late to renew one
    pipeline.environment |= sign_in.managed_identity()
    assert "a token of default" in pipeline.check()
    pipeline.publish(500)
    evsup = pipeline.start()
    evsup.await_running(2)
    pipeline.await_all()
    links, given = receivers(pipeline), sign_in.given.total()

    def renewed() -> bool:
        pipeline.publish(1)
        return sign_in.given.total() >= given + 2

    eventually(renewed, "both workers have new tokens", RENEWALS_S)
    pipeline.publish(500)
    pipeline.await_all()
    assert receivers(pipeline) == links, "the tokens were renewed on the links"
    pipeline.output("verify")

    sign_in.revoked = True
    assert evsup.wait(RENEWALS_S) == 77
    assert "this host has no such managed identity" in evsup.last_line
    assert "EVENTHUB_MANAGED_IDENTITY_CLIENT_ID" in evsup.last_line

    sign_in.revoked = False
    pipeline.publish(100)
    again = pipeline.start()
    pipeline.await_all()
    assert again.stop() == 0


def test_without_any_identity_a_start_and_a_check_end_with_77_and_say_what_to_set(site: Site) -> None:
    for command in ("start", "check"):
        done = site.pipeline.run(command)
        assert done.returncode == 77, done.stderr
        said = " ".join((done.stderr + done.stdout).split())
        assert "no identity of this host can sign in: tried Environment" in said
        assert "AZURE_CLIENT_ID" in said
        assert "EVENTHUB_CONSUMER_GROUP=" not in said, "nothing is wrong with the names"
