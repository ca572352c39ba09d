"""Events of the Dedicated tier, which are twenty times as large as those of the others."""

import json
import random

from scripts.harness.table import EVENTS
from scripts.localcloud.cloud import INLINE_PROPERTIES
from tests.harness.pipeline import UNCHECKED, pipeline_of

# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
DEDICATED_BYTES = 20 * 1024 * 1024 - 4096


def test_events_of_any_size_that_event_hubs_has_are_moved() -> None:
    """The text is random and hardly compresses, so it is more than a request to Snowflake takes: the SDK uploads it."""
    dice = random.Random(20)  # noqa: S311 (a seed, no secret)
    text = b'{"n": 1, "text": "%s"}' % dice.randbytes(DEDICATED_BYTES // 2 - 20).hex().encode()
    binary = dice.randbytes(8_000_000)
    with pipeline_of(**UNCHECKED) as pipeline:
        for body in (b'{"n": 0}', text, b'{"n": 2}', binary, text, b'{"n": 5}'):
            pipeline.hub.append("0", [body])
        evsup = pipeline.start()
        pipeline.await_all()
        assert evsup.stop() == 0
        stored = pipeline.snow.query(
            f"SELECT length(PAYLOAD->>'text'), octet_length(RAW_BODY) FROM {EVENTS} ORDER BY SEQUENCE_NUMBER"  # noqa: S608
        )
    letters = len(text) - len(b'{"n": 1, "text": ""}')
    assert stored == [(None, None), (letters, None), (None, None), (None, len(binary)), (letters, None), (None, None)]


def test_a_row_that_no_request_takes_and_that_may_not_be_uploaded_is_refused_by_its_address() -> None:
    body = random.Random(4).randbytes(5_000_000).hex().encode()  # noqa: S311 (a seed, no secret)
    with pipeline_of(SNOWFLAKE_STREAMING_PROPERTIES=json.dumps(INLINE_PROPERTIES), **UNCHECKED) as pipeline:
        for one in (b"1", b'"%s"' % (b"x" * 6_000_000), b'"%s"' % body, b'"%s"' % (b"y" * 6_000_000)):
            pipeline.hub.append("0", [one])
        evsup = pipeline.start()
        assert evsup.wait() == 65
        assert "Event 2, offset" in evsup.last_line, "the others are as large, but compress well"
        assert "SNOWFLAKE_STREAMING_PROPERTIES" in evsup.last_line
