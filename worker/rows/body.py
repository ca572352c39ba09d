"""The body of a message, whichever of its sections it is in."""

from worker.bodies.body import Body
from worker.bodies.body_reader import BodyReader
from worker.rows.message import CONTENT_ENCODING, Message
from worker.rows.variant import encode, variant


def body(message: Message, reader: BodyReader) -> Body:
    """The body of a message. AMQP value and sequence bodies are typed already: their JSON is built here, unless it is
    in a string of theirs. AMQP's null is JSON's. So each event has a body, and a row without one is seen to have lost
    it: Snowflake drops a field that has no column.
    """
    said = message.content_type, message.text_of(CONTENT_ENCODING)
    if message.data:
        return reader.data(b"".join(message.data), *said)
    value = message.sequences or message.value  # `Message.add` refuses a message that has both
    if type(value) is bytes and (found := reader.text(value, *said)):
        return found
    return Body(encode(variant(value)))
