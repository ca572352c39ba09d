"""`EVENTHUB_MAX_WAIT_TIME=0`: no callback comes on an idle hub, and nothing of evsup waits for one."""

import time
from typing import Any

from scripts.harness.waiting import eventually
from supervisor.process.hang_detector import HUNG_AFTER_S
from tests.harness.pipeline import BRISK, UNCHECKED, Pipeline

P = "0"
WITHOUT_CALLBACKS: dict[str, Any] = {"EVENTHUB_MAX_WAIT_TIME": "0", **UNCHECKED}
DRAIN_S = 20.0  # nothing is in flight; the rest is for a busy machine


def test_without_callbacks_leases_heartbeats_commits_and_the_drain_go_on(pipeline: Pipeline) -> None:
    evsup = pipeline.start(**WITHOUT_CALLBACKS)
    idle = evsup.await_running(1)[P]
    longer_s = max(HUNG_AFTER_S, float(BRISK["EVENTHUB_OWNERSHIP_EXPIRATION"])) + 2
    eventually(
        lambda: (tree := evsup.status()) and tree.uptime_s > longer_s + 5,
        "it was idle for longer than any limit",
    )
    pipeline.publish(300)
    pipeline.await_all()
    eventually(lambda: evsup.workers()[P].checkpointed == 299, "the checkpoint follows")
    busy = evsup.workers()[P]
    assert (busy.pid, busy.epoch) == (idle.pid, idle.epoch)
    tree = evsup.status()
    assert tree is not None
    assert tree.healthy
    began_s = time.monotonic()
    assert evsup.stop() == 0
    assert time.monotonic() - began_s < DRAIN_S
    pipeline.prove()


def test_without_callbacks_a_drain_in_mid_stream_loses_nothing(pipeline: Pipeline) -> None:
    evsup = pipeline.start(**WITHOUT_CALLBACKS)
    evsup.await_running(1)
    pipeline.publish(20_000)
    eventually(lambda: pipeline.rows() > 0, "rows come")
    assert evsup.stop() == 0
    again = pipeline.start(**WITHOUT_CALLBACKS)
    again.await_running(1)
    pipeline.await_all()
    assert again.stop() == 0
