"""The usual script: append the batch in the callback, wait for its commit, checkpoint. Prints a Run as JSON."""

import os
import sys
import time
from typing import Any

import msgspec

from scripts.bench.lab.measure import Run, hand_over
from shared.clock import Deadline, monotonic
from shared.config import environment
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.eventhubs.client import EventHubClient
from shared.ipc.vitals import rss_bytes
from shared.model import Checkpoint, Term
from worker.sink.sdk import client_properties, prepare_environment

STORE_EXPIRATION_S = 600.0
ROWS_AN_APPEND = 5_000  # 50,000 in one append would switch the SDK to file uploads


class WaitingScript:
    """Moves up to `total` events for at most `budget_s` seconds, with the SDKs' settings of evsup."""

    def __init__(self, partition_id: str, total: int, budget_s: float) -> None:
        self._settings = environment.load().settings
        prepare_environment(self._settings.snowflake)
        self._client = EventHubClient(self._settings.eventhub, retry_total=0)
        self._store, self._term = self._claimed(partition_id)
        self._channel = self._opened(partition_id)
        self._total, self._budget_s = total, budget_s
        self._moved, self._started_s, self._started_cpu_s = 0, 0.0, 0.0
        self._error: Exception | None = None

    def run(self, batch: int) -> Run:
        """Receive in batches of `batch` from the beginning."""
        self._started_s, self._started_cpu_s = monotonic(), time.process_time()
        self._client.sdk.receive_batch(
            self._on_batch,
            partition_id=self._term.partition_id,
            owner_level=self._term.epoch,
            prefetch=batch,
            max_batch_size=batch,
            max_wait_time=5,
            starting_position="-1",
            on_error=self._on_error,
        )
        if self._error:
            raise self._error
        return Run(
            events=self._moved,
            seconds=monotonic() - self._started_s,
            rss_bytes=rss_bytes(),
            cpu_s=time.process_time() - self._started_cpu_s,
        )

    def _on_batch(self, _: Any, events: list[Any]) -> None:
        rows = [self._row_of(event) for event in events]
        if not rows:
            return
        last = int(rows[-1]["SEQUENCE_NUMBER"])
        for at in range(0, len(rows), ROWS_AN_APPEND):
            chunk = rows[at : at + ROWS_AN_APPEND]
            self._channel.append_rows(chunk, str(chunk[0]["SEQUENCE_NUMBER"]), str(chunk[-1]["SEQUENCE_NUMBER"]))
        self._channel.wait_for_commit(lambda token: token is not None and int(token) >= last, 120)
        self._store.save_checkpoint(Checkpoint(self._term.partition_id, last, rows[-1]["OFFSET"], self._term.epoch))
        self._moved += len(rows)
        if self._moved >= self._total or Deadline(self._started_s + self._budget_s).passed():
            self._client.sdk.close()

    def _row_of(self, event: Any) -> dict[str, Any]:
        return {
            "PAYLOAD": msgspec.Raw(b"".join(event.body)),
            "PARTITION_ID": self._term.partition_id,
            "SEQUENCE_NUMBER": event.sequence_number,
            "OFFSET": event.offset,
            "ENQUEUED_TIME": event.enqueued_time,
        }

    def _on_error(self, _: Any, error: Exception) -> None:
        self._error = self._error or error
        self._client.sdk.close()

    def _claimed(self, partition_id: str) -> tuple[ControlStore, Term]:
        store = open_store(self._settings.control, self._client.group, STORE_EXPIRATION_S)
        store.initialise()
        term = store.claim(partition_id, f"waiting-{os.getpid()}", STORE_EXPIRATION_S)
        assert term is not None
        return store, term

    def _opened(self, partition_id: str) -> Any:
        from snowflake.ingest.streaming import StreamingIngestClient

        snowflake = self._settings.snowflake
        name = f"WAITING_{partition_id}_{os.getpid()}"
        self._sdk: Any = StreamingIngestClient(
            name, snowflake.database, snowflake.schema, snowflake.pipe_name, properties=client_properties(snowflake)
        )
        return self._sdk.open_channel(name)[0]


if __name__ == "__main__":
    partition, events, size, budget = sys.argv[1:]
    result = WaitingScript(partition, int(events), float(budget)).run(int(size))
    hand_over(result)
