"""One line an hour about a tree that runs. Without it, the log of one that has nothing to report is silent for days."""

from collections import Counter

from shared.log.logger import get_logger
from supervisor.status.model import PartitionStatus, TreeStatus

PERIOD_S = 3600.0
_COUNTED = ("rows_total", "bytes_total", "receiver_reopened_total")

log = get_logger()


class HourlyReport:
    """What the workers of a tree have done since its last line, those that have exited as well."""

    def __init__(self, now_s: float) -> None:
        self._due_s = now_s + PERIOD_S
        self._done: Counter[str] = Counter()
        self._known: dict[tuple[str, int], Counter[str]] = {}
        """What each worker had counted at the last call, by partition and epoch."""

    def count(self, worker: PartitionStatus) -> None:
        """Add what a worker has done since the last call."""
        # With the epoch: the next worker of a partition counts from 0 again.
        key = worker.partition, worker.epoch
        if key not in self._known:
            self._done["workers"] += 1
        counted = Counter({name: getattr(worker, name) for name in _COUNTED})
        self._done += counted - self._known.get(key, Counter())
        self._known[key] = counted

    def follow(self, tree: TreeStatus, now_s: float) -> None:
        """Count, and log a line when the hour is over. To be called in every turn of a tree that runs."""
        for worker in tree.partitions:
            self.count(worker)
        if now_s < self._due_s:
            return
        lags = [worker.lag for worker in tree.partitions if worker.lag is not None]
        ages_s = [worker.row_age_s for worker in tree.partitions if worker.row_age_s is not None]
        log.info(
            "hourly_report",
            state=tree.state,
            healthy=tree.healthy,
            partitions_held=len(tree.partitions),
            partitions_total=tree.partitions_total,
            rows=self._done["rows_total"],
            bytes=self._done["bytes_total"],
            lag=sum(lags) if lags else None,
            row_age_s=max(ages_s, default=None),
            workers_started=self._done["workers"],
            links_reopened=self._done["receiver_reopened_total"],
        )
        held = {(worker.partition, worker.epoch) for worker in tree.partitions}
        self._known = {key: counted for key, counted in self._known.items() if key in held}
        self._done, self._due_s = Counter(), now_s + PERIOD_S
