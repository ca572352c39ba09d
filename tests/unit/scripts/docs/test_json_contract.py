"""docs/json.md has every field of every document, as a command prints it."""

import json
import re
from typing import Any

import msgspec
import pytest

from scripts.docs.generated import ROOT
from scripts.docs.json_contract import DOCUMENTS, main, meanings
from shared.ipc.messages import BOUNDS_S
from supervisor.check.runner import CheckResult
from supervisor.commands.check import Checks
from supervisor.version import JSON_VERSION
from tests.unit.supervisor.status.statuses import a_partition, a_tree

PAGE = (ROOT / "docs" / "json.md").read_text()


def fields_of(heading: str) -> list[str]:
    """What the page says below this heading."""
    (part,) = re.findall(rf"^#+ `?{re.escape(heading)}`?\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)


def printed(document: object) -> Any:
    return json.loads(msgspec.json.encode(document))


def test_the_page_is_up_to_date() -> None:
    assert main([]) == 0


def test_what_status_prints_is_what_the_page_says() -> None:
    tree = printed(a_tree(a_partition()))
    assert list(tree) == fields_of("evsup status --json")
    (row,) = tree["partitions"]
    assert sorted(row) == sorted(fields_of("PartitionStatus"))
    assert list(row["latencies"]) == fields_of("Latencies")


def test_what_check_prints_is_what_the_page_says() -> None:
    table = CheckResult(name="table", verdict="ok", detail="13 columns")
    document = printed(Checks(exit_code=0, took_s=2.5, checks=(table,)))
    assert list(document) == fields_of("evsup check --json")
    assert list(document["checks"][0]) == fields_of("CheckResult")


@pytest.mark.parametrize("struct", DOCUMENTS.values())
def test_every_document_begins_with_its_version_and_says_what_each_field_means(struct: type[msgspec.Struct]) -> None:
    first = msgspec.structs.fields(struct)[0]
    assert (first.encode_name, first.default) == ("version", JSON_VERSION)
    assert all(len(text) > 3 for text in meanings(struct).values())
    assert meanings(struct).keys() >= set(struct.__struct_fields__)


def test_the_page_names_the_bounds_of_the_histograms() -> None:
    bounds = [f"{bound:g}" for bound in BOUNDS_S]
    assert f"{', '.join(bounds[:-1])} and {bounds[-1]} seconds" in " ".join(PAGE.split())
