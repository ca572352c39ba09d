"""The Azure SDK's own consumer over our control store, as a process: balances, receives, checkpoints every batch.

`python -m tests.harness.azure_sdk.client` reads evsup's settings and writes `[partition, sequence number]` of each
event, a line each. SIGTERM closes it in order.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from azure.eventhub import EventHubConsumerClient

from scripts.harness.waiting import PATIENCE_S
from shared.config.environment import load_worker
from shared.control.azure_sdk import AzureCheckpointStore
from shared.control.open import open_store
from shared.eventhubs.client import consumer_group

BALANCE_S = 1.0


class SdkClient:
    """One running client, on the test's side."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._events, self._stderr = directory / "sdk-events", directory / "sdk-stderr"
        with self._events.open("wb") as events, self._stderr.open("wb") as stderr:
            command = [sys.executable, "-m", __name__]
            self._process = subprocess.Popen(command, env=dict(environment), stdout=events, stderr=stderr)

    def events(self, partition: str) -> list[int]:
        """Sequence numbers that it received of a partition, in order."""
        lines = (json.loads(line) for line in self._events.read_text().splitlines(keepends=True) if line[-1] == "\n")
        return [number for one, number in lines if one == partition]

    @property
    def stderr(self) -> str:
        """What it complained of."""
        return self._stderr.read_text()

    def close(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()


def main() -> int:
    """Consume until SIGTERM."""
    settings = load_worker(os.environ)
    eventhub, group = settings.eventhub, consumer_group(settings.eventhub)
    assert eventhub.connection_string is not None
    with closing(open_store(settings.control, group, eventhub.ownership_expiration)) as store:
        client = EventHubConsumerClient.from_connection_string(
            eventhub.connection_string.reveal(),
            eventhub.consumer_group,
            eventhub_name=group.eventhub_name,
            checkpoint_store=AzureCheckpointStore(store),
            load_balancing_interval=BALANCE_S,
            partition_ownership_expiration_interval=eventhub.ownership_expiration,
        )

        def close(_: int, __: FrameType | None) -> None:
            threading.Thread(target=client.close).start()

        signal.signal(signal.SIGTERM, close)
        with client:
            client.receive_batch(_on_batch, on_error=_on_error, max_wait_time=0.2, starting_position="-1")
    return 0


def _on_batch(context: Any, events: list[Any]) -> None:
    if events:
        lines = (json.dumps([context.partition_id, event.sequence_number]) + "\n" for event in events)
        sys.stdout.write("".join(lines))
        sys.stdout.flush()
        context.update_checkpoint(events[-1])


def _on_error(context: Any, error: Exception) -> None:
    sys.stderr.write(f"{context.partition_id if context else 'balancing'}: {error}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
