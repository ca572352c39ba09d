"""The running tree as one value, which `evsup status`, HTTP, the log and crash reports show."""

from typing import Literal, TypeAlias, get_args

import msgspec

from shared.ipc.messages import Counters, Latencies
from supervisor.ownership.balance import HeldElsewhere
from supervisor.version import JSON_VERSION

Sort: TypeAlias = Literal["lag", "age", "partition"]
SORTS = get_args(Sort)  # of partitions: the most lag first, the oldest newest row, or the lowest partition

TreeState = Literal["starting", "standby", "running", "draining"]


class PartitionStatus(Counters, frozen=True):
    """One worker: what it counts, and what the supervisor knows of it.

    The fields of its own are positional so that the JSON begins with them: msgspec puts `kw_only` fields last.
    """

    partition: str
    """Its id."""
    state: str
    """`opening`, `running`, `draining` or `failed`."""
    pid: int
    """Of the worker."""
    epoch: int
    """Grows by one at every change of owner."""
    channel: str | None
    """Name of the channel; None: it is not open yet."""
    lag: int | None
    """Events in the partition that are not durable yet, as of `lag_age_s` ago; None: not known."""
    lag_s: float | None
    """Seconds by which the newest durable row is behind the partition's last event, by the hub's clock; 0 when nothing
    waits, and never more than the oldest event has waited here. None: not known."""
    lag_age_s: float | None
    """Seconds since Event Hubs last said where the partition ends: with an event, or asked after a minute without."""
    row_age_s: float | None
    """Seconds since the hub took the event of the newest durable row; its clock is another one, so never below 0."""
    commit_age_s: float | None
    """Seconds since Snowflake was last seen to have committed something; None: not since the receiver's start."""
    commit_wait_s: float
    """Seconds without a commit while rows are in flight; 0 when none are."""
    snowflake_latency_s: float | None
    """Mean seconds that Snowflake's servers took for rows of the channel, as they say; None: they did not say."""
    event_age_s: float | None
    """Seconds since the last event came; None: none since the receiver's start."""
    frame_age_s: float | None
    """Seconds since anything came from Event Hubs, a heartbeat as well; before the first, since the receiver's start.
    None: it has not started."""
    time_to_loss_s: float | None
    """Seconds until the oldest event received and not durable may leave the hub; 0 when it may have left it already.
    None: there is no such event, or EVENTHUB_RETENTION_HOURS is not set."""
    waits_for: str | None
    """Why no event can be read until a service beside Event Hubs answers; None: none is waited for."""
    rows_per_s: float
    """Rows appended, the mean of the last 5 s."""
    rss_bytes: int
    """Resident memory of the worker's process."""
    report_age_s: float
    """Seconds since the worker's last report."""
    reported_at_s: float
    """When the worker sent it, on the host's monotonic clock: two reports give a rate."""
    lease_s: float
    """Seconds until the worker stops itself unless the lease is renewed."""


class TreeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor and all its workers."""

    version: int = JSON_VERSION
    """Of the document."""
    state: TreeState = "starting"
    """`standby`: other supervisors hold every partition."""
    healthy: bool = False
    """Whether every partition is read, here or by another supervisor; `/readyz` says why not."""
    cause: str | None = None
    """Why the tree stops; None while it runs, or when only a signal stops it."""
    exit_code: int = 0
    """The exit code of the process, as far as it is known yet."""
    host: str
    """Its name."""
    pid: int
    """Of the supervisor."""
    owner_id: str
    """Under which the supervisor holds leases: another one for each run."""
    evsup: str
    """Its version."""
    uptime_s: float = 0.0
    """Seconds since the supervisor's start."""
    source: str
    """Namespace and hub."""
    consumer_group: str
    """Its name."""
    target: str
    """Account and table, and the pipe."""
    store: str
    """Kind of the control store: `sqlite`, `postgres` or `snowflake`."""
    partitions_total: int
    """Partitions of the hub, as far as this supervisor knows."""
    hub_age_s: float = 0.0
    """Seconds since the hub last reported its partitions."""
    hub_trouble: str | None = None
    """Why the last query of the hub failed; None when it did not."""
    table_unseen: str | None = None
    """Why it cannot be checked whether rows still fit the target table; None: they do, or checks are turned off."""
    unowned: tuple[str, ...] = ()
    """Partitions that nobody holds and no supervisor has capacity for."""
    elsewhere: tuple[HeldElsewhere, ...] = ()
    """Partitions that other supervisors hold. A tree that holds none itself is then a standby, and healthy."""
    partitions: tuple[PartitionStatus, ...] = ()
    """Those that this supervisor holds."""
    former_latencies: Latencies = Latencies()
    """What workers counted that have exited since the supervisor's start."""
    store_round_s: float = 0.0
    """Seconds that the last round of renewing and balancing took in the control store."""
    supervisors_lost: int = 0
    """Supervisors of the group that ended without leaving it, within the last ten lease times: killed, or cut off."""
    store_retries_total: int = 0
    """Rounds that failed and were tried again, since the supervisor's start."""
    store_trouble: str | None = None
    """Why the last round of renewing leases failed; None when it did not."""
    last_drain_s: float | None = None
    """Seconds that the last worker took to drain that did; None: none has, since the supervisor's start."""
    rss_bytes: int = 0
    """Resident memory of the supervisor's process."""
    described_at_s: float = 0.0
    """When the loop last turned, on the host's monotonic clock. It stays behind while the loop is stuck."""
