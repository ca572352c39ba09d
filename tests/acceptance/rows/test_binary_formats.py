"""RAW_BODY has the bytes of the body, in whichever form the pipe takes them."""

import pytest

from scripts.harness.table import EVENTS
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE
from scripts.localcloud.snow.tables.column import BinaryFormat
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

TEXT, BYTES = "kein JSON: é".encode(), bytes(range(256))


def through_named_pipe(pipeline: Pipeline, binary: BinaryFormat) -> None:
    pipeline.snow.set_binary_format(binary)
    pipeline.snow.create_pipe((DATABASE, SCHEMA, "NAMED"), TABLE)


def raw_bodies(pipeline: Pipeline) -> list[bytes]:
    found = pipeline.snow.query(f"SELECT RAW_BODY FROM {EVENTS} ORDER BY SEQUENCE_NUMBER")  # noqa: S608
    return [bytes.fromhex(body or "") for (body,) in found]


@pytest.mark.parametrize("binary", ["BASE64", "HEX"])
def test_a_body_that_is_no_json_is_stored_to_the_byte(binary: BinaryFormat) -> None:
    with pipeline_of(SNOWFLAKE_PIPE="NAMED", **UNCHECKED) as pipeline:
        through_named_pipe(pipeline, binary)
        for body in (TEXT, BYTES, b"", b"ABCD"):
            pipeline.hub.append("0", [body])
        evsup = pipeline.start()
        pipeline.await_all()
        assert evsup.stop() == 0
        assert raw_bodies(pipeline) == [TEXT, BYTES, b"", b"ABCD"]


def test_a_pipe_that_takes_text_alone_gets_text_and_other_bytes_are_refused_by_name() -> None:
    with pipeline_of(SNOWFLAKE_PIPE="NAMED", **UNCHECKED) as pipeline:
        through_named_pipe(pipeline, "UTF-8")
        for body in (TEXT, b"ABCD"):
            pipeline.hub.append("0", [body])
        evsup = pipeline.start()
        pipeline.await_all()
        assert raw_bodies(pipeline) == [TEXT, b"ABCD"]
        assert "raw_body_limited" in evsup.stderr
        pipeline.hub.append("0", [BYTES])
        assert evsup.wait() == 65
        assert "the pipe takes BINARY as UTF-8 text" in evsup.last_line
        assert "SNOWFLAKE_PIPE" in evsup.last_line
        assert len(raw_bodies(pipeline)) == 2


def test_the_default_pipe_takes_any_bytes_whatever_the_account_says() -> None:
    with pipeline_of(**UNCHECKED) as pipeline:
        pipeline.snow.set_binary_format("UTF-8")
        pipeline.hub.append("0", [BYTES])
        evsup = pipeline.start()
        pipeline.await_all()
        assert evsup.stop() == 0
        assert raw_bodies(pipeline) == [BYTES]
