"""State and counts of the faults that are active.

Inject one with `HubAdmin` (`admin.py`); `operator.py` carries it out.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from scripts.localcloud.hub.wire.performatives import Fault

SERVER_BUSY = "com.microsoft:server-busy"
"""The service's condition; the SDK waits 4 s on it. Source:
https://learn.microsoft.com/en-us/azure/service-bus-messaging/service-bus-amqp-troubleshoot"""


class FaultName(Enum):
    """The faults on offer, as they are counted."""

    DROP = "drop"
    CLOSE = "close"
    DETACH = "detach"
    STEAL = "steal"
    REDELIVER = "redeliver"
    SKIP = "skip"
    UNNUMBERED = "unnumbered"
    TRIM = "trim"
    RECREATE = "recreate"
    FAIL_OVER = "fail_over"
    DELAY = "delay"
    THROTTLE = "throttle"
    HANG = "hang"
    OUTAGE = "outage"
    EXPIRE_TOKENS = "expire_tokens"
    REFUSE_TOKENS = "refuse_tokens"
    GATE = "gate"
    LATENCY = "latency"
    SMALL_FRAMES = "small_frames"
    ABORT = "abort"
    MUTE = "mute"
    SILENCE = "silence"


@dataclass
class Faults:
    """Armed faults. `delay_s` holds back every write of events; the counts are what is still to go wrong."""

    delay_s: float = 0.0
    latency_s: float = 0.0
    """By which everything that is sent comes later, as over a long line."""
    frame_bytes: int = 1 << 32
    """Largest frame that is sent, whatever more the client takes."""
    throttled_attaches: int = 0
    refused_tokens: int = 0
    rewinds: dict[str, int] = field(default_factory=dict)
    aborts: Counter[str] = field(default_factory=Counter)
    silent: set[str] = field(default_factory=set)
    """Partitions whose runtime information is not given."""
    hung: bool = False
    out: bool = False
    fired: Counter[FaultName] = field(default_factory=Counter)

    def throttle(self) -> Fault | None:
        """Use up one throttled attach, if there is one."""
        if self.throttled_attaches <= 0:
            return None
        self.throttled_attaches -= 1
        self.fired[FaultName.THROTTLE] += 1
        return Fault(
            SERVER_BUSY,
            "The request was terminated because the entity is being throttled. Please wait 4 seconds and try again.",
        )

    def refuse_token(self) -> bool:
        """Use up one refused token, if there is one."""
        if self.refused_tokens <= 0:
            return False
        self.refused_tokens -= 1
        self.fired[FaultName.REFUSE_TOKENS] += 1
        return True

    def rewind(self, partition_id: str) -> int:
        """Use up the events by which the next receiver of a partition starts too early."""
        events = self.rewinds.pop(partition_id, 0)
        self.fired[FaultName.REDELIVER] += bool(events)
        return events

    def abort(self, partition_id: str) -> bool:
        """Use up one delivery of a partition that is to be aborted, if there is one."""
        if self.aborts[partition_id] <= 0:
            return False
        self.aborts[partition_id] -= 1
        self.fired[FaultName.ABORT] += 1
        return True
