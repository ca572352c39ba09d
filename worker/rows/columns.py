"""Columns: the top-level keys of a JSON object go to the columns of the table, one row an event.

What is known of an event beside its body is in `_EVSUP`, under the envelope's names in lower case. So is what has no
column: keys (`unknown`), a body that is no object (`body`), one that is no JSON (`raw_body` with `decode_error`).

The text of a body becomes the row as it came, with `_EVSUP` behind its last key. Only a body with other keys than names
of columns is taken apart. It is put together with the columns' own spelling, which no pipe can miss, and without keys
that have no column: Snowflake drops such a field, and counts nothing.
"""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from shared.config.settings import SnowflakeSettings
from shared.errors import UnknownKey
from shared.ipc.messages import TableColumns
from shared.snowflake.tables import EVSUP, table_name
from worker.bodies.body import Body
from worker.bodies.body_reader import BodyReader
from worker.bodies.payload import UNREAD
from worker.rows.column_keys import ColumnKeys
from worker.rows.event import Event, Refusal
from worker.rows.mapping import NotMapped, RowMapper
from worker.rows.message import METADATA, Metadata
from worker.rows.row_format import RowFormat
from worker.rows.unknown_keys import UnknownKeys
from worker.rows.variant import encode

NULL = b"null"
BESIDE = "raw_body", "decode_error", "body", "unknown"  # in `_EVSUP`, behind what is known of the event
PLACE_LINE = b',"sequence_number":%d,"offset":"%b","enqueued_time":%b%b'
MOST_COLONS = 100_000  # of a large body that is taken apart: each may be a key, and takes a quarter of a kilobyte

_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Columns(RowFormat):
    """Makes events whose rows are the columns of a table."""

    raw_bodies_in = f"{EVSUP}:raw_body"
    keys: ClassVar = {name: b',"%b":' % name.encode() for name in (*METADATA, *BESIDE)}

    def __init__(
        self,
        partition_id: str,
        settings: SnowflakeSettings,
        columns: TableColumns,
        bodies: BodyReader,
        mapper: RowMapper | None = None,
    ) -> None:
        super().__init__(partition_id, settings.on_decode_error, bodies, mapper)
        self._on_unknown_key = settings.on_unknown_key
        self._begin = b'"%b":{"partition_id":%b' % (EVSUP.encode(), encode(partition_id))
        self._keys = ColumnKeys(columns)
        self._unknown = UnknownKeys(table_name(settings), settings.on_unknown_key)

    @property
    def unknown_keys_total(self) -> int:
        """As `RowFormat`."""
        return self._unknown.total

    def learn(self, columns: TableColumns) -> None:
        """As `RowFormat`."""
        self._keys = ColumnKeys(columns)

    def _usual_event(
        self, json: bytes, value: Any, number: int, offset: bytes, time: tuple[datetime, bytes], beside: bytes = b""
    ) -> Event:
        # The keys once: another thread may have them replaced (`learn`) while this row is made.
        keys, known = self._keys, PLACE_LINE % (number, offset, time[1], beside)
        if value.__class__ is dict and value and keys.has_all(value):
            columns = json[1:-1] if keys.are_names(value) else encode(keys.named(_split(json)))[1:-1]
            line, refusal = b"{%b,%b%b}}" % (columns, self._begin, known), None
        else:
            line, refusal = self._line(Body(json, value), known)
        return Event(number, offset.decode(), time[0], len(line), msgspec.Raw(line), refusal)

    def _row(self, body: Body, metadata: Sequence[Metadata]) -> tuple[bytes, Refusal | None]:
        return self._line(body, self._known(metadata))

    def _line(self, body: Body, known: bytes) -> tuple[bytes, Refusal | None]:
        columns, beside, refusal = self._placed(body)
        return b"{%b%b%b%b}}" % (columns, self._begin, known, self._known(beside)), refusal

    def _known(self, metadata: Sequence[Metadata]) -> bytes:
        return b"".join([self.keys[name] + json for name, json in metadata])

    def _mapped_row(self, row: Body, place: Sequence[Metadata]) -> bytes:
        """A mapper's keys go where those of a body go. None is no value: a VARIANT column would have a JSON null."""
        if NULL in row.json:
            known = {key: json for key, json in _split(row.json).items() if bytes(json) != NULL}
            row = Body(encode(known), known)
        line, refusal = self._row(row, place)
        if refusal:
            raise NotMapped(f"{refusal.what}: {refusal.why}")
        return line

    def _placed(self, body: Body) -> tuple[bytes, Sequence[Metadata], Refusal | None]:
        """What of the body goes to columns, each followed by a comma; what goes into `_EVSUP`; why neither may."""
        if not body.json:
            raw = ("raw_body", b'"%b"' % base64.b64encode(body.raw))
            return b"", (raw,) if body.reason is None else (raw, ("decode_error", encode(body.reason))), None
        if body.json[:1] != b"{":
            return b"", (("body", body.json),), None
        # Before it is split, which takes memory for each key.
        if body.value is UNREAD and body.json.count(b":") > MOST_COLONS:
            return b"", (("body", body.json),), self._too_many()
        value = _split(body.json) if body.value is UNREAD else body.value
        keys = self._keys
        if not keys.has_all(value) and (unknown := keys.without_column(value)):
            return self._parted(body.json, unknown, keys)
        if not value:
            return b"", (), None
        columns = body.json if keys.are_names(value) else encode(keys.named(_split(body.json)))
        return columns[1:-1] + b",", (), None

    def _parted(
        self, json: bytes, unknown: Sequence[str], keys: ColumnKeys
    ) -> tuple[bytes, Sequence[Metadata], Refusal | None]:
        """The same for an object with keys that have no column.

        With `evolve` Snowflake adds a column when it meets the key. When that is, and what becomes of the rows that
        come first, no page says. So until the column is known a row has the value twice.
        """
        parts = _split(json)
        asked = set[str]()
        if self._on_unknown_key == "evolve":  # not by a null: it has no type, and Snowflake would be asked without end
            asked = keys.to_be_added(key for key in unknown if bytes(parts[key]) != b"null")
        self._unknown.note(unknown, keys, asked)
        # A key stays in the row only where Snowflake is to add its column: a table that evolves adds one for any key.
        # https://docs.snowflake.com/en/user-guide/data-load-schema-evolution
        kept = {key: parts[key] if key in asked else parts.pop(key) for key in unknown}
        refusal = self._unknown.refusal(unknown, keys) if self._on_unknown_key == "fail" else None
        return encode(keys.named(parts))[1:-1] + b"," if parts else b"", (("unknown", encode(kept)),), refusal

    def _too_many(self) -> Refusal | None:
        if self._on_unknown_key != "fail":
            return None
        return Refusal(
            UnknownKey,
            "the body has too many keys to look for those without a column",
            f"it is larger than 1 MB and has more than {MOST_COLONS} keys, at all levels together",
            f"Set SNOWFLAKE_ON_UNKNOWN_KEY=keep to store it in {EVSUP}:body, or correct the sender.",
        )
