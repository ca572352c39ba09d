"""Exported checkpoints are imported again. Any other file is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DataRefused
from shared.model import Checkpoint, ConsumerGroup
from supervisor.checkpoints.documents import decode, encode, list_row
from supervisor.checkpoints.move import Destination

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "$Default")


LATEST = Checkpoint("3", None, None, 0, begins_after=40)  # nothing is committed after it yet


def test_an_import_reads_what_an_export_wrote_without_partitions_that_have_no_position() -> None:
    known = Checkpoint("0", 2**62, "geo:1", 3, enqueued_at_s=1700000000.123)
    found = decode(
        encode(GROUP, [known, Checkpoint("1", 7, None, 1), Checkpoint("2", None, None, 1), LATEST]).encode(), GROUP, "F"
    )
    assert found.destinations == {
        "0": Destination(2**62, "geo:1", 1700000000.123),
        "1": Destination(7),
        "3": Destination(40),
    }
    assert found.layout == "evsup export, version 2"


def test_an_export_of_an_older_evsup_is_imported_without_times() -> None:
    positions = '{"0": {"sequence_number": 7, "offset": "o7"}}'
    text = encode(GROUP, []).replace('"checkpoints": {}', f'"checkpoints": {positions}').replace(": 2", ": 1")
    found = decode(text.encode(), GROUP, "F")
    assert (found.layout, found.destinations) == ("evsup export, version 1", {"0": Destination(7, "o7")})


def test_bare_sequence_numbers_are_imported_and_called_legacy() -> None:
    found = decode(b'{"0": 123, "1": 0}', GROUP, "F")
    assert found.destinations == {"0": Destination(123), "1": Destination(0)}
    assert found.layout == "legacy: bare sequence numbers"


NO_CHECKPOINTS = (
    b"",
    b"[]",
    b"3",
    b"\xff",
    b'{"0": -1}',
    b'{"0": "7"}',
    b'{"0": 1.5}',
    b'{"0": null}',
    b'{"0": true}',
    b"[" * 100_000,
    b'{"checkpoints": {}}',
    b'{"version": 1, "checkpoints": {"0": 5}}',
)


@pytest.mark.parametrize("text", NO_CHECKPOINTS)
def test_a_file_without_checkpoints_is_refused_and_named(text: bytes) -> None:
    with pytest.raises(DataRefused, match="F holds no checkpoints"):
        decode(text, GROUP, "F")


@given(st.binary(max_size=40))
def test_any_file_is_read_or_refused_and_never_a_bug(text: bytes) -> None:
    try:
        found = decode(text, GROUP, "F")
    except DataRefused:
        return
    assert all((position.sequence_number or 0) >= 0 for position in found.destinations.values())


def test_checkpoints_of_another_hub_or_of_a_newer_evsup_are_refused() -> None:
    text = encode(GROUP, [Checkpoint("0", 1, None, 1)])
    with pytest.raises(DataRefused, match="belongs to another hub"):
        decode(text.encode(), ConsumerGroup("ns.servicebus.windows.net", "trains", "$Default"), "F")
    with pytest.raises(DataRefused, match="version 3, this evsup reads versions 1 to 2"):
        decode(text.replace('"version": 2', '"version": 3').encode(), GROUP, "F")
    same_hub = ConsumerGroup("NS.servicebus.windows.net:5671", "flights", "$default")
    assert decode(text.encode(), same_hub, "F").destinations, "the port is Azure's own"
    other_group = ConsumerGroup("NS.servicebus.windows.net", "Flights", "another")
    assert decode(text.encode(), other_group, "F").destinations, "another group of the same hub may begin there"


def test_events_before_the_group_began_are_not_counted_as_lag() -> None:
    row = list_row(LATEST, None, last=42)
    assert (row.sequence_number, row.lag) == (None, 2)


def test_a_row_of_the_list_has_lag_and_the_age_that_the_store_counted() -> None:
    row = list_row(Checkpoint("0", 7, None, 3, updated_at_s=100.0, age_s=2.54), "me", last=9)
    assert (row.lag, row.age_s, row.owner_id) == (2, 2.5, "me")
    assert list_row(Checkpoint("0", None, None, 3), None, last=9).lag == 10
