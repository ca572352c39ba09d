"""A mapper is found by its path, or the start says why not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import mapper
from shared.errors import ConfigurationError

MODULE = """
import asyncio
value = 5
def fits(event): return {"PAYLOAD": event.value}
def takes_none(): return {}
def takes_two(event, other): return {}
async def waits(event): return {}
def gives_many(event): yield {}
class Callable:
    def __call__(self, event): return {}
instance = Callable()
"""


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory with modules of a user, forgotten behind the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "__init__.py").touch()
    (tmp_path / "users" / "mapper.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("import no_such_module")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)")
    (tmp_path / "quotes.py").write_text("raise ValueError('password=Xq7canary')")
    (tmp_path / "shared.py").write_text("raise AssertionError('it hides a package')")
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize("path", ["users.mapper:fits", "users.mapper:instance"])
def test_a_mapper_is_imported_from_the_working_directory(path: str) -> None:
    event = mapper.Event(body=b"1", value=1, decode_error=None, partition_id="0", sequence_number=7)
    assert mapper.load(path)(event) in ({"PAYLOAD": 1}, {})


def test_a_mapper_of_elsewhere_is_imported_although_the_working_directory_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert callable(mapper.load("users.mapper:fits"))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("users.mapper", "package.module:function"),
        ("users.mapper:no_such", "no attribute 'no_such'"),
        ("users.no_such:fits", "No module named 'users.no_such'"),
        ("no_such_package:fits", "No module named 'no_such_package'"),
        ("broken:fits", "No module named 'no_such_module'"),
        ("leaves:fits", "SystemExit: 3"),
        ("quotes:fits", "ValueError: password=***"),
        ("users.mapper:value", "no function"),
        ("users.mapper:takes_none", "does not take one event"),
        ("users.mapper:takes_two", "does not take one event"),
        ("users.mapper:waits", "a coroutine or a generator"),
        ("users.mapper:gives_many", "a coroutine or a generator"),
    ],
)
def test_what_cannot_be_a_mapper_is_a_configuration_error_that_names_it(path: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=r"EVSUP_MAPPER|one event") as found:
        mapper.load(path)
    assert path in found.value.what
    assert why in found.value.why


@pytest.mark.parametrize("path", ["a:b", "a.b:c", "_a1.b2:c_3"])
def test_a_path_is_a_module_and_a_function(path: str) -> None:
    assert mapper.problem(path) is None


@pytest.mark.parametrize(
    "path", ["", "a", "a:", ":b", "a.b", "a:b:c", "a:b.c", "a b:c", "a.:b", "1a:b", "a:b()", "../a:b"]
)
def test_any_other_text_is_no_path(path: str) -> None:
    assert mapper.problem(path)
