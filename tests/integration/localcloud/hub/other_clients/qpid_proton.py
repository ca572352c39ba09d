"""Event Hubs as Apache Qpid Proton sees it: an AMQP engine in C that nobody here, and nobody at Azure, wrote.

It runs in an environment of its own (`environments.py`) and imports nothing of ours. The name of a scenario comes as
the argument, the hub's port and key through the environment; what was seen goes to standard output as JSON.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from proton import Delivery, Described, Message, symbol
from proton.reactor import Filter, ReceiverOption
from proton.utils import BlockingConnection, BlockingReceiver, LinkDetached, SendException

PATIENCE_S = 60
PORT, KEY_NAME, KEY = os.environ["HUB_PORT"], os.environ["HUB_KEY_NAME"], os.environ["HUB_KEY"]
PARTITION = "flights/ConsumerGroups/$Default/Partitions/0"
OUTCOMES = {Delivery.ACCEPTED: "accepted", Delivery.REJECTED: "rejected"}
BEGINNING = "amqp.annotation.x-opt-offset > '-1'"
SELECTOR = symbol("apache.org:selector-filter:string")


class OwnerLevel(ReceiverOption):  # type: ignore[misc]  # a package without types
    """https://learn.microsoft.com/azure/event-hubs/event-hubs-event-processor-host#epoch."""

    def __init__(self, level: int) -> None:
        self._level = level

    def apply(self, link: Any) -> None:
        """Put it into the attach frame."""
        link.properties = {symbol("com.microsoft:epoch"): self._level}


def position(selector: str) -> Filter:
    """Where a receiver begins."""
    return Filter({SELECTOR: Described(SELECTOR, selector)})


@contextmanager
def connected() -> Iterator[BlockingConnection]:
    """A connection that has put a shared access signature for the whole hub."""
    connection = BlockingConnection(f"amqp://127.0.0.1:{PORT}", timeout=PATIENCE_S, allowed_mechs="ANONYMOUS")
    with closing(connection):
        status = put_token(connection, signature())
        assert status == 202, status
        yield connection


def signature() -> str:
    """https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature."""
    audience = urllib.parse.quote_plus("sb://127.0.0.1/flights")
    expiry = int(time.time()) + 3600
    digest = hmac.new(KEY.encode(), f"{audience}\n{expiry}".encode(), hashlib.sha256).digest()
    signed = urllib.parse.quote_plus(base64.b64encode(digest))
    return f"SharedAccessSignature sr={audience}&sig={signed}&se={expiry}&skn={KEY_NAME}"


def put_token(connection: BlockingConnection, token: str) -> int:
    """Claims-based security; the status code of the answer."""
    answer = asked(
        connection,
        "$cbs",
        token,
        operation="put-token",
        type="servicebus.windows.net:sastoken",
        name="amqp://127.0.0.1/flights",
    )
    return int(answer.properties["status-code"])


def asked(connection: BlockingConnection, node: str, body: object, **properties: str) -> Message:
    """A request to a node and its answer."""
    with closing(connection.create_receiver(node)) as answers, closing(connection.create_sender(node)) as requests:
        requests.send(Message(body=body, id="1", reply_to="answers", properties=properties))
        return answers.receive(PATIENCE_S)


def receiver_of(
    connection: BlockingConnection, selector: str = BEGINNING, level: int | None = None, address: str = PARTITION
) -> BlockingReceiver:
    """A receiver with a credit of one, under a name of its own."""
    options = [position(selector)] if level is None else [position(selector), OwnerLevel(level)]
    return connection.create_receiver(address, credit=1, name=str(uuid4()), options=options)


def numbers(receiver: BlockingReceiver, count: int) -> list[int]:
    """The sequence numbers of the next events."""
    return [receiver.receive(PATIENCE_S).annotations["x-opt-sequence-number"] for _ in range(count)]


def refusal(receive: Callable[[], object]) -> str:
    """The AMQP condition with which a link ended."""
    try:
        receive()
    except LinkDetached as error:
        return str(error.condition)
    return "none"


def bodies_of_every_size() -> object:
    """Sent here and received here with a credit of one: digest, size and what travels beside the body."""
    sizes = (0, 1, 1_000, 70_000, 900_000)
    with connected() as connection:
        sender = connection.create_sender("flights/Partitions/0")
        for size in sizes:
            sender.send(Message(body=b"x" * size, inferred=True, id=f"m{size}", properties={"size": size}))
        with closing(receiver_of(connection)) as receiver:
            events = [receiver.receive(PATIENCE_S) for _ in sizes]
        return [[len(event.body), event.id, event.properties["size"]] for event in events]


def positions() -> object:
    """First sequence number after each kind of position; the hub holds events 0 to 9."""
    selectors = {
        "after an offset": "amqp.annotation.x-opt-offset > '{offset}'",
        "from a number on": "amqp.annotation.x-opt-sequence-number >= '4'",
        "after a number": "amqp.annotation.x-opt-sequence-number > '4'",
        "from a time on": "amqp.annotation.x-opt-enqueued-time >= '{time}'",
        "the beginning": BEGINNING,
    }
    with connected() as connection:
        with closing(receiver_of(connection)) as receiver:
            events = [receiver.receive(PATIENCE_S) for _ in range(10)]
        known = {
            "offset": events[4].annotations["x-opt-offset"],
            "time": int(events[0].annotations["x-opt-enqueued-time"]),
        }
        first = {}
        for name, selector in selectors.items():
            with closing(receiver_of(connection, selector.format(**known))) as receiver:
                first[name] = numbers(receiver, 1)[0]
        return first


def owner_levels() -> object:
    """A higher level displaces, a lower one and none are refused."""
    with connected() as one, connected() as another:  # Proton raises what ends a link wherever the connection is used
        first = receiver_of(one, level=5)
        numbers(first, 1)
        lower = refusal(lambda: receiver_of(another, level=4).receive(PATIENCE_S))
        none = refusal(lambda: receiver_of(another).receive(PATIENCE_S))
        second = receiver_of(another, level=6)
        displaced = refusal(lambda: numbers(first, 10))
        return {"lower": lower, "none": none, "displaced": displaced, "second": numbers(second, 1)[0]}


def what_is_not_there() -> object:
    """The conditions for a partition and for a consumer group that the hub does not have."""
    addresses = {
        "partition": "flights/ConsumerGroups/$Default/Partitions/99",
        "group": "flights/ConsumerGroups/nobody/Partitions/0",
    }
    with connected() as connection:
        return {name: refusal(partial(_receive_from, connection, address)) for name, address in addresses.items()}


def _receive_from(connection: BlockingConnection, address: str) -> Message:
    return receiver_of(connection, address=address).receive(PATIENCE_S)


def oversize() -> object:
    """A message beyond the largest size is rejected, and the link takes the next one."""
    with connected() as connection:
        sender = connection.create_sender("flights/Partitions/0")
        try:
            sender.send(Message(body=b"x" * 1_100_000, inferred=True))
        except SendException as error:
            outcome = OUTCOMES[error.state]
        except LinkDetached as error:
            return {"detached": str(error.condition)}
        else:
            outcome = "accepted"
        return {"first": outcome, "next": OUTCOMES[sender.send(Message(body=b"small", inferred=True)).remote_state]}


def aborted() -> object:
    """The sizes of what comes when the hub has aborted the first of two deliveries, of two events in all."""
    with connected() as connection:
        options = [position(BEGINNING)]
        with closing(connection.create_receiver(PARTITION, credit=5, name=str(uuid4()), options=options)) as receiver:
            return [len(receiver.receive(PATIENCE_S).body) for _ in range(2)]


def management() -> object:
    """What `$management` says of the hub and of a partition."""
    with connected() as connection:
        common = {"operation": "READ", "name": "flights", "security_token": signature()}
        hub = asked(connection, "$management", None, type="com.microsoft:eventhub", **common)
        one = asked(connection, "$management", None, type="com.microsoft:partition", partition="0", **common)
        none = asked(connection, "$management", None, type="com.microsoft:partition", partition="99", **common)
        return {
            "partition_ids": list(hub.body["partition_ids"]),
            "last": one.body["last_enqueued_sequence_number"],
            "unknown": int(none.properties["status-code"]),
        }


SCENARIOS = (bodies_of_every_size, positions, owner_levels, what_is_not_there, oversize, aborted, management)

if __name__ == "__main__":
    scenario = next(each for each in SCENARIOS if each.__name__ == sys.argv[1])
    print(json.dumps(scenario()))
