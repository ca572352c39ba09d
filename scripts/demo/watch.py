"""Waiting for evsup: each wait has an end, and a tree that stops meanwhile is reported at once."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.demo.publisher import Publisher
from scripts.demo.screen import Progress, Screen
from scripts.harness import table
from scripts.harness.evsup import Evsup
from scripts.localcloud.snow.admin import SnowAdmin

LOOK_S = 0.4


@dataclass(frozen=True)
class Watch:
    """Looks at the tree, the table and the publisher, until what is waited for is there."""

    screen: Screen
    evsup: Evsup
    snow: SnowAdmin
    publisher: Publisher
    total: int

    def until(self, is_there: Callable[[Progress], bool], what: str) -> None:
        """Wait while the tree runs. Raises NotAsPromised when it takes too long."""
        self.evsup.until(lambda: is_there(self._look()), what, every_s=LOOK_S)

    def live_until(self, is_there: Callable[[Progress], bool], what: str) -> None:
        """The same under the live picture."""
        with self.screen.live() as view:

            def is_there_now(progress: Progress) -> bool:
                view.show(progress)
                return is_there(progress)

            self.until(is_there_now, what)

    def _look(self) -> Progress:
        return Progress(self.total, self.publisher.acknowledged, table.total(self.snow), self.evsup.status())
