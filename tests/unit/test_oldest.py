"""The environment of the oldest packages is what pyproject.toml promises."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.harness.versions.oldest import PINS, PYPROJECT

DEPENDENCIES = [Requirement(line) for line in tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]]
PINNED = dict(line.split("==") for line in PINS.read_text().splitlines() if "==" in line)


@pytest.mark.parametrize("dependency", DEPENDENCIES, ids=lambda one: one.name)
def test_each_package_is_the_oldest_of_its_range(dependency: Requirement) -> None:
    (oldest,) = (one.version for one in dependency.specifier if one.operator == ">=")
    assert Version(PINNED[dependency.name]) == Version(oldest)
