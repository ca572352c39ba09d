"""All metrics: one closed set, which `/metrics` shows and OpenTelemetry pushes.

docs/metrics.md is written from it, and the dashboard and alerts of scripts/deploy are checked against it.
"""

from supervisor.status.metrics.latencies import LATENCIES
from supervisor.status.metrics.partitions import PARTITIONS
from supervisor.status.metrics.tree import TREE

METRICS = (*TREE, *PARTITIONS, *LATENCIES)
