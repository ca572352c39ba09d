"""Tests and modules that are named somewhere exist."""

import re
from pathlib import Path

import pytest

from tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).resolve().parents[4]
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
FILES = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}


@pytest.mark.parametrize(
    "document",
    [
        "reliability.md",
        "security.md",
        "azure-sdk.md",
        "../scripts/localcloud/README.md",
        "internals/requirements.md",
        "internals/sdk-traps.md",
        "internals/streaming-sdk.md",
    ],
)
def test_every_test_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / "docs" / document).read_text()
    names, paths = (set(re.findall(rf"`({pattern})`", text)) for pattern in (r"test_\w+", r"tests/[\w/.]+"))
    assert names | paths
    assert not {name for name in names if name not in FILES and f"def {name}(" not in TESTS}
    assert not {path for path in paths if not (ROOT / path).exists()}


def test_every_file_that_the_suite_begins_with_exists() -> None:
    assert not [name for name in LONGEST_FIRST if not (ROOT / "tests" / f"{name}.py").is_file()]
