"""Faults of Event Hubs."""

from collections.abc import Callable

from scripts.chaos.faults.fault import Fault, nothing
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.scene import Scene
from scripts.localcloud.hub.admin import HubAdmin

REDELIVERED = 200
ATTACHES = 2
AWAY_S = (1.0, 4.0)

Deed = Callable[[HubAdmin, str], object]


def _hub(
    name: str,
    counter: str,
    deed: Deed,
    mend: Callable[[HubAdmin], object] | None = None,
    *,
    stays: bool = False,
) -> Fault:
    """A fault that the local hub makes and counts: at once (or it hit nobody), while it lasts, or when it is met."""

    def strike(scene: Scene, strike: Strike) -> bool:
        before = scene.hub.fired(counter)
        deed(scene.hub, strike.partition)
        return stays or mend is not None or scene.hub.fired(counter) > before

    def mended(scene: Scene, _strike: Strike) -> None:
        if mend:
            mend(scene.hub)

    return Fault(
        name,
        strike,
        lambda scene: scene.hub.fired(counter),
        mended if mend else nothing,
        AWAY_S if mend else (0.0, 0.0),
        stays,
    )


def _throttle(hub: HubAdmin, partition: str) -> None:
    """Only an attach can be refused, so a link has to be lost first."""
    hub.throttle(ATTACHES)
    hub.detach_receivers(partition)


def _redeliver_on_attach(hub: HubAdmin, partition: str) -> None:
    hub.redeliver_on_attach(partition, REDELIVERED)
    hub.detach_receivers(partition)


SOURCE_FAULTS = (
    _hub("link detached", "detach", lambda hub, partition: hub.detach_receivers(partition)),
    _hub("link stolen", "steal", lambda hub, partition: hub.steal_receivers(partition)),
    _hub("connections dropped", "drop", lambda hub, _: hub.drop_connections()),
    _hub("connections closed", "close", lambda hub, _: hub.close_connections()),
    _hub("events redelivered", "redeliver", lambda hub, partition: hub.redeliver_now(partition, REDELIVERED)),
    _hub("events redelivered by a new link", "redeliver", _redeliver_on_attach, stays=True),
    _hub("attaches throttled", "throttle", _throttle, stays=True),
    _hub("hub tokens expired", "expire_tokens", lambda hub, _: hub.expire_tokens()),
    _hub("hub away", "outage", lambda hub, _: hub.begin_outage(), lambda hub: hub.end_outage()),
    _hub("hub silent", "hang", lambda hub, _: hub.hang(), lambda hub: hub.release_hang()),
)
