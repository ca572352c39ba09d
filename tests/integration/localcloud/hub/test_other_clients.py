"""The local Event Hubs through clients that others wrote: they see what they see of the real service.

So a mistake in our reading of AMQP or of Event Hubs cannot hide behind the one SDK that evsup itself uses.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scripts.harness.waiting import PATIENCE_S
from scripts.localcloud.hub.process import HubProcess, HubSettings
from scripts.localcloud.tls import TlsFront
from tests.harness.versions.environments import environment
from tests.integration.localcloud.hub import other_clients

PROGRAMS = Path(other_clients.__file__).parent
LOOPBACK, AMQPS = IPv4Address("127.0.0.2"), 5671
SIZES = (0, 1, 1_000, 70_000, 900_000)
# The last version with both of its AMQP libraries; uamqp has a wheel for each Python up to 3.11, and is built from
# source by nobody: https://pypi.org/project/uamqp/#files
OLDER_SDK = ("azure-eventhub==5.11.7", "uamqp==1.6.11; python_version < '3.12'")
PROTON = ("python-qpid-proton==0.40.0",)  # built from its source: a C compiler and CMake are needed

Ask: TypeAlias = Callable[[str], Any]

pytestmark = pytest.mark.timeout(300)  # the first test may wait for a build


@pytest.fixture(scope="module")
def shared_hub() -> Iterator[HubProcess]:
    with HubProcess(HubSettings(partitions=2)) as process:
        yield process


@pytest.fixture
def hub(shared_hub: HubProcess) -> HubProcess:
    shared_hub.admin.recreate()
    return shared_hub


@pytest.fixture
def proton(hub: HubProcess) -> Ask:
    """Runs a scenario of `other_clients/qpid_proton.py` and gives what it saw."""
    try:
        place = environment("proton", PROTON)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"python-qpid-proton cannot be built here: {error.stderr[-300:]}")
    known = {"HUB_PORT": str(hub.port), "HUB_KEY_NAME": hub.settings.key_name, "HUB_KEY": hub.settings.key}
    return lambda scenario: _seen(place, "qpid_proton.py", scenario, known)


def _seen(place: Path, program: str, argument: str, known: dict[str, str]) -> Any:
    done = subprocess.run(
        [str(place / "python"), str(PROGRAMS / program), argument],
        env=known,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_proton_receives_events_of_every_size_with_a_credit_of_one(proton: Ask) -> None:
    assert proton("bodies_of_every_size") == [[size, f"m{size}", size] for size in SIZES]


def test_proton_begins_where_each_kind_of_position_says(proton: Ask, hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    assert proton("positions") == {
        "the beginning": 0,
        "after an offset": 5,
        "from a number on": 4,
        "after a number": 5,
        "from a time on": 0,
    }


def test_proton_is_displaced_by_a_higher_owner_level_alone(proton: Ask, hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    assert proton("owner_levels") == {
        "lower": "amqp:link:stolen",
        "none": "amqp:link:stolen",
        "displaced": "amqp:link:stolen",
        "second": 0,
    }


def test_proton_is_told_which_entity_is_not_there(proton: Ask) -> None:
    assert proton("what_is_not_there") == {
        "partition": "com.microsoft:argument-out-of-range",
        "group": "amqp:not-found",
    }


def test_proton_loses_a_message_that_is_too_large_and_not_its_link(proton: Ask) -> None:
    assert proton("oversize") == {"first": "rejected", "next": "accepted"}


def test_proton_discards_an_aborted_delivery_and_takes_the_whole_event_after_it(proton: Ask, hub: HubProcess) -> None:
    hub.admin.append("0", [b"x" * 100_000, b"small"])
    hub.admin.abort_deliveries("0", 1)
    assert proton("aborted") == [100_000, 5]
    assert hub.admin.fired("abort") == 1


def test_proton_reads_the_hub_and_its_partitions_by_management(proton: Ask, hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    assert proton("management") == {"partition_ids": ["0", "1"], "last": 9, "unknown": 400}


@pytest.mark.parametrize(
    "library",
    [
        "pyamqp",
        pytest.param(
            "uamqp", marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="uamqp has no wheel for this Python")
        ),
    ],
)
def test_an_older_azure_sdk_publishes_and_receives_over_either_of_its_libraries(
    hub: HubProcess, library: str, tmp_path: Path
) -> None:
    """Over TLS and at the service's own port: this version knows neither plain AMQP nor other ports."""
    place = environment("older-azure-sdk", OLDER_SDK)
    address = str(LOOPBACK + (os.getpid() << 2))  # nobody else's, because the port is fixed
    with TlsFront(tmp_path, hub.port, address=address, listen_port=AMQPS) as front:
        known = {
            "HUB_CONNECTION_STRING": f"Endpoint=sb://{address}/;SharedAccessKeyName={hub.settings.key_name};"
            f"SharedAccessKey={hub.settings.key};EntityPath=flights",
            "HUB_CA_FILE": str(front.ca_file),
        }
        seen = _seen(place, "azure_eventhub.py", library, known)
    assert seen == [[number, size, size] for number, size in enumerate(SIZES)]
