"""A group that grows from one supervisor to one on every host, and shrinks again."""

from scripts.chaos.hosts.cluster import Cluster
from scripts.chaos.run import START_S
from shared.clock import monotonic


class ScaleOut:
    """Over when every host has its share."""

    def __init__(self, cluster: Cluster) -> None:
        self.name, self.changed_s = f"scale 1 → {len(cluster.hosts)}", monotonic()
        self._cluster = cluster
        self.limit_s = START_S + cluster.scene.limits.recovery_s

    def turn(self, _at_s: float) -> bool:
        """Start what is not there yet."""
        while len(self._cluster.scene.units) < len(self._cluster.hosts):
            self._cluster.join()
            self.changed_s = monotonic()
        return self._cluster.scene.is_shared()


class ScaleIn:
    """Over when the first host has every partition, and the others have drained."""

    def __init__(self, cluster: Cluster) -> None:
        self.name, self.changed_s = f"scale {len(cluster.hosts)} → 1", monotonic()
        self._scene, limits = cluster.scene, cluster.scene.limits
        self.limit_s = limits.stop_s + limits.recovery_s

    def turn(self, _at_s: float) -> bool:
        """Stop the others, all at once."""
        _, *others = self._scene.units
        for unit in others:
            if unit.is_wanted:
                unit.stop()
                self.changed_s = monotonic()
        return all(unit.has_stopped for unit in others) and self._scene.is_shared()
