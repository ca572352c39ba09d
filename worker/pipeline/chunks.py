"""Rows in portions, each for one append."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from worker.source.envelope import Row, size_bytes

# The SDK accepts far larger appends, but its memory guard does not, and a retry of a small one is cheap.
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-limitations
MAX_CHUNK_BYTES = 2 * 1024 * 1024


@dataclass(slots=True)
class Chunk:
    """Rows of one append, in order. The sequence numbers of the first and the last are its tokens."""

    rows: list[Row] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def start(self) -> int:
        """Start token."""
        return int(self.rows[0]["SEQUENCE_NUMBER"])

    @property
    def end(self) -> int:
        """End token."""
        return int(self.rows[-1]["SEQUENCE_NUMBER"])

    @property
    def offset(self) -> str | None:
        """Event Hubs offset of the last event."""
        offset: str | None = self.rows[-1].get("OFFSET")
        return offset

    @property
    def enqueued(self) -> datetime | None:
        """Enqueued time of the first event."""
        enqueued: datetime | None = self.rows[0].get("ENQUEUED_TIME")
        return enqueued

    @property
    def end_enqueued(self) -> datetime | None:
        """Enqueued time of the last event."""
        enqueued: datetime | None = self.rows[-1].get("ENQUEUED_TIME")
        return enqueued


def chunked(rows: Sequence[Row]) -> list[Chunk]:
    """Split rows into chunks of at most `MAX_CHUNK_BYTES`. A larger row is a chunk of its own."""
    chunks: list[Chunk] = []
    for row in rows:
        size = size_bytes(row)
        if not chunks or chunks[-1].size_bytes + size > MAX_CHUNK_BYTES:
            chunks.append(Chunk())
        chunks[-1].rows.append(row)
        chunks[-1].size_bytes += size
    return chunks
