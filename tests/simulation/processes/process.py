"""A process on a host: it runs, is stopped and continued, or dies; and its clock goes on meanwhile."""

from collections.abc import Callable

from tests.simulation.processes.fiber import Fiber
from tests.simulation.world import World

MOMENT_S = 0.002  # a wait shorter than this is none: to hand the baton over costs more than it shows
WOKEN_S = 0.05  # within so much all threads of a process that was continued run again, in any order


class Clock:
    """The monotonic clock of a host: its own origin, and a quartz that is a little wrong."""

    def __init__(self, world: World, origin_s: float, rate: float) -> None:
        self._world, self._origin_s, self._rate = world, origin_s, rate

    def __call__(self) -> float:
        return self._origin_s + self._world.now_s * self._rate

    def in_world_s(self, clock_s: float) -> float:
        """The world's time at that time of this clock."""
        return (clock_s - self._origin_s) / self._rate


class Process:
    """What its threads do happens only while it lives and is not stopped."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.lives, self.is_frozen = True, False
        self.continued_s = float("-inf")
        """When it was last continued."""
        self._held_back: list[Callable[[], None]] = []
        self._ambush: tuple[int, Callable[[], None]] | None = None

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something later, on any of its threads."""
        if self._ambush:
            self._spring(*self._ambush)
        self.world.after(delay_s, lambda: self._act(action))

    def ambush(self, moves: int, strike: Callable[[], None]) -> None:
        """Strike when it has begun so many things more: in the middle of one."""
        self._ambush = (moves, strike)

    def freeze(self) -> None:
        """SIGSTOP."""
        self.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self.is_frozen, self.continued_s = False, self.world.now_s
        held_back, self._held_back = self._held_back, []
        for action in held_back:
            self.after(self.world.rng.uniform(0, WOKEN_S), action)

    def die(self) -> None:
        """SIGKILL, or the end."""
        self.lives = False

    def start(self, call: Callable[[], None]) -> None:
        """Run something that blocks on a thread of its own."""
        fiber = Fiber.of(call)
        self.world.fibers.add(fiber)
        self.after(0, fiber.resume)

    def wait(self, seconds: float) -> None:
        """Go on after a while, if the process runs then; at once where nothing can wait."""
        if Fiber.current and (seconds > MOMENT_S or self.is_frozen or not self.lives):
            Sleep(self, seconds).enter()

    def travel(self, seconds: float) -> None:
        """A request is under way, and arrives whatever becomes of its sender; at once where nothing can wait."""
        fiber = Fiber.current
        if fiber and seconds > MOMENT_S:
            self.world.after(seconds, fiber.resume)
            fiber.pause()

    def _spring(self, moves: int, strike: Callable[[], None]) -> None:
        self._ambush = (moves - 1, strike) if moves else None
        if not moves:
            strike()

    def _act(self, action: Callable[[], None]) -> None:
        if not self.lives:
            return
        if self.is_frozen:
            self._held_back.append(action)
            return
        self.world.running = self
        action()


class Sleep:
    """A thread that waits, for so long at most."""

    def __init__(self, process: Process, seconds: float) -> None:
        assert Fiber.current
        self._process, self._fiber, self._is_over = process, Fiber.current, False
        process.after(seconds, self._end)

    def enter(self) -> None:
        """On the thread: wait."""
        self._fiber.pause()

    def wake(self) -> None:
        """End it early."""
        self._process.after(0, self._end)

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._fiber.resume()
