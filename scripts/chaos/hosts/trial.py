"""One fault by itself: it strikes, it is mended, and the group has to be as before."""

from scripts.chaos.acts.storm import Storm
from scripts.chaos.faults.fault import Fault
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.scene import Scene


class Trial:
    """Over when every partition has moved since the fault was mended, and every supervisor has its share again."""

    def __init__(self, scene: Scene, strike: Strike, fault: Fault, place: str) -> None:
        lasts_s = fault.ends_s(strike, 0.0)
        self.name = f"{place}: {fault.name}" + (f" for {lasts_s:.1f} s" if lasts_s else "")
        self._scene = scene
        self.storm = Storm(scene, [strike], 0.0, [fault], lambda _line: None)
        self.limit_s = self.storm.limit_s + lasts_s + scene.limits.recovery_s

    @property
    def changed_s(self) -> float:
        """When the fault struck or was mended."""
        return self.storm.changed_s

    def turn(self, at_s: float) -> bool:
        """Strike, mend, and wait for the group."""
        is_struck = self.storm.turn(at_s)
        return is_struck and self._scene.pauses.have_all_moved_since(self.changed_s) and self._scene.is_shared()
