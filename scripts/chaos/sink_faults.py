"""What happens at Snowflake."""

from collections.abc import Callable

from scripts.chaos.fault import Fault, nothing
from scripts.chaos.scene import COMMIT_TIMEOUT_S, Scene
from scripts.chaos.schedule import Strike
from scripts.localcloud.snow.admin import SnowAdmin
from scripts.localcloud.snow.faults import Call

STANDS_S = (1.0, COMMIT_TIMEOUT_S + 3.0)  # on both sides of the commit timeout
LATE_S = 2.0
TIMES = 2

Counter = Callable[[SnowAdmin], int]


def _snow(
    name: str,
    counter: Counter,
    deed: Callable[[SnowAdmin, str], None],
    mend: Callable[[SnowAdmin], None] | None = None,
) -> Fault:
    """A fault that the local Snowflake does and counts; `deed` gets the name of the partition's channel."""

    def strike(scene: Scene, strike: Strike) -> bool:
        channel = scene.channels[strike.partition]
        if channel not in scene.snow.channels():
            return False
        deed(scene.snow, channel)
        return True

    def mended(scene: Scene, _strike: Strike) -> None:
        if mend:
            mend(scene.snow)

    return Fault(
        name, strike, lambda scene: counter(scene.snow), mended if mend else nothing, STANDS_S if mend else (0.0, 0.0)
    )


def _fired(kind: str) -> Counter:
    return lambda snow: snow.fired().get(kind, 0)


def _answered(start: str) -> Counter:
    return lambda snow: sum(count for answer, count in snow.answers().items() if answer.startswith(start))


def _refused(call: Call, status: int) -> Fault:
    return _snow(
        f"{call} refused with {status}", _answered(f"{call} {status}"), lambda snow, _: snow.fail(call, status, TIMES)
    )


SINK_FAULTS = (
    _refused("append", 429),
    _refused("append", 500),
    _refused("append", 503),
    _refused("status", 503),
    _snow("append's connection reset", _fired("reset"), lambda snow, _: snow.reset("append")),
    _snow("append's answer lost", _fired("reset_after"), lambda snow, _: snow.reset("append", served=True)),
    _snow("appends slow", _fired("latency"), lambda snow, _: snow.delay("append", LATE_S, TIMES)),
    _snow("Snowflake tokens expired", _answered("append 401"), lambda snow, _: snow.expire_tokens()),
    _snow("commits stalled", _fired("stall_commits"), SnowAdmin.stall_commits, SnowAdmin.release_commits),
    _snow("token frozen", _fired("freeze_token"), SnowAdmin.freeze_token, SnowAdmin.thaw_tokens),
    _snow("channel stolen", _fired("steal"), SnowAdmin.steal),
    _snow("channel invalid", _fired("invalidate"), SnowAdmin.invalidate),
)
