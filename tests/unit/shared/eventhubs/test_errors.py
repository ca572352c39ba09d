"""Every refusal of Event Hubs, and every failure on the way to it, has its own message and exit code."""

from datetime import UTC, datetime

import pytest
from azure.eventhub.exceptions import EventHubError

from shared.errors import ConfigurationError, LimitReached, NotPermitted
from shared.eventhubs.error_rules import Credential
from shared.eventhubs.errors import Access, decide, translate
from shared.eventhubs.sdk_error import read_error
from shared.log.secret import mask
from shared.model import ConsumerGroup
from tests.unit.shared.eventhubs.failures import put_token
from tests.unit.shared.eventhubs.refusals import CASES, Case

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "$Default")
NOW_S = datetime(2022, 3, 19, 19, 2, 0, tzinfo=UTC).timestamp()


def access(kind: Credential = "key") -> Access:
    """How it signs in; a signature ends a day from now, an expired one an hour ago."""
    match kind:
        case "signature":
            return Access(GROUP, "signature", NOW_S + 86_400)
        case "expired signature":
            return Access(GROUP, "signature", NOW_S - 3_600)
        case _:
            return Access(GROUP, kind)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_sentence_of_the_service_says_what_to_do(case: Case) -> None:
    made = decide(read_error(case.error), "It failed", access(case.kind), NOW_S)
    assert type(made) is case.becomes
    assert made.what == "It failed"
    assert case.why in made.why
    assert case.fix in made.fix
    assert "\n" not in str(made)
    assert "{" not in str(made)
    assert mask(str(made)) == str(made), "an advice that looks like a secret would be hidden"


def test_a_refusal_tells_of_a_clock_that_differs_from_the_services_own() -> None:
    error = put_token(401, "InvalidSignature: The token … Timestamp:2022-03-19T17:01:58")
    made = decide(read_error(error), "It failed", access(), NOW_S)
    assert made.why.endswith("(the clock of this host says 2022-03-19 19:02:00 UTC)")


def test_an_error_of_ours_keeps_its_reason_through_the_sdk() -> None:
    ours = ConfigurationError("No token", "the tenant is not known", "Correct AZURE_TENANT_ID.")
    theirs = EventHubError("it failed")
    theirs.__cause__ = ours
    made = translate(theirs, "Event hub 'flights' cannot be read", access("identity"))
    assert type(made) is ConfigurationError
    assert str(made) == (
        "Event hub 'flights' cannot be read: No token: the tenant is not known. Correct AZURE_TENANT_ID."
    )
    assert translate(ours, "anything", access()) is ours


def test_a_limit_of_the_host_is_no_bug() -> None:
    for error in (MemoryError(), RuntimeError("can't start new thread")):
        assert type(translate(error, "Event hub 'flights' cannot be read", access())) is LimitReached


def test_no_credential_is_in_what_is_said() -> None:
    error = put_token(401, "MalformedToken: SharedAccessSignature sr=x&sig=hush&se=1&skn=k")
    assert "hush" not in str(decide(read_error(error), "It failed", access("signature"), NOW_S))


@pytest.mark.parametrize("time", ["2022-13-45T19:01:58", "0000-00-00T00:00:00", "2022-03-19T25:61:61"])
def test_a_time_that_cannot_be_hides_no_error(time: str) -> None:
    for said in (f"Timestamp:{time}", f"Expiration time: '{time}Z'"):
        error = read_error(put_token(401, f"ExpiredToken: The token is expired. {said}"))
        assert type(decide(error, "what", access(), NOW_S)) is NotPermitted
