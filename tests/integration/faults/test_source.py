"""Faults of the source that end the tree."""

from scripts.harness.evsup import Evsup
from scripts.harness.table import PartitionCount
from scripts.harness.waiting import eventually
from tests.harness.pipeline import Pipeline, fix_of

P = "0"


def started_with_fix(pipeline: Pipeline, reason: str) -> Evsup:
    """The start that a reason names."""
    assert (fix_of(reason).settings["EVENTHUB_ON_GAP"], fix_of(reason).arguments) == ("warn", ["start"])
    return pipeline.start(EVENTHUB_ON_GAP="warn")


def test_a_stolen_link_ends_the_tree_with_75_and_loses_nothing(pipeline: Pipeline) -> None:
    pipeline.publish(500)
    evsup = pipeline.start()
    pipeline.await_all()
    pipeline.publish(500)
    pipeline.hub.steal_receivers(P)
    assert evsup.wait() == 75
    assert "partition 0" in evsup.last_line
    assert "higher owner level" in evsup.last_line
    again = pipeline.start()
    pipeline.await_all()
    assert again.stop() == 0
    pipeline.prove()


def test_skipped_numbers_are_refused_with_65_or_with_warn_passed_with_a_warning(pipeline: Pipeline) -> None:
    pipeline.publish(300)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    pipeline.hub.skip(P, 7)
    pipeline.publish(300)
    assert evsup.wait() == 65
    assert "Events 300 to 306 never came" in evsup.last_line
    warned = started_with_fix(pipeline, evsup.last_line)
    pipeline.await_all()
    assert '"event": "sequence_gap"' in warned.stderr
    assert pipeline.in_table()[P].gaps == 7
    pipeline.hub.append_unnumbered(P, [b"{}"])
    assert warned.wait() == 65
    assert "no sequence number" in warned.last_line
    assert pipeline.in_table()[P] == PartitionCount(600, 600, 0, 606)


def test_a_credential_refused_while_receiving_ends_the_tree_with_77(pipeline: Pipeline) -> None:
    pipeline.publish(10)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    pipeline.hub.refuse_tokens(1000)
    pipeline.hub.expire_tokens()
    assert evsup.wait() == 77
    assert "partition 0" in evsup.last_line.lower()
    assert "EVENTHUB_CONNECTION_STRING" in evsup.last_line


def test_a_hub_recreated_while_nobody_could_see_it_ends_the_tree_with_65(pipeline: Pipeline) -> None:
    pipeline.publish(300)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    pipeline.hub.begin_outage()
    pipeline.hub.recreate()
    pipeline.hub.seed(P, 1000)  # numbered from 0: those after 299 would be read as if nothing had happened
    pipeline.hub.end_outage()
    assert evsup.wait() == 65
    assert "not the one of the checkpoint" in evsup.last_line
    refused = pipeline.start()
    assert refused.wait() == 65
    assert refused.last_line == evsup.last_line, "nothing moves before a person has decided"
    assert pipeline.in_table()[P] == PartitionCount(300, 300, 0, 299)
    assert "Done." in pipeline.output(*fix_of(refused.last_line).arguments, "--yes")
    anew = pipeline.start()
    eventually(lambda: pipeline.rows() >= 1300, "the new hub is read from its beginning")
    assert anew.stop() == 0
    assert pipeline.in_table()[P] == PartitionCount(1300, 1000, 0, 999)
    assert "every event is there once" in pipeline.output("verify"), "rows of the other hub do not count"


def test_events_trimmed_before_they_were_read_are_refused_with_65_or_with_warn_passed(pipeline: Pipeline) -> None:
    pipeline.publish(300)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    assert evsup.stop() == 0
    pipeline.publish(300)
    pipeline.hub.trim(P, 400)
    refused = pipeline.start()
    assert refused.wait() == 65
    assert "100 events are lost: events 300 to 399 left retention" in refused.last_line
    warned = started_with_fix(pipeline, refused.last_line)
    eventually(lambda: pipeline.in_table()[P].last == 599, "the rest is read")
    assert warned.stop() == 0
    assert pipeline.in_table()[P] == PartitionCount(500, 500, 0, 599)
    assert "events_lost" in warned.stderr
    assert "100 events, 300 to 399, are not in the table" in pipeline.output("verify", code=65)
