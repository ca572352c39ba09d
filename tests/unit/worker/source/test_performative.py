"""The performative of a frame in each form that AMQP allows, and what the Azure SDK makes of it."""

from types import SimpleNamespace

import pytest
from azure.eventhub._pyamqp._connection import Connection
from azure.eventhub._pyamqp.constants import ConnectionState
from azure.eventhub._pyamqp.error import AMQPConnectionError, AMQPLinkError

from shared.eventhubs.sdk_link import SdkLink
from tests.unit.worker.rows.wire import held, sized
from worker.rows.amqp import Malformed
from worker.source.performative import FIELDS, NAMES, TRANSFER, decode

FLOW, DETACH, CLOSE = 0x13, 0x16, 0x18
NULL, TRUE, ONE, NAME = b"\x40", b"\x41", b"\x52\x01", sized(0xA1, b"link")
STOLEN = b"\x00\x53\x1d" + held(0xC0, 1, sized(0xA3, b"amqp:link:stolen"))
TERMINUS = held(0xC0, 1, NAME)
HUB_CHANNEL = 7


def descriptors(code: int) -> list[bytes]:
    """A performative as AMQP lets it be named."""
    name = next(name for name, named in NAMES.items() if named == code)
    symbol32 = b"\xb3" + len(name).to_bytes(4, "big") + name
    return [b"\x53" + bytes([code]), b"\x80" + code.to_bytes(8, "big"), sized(0xA3, name), symbol32]


def lists(fields: list[bytes]) -> list[bytes]:
    """Its fields as AMQP lets them be listed."""
    content = b"".join(fields)
    return [held(0xC0, len(fields), content), held(0xC0, len(fields), content, large=True)] + [b"\x45"] * (not fields)


@pytest.mark.parametrize("code", FIELDS)
@pytest.mark.parametrize("given", [0, 1, 3])
def test_all_forms_of_a_performative_say_the_same(code: int, given: int) -> None:
    known = min(given, FIELDS[code])
    fields = [ONE] * known if code != CLOSE else [STOLEN] * known
    said = [decode(b"\x00" + descriptor + each) for descriptor in descriptors(code) for each in lists(fields)]
    assert {code for code, _ in said} == {code}
    assert all(each == said[0] for each in said)
    assert len(said[0][1]) == FIELDS[code] + (code == TRANSFER)
    assert said[0][1][known:] == [None] * (FIELDS[code] - known) + [b""] * (code == TRANSFER)


def test_what_is_behind_a_transfer_is_its_payload() -> None:
    assert decode(b"\x00\x53\x14" + held(0xC0, 1, ONE) + b"payload")[1][-1] == b"payload"


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\x00\x53\x14", b"\x00\x53\x19\x45", b"\x00\x52\x14\x45", b"\x53\x14\x45"]
)
def test_what_is_no_performative_is_refused(body: bytes) -> None:
    with pytest.raises((Malformed, KeyError)):
        decode(body)


# --- what the SDK makes of it -----------------------------------------------------------------------------------------


@pytest.fixture
def link() -> SdkLink:
    """A link of the SDK that a hub has opened which leaves out each last field that is null."""
    transport = SimpleNamespace(send_frame=lambda *_: None, close=lambda: None, sock=None)
    connection = Connection("amqp://hub", transport=transport)
    connection.state = ConnectionState.OPENED
    session = connection.create_session()
    receiver = session.create_receiver_link("source", name="link", on_transfer=None)
    handler = SimpleNamespace(_connection=connection, _session=session, _link=receiver)
    made = SdkLink(SimpleNamespace(_handler=handler, _handle_exception=lambda error, **_: error))
    session.begin()
    with pytest.raises(AMQPConnectionError, match="ended"):  # the link is not attached yet
        told(made, 0x11, b"\x60\x00\x01", ONE, ONE, ONE)
    told(made, 0x12, NAME, ONE, b"\x42", NULL, NULL, TERMINUS, TERMINUS, NULL, NULL, b"\x43")
    return made


def told(link: SdkLink, code: int, *fields: bytes) -> None:
    """Give it a frame with these fields."""
    link.take(HUB_CHANNEL, decode(b"\x00" + descriptors(code)[0] + lists(list(fields))[0]))


def test_a_flow_of_the_session_alone_changes_nothing_of_the_link(link: SdkLink) -> None:
    credit = link.credit
    told(link, FLOW, NULL, ONE, ONE, ONE)
    assert (link.channel, link.handle, link.credit) == (HUB_CHANNEL, 1, credit)


@pytest.mark.parametrize("fields", [(ONE,), (ONE, TRUE)])
def test_a_detach_without_an_error_ends_the_link_by_that_name(link: SdkLink, fields: tuple[bytes, ...]) -> None:
    with pytest.raises(AMQPLinkError, match="Link detached unexpectedly"):
        told(link, DETACH, *fields)


def test_a_detach_with_no_more_than_a_condition_says_that(link: SdkLink) -> None:
    with pytest.raises(AMQPLinkError, match="stolen"):
        told(link, DETACH, ONE, TRUE, STOLEN)


def test_a_close_without_an_error_ends_the_connection(link: SdkLink) -> None:
    with pytest.raises(AMQPConnectionError, match="ended"):
        told(link, CLOSE)


def test_a_close_with_no_more_than_a_condition_says_that(link: SdkLink) -> None:
    with pytest.raises(AMQPConnectionError, match="stolen"):
        told(link, CLOSE, STOLEN)
