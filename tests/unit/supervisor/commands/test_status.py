"""`evsup status --watch` goes on while what it watches restarts, and where none runs it says why."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.errors import NotSignedIn, ServiceUnavailable
from supervisor import last_failure
from supervisor.commands import status as command
from supervisor.status.model import TreeStatus
from tests.unit.supervisor.status.statuses import a_partition, a_tree

SILENT = ServiceUnavailable("The supervisor at S does not answer", "timed out", "Send it SIGUSR1.")
Watch = Callable[..., Result]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Watches what there is to see, one look after the other, and then is interrupted."""

    def run(*seen: TreeStatus | Exception | None, options: tuple[str, ...] = ()) -> Result:
        looks = iter(seen)

        def look(_: object) -> TreeStatus | None:
            found = next(looks)
            if isinstance(found, Exception):
                raise found
            return found

        naps = naps_of(len(seen))
        monkeypatch.setattr(command, "read_status", look)
        monkeypatch.setattr("time.sleep", lambda _: next(naps))
        return CliRunner().invoke(command.status, ["--watch", *options])

    return run


def naps_of(looks: int) -> Iterator[None]:
    """One after each look; the last one is ended by Ctrl-C."""
    for _ in range(looks - 1):
        yield
    raise KeyboardInterrupt


def test_a_restart_and_a_supervisor_that_does_not_answer_end_no_watch(watch: Watch) -> None:
    before, after = a_tree(a_partition(), evsup="1.0.0"), a_tree(a_partition(), evsup="2.0.0")
    done = watch(before, None, SILENT, after)
    assert done.exit_code == 0
    texts = ("evsup 1.0.0", "not running here", "Waiting for it", "does not answer", "evsup 2.0.0")
    places = [done.output.index(text) for text in texts]
    assert places == sorted(places)


def test_as_json_each_look_is_one_line_and_null_where_there_is_nothing(watch: Watch) -> None:
    done = watch(a_tree(), None, SILENT, a_tree(healthy=False), options=("--json",))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line and line["healthy"] for line in lines] == [True, None, None, False]
    assert done.exit_code == 1


@pytest.mark.parametrize(("found", "code"), [(a_tree(), 0), (a_tree(healthy=False), 1), (None, 3)])
def test_the_exit_code_is_that_of_the_last_look(watch: Watch, found: TreeStatus | None, code: int) -> None:
    assert watch(a_tree(), found).exit_code == code


def test_where_none_runs_it_says_why_the_last_one_failed_until_one_ends_in_order(tmp_path: Path) -> None:
    def seen(*options: str) -> Result:
        return CliRunner().invoke(command.status, options, env={"EVSUP_STATE_DIR": str(tmp_path)})

    nothing = seen().output
    with pytest.raises(NotSignedIn), last_failure.recorded(tmp_path):
        raise NotSignedIn("Partition 3: Snowflake failed", "password=Xq7canary", "Check the key with `evsup check`.")
    after = seen()
    assert after.exit_code == 3
    assert after.output.startswith(f"evsup is not running here ({tmp_path}). The last one failed at ")
    assert "UTC with exit code 77: Partition 3: Snowflake failed: password=*** Check the key" in after.output.replace(
        "\n", " "
    )
    assert seen("--json").stdout.strip() == "null"
    with last_failure.recorded(tmp_path):
        assert seen().output == nothing, "another one begins"
    assert seen().output == nothing
    assert list(tmp_path.iterdir()) == []
