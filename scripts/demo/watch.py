"""Waiting for evsup: each wait has an end, and a tree that stops meanwhile is told at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from scripts.demo.daemon import Evsup
from scripts.demo.failure import DemoFailed
from scripts.demo.publisher import Publisher
from scripts.demo.screen import Progress, Screen
from scripts.demo.table import Table
from shared.clock import Deadline, monotonic

LOOK_S = 0.4
PATIENCE_S = 60.0  # for anything that is waited for; the whole demo takes about as long


@dataclass(frozen=True)
class Watch:
    """Looks at the tree, the table and the publisher, until what is waited for is there."""

    screen: Screen
    evsup: Evsup
    table: Table
    publisher: Publisher
    total: int

    def until_exit(self) -> tuple[int, float]:
        """Wait for the tree's end; its exit code, and the seconds that it took."""
        start_s, deadline = monotonic(), Deadline.after(PATIENCE_S)
        while (code := self.evsup.exit_code) is None:
            self._require_time(deadline, "evsup does not stop")
            time.sleep(LOOK_S / 4)
        return code, monotonic() - start_s

    def until(self, is_there: Callable[[Progress], bool], otherwise: str) -> None:
        """Wait while the tree runs. Raises DemoFailed with `otherwise` when it takes too long."""
        deadline = Deadline.after(PATIENCE_S)
        while not is_there(self._look()):
            self._require_tree()
            self._require_time(deadline, otherwise)
            time.sleep(LOOK_S)

    def live_until(self, is_there: Callable[[Progress], bool], otherwise: str) -> None:
        """The same under the live picture."""
        with self.screen.live() as view:

            def is_there_now(progress: Progress) -> bool:
                view.show(progress)
                return is_there(progress)

            self.until(is_there_now, otherwise)

    def _look(self) -> Progress:
        return Progress(self.total, self.publisher.acknowledged, self.table.rows(), self.evsup.status())

    def _require_tree(self) -> None:
        if self.evsup.exit_code is not None:
            raise DemoFailed(f"evsup ended with exit code {self.evsup.exit_code}", self.evsup.last_lines())

    def _require_time(self, deadline: Deadline, otherwise: str) -> None:
        if deadline.passed():
            raise DemoFailed(f"{otherwise} after {PATIENCE_S:.0f} s", self.evsup.last_lines())
