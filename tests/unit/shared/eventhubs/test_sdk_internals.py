"""The names that are private to the Azure SDK: each is still there, takes what it is given, and means the same."""

import ast
import inspect
import textwrap
from pathlib import Path

import pytest
from azure.eventhub import EventHubConsumerClient
from azure.eventhub._client_base import ClientBase, ConsumerProducerMixin
from azure.eventhub._consumer import EventHubConsumer
from azure.eventhub._pyamqp import _transport
from azure.eventhub._pyamqp._connection import Connection
from azure.eventhub._pyamqp.cbs import CBSAuthenticator
from azure.eventhub._pyamqp.client import AMQPClient, ReceiveClient
from azure.eventhub._pyamqp.link import Link
from azure.eventhub._pyamqp.receiver import ReceiverLink
from azure.eventhub._pyamqp.session import Session
from azure.eventhub._transport._pyamqp_transport import PyamqpTransport

import shared
from shared.eventhubs import sdk_internals, sdk_link

# Which class of the SDK has each attribute that `sdk_internals` or `sdk_link` reads, sets or calls.
OWNERS: dict[str, type] = {
    "_consumer_group": EventHubConsumerClient,
    "_create_consumer": EventHubConsumerClient,
    "_amqp_transport": ClientBase,
    "_backoff": ClientBase,
    "create_mgmt_client": PyamqpTransport,
    "client_ready": AMQPClient,
    "mgmt_request": AMQPClient,
    "receive": EventHubConsumer,
    "handler_ready": EventHubConsumer,
    "_keep_alive": EventHubConsumer,
    "_handler": EventHubConsumer,
    "_create_handler": EventHubConsumer,
    "_open": EventHubConsumer,
    "_handle_exception": ConsumerProducerMixin,
    "_max_message_size": ReceiveClient,
    "_connection": AMQPClient,
    "_session": AMQPClient,
    "_link": AMQPClient,
    "_cbs_authenticator": AMQPClient,
    "handle_token": CBSAuthenticator,
    "_transport": Connection,
    "_idle_timeout": Connection,
    "_incoming_endpoints": Connection,
    "_max_frame_size": Connection,
    "_process_incoming_frame": Connection,
    "_remote_idle_timeout_send_frame": Connection,
    "_outgoing_empty": Connection,
    "_error": Connection,
    "state": Connection,
    "_outgoing_flow": Session,
    "next_incoming_id": Session,
    "remote_outgoing_window": Session,
    "incoming_window": Session,
    "target_incoming_window": Session,
    "remote_handle": Link,
    "current_link_credit": Link,
    "delivery_count": Link,
    "flow": Link,
    "get_state": Link,
    "_read_buffer": _transport._AbstractTransport,
    "sock": _transport._AbstractTransport,
    "_DECODE_BY_CONSTRUCTOR": object,
}
OURS = {
    "_raising_as_the_sdk",
    "_writing",
    "_set_timeout",
    "_received",
    "_receiver",
    "_client",
    "_sdk",
    "_was_answered",
    "_require_open",
    "_consumer",
    "_beat_s",
    "_partition_ids",
    "_refusals",
}


def names_in(function_or_class: object) -> set[str]:
    """Attributes that the source of a class mentions, here or in what it inherits from the SDK."""
    classes = function_or_class.__mro__ if isinstance(function_or_class, type) else ()
    sources = [inspect.getsource(each) for each in classes if each is not object]
    tree = ast.parse("\n".join(textwrap.dedent(source) for source in sources))
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return attributes | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", [name for name, owner in OWNERS.items() if owner is not object])
def test_each_name_is_still_where_it_was(name: str) -> None:
    assert name in names_in(OWNERS[name])


def test_no_other_private_name_is_used() -> None:
    tree = ast.parse(inspect.getsource(sdk_internals) + inspect.getsource(sdk_link))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    assert {name for name in used if not name.startswith("__")} - OURS - {"_pyamqp"} <= OWNERS.keys()


def test_nothing_else_of_evsup_uses_what_is_private_to_the_sdk() -> None:
    root = Path(shared.__file__).parent.parent
    allowed = {
        root / "shared/eventhubs" / name
        for name in ("sdk_internals.py", "sdk_link.py", "amqp_types.py", "sdk_error.py")
    }
    files = [file for room in ("shared", "worker", "supervisor") for file in (root / room).rglob("*.py")]
    importers = {file for file in files if "azure.eventhub._" in file.read_text()}
    assert importers <= allowed


def test_a_consumer_is_made_with_these_arguments() -> None:
    parameters = list(inspect.signature(EventHubConsumerClient._create_consumer).parameters)
    assert parameters[1:5] == ["consumer_group", "partition_id", "event_position", "on_event_received"]
    source = inspect.getsource(EventHubConsumerClient._create_consumer)
    for option in ("owner_level", "event_position_inclusive", "track_last_enqueued_event_properties"):
        assert f'kwargs.get("{option}"' in source


def test_the_functions_that_are_called_take_what_they_are_given() -> None:
    assert list(inspect.signature(Connection._process_incoming_frame).parameters) == ["self", "channel", "frame"]
    assert "is_consumer" in inspect.signature(ConsumerProducerMixin._handle_exception).parameters
    assert "link_credit" in inspect.signature(Link.flow).parameters
    assert list(inspect.signature(CBSAuthenticator.handle_token).parameters) == ["self"]


def test_a_receiver_keeps_its_books_as_they_are_kept_for_it() -> None:
    """What `SdkLink.count` does once for many transfers, these do for each."""
    assert "self.current_link_credit -= 1\n            self.delivery_count += 1" in inspect.getsource(ReceiverLink)
    transfer = inspect.getsource(Session._incoming_transfer)
    assert (
        "self.next_incoming_id += 1\n        self.remote_outgoing_window -= 1\n        self.incoming_window -= 1"
        in transfer
    )


def test_a_link_asks_for_nothing_before_it_is_read() -> None:
    """A delivery that came while the SDK still reads would be lost."""
    assert "link_credit=0" in inspect.getsource(ReceiveClient._client_ready)
