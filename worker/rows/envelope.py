"""The envelope: thirteen columns, one row an event.

A JSON body passes into `PAYLOAD` as it came: it is checked and never built again (`worker/bodies/payload.py`). Any
other goes into `RAW_BODY` with the reason beside it, so that no event is refused or lost. An empty body is an empty
`RAW_BODY` without a reason.

A column without a value has no key in the row, and is NULL in the table. An explicit null would be another value in a
VARIANT column: Snowflake stores it as a JSON null, which `IS NULL` is false of. So the body `null` is a JSON null in
`PAYLOAD`, as is an AMQP null, and no row has neither `PAYLOAD` nor `RAW_BODY`.
https://docs.snowflake.com/en/user-guide/semistructured-considerations#null-values
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec

from shared.ipc.messages import TableColumns
from shared.snowflake.tables import envelope_columns
from worker.bodies.body import Body
from worker.bodies.body_reader import BodyReader
from worker.rows.event import Event, Refusal
from worker.rows.mapping import NotMapped, RowMapper
from worker.rows.message import METADATA, PLACE, Metadata
from worker.rows.row_format import RowFormat
from worker.rows.variant import encode

BODIES = BodyReader()
PAYLOAD, RAW_BODY = "PAYLOAD", "RAW_BODY"
OWN = frozenset(name.upper() for name in (*PLACE, "partition_id"))
"""What says which event a row is of: it proves that each is there once."""
MAPPED = frozenset(name.upper() for name in (*METADATA, PAYLOAD, RAW_BODY, "DECODE_ERROR")) - OWN
"""What a mapper may return."""
TYPES = {column.name: column.type for column in envelope_columns()}
_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Envelope(RowFormat):
    """Makes events with the envelope as their rows."""

    raw_bodies_in = "RAW_BODY"
    keys: ClassVar = {name: b',"%b":' % name.upper().encode() for name in METADATA}
    mapped_types = TYPES

    def __init__(
        self,
        partition_id: str,
        on_decode_error: Literal["keep", "fail"],
        bodies: BodyReader = BODIES,
        mapper: RowMapper | None = None,
    ) -> None:
        super().__init__(partition_id, on_decode_error, bodies, mapper)
        self._partition = b',"PARTITION_ID":' + encode(partition_id)
        self._usual_line = b'{"PAYLOAD":%%b%b,"SEQUENCE_NUMBER":%%d,"OFFSET":"%%b","ENQUEUED_TIME":%%b%%b}' % (
            self._partition.replace(b"%", b"%%")
        )

    def learn(self, columns: TableColumns) -> None:
        """Nothing: an envelope has the same columns in each table."""

    def _usual_event(
        self,
        json: bytes,
        value: Any,  # noqa: ARG002 (the envelope looks into no body)
        number: int,
        offset: bytes,
        time: tuple[datetime, bytes],
        beside: bytes = b"",
    ) -> Event:
        line = self._usual_line % (json, number, offset, time[1], beside)
        return Event(number, offset.decode(), time[0], len(line), msgspec.Raw(line))

    def _row(self, body: Body, metadata: Sequence[Metadata]) -> tuple[bytes, Refusal | None]:
        columns = [self.keys[name] + json for name, json in metadata]
        return b"{%b%b%b}" % (_body(body), self._partition, b"".join(columns)), None

    def _mapped_row(self, row: Body, place: Sequence[Metadata]) -> bytes:
        columns = _split(row.json)
        _refuse_unknown(columns)
        known = {name: json for name, json in columns.items() if bytes(json) != b"null"}
        if not known.keys() & {PAYLOAD, RAW_BODY}:  # then it could not be told from a row that lost its body
            known[PAYLOAD] = msgspec.Raw(b"null")
        line = b",".join(b'"%b":%b' % (name.encode(), bytes(json)) for name, json in known.items())
        return b"{%b%b%b}" % (line, self._partition, b"".join(self.keys[name] + json for name, json in place))


def _refuse_unknown(columns: dict[str, msgspec.Raw]) -> None:
    if own := sorted(columns.keys() & OWN):
        raise NotMapped(f"it returns {', '.join(own)}, which evsup writes itself")
    if unknown := sorted(columns.keys() - MAPPED):
        raise NotMapped(
            f"it returns {', '.join(unknown)}, and the envelope has no such column: its columns are"
            f" {', '.join(sorted(MAPPED))}; SNOWFLAKE_ROW_FORMAT=columns writes columns of your own"
        )


def _body(body: Body) -> bytes:
    if body.json:
        return b'"PAYLOAD":' + body.json
    if body.reason is None:
        return b'"RAW_BODY":""'
    return b'"RAW_BODY":"%b","DECODE_ERROR":%b' % (base64.b64encode(body.raw), encode(body.reason))
