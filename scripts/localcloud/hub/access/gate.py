"""What the namespace lets in: claims of a token, the firewall, keys and signatures, and whether the hub is active.

The sentences are the service's own. At which stage it says that a hub is disabled is not known: here a token and a link
get the fault.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts.localcloud.hub.wire.performatives import Fault

LISTEN, SEND = "Listen", "Send"
EVERYTHING = (LISTEN, SEND)
# https://github.com/Azure/azure-sdk-for-js/issues/32923
_NO_KEYS = "LocalAuthDisabled: Authorization failed because SAS authentication has been disabled for the namespace."
# L. Huang, "Troubleshoot Azure Monitor Linux Agent Sending Logs to Event Hub", 13 May 2025
_FIREWALL = (
    "Ip has been prevented to connect to the endpoint.\nFor more information see:\nVirtual Network service endpoints:\n"
    "Event Hubs: https://go.microsoft.com/fwlink/?linkid=2044192\nIP Filters:\n"
    "Event Hubs: https://go.microsoft.com/fwlink/?linkid=2044428\n"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """Open by default. `claims` holds for every token, whatever policy or role it comes from."""

    claims: tuple[str, ...] = EVERYTHING
    firewall: bool = False
    keys: bool = True
    active: bool = True

    def refusal(self, entity: str, *, by_key: bool) -> tuple[int, str] | None:
        """Status and description for a token that is put, None: it is let in."""
        if self.firewall:
            return 401, _FIREWALL
        if by_key and not self.keys:
            return 401, _NO_KEYS
        return None if self.active else (400, disabled(entity).description)

    def fault(self, claim: str, entity: str) -> Fault | None:
        """The fault of a link that needs a claim.

        The sentence: https://github.com/Azure/azure-sdk-for-js/issues/2057
        """
        if not self.active:
            return disabled(entity)
        return None if claim in self.claims else unauthorized(claim, entity)


def unauthorized(claim: str, entity: str) -> Fault:
    """Return the fault of a link that no token covers."""
    return Fault(
        "amqp:unauthorized-access",
        f"Unauthorized access. '{claim}' claim(s) are required to perform this operation. Resource: '{entity}'.",
    )


def disabled(entity: str) -> Fault:
    """Return the fault of a link to a disabled hub. https://github.com/Azure/azure-service-bus/issues/677 ."""
    return Fault(
        "com.microsoft:entity-disabled",
        f"Messaging entity '{entity}' is currently disabled. For more information please see"
        " https://aka.ms/ServiceBusExceptions .",
    )


def tracked(text: str) -> str:
    """Give a refusal what support asks for, and with it the service's own clock."""
    number, now = uuid.uuid4(), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    return f"{text} TrackingId:{number}_G1, SystemTracker:NoSystemTracker, Timestamp:{now}"
