"""How long things may take in a run: what the supervisors are told, and what follows from it."""

from dataclasses import dataclass

from scripts.chaos.scene.unit import STOP_GRACE_S
from worker.source.receiver import REOPEN_MOST_S

BALANCING_INTERVAL_S = 1.0


@dataclass(frozen=True)
class Limits:
    """Lease, commit timeout and drain timeout."""

    expiration_s: float
    commit_timeout_s: float
    drain_timeout_s: float

    @property
    def settings(self) -> dict[str, str]:
        """The same as settings of evsup."""
        return {
            "EVENTHUB_LOAD_BALANCING_INTERVAL": f"{BALANCING_INTERVAL_S:g}",
            "EVENTHUB_OWNERSHIP_EXPIRATION": f"{self.expiration_s:g}",
            "SNOWFLAKE_COMMIT_TIMEOUT": f"{self.commit_timeout_s:g}",
            "EVSUP_DRAIN_TIMEOUT": f"{self.drain_timeout_s:g}",
        }

    @property
    def recovery_s(self) -> float:
        """I10. The worst that the last fault may leave is a commit that stalls for its whole timeout, and after it a
        drain that runs out. Then the lease has to expire, and the receiver's longest pause to pass.
        """
        return self.commit_timeout_s + self.drain_timeout_s + self.expiration_s + REOPEN_MOST_S + 5.0

    @property
    def stop_s(self) -> float:
        """I7: from SIGTERM to the exit."""
        return self.drain_timeout_s + STOP_GRACE_S


# Short leases, stalls and drains, so that every wait ends within seconds.
BRISK = Limits(expiration_s=8.0, commit_timeout_s=8.0, drain_timeout_s=10.0)
# Many supervisors on one machine starve each other: beside other work a drain of a second was seen to take 25 s. That
# is no fault of the network. No part of a run waits for either of the long ones.
PATIENT = Limits(expiration_s=8.0, commit_timeout_s=60.0, drain_timeout_s=60.0)
