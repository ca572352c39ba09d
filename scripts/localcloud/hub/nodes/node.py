"""The nodes that answer requests: `$cbs` takes tokens, `$management` describes the hub.

Protocols: https://docs.oasis-open.org/amqp/amqp-cbs/v1.0/amqp-cbs-v1.0.html and, for the vendor's names,
https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-amqp-protocol-guide
"""

import time
from collections import deque

from scripts.localcloud.hub.access import token
from scripts.localcloud.hub.access.address import CBS, MANAGEMENT
from scripts.localcloud.hub.access.gate import tracked
from scripts.localcloud.hub.connections.link import Attach, Credit, Link
from scripts.localcloud.hub.connections.session import Session
from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.faults import FaultName
from scripts.localcloud.hub.entity.partition import Partition
from scripts.localcloud.hub.nodes.intake import Intake
from scripts.localcloud.hub.wire import values
from scripts.localcloud.hub.wire.performatives import Fields
from scripts.localcloud.hub.wire.transfer import Addressing

NODES = frozenset({CBS, MANAGEMENT})
_MESSAGE_ID = 0
_BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND = 400, 401, 404
# https://github.com/Azure/azure-sdk-for-js/blob/main/sdk/eventhub/mock-hub/src/messages/event-hubs/partitionInfo.ts
NO_SUCH_PARTITION = "The specified partition is invalid for an EventHub partition sender or receiver."


class Replies(Link):
    """The link over which a node answers."""

    def __init__(self, session: Session, attach: Attach) -> None:
        super().__init__(attach, session.send)
        self.session = session
        self.node = attach.address
        self._addressing = Addressing(session.channel, attach.handle, settled=attach.settled)
        self._credit = Credit()
        self._waiting: deque[bytes] = deque()

    def reply(self, message: bytes) -> None:
        """Send an answer, now or when there is credit."""
        self._waiting.append(message)
        self._send_waiting()

    def on_flow(self, fields: Fields) -> None:
        """Take credit."""
        self._credit.grant(fields)
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._credit.left and not self.detached:
            number = self.session.number_deliveries(1)
            frames = self._addressing.split(self._waiting.popleft(), number, self.session.max_frame_bytes)
            self.session.count_frames(len(frames))
            self._credit.delivery_count += 1
            self.session.write(b"".join(frames))


class Requests(Intake):
    """The link over which a node is asked."""

    def __init__(self, session: Session, attach: Attach) -> None:
        super().__init__(session, attach)
        self._node = attach.address

    def take(self, message: bytes, message_format: int) -> None:
        """Answer over the session's link from the same node."""
        del message_format
        answer = self._put_token(message) if self._node == CBS else self._read(message)
        if answer is None:
            return
        for link in self.session.links.values():
            if isinstance(link, Replies) and link.node == self._node and not link.detached:
                link.reply(answer)
                return

    def _put_token(self, message: bytes) -> bytes:
        asked = event.application_properties(message)
        if asked.get("operation") != "put-token" or asked.get("type") not in {token.SAS_TYPE, token.JWT_TYPE}:
            kinds = f"{token.SAS_TYPE} or a {token.JWT_TYPE}"
            return _answer(message, _BAD_REQUEST, f"put-token of a {kinds} is the only operation of this $cbs node.")
        status, description = self._taken(str(event.body_value(message)), str(asked.get("name", "")))
        return _answer(message, status, description if status < _BAD_REQUEST else tracked(description))

    def _taken(self, text: str, audience: str) -> tuple[int, str]:
        """Keep a token that proves something; return status and description."""
        hub, path = self.session.hub, token.entity_path(audience)
        if hub.faults.refuse_token():
            return _UNAUTHORIZED, token.INVALID_SIGNATURE
        entity = f"sb://{hub.host}{path}"
        if refused := hub.gate.refusal(entity, by_key=token.is_signature(text)):
            return refused
        try:
            claim = self._verified(text, audience)
        except token.TokenRefusedError as refusal:
            return _UNAUTHORIZED, str(refusal)
        if path.split("/")[1] != hub.name.lower():  # https://github.com/Azure/azure-service-bus/issues/304
            return _NOT_FOUND, hub.not_found(entity)
        self.session.claims[claim.path] = claim
        return 202, "Accepted"

    def _verified(self, text: str, audience: str) -> token.Claim:
        claim = self._proven(text, audience)
        if not claim.covers(token.entity_path(audience), time.time()):
            raise token.TokenRefusedError(token.INVALID_AUDIENCE)
        return claim

    def _proven(self, text: str, audience: str) -> token.Claim:
        hub = self.session.hub
        if token.is_signature(text):
            return token.verify(text, hub.policy, time.time())
        return token.verify_identity(text, hub.identity_key, audience, time.time())

    def _read(self, message: bytes) -> bytes | None:
        """Answer a question for runtime information; None: by a fault there is no answer."""
        asked = event.application_properties(message)
        hub = self.session.hub
        hub.asked_s.append(time.monotonic())
        if asked.get("partition") in hub.faults.silent:
            hub.faults.fired[FaultName.SILENCE] += 1
            return None
        name = str(asked.get("name", ""))
        if name.lower() != hub.name.lower():
            return _answer(message, _NOT_FOUND, hub.not_found(f"sb://{hub.host}/{name}"))
        refusal = self._refusal(str(asked.get("security_token", "")), f"/{hub.name.lower()}")
        if refusal:
            return _answer(message, _UNAUTHORIZED, refusal)
        match asked.get("operation"), asked.get("type"):
            case "READ", "com.microsoft:eventhub":
                return _answer(message, 200, "OK", _describe_hub(hub.name, hub.created_ms, list(hub.partitions)))
            case "READ", "com.microsoft:partition":
                return self._read_partition(message, str(asked.get("partition", "")))
            case operation, kind:
                return _answer(message, 400, f"Operation {operation!r} of type {kind!r} is not known.")

    def _read_partition(self, message: bytes, partition_id: str) -> bytes:
        hub = self.session.hub
        partition = hub.partitions.get(partition_id)
        if partition is None:
            return _answer(message, _BAD_REQUEST, NO_SUCH_PARTITION)
        return _answer(message, 200, "OK", _describe_partition(hub.name, partition))

    def _refusal(self, text: str, path: str) -> str | None:
        hub = self.session.hub
        if not hub.gate.claims:
            return f"Unauthorized access. 'Listen' claim(s) are required to read 'sb://{hub.host}{path}'."
        try:
            claim = self._proven(text, path)
        except token.TokenRefusedError as refusal:
            return str(refusal)
        # A consumer's token names its group, below the hub whose facts it may read.
        related = claim.path.startswith(path) or claim.covers(path, time.time())
        return None if related else token.INVALID_AUDIENCE


def _answer(request: bytes, status: int, description: str, body: bytes | None = None) -> bytes:
    correlation_id = event.raw_property(request, _MESSAGE_ID)
    return event.reply(correlation_id, status, description, values.NULL if body is None else body)


def _describe_hub(name: str, created_ms: int, partition_ids: list[str]) -> bytes:
    return values.texts(
        {
            "name": values.string(name),
            "type": values.string("com.microsoft:eventhub"),
            "created_at": values.timestamp(created_ms),
            "partition_count": values.integer(len(partition_ids)),
            "partition_ids": values.string_array(partition_ids),
        }
    )


def _describe_partition(name: str, partition: Partition) -> bytes:
    return values.texts(
        {
            "name": values.string(name),
            "type": values.string("com.microsoft:partition"),
            "partition": values.string(partition.id),
            "begin_sequence_number": values.long(partition.begin_sequence_number),
            "last_enqueued_sequence_number": values.long(partition.last_sequence_number),
            "last_enqueued_offset": values.string(partition.last_offset),
            "last_enqueued_time_utc": values.timestamp(partition.last_time_ms),
            "is_partition_empty": values.boolean(partition.retained == 0),
        }
    )
