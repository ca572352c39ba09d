"""Which receivers a partition admits: the rules of epochs, decided on values.

Rules: https://learn.microsoft.com/en-us/archive/blogs/gyan/event-hubs-receiver-epoch
Texts: https://github.com/Azure/azure-sdk-for-java/issues/26583 (lower epoch),
https://github.com/Azure/azure-sdk-for-java/issues/12483 (displaced),
https://github.com/Azure/azure-event-hubs-go/issues/181 (no epoch),
https://github.com/MicrosoftDocs/azure-docs/issues/24985 (too many).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.localcloud.hub.wire.performatives import Fault

MAX_RECEIVERS = 5
"""Receivers without an epoch, per partition and consumer group."""
_STOLEN = "amqp:link:stolen"


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a new receiver: refused with a fault, or admitted, with the fault that those present get."""

    refused: Fault | None = None
    displaced: Fault | None = None


def admit(epoch: int | None, present: Sequence[int | None]) -> Admission:
    """Decide on a receiver with `epoch` (None: without) while receivers with the epochs `present` are attached."""
    reigning = max((one for one in present if one is not None), default=None)
    if epoch is None:
        return _admit_without_epoch(reigning, len(present))
    if reigning is not None and epoch < reigning:
        return Admission(refused=_lower(epoch, reigning))
    return Admission(displaced=_displaced(epoch, reigning) if present else None)


def _admit_without_epoch(reigning: int | None, receivers: int) -> Admission:
    if reigning is not None:
        return Admission(refused=_exclusive(reigning))
    if receivers >= MAX_RECEIVERS:
        return Admission(refused=_too_many(receivers))
    return Admission()


def _lower(epoch: int, reigning: int) -> Fault:
    return Fault(
        _STOLEN,
        f"Receiver 'nil' with a higher epoch '{reigning}' already exists. Receiver 'nil' with epoch {epoch} cannot be"
        " created. Make sure you are creating receiver with increasing epoch value to ensure connectivity, or ensure"
        " all old epoch receivers are closed or disconnected.",
    )


def _displaced(epoch: int, reigning: int | None) -> Fault:
    return Fault(
        _STOLEN,
        f"New receiver 'nil' with higher epoch of '{epoch}' is created hence current receiver 'nil' with epoch"
        f" '{-1 if reigning is None else reigning}' is getting disconnected. If you are recreating the receiver, make"
        " sure a higher epoch is used.",
    )


def _exclusive(reigning: int) -> Fault:
    return Fault(
        _STOLEN,
        f"At least one receiver for the endpoint is created with epoch of '{reigning}', and so non-epoch receiver is"
        " not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or"
        " disconnected.",
    )


def _too_many(receivers: int) -> Fault:
    return Fault(
        "amqp:resource-limit-exceeded",
        "Exceeded the maximum number of allowed receivers per partition in a consumer group which is"
        f" {MAX_RECEIVERS}. List of connected receivers - {', '.join(['nil'] * receivers)}.",
    )
