"""Faults of Snowflake, and of the stage that files are uploaded to."""

from collections.abc import Callable
from dataclasses import replace

from scripts.chaos.faults.fault import Fault, nothing
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.limits import BRISK
from scripts.chaos.scene.scene import Scene
from scripts.localcloud.snow.admin import SnowAdmin
from scripts.localcloud.snow.http.faults import Call

STANDS_S = (3.0, BRISK.commit_timeout_s + 3.0)  # on both sides of the commit timeout
LATE_S = 2.0
TIMES = 2

Counter = Callable[[SnowAdmin], int]


def _snow(
    name: str,
    counter: Counter,
    deed: Callable[[SnowAdmin, str], None],
    mend: Callable[[SnowAdmin], None] | None = None,
    *,
    stays: bool = False,
) -> Fault:
    """A fault that the local Snowflake makes and counts; `deed` gets the name of the partition's channel."""

    def strike(scene: Scene, strike: Strike) -> bool:
        if not scene.worker(strike.partition):
            return False
        deed(scene.snow, scene.channels[strike.partition])
        return True

    def mended(scene: Scene, _strike: Strike) -> None:
        if mend:
            mend(scene.snow)

    return Fault(
        name,
        strike,
        lambda scene: counter(scene.snow),
        mended if mend else nothing,
        STANDS_S if mend else (0.0, 0.0),
        stays,
    )


def _fired(kind: str) -> Counter:
    return lambda snow: snow.fired().get(kind, 0)


def _answered(status: int, *calls: str, code: str = "") -> Counter:
    """Answers of this HTTP status, and of this code where one is named, to these calls, or to any."""

    def count(snow: SnowAdmin) -> int:
        answers = ((answer.split(), times) for answer, times in snow.answers().items())
        return sum(
            times
            for (call, answered, *codes), times in answers
            if answered == str(status) and call in (calls or (call,)) and code in (*codes, "")
        )

    return count


def _met(name: str, counter: Counter, arm: Callable[[SnowAdmin], None]) -> Fault:
    """A fault of the next calls of a kind, whoever makes them."""
    return _snow(name, counter, lambda snow, _: arm(snow), stays=True)


def _refused(call: Call, status: int) -> Fault:
    counter = _answered(status, call)
    return _met(f"{call} refused with {status}", counter, lambda snow: snow.fail(call, status, TIMES))


def _on_stage(name: str, counter: Counter, arm: Callable[[SnowAdmin], None]) -> Fault:
    """A fault of an upload. The SDK uploads files only under load, so a burst is published with it."""
    armed = _snow(name, counter, lambda snow, _: arm(snow))

    def strike(scene: Scene, strike: Strike) -> bool:
        if not armed.strike(scene, strike):
            return False
        scene.load.burst(strike.partition)
        return True

    return replace(armed, strike=strike)


def _upload_refused(status: int, code: str) -> Fault:
    counter = _answered(status, "upload", code=code)
    return _on_stage(
        f"upload refused with {status}", counter, lambda snow: snow.fail("upload", status, TIMES, code=code)
    )


SINK_FAULTS = (
    _refused("append", 429),
    _refused("append", 500),
    _refused("append", 503),
    _refused("status", 503),
    _met("append's connection reset", _fired("reset append"), lambda snow: snow.reset("append")),
    _met("append's answer lost", _fired("reset_after append"), lambda snow: snow.reset("append", served=True)),
    _met("appends slow", _fired("latency append"), lambda snow: snow.delay("append", LATE_S, TIMES)),
    _snow("Snowflake tokens expired", _answered(401), lambda snow, _: snow.expire_tokens()),
    _snow("commits stalled", _fired("stall_commits"), SnowAdmin.stall_commits, SnowAdmin.release_commits),
    _snow("token frozen", _fired("freeze_token"), SnowAdmin.freeze_token, SnowAdmin.thaw_tokens),
    _snow("channel stolen", _fired("steal"), SnowAdmin.steal),
    _snow("channel invalid", _fired("invalidate"), SnowAdmin.invalidate),
)
STAGE_FAULTS = (
    _upload_refused(403, "AccessDenied"),
    _upload_refused(503, "SlowDown"),
    _on_stage("uploads slow", _fired("latency upload"), lambda snow: snow.delay("upload", LATE_S, TIMES)),
    _on_stage("upload cut off", _fired("cut"), lambda snow: snow.cut_uploads()),
    _on_stage("upload with a wrong checksum", _fired("garble"), lambda snow: snow.garble_uploads()),
    _on_stage(
        "stage credentials expired",
        _answered(400, "upload", code="ExpiredToken"),
        lambda snow: snow.expire_stage_credentials(),
    ),
    _on_stage(
        "file's registration lost",
        _fired("reset filebuffer"),
        lambda snow: snow.reset("filebuffer"),
    ),
)
