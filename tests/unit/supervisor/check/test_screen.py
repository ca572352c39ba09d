"""The lines of a check can be read on any terminal and copied from it."""

from msgspec import structs

from supervisor.check.runner import CheckResult
from supervisor.check.screen import collapsed, lines, summary

COMMAND = "`evsup checkpoints set --partition 3 --rejected-rows 5`"
FAILED = CheckResult(
    name="partition 3",
    verdict="fail",
    detail="Snowflake rejected 5 rows of partition 3: the value is too long for the column",
    fix=f"Correct the table or the sender, then run {COMMAND} to go on.",
    exit_code=65,
)


def resumes(partition: int, after: int, reason: str = "token and checkpoint agree") -> CheckResult:
    detail = f"resumes after event {after}: {reason}"
    return CheckResult(name=f"partition {partition}", verdict="ok", detail=detail, took_s=partition / 10)


def test_a_line_goes_on_under_its_detail_and_keeps_commands_whole() -> None:
    shown = list(lines(FAILED, 80))
    assert shown[0].startswith("fail    partition 3       Snowflake rejected 5 rows")
    assert all(line[:26].isspace() for line in shown[1:])
    assert all(len(line) <= 80 for line in shown if COMMAND not in line)
    assert sum(COMMAND in line for line in shown) == 1


def test_on_a_narrow_terminal_a_detail_has_a_line_of_its_own() -> None:
    shown = list(lines(FAILED, 40))
    assert shown[0] == "fail    partition 3"
    assert shown[1].startswith("    Snowflake rejected")
    assert all(len(line) <= 40 for line in shown if COMMAND not in line)


def test_without_a_terminal_nothing_is_wrapped() -> None:
    assert [len(list(lines(each, None))) for each in (FAILED, resumes(1, 4))] == [2, 1]


def test_faults_of_several_lines_keep_their_depth() -> None:
    faults = structs.replace(FAILED, detail="2 faults\n  SNOWFLAKE_USER\n      is required", fix="")
    assert [line[26:] for line in lines(faults, 80)] == ["2 faults", "  SNOWFLAKE_USER", "      is required"]


def test_only_what_took_long_shows_its_time() -> None:
    for took_s, end in {2.34: "agree (2.3 s)", 0.9: "agree"}.items():
        [shown] = lines(structs.replace(resumes(1, 4), took_s=took_s), None)
        assert shown.endswith(end)


def test_partitions_of_which_the_same_can_be_said_are_one_line_and_the_others_their_own() -> None:
    behind = resumes(4, 7, "the checkpoint 5 was behind the token")
    found = list(collapsed([resumes(0, 9), resumes(1, 12), resumes(2, 9), FAILED, behind, resumes(6, 0)]))
    assert [(each.name, each.detail) for each in found] == [
        ("4 partitions", "0-2, 6: each resumes after event …: token and checkpoint agree"),
        (FAILED.name, FAILED.detail),
        (behind.name, behind.detail),
    ]
    assert found[0].took_s == 0.6


def test_numbers_that_are_equal_stay() -> None:
    [found] = collapsed([resumes(0, 9), resumes(1, 9)])
    assert found.detail == "0, 1: each resumes after event 9: token and checkpoint agree"


def test_failures_and_warnings_are_never_collapsed() -> None:
    for verdict in ("fail", "warn"):
        alike = [structs.replace(FAILED, name=f"partition {each}", verdict=verdict) for each in range(3)]
        assert list(collapsed(alike)) == alike


def test_skipped_partitions_are_one_line() -> None:
    skipped = CheckResult(name="", verdict="skipped", detail="not checked, because pipe has no result")
    [found] = collapsed([structs.replace(skipped, name=f"partition {each}") for each in range(32)])
    assert (found.name, found.detail) == ("32 partitions", "0-31: not checked, because pipe has no result")


def test_the_summary_counts_and_says_what_is_next() -> None:
    ok, warned = resumes(0, 1), structs.replace(FAILED, verdict="warn")
    skipped = structs.replace(FAILED, verdict="skipped")
    assert summary([ok, ok], 2.34) == "2 ok in 2.3 s. A start would work."
    assert summary([ok, warned], 1) == "1 ok, 1 warning in 1.0 s. A start would work, but read the warnings."
    assert summary([ok, warned, warned, FAILED, skipped, skipped], 1) == (
        "1 ok, 2 warnings, 1 failed, 2 skipped in 1.0 s. Fix the one that failed, then run `evsup check` again."
    )
    assert "Fix those that failed" in summary([FAILED, FAILED], 1)
