"""An event as evsup makes it of a message, beside the one that the SDK makes."""

import pytest
from azure.eventhub import EventData
from azure.eventhub._pyamqp.message import Header, Message, Properties

from shared.eventhubs.sdk_patches import ReceivedEvent

MESSAGES = (
    Message(data=[b'{"a": 1}'], message_annotations={b"x-opt-sequence-number": 7, b"x-opt-offset": b"70"}),
    Message(
        header=Header(durable=True),
        properties=Properties(message_id=b"m-1", content_type=b"application/json", correlation_id="c"),
        application_properties={b"key": 1.5},
        delivery_annotations={b"last_enqueued_sequence_number": 9},
        sequence=[[1, 2]],
        footer={"f": 1},
    ),
    Message(value=None),
)


@pytest.mark.parametrize("message", MESSAGES)
def test_an_event_has_all_that_the_sdks_own_has(message: Message) -> None:
    ours, the_sdks = ReceivedEvent(message), EventData._from_message(message)
    assert vars(ours).keys() == vars(the_sdks).keys()
    assert str(ours) == str(the_sdks)
    assert repr(ours) == repr(the_sdks)
    assert repr(ours.raw_amqp_message) == repr(the_sdks.raw_amqp_message)
    assert ours.system_properties == the_sdks.system_properties
    assert (ours.sequence_number, ours.message_id) == (the_sdks.sequence_number, the_sdks.message_id)
