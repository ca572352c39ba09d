"""`evsup status --watch` goes on while what it watches restarts, for a person and for a script."""

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from shared.errors import ServiceUnavailable
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
