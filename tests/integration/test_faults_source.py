"""Faults of the source that end the tree."""

import pytest

from tests.acceptance.evsup import EVENTS, Held, Pipeline, eventually

P = "0"


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


def test_skipped_numbers_are_refused_with_65_or_with_warn_passed_with_a_word(pipeline: Pipeline) -> None:
    pipeline.publish(300)
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.await_all()
    pipeline.hub.skip(P, 7)
    pipeline.publish(300)
    assert evsup.wait() == 65
    assert "Events 300 to 306 never came" in evsup.last_line
    assert "EVENTHUB_ON_GAP=warn" in evsup.last_line
    warned = pipeline.start(EVENTHUB_ON_GAP="warn")
    pipeline.await_all()
    assert '"event": "sequence_gap"' in warned.stderr
    assert pipeline.in_table()[P].gaps == 7
    pipeline.hub.append_unnumbered(P, [b"{}"])
    assert warned.wait() == 65
    assert "no sequence number" in warned.last_line
    assert pipeline.in_table()[P] == Held(600, 600, 0, 606)


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
    assert pipeline.in_table()[P] == Held(300, 300, 0, 299)


@pytest.mark.timeout(180)
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
    assert "100 events are lost" in refused.last_line
    assert "EVENTHUB_ON_GAP=warn" in refused.last_line
    warned = pipeline.start(EVENTHUB_ON_GAP="warn")
    eventually(lambda: pipeline.in_table()[P].last == 599, "the rest is read")
    assert warned.stop() == 0
    assert pipeline.in_table()[P] == Held(500, 500, 0, 599)
    assert "events_lost" in warned.stderr
    pipeline.hub.recreate()
    pipeline.publish(300)
    recreated = pipeline.start()
    assert recreated.wait() == 65
    assert "not the one of the checkpoint" in recreated.last_line
    assert pipeline.snow.query(f"SELECT count(*) FROM {EVENTS}") == [(500,)]  # noqa: S608
