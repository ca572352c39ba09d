"""A channel is lost after its first rows are committed and before its first checkpoint is written."""

from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, fix_of, pipeline_of

P = "0"
EVENTS = 20


def test_rows_that_no_checkpoint_knows_are_not_written_again_into_a_new_channel() -> None:
    with pipeline_of(**UNCHECKED) as pipeline:
        evsup = pipeline.start()
        evsup.await_running(1)
        pipeline.snow.freeze_token()  # so the worker never learns that its rows are committed
        pipeline.publish(EVENTS)
        eventually(lambda: pipeline.rows() == EVENTS, "the first rows are committed")
        assert pipeline.position(P) is None

        pipeline.snow.delete_channel(pipeline.channel(P))
        assert evsup.wait() == 65
        again = pipeline.start()
        assert again.wait() == 65, "the refused start did not make the channel anew"
        assert "its channel does not exist any more" in pipeline.check(code=65)
        pipeline.prove()

        pipeline.snow.thaw_tokens()
        pipeline.output(*fix_of(again.last_line).arguments, "--yes")
        pipeline.start().await_running(1)
        pipeline.publish(EVENTS)
        pipeline.await_all()
