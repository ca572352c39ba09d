"""What the page shows is what `evsup status` says."""

from rich.console import Console

from shared.log.recent import LogLine
from supervisor.status.health import STUCK_AFTER_S
from supervisor.status.http.overview import Overview, Past, overview
from supervisor.status.model import TreeStatus
from supervisor.status.screens.status import tree_screen
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

TROUBLED = a_tree(
    a_partition("0"),
    a_partition("1", commit_wait_s=20.0, lag=99),
    a_partition("10", lag=5000),
    a_partition("9", lag=None),
    unowned=("2",),
    hub_trouble="No answer",
    store_trouble="Connection refused",
    healthy=False,
)


def shown(tree: TreeStatus, now_s: float = NOW_S) -> Overview:
    return overview(tree, Past(), now_s)


def test_every_word_of_the_screen_is_on_the_page() -> None:
    console = Console(width=1000)
    with console.capture() as captured:
        console.print(tree_screen(TROUBLED))
    lines = [" ".join(line.split()) for line in captured.get().splitlines() if line.strip()]
    page = shown(TROUBLED)
    assert lines[0] == f"● evsup {page.evsup} {page.headline}"
    said = [f"{line.label} {line.text}" for line in (*page.facts, *page.troubles)]
    assert lines[1 : 1 + len(said)] == said
    table = [[column.name for column in page.columns], *(row.cells for row in page.partitions)]
    assert lines[1 + len(said) :] == [" ".join(cells) for cells in table]


def test_the_worst_partition_comes_first_and_is_marked() -> None:
    rows = shown(TROUBLED).partitions
    assert [(row.cells[0], row.troubled) for row in rows] == [("1", True), ("10", False), ("0", False), ("9", False)]


def test_partitions_are_sorted_by_number_and_names_by_name() -> None:
    rows = shown(a_tree(a_partition("10"), a_partition("9"), a_partition("east-1"), a_partition("9" * 5000))).partitions
    assert {row.keys[0] for row in rows} == {10, 9, "east-1", "9" * 5000}


def test_every_row_has_a_cell_and_a_key_for_every_column() -> None:
    page = shown(TROUBLED)
    assert {(len(row.cells), len(row.keys)) for row in page.partitions} == {(len(page.columns),) * 2}


def test_a_verdict_is_well_a_warning_or_degraded() -> None:
    assert shown(a_tree(a_partition())).verdict == "well"
    assert shown(a_tree(a_partition(frame_age_s=99.0))).verdict == "warning"
    assert shown(a_tree(a_partition(), hub_trouble="No answer")).verdict == "warning"
    assert shown(TROUBLED).verdict == "degraded"
    assert shown(a_tree(a_partition()), NOW_S + STUCK_AFTER_S + 1).verdict == "degraded"


def test_what_somebody_asked_for_is_a_change_and_no_trouble() -> None:
    for state in ("starting", "draining"):
        page = shown(a_tree(a_partition(), healthy=False, state=state))
        assert (page.verdict, page.troubles) == ("changing", ())
        assert shown(a_tree(healthy=False, state=state, hub_trouble="No answer")).verdict == "warning"
        assert shown(a_tree(healthy=False, state=state, cause="Partition 1: no.")).verdict == "degraded"


def test_a_partition_that_is_opened_is_a_warning_until_something_is_wrong() -> None:
    assert shown(a_tree(a_partition(state="opening"), healthy=False)).verdict == "warning"
    assert shown(a_tree(a_partition(state="opening"), healthy=False, unowned=("2",))).verdict == "degraded"


def test_the_title_is_hub_and_table() -> None:
    assert shown(a_tree()).title == "flights → FLIGHTS"


def test_the_newest_log_line_comes_first() -> None:
    old, new = (LogLine("2026-11-28T13:00:00Z", "info", name, "") for name in ("old", "new"))
    assert overview(a_tree(), Past(log=(old, new)), NOW_S).log == (new, old)
