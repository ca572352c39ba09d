"""Makes events of encoded messages. What a row looks like is left to the formats: `Envelope`, and `Columns`."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from struct import Struct
from typing import Any, ClassVar, Literal

import msgspec
from msgspec.structs import replace

from shared.errors import EvsupError, UndecodableEvent
from shared.ipc.messages import Counters, TableColumns
from worker.bodies.body import Body
from worker.bodies.body_reader import BodyReader
from worker.bodies.payload import NotPayload, payload
from worker.rows import amqp
from worker.rows.amqp import PROPERTIES
from worker.rows.body import body
from worker.rows.event import Event, Refusal
from worker.rows.mapping import NotMapped, RowMapper, mapper_event
from worker.rows.message import (
    COLUMN_ANNOTATIONS,
    CONTENT_ENCODING,
    CONTENT_TYPE,
    ENQUEUED_TIME,
    OFFSET,
    PARTITION_KEY,
    PLACE,
    SEQUENCE_NUMBER,
    Message,
    Metadata,
    decode,
    time_of,
)
from worker.rows.properties import properties
from worker.rows.variant import encode, text

# What Event Hubs sends nearly always: its annotations in this order, perhaps with a partition key, perhaps properties
# and application properties, and one data section. It is found in one or two passes at the speed of C. Whatever else
# comes is read section by section, to the same row. An offset is text of which JSON escapes nothing: a hub with
# geo-replication has other offsets than numbers. https://github.com/Azure/azure-sdk-for-net/pull/50645
_find_usual = re.compile(
    rb"\x00\x53\x72\xc1(.)([\x06\x08])"
    rb"\xa3\x15x-opt-sequence-number(?:\x55(.)|\x81(.{8}))"
    rb"\xa3\x0cx-opt-offset\xa1(.)([ !#-\[\]-~]+)"
    rb"\xa3\x13x-opt-enqueued-time\x83(.{8})"
    rb"(?:\xa3\x13x-opt-partition-key\xa1(.)|\x00\x53\x75(?:\xa0(.)|\xb0(.{4})))?",
    re.DOTALL,
).match
_find_data = re.compile(rb"\x00\x53\x75(?:\xa0(.)|\xb0(.{4}))", re.DOTALL).match
_FIELDS, _PROPERTIES = b"\x00\x53\x73", b"\x00\x53\x74"  # begin the sections of properties and of the application's
_DELIVERY = b"\x00\x53\x71\xc1"  # the section of delivery annotations, followed by a size of one byte
_long = Struct(">q").unpack
NO_ROW = b"{}"  # of an event that is refused: it is never stored


class RowFormat(ABC):
    """Makes events of the encoded messages of one partition.

    A message that nobody can decode is in the row as a whole. With `on_decode_error="fail"` an event whose body is not
    JSON has a `refusal`: it is raised when the event is handed over, because an event that was processed already may be
    received again.
    """

    raw_bodies_in: ClassVar[str]
    """Where a body goes that is not JSON, for people."""
    keys: ClassVar[Mapping[str, bytes]]
    """What is in front of each of the metadata in a row: a comma, its key, and a colon."""
    mapped_types: ClassVar[Mapping[str, str]] = {}
    """Types of the columns that a mapper returns, where they are known."""

    def __init__(
        self,
        partition_id: str,
        on_decode_error: Literal["keep", "fail"],
        bodies: BodyReader,
        mapper: RowMapper | None = None,
    ) -> None:
        self._partition_id, self._mapper = partition_id, mapper
        self._keeps, self._bodies = on_decode_error == "keep", bodies
        self._is_usual = bodies.takes_any_json and mapper is None
        """Whether the quick pass may make rows: a body without a content type is JSON, and there is no mapper."""
        self.unusual = 0
        """Messages that were read section by section."""
        self.decoded_by_sdk = 0
        """Sections that only the SDK's functions could decode."""

    @property
    def unknown_keys_total(self) -> int:
        """Values of keys that have no column."""
        return 0

    def counted(self, counters: Counters) -> Counters:
        """The counters with what is counted here."""
        return replace(
            counters,
            unknown_keys_total=self.unknown_keys_total,
            unusual_total=self.unusual,
            decoded_by_sdk_total=self.decoded_by_sdk,
        )

    @abstractmethod
    def learn(self, columns: TableColumns) -> None:
        """Go by these columns of the table from the next event on. May be called by any thread."""

    @abstractmethod
    def _usual_event(
        self, json: bytes, value: Any, number: int, offset: bytes, time: tuple[datetime, bytes], beside: bytes = b""
    ) -> Event:
        """The event of a message as nearly all are, whose body is JSON; `beside` has other metadata, each behind its
        key.
        """

    @abstractmethod
    def _row(self, body: Body, metadata: Sequence[Metadata]) -> tuple[bytes, Refusal | None]:
        """The row, one line of JSON, and why it may not be stored."""

    @abstractmethod
    def _mapped_row(self, row: Body, place: Sequence[Metadata]) -> bytes:
        """The row of what a mapper gave, a JSON object of columns, with the event's place in the partition. Raises
        `NotMapped` when these are no columns of this format.
        """

    def event_of(self, message: bytes) -> Event:
        """The event of an encoded message."""
        # Behind the delivery annotations: they say where the partition ends, and no row has them.
        at = 5 + message[4] if message[:4] == _DELIVERY and len(message) > 5 else 0
        if self._is_usual and (found := _find_usual(message, at)) and (event := self._usual(found, message, at)):
            return event
        self.unusual += 1
        try:
            decoded = decode(message, at)
            self.decoded_by_sdk += decoded.decoded_by_sdk
            return self._event(body(decoded, self._bodies), decoded.annotations, decoded)
        except (MemoryError, EvsupError):  # says nothing of the message
            raise
        except Exception as error:  # noqa: BLE001 (whatever the SDK's decoder raises, or Python for a deep value)
            return self._undecoded(message, error)

    def _usual(self, found: "re.Match[bytes]", message: bytes, at: int) -> Event | None:
        """The event of a message as nearly all are; None: it is not quite one, or its body is no PAYLOAD."""
        size, count, small, large, length, offset, milliseconds, _, short, long = groups = found.groups()
        if not short and not long:
            return self._usual_with_metadata(groups, found.end(), message, at)
        end = found.end()
        data = message[end:]
        if (
            len(data) != int.from_bytes(short or long, "big")
            or count != b"\x06"
            or length[0] != len(offset)
            # The map of annotations begins behind five bytes, and ends where the head of the body begins.
            or at + 5 + size[0] != end - (5 if short else 8)
            or (time := time_of(_long(milliseconds)[0])) is None
        ):
            return None
        try:
            json, value = payload(data)
        except NotPayload:
            return None
        return self._usual_event(json, value, int.from_bytes(small or large, "big", signed=True), offset, time)

    def _usual_with_metadata(self, groups: Sequence[bytes], start: int, message: bytes, at: int) -> Event | None:
        """The same of a message with a partition key at `start`, properties, or application properties."""
        size, count, small, large, length, offset, milliseconds, key_length, _, _ = groups
        end = start + key_length[0] if key_length else start
        if (
            count != (b"\x08" if key_length else b"\x06")
            or length[0] != len(offset)
            or at + 5 + size[0] != end
            or (time := time_of(_long(milliseconds)[0])) is None
        ):
            return None
        try:
            beside, json, value = self._behind_annotations(message, end)
        except (*amqp.MISREAD, NotPayload):
            return None
        if not json:
            return None  # decoded once more: a body that is no JSON is rare
        if key_length:
            beside = self.keys["partition_key"] + encode(text(message[start:end])) + beside
        number = int.from_bytes(small or large, "big", signed=True)
        return self._usual_event(json, value, number, offset, time, beside)

    def _behind_annotations(self, message: bytes, at: int) -> tuple[bytes, bytes, Any]:
        """What else a row says of the event, the JSON of its body, empty if it is none, and that JSON's value.

        Raises for what is to be read section by section.
        """
        beside, fields = b"", None
        if message.startswith(_FIELDS, at):
            fields = Message()
            value, at = amqp.DECODERS[message[at + 3]](message, at + 4)
            fields.add(PROPERTIES, value)
        if message.startswith(_PROPERTIES, at):
            json, at = properties(message, at + 3)
            if json:
                beside = self.keys["properties"] + json
        # Whatever was believed before this, the body has to end with the message.
        head = _find_data(message, at)
        if not head or len(message) - head.end() != int.from_bytes(head[1] or head[2], "big"):
            raise amqp.Rare
        data = message[head.end() :]
        if not fields:
            return beside, *payload(data)
        beside += b"".join([self.keys[name] + json for name, json in fields.metadata()])
        body = self._bodies.data(data, fields.text_of(CONTENT_TYPE), fields.text_of(CONTENT_ENCODING))
        return beside, body.json, body.value

    def _event(self, body: Body, annotations: dict[Any, Any], message: Message | None = None) -> Event:
        """`message` is the rest of what was decoded; None: it could not be."""
        number, offset, key = annotations.get(SEQUENCE_NUMBER), annotations.get(OFFSET), annotations.get(PARTITION_KEY)
        time = time_of(annotations.get(ENQUEUED_TIME))
        known: list[Metadata] = []
        if number is not None:
            known.append(("sequence_number", encode(number)))
        if offset is not None:
            offset = text(offset)
            known.append(("offset", encode(offset)))
        if time:
            known.append(("enqueued_time", time[1]))
        if key is not None:
            known.append(("partition_key", encode(text(key))))
        known += message.metadata() if message else ()
        number = number if type(number) is int else None
        line, refusal, is_undecoded = self._stored(body, known, message if number is not None else None)
        return Event(number, offset, time[0] if time else None, len(line), msgspec.Raw(line), refusal, is_undecoded)

    def _stored(
        self, body: Body, known: Sequence[Metadata], message: Message | None
    ) -> tuple[bytes, Refusal | None, bool]:
        """The row, why it may not be stored, and whether it has the body as it came. Without a message, or without a
        place in the partition, there is nothing to map.
        """
        is_undecoded = body.reason is not None
        # A refusal goes before the mapper: with `fail` that never sees a body that is no JSON (docs/mapper.md).
        if self._mapper and message and (self._keeps or not is_undecoded):
            try:
                event = mapper_event(self._partition_id, body, message.raw_body, known)
                row = self._mapper.row(event, self.mapped_types)
                return self._mapped_row(row, [each for each in known if each[0] in PLACE]), None, False
            except NotMapped as why:
                return NO_ROW, self._mapper.refusal(why), False
        line, refusal = self._row(body, known)
        if body.reason and not self._keeps:
            refusal = self._undecodable(body.reason)
        return line, refusal, is_undecoded

    def _undecoded(self, message: bytes, error: Exception) -> Event:
        """The event of a message that cannot be decoded: as it came, under the numbers that it shows."""
        annotations = amqp.shown(message, COLUMN_ANNOTATIONS)
        known = str(error) if isinstance(error, amqp.Malformed) else f"the Azure SDK raises {type(error).__name__}"
        reason = f"the AMQP message cannot be decoded: {known}"
        return self._event(Body(raw=message, reason=reason), annotations)

    def _undecodable(self, reason: str) -> Refusal:
        return Refusal(
            UndecodableEvent,
            "the body cannot be stored as JSON",
            reason,
            f"Set SNOWFLAKE_ON_DECODE_ERROR=keep to store such bodies in {self.raw_bodies_in}, or correct the sender.",
        )
