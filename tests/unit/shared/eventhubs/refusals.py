"""What Event Hubs, and the way to it, answer instead of events, and what has to become of it.

The sentences are those of the real services, as people reported them; each case names where. Ids are shortened.
"""

import socket
from dataclasses import dataclass

from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub._pyamqp import error as amqp
from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError, EventHubError

from shared.errors import (
    Bug,
    ConfigurationError,
    EvsupError,
    NotPermitted,
    OwnershipLost,
    ResumeRefused,
    SourceThrottled,
    SourceUnavailable,
)
from shared.eventhubs.error_rules import Credential
from tests.unit.shared.eventhubs.failures import certificate, connecting, link, management, put_token, raised, tls

TRACKING = "TrackingId:73d9_G1, SystemTracker:NoSystemTracker, Timestamp:2022-03-19T19:01:58"


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence of the real service, and what has to become of it."""

    name: str
    error: Exception
    becomes: type[EvsupError]
    why: str
    fix: str
    kind: Credential = "key"


CASES = [
    # --- at $cbs: https://github.com/Azure/azure-sdk-for-python/issues/23487
    Case(
        "an expired signature",
        put_token(401, f"ExpiredToken: The token is expired. {TRACKING}"),
        NotPermitted,
        "the signature in EVENTHUB_CONNECTION_STRING expired at 2022-03-19 18:02:00 UTC",
        "new signature",
        "expired signature",
    ),
    Case(
        "an expired signature that is not looked at any further",
        put_token(401, f"InvalidSignature: The token has an invalid signature. {TRACKING}"),
        NotPermitted,
        "the signature in EVENTHUB_CONNECTION_STRING expired at 2022-03-19 18:02:00 UTC",
        "new signature",
        "expired signature",
    ),
    # https://github.com/wso2/apim-analytics-publisher/issues/22
    Case(
        "a key, and a clock that is behind",
        put_token(401, "ExpiredToken: The token is expired. Expiration time: '2022-03-19 22:19:27Z'"),
        NotPermitted,
        "the clock of this host is behind: it says 2022-03-19 19:02:00 UTC",
        "timedatectl",
    ),
    Case(
        "a key, and a clock that is behind by what the service says",
        put_token(401, "ExpiredToken: The token is expired. TrackingId:7, Timestamp:2022-03-19T21:01:58"),
        NotPermitted,
        "it says 2022-03-19 19:02:00 UTC, and that of Event Hubs 2022-03-19 21:01:58 UTC",
        "timedatectl",
    ),
    # https://github.com/sandrinodimattia/RedDog/issues/4
    Case(
        "a wrong key",
        put_token(401, "InvalidSignature: The token has an invalid signature."),
        NotPermitted,
        "the credential in EVENTHUB_CONNECTION_STRING is refused: 401 InvalidSignature",
        "Copy EVENTHUB_CONNECTION_STRING again",
    ),
    Case(
        "a signature of another hub",
        put_token(401, "InvalidAudience: The authorization header contains a token with a wrong audience."),
        NotPermitted,
        "not one for this hub",
        "new signature",
        "signature",
    ),
    # https://github.com/Azure/azure-sdk-for-js/issues/32923
    Case(
        "no keys allowed",
        put_token(
            401,
            f"LocalAuthDisabled: Authorization failed because SAS authentication has been disabled for the namespace."
            f" {TRACKING}",
        ),
        NotPermitted,
        "local authentication is disabled",
        "EVENTHUB_NAMESPACE=ns.servicebus.windows.net",
    ),
    # L. Huang, "Troubleshoot Azure Monitor Linux Agent Sending Logs to Event Hub", 13 May 2025, "Network Blocking"
    Case(
        "the firewall",
        put_token(
            401,
            "Ip has been prevented to connect to the endpoint.\nFor more information see:\nVirtual Network service"
            f" endpoints:\nEvent Hubs: https://go.microsoft.com/fwlink/?linkid=2044192 \nIP Filters:\n {TRACKING}",
        ),
        NotPermitted,
        "the firewall of ns.servicebus.windows.net does not let this host in",
        "private endpoint",
        "identity",
    ),
    # https://github.com/Azure/azure-sdk-for-net/issues/25306
    Case(
        "another tenant",
        put_token(401, "InvalidIssuer: Token issuer is invalid."),
        NotPermitted,
        "another tenant",
        "AZURE_TENANT_ID",
        "identity",
    ),
    # https://github.com/Azure/azure-service-bus/issues/304
    Case(
        "no such hub",
        put_token(404, f"The messaging entity 'sb://ns.servicebus.windows.net/flights' could not be found. {TRACKING}"),
        ConfigurationError,
        "could not be found",
        "EVENTHUB_NAME=flights",
    ),
    # https://github.com/Azure/azure-event-hubs-spark/issues/343
    Case(
        "a service that stumbles",
        put_token(500, "The service was unable to process the request; please retry the operation."),
        SourceUnavailable,
        "please retry",
        "can be reached",
    ),
    # https://github.com/Azure/azure-sdk-for-net/issues/9388
    Case("a token of a wrong type", put_token(400, "Bad Request"), NotPermitted, "400", "Data Receiver", "identity"),
    # https://github.com/Azure/azure-service-bus/issues/677
    Case(
        "a disabled hub, at the token",
        put_token(
            400,
            "Messaging entity 'sb://ns.servicebus.windows.net/flights' is currently disabled. For more information"
            f" please see https://aka.ms/ServiceBusExceptions . {TRACKING}",
        ),
        ConfigurationError,
        "the event hub is disabled",
        "Active",
    ),
    Case(
        "a token that the client saw end",
        raised(amqp.TokenExpired(amqp.ErrorCondition.InternalError, description="CBS Authentication Expired.")),
        SourceUnavailable,
        "CBS Authentication Expired",
        "",
    ),
    # --- at $management
    Case("no such hub, at $management", management(404), ConfigurationError, "404", "EVENTHUB_NAME=flights"),
    Case("a wrong key, at $management", management(401), NotPermitted, "401", "EVENTHUB_CONNECTION_STRING"),
    Case("no role, at $management", management(401), NotPermitted, "may not", "Data Receiver", "identity"),
    Case("no such partition, at $management", management(400), ConfigurationError, "no such partition", "evsup check"),
    Case("a busy $management", management(503), SourceUnavailable, "503", ""),
    # --- links
    # https://github.com/Azure/azure-sdk-for-js/issues/2057
    Case(
        "no claim",
        link(
            "amqp:unauthorized-access",
            "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource:"
            f" 'sb://ns.servicebus.windows.net/flights/consumergroups/$default/partitions/1'. {TRACKING}",
        ),
        NotPermitted,
        "the policy in EVENTHUB_CONNECTION_STRING may not receive: Unauthorized access. 'Listen'",
        "claim Listen",
    ),
    Case(
        "no role",
        link("amqp:unauthorized-access", "Unauthorized access. 'Listen' claim(s) are required to perform this one."),
        NotPermitted,
        "the identity may not receive",
        "Azure Event Hubs Data Receiver",
        "identity",
    ),
    Case(
        "a token that ran out on the link",
        link("amqp:unauthorized-access", "ExpiredToken: The token is expired. Expiration time: '2022-03-19 19:01:27Z'"),
        SourceUnavailable,
        "the token ran out",
        "",
    ),
    # https://github.com/Azure/azure-sdk-for-js/blob/main/sdk/eventhub/mock-hub/src/services/eventHubs.ts
    Case(
        "no such partition",
        link(
            "com.microsoft:argument-out-of-range",
            "The specified partition is invalid for an EventHub partition sender or receiver.",
        ),
        ConfigurationError,
        "the hub has no such partition",
        "evsup check",
    ),
    Case(
        "a disabled hub",
        link("com.microsoft:entity-disabled", f"Messaging entity 'sb://…/flights' is currently disabled. {TRACKING}"),
        ConfigurationError,
        "the event hub is disabled",
        "Active",
    ),
    # https://github.com/MicrosoftDocs/azure-docs/issues/24985
    Case(
        "too many receivers",
        link(
            "amqp:resource-limit-exceeded",
            "Exceeded the maximum number of allowed receivers per partition in a consumer group which is 5. List of"
            " connected receivers - nil, nil, nil, nil, nil.",
        ),
        ConfigurationError,
        "Event Hubs allows five receivers",
        "EVENTHUB_CONSUMER_GROUP=$Default",
    ),
    Case(
        "another quota",
        link("amqp:resource-limit-exceeded", "The maximum number of AMQP connections is exceeded."),
        SourceUnavailable,
        "a quota of ns.servicebus.windows.net is used up",
        "",
    ),
    Case(
        "a reader with a higher owner level",
        link("amqp:link:stolen", "New receiver 'nil' with higher epoch of '5' is created hence current receiver …"),
        OwnershipLost,
        "higher epoch",
        "owner level",
    ),
    # https://github.com/nicolgit/azure-firewall-mon/issues/21
    Case(
        "a number past the end",
        link(
            "com.microsoft:argument-error",
            "The supplied sequence number '488' is invalid. The last sequence number in the system is '482'",
        ),
        ResumeRefused,
        "supplied sequence number",
        "evsup check",
    ),
    # https://github.com/Azure/azure-event-hubs-python/issues/13
    Case(
        "an offset past the end",
        link("com.microsoft:argument-error", "The supplied offset '515' is invalid. The last offset … is '129'"),
        ResumeRefused,
        "supplied offset",
        "evsup check",
    ),
    Case(
        "no such consumer group",
        link("amqp:not-found", "The messaging entity 'sb://…/ConsumerGroups/x' could not be found."),
        ConfigurationError,
        "could not be found",
        "EVENTHUB_CONSUMER_GROUP",
    ),
    Case(
        "a link that moves between the service's nodes",
        link(
            "amqp:not-found",
            "No connection handler was found for virtual host '522'. Remote container id is '6f5c'.",
        ),
        SourceUnavailable,
        "No connection handler was found",
        "can be reached",
    ),
    Case(
        "the same without a chain",
        ConnectError("amqp:not-found: No connection handler was found for virtual host '522'."),
        SourceUnavailable,
        "No connection handler was found",
        "can be reached",
    ),
    Case(
        "a hub that is not there, by its status",
        link("amqp:not-found", "Put token failed. status-code: 404, status-description: …"),
        ConfigurationError,
        "status-code: 404",
        "EVENTHUB_NAME",
    ),
    # https://github.com/Azure/azure-sdk-for-java/issues/31757
    Case(
        "a hub that was changed",
        link("com.microsoft:entity-updated", f"Entity was updated. {TRACKING}"),
        SourceUnavailable,
        "Entity was updated",
        "",
    ),
    Case(
        "a busy hub",
        link("com.microsoft:server-busy", "Please wait 4 seconds"),
        SourceThrottled,
        "Event Hubs throttles ns.servicebus.windows.net: Please wait",
        "throughput or processing units of ns.servicebus.windows.net",
    ),
    # https://github.com/Azure/azure-event-hubs/issues/320
    Case(
        "a hub that moves",
        link("amqp:link:detach-forced", "The message container is being closed (10398)."),
        SourceUnavailable,
        "10398",
        "",
    ),
    # --- the way there
    Case("nobody there", connecting(ConnectionRefusedError(111, "Connection refused")), SourceUnavailable, "refus", ""),
    Case("silence", TimeoutError("no answer for 30 s"), SourceUnavailable, "no answer for 30 s", "can be reached"),
    Case(
        "a name that nobody knows",
        connecting(socket.gaierror(-2, "Name or service not known")),
        SourceUnavailable,
        "this host cannot resolve the name",
        "spelling of ns.servicebus.windows.net",
    ),
    Case("a host that cannot be", raised(UnicodeError("label too long")), ConfigurationError, "host", "1 to 63"),
    Case("the same, alone", EventHubError("encoding with 'idna' codec failed"), ConfigurationError, "idna", "1 to 63"),
    Case("TLS to a plain port", tls("WRONG_VERSION_NUMBER"), ConfigurationError, "not speak TLS", "UseDevelopment"),
    Case("a handshake cut off", tls("UNEXPECTED_EOF_WHILE_READING"), SourceUnavailable, "EOF", ""),
    Case(
        "an authority that nobody trusts",
        certificate(20, "unable to get local issuer certificate"),
        ConfigurationError,
        "not trusted",
        "EVENTHUB_CA_FILE",
    ),
    Case(
        "a certificate of another name",
        certificate(62, "Hostname mismatch, certificate is not valid for 'ns'."),
        ConfigurationError,
        "another host name",
        "EVENTHUB_CUSTOM_ENDPOINT",
    ),
    Case(
        "a certificate, or a clock, of another time",
        certificate(9, "certificate is not yet valid"),
        ConfigurationError,
        "the clock of this host says 2022-03-19 19:02:00 UTC",
        "Set the clock",
    ),
    # https://github.com/python/cpython/issues/138193
    Case(
        "an authority that Python 3.13 refuses",
        certificate(85, "Missing Authority Key Identifier"),
        ConfigurationError,
        "Python 3.13 and later refuse",
        "issued anew",
    ),
    # --- the SDK's own
    Case(
        "a partition that the SDK does not find",
        ValueError("Wrong partition id:9. The eventhub has partitions: ['0', '1']."),
        ConfigurationError,
        "the hub has no such partition",
        "evsup check",
    ),
    Case(
        "an identity that is not ours",
        ClientAuthenticationError("Azure Developer CLI could not be found."),
        NotPermitted,
        "no token was issued",
        "",
        "identity",
    ),
    # --- errors whose chain is lost
    Case(
        "401 alone", AuthenticationError("CBS …\nStatus code: 401"), NotPermitted, "401", "EVENTHUB_CONNECTION_STRING"
    ),
    Case("404 alone", ConnectError("Management … failed. Status code: 404"), ConfigurationError, "404", "NAME=flights"),
    Case("a condition alone", EventHubError("amqp:unauthorized-access"), NotPermitted, "unauthorized", "role"),
    Case("a text alone", ConnectError("The messaging entity '…' could not be found."), ConfigurationError, "found", ""),
    Case(
        "a stolen link alone",
        ConnectionLostError("… with a higher epoch '5' already exists."),
        OwnershipLost,
        "epoch",
        "",
    ),
    Case("nothing known", ConnectError("refused"), SourceUnavailable, "refused", "can be reached"),
    Case("no error of the SDK", KeyError("offset"), Bug, "offset", ""),
]
