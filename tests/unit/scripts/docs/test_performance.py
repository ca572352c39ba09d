"""The page of figures and its charts follow from the results of the bench."""

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.bench.results import Latency, read
from scripts.docs.bars import Bar, chart
from scripts.docs.generated import ROOT
from scripts.docs.performance import FOLDER, PAGE, RESULTS, main


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "docs" / FOLDER).mkdir(parents=True)
    shutil.copy(ROOT / "docs" / PAGE, tmp_path / "docs" / PAGE)
    shutil.copy(ROOT / "docs" / FOLDER / RESULTS, tmp_path / "docs" / FOLDER / RESULTS)
    return tmp_path


def test_a_page_that_differs_from_the_results_is_reported_and_then_written(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkout / "docs" / FOLDER / RESULTS
    results = read(path)
    results.latency = [Latency(load=0.5, per_s=12_345.0, p50_s=1.25, p90_s=1.5, p99_s=2.5)]
    results.save(path)
    assert main([], checkout) == 1
    assert main(["--write"], checkout) == 0
    assert main([], checkout) == 0
    assert "| 50% | 12,345 | 1.25 s | 1.50 s | 2.50 s |" in (checkout / "docs" / PAGE).read_text()
    assert "50% load, p99" in (checkout / "docs" / FOLDER / "latency.svg").read_text()
    assert "performance.md: differs" in capsys.readouterr().out


def test_a_part_that_failed_leaves_no_figure_of_an_older_run(checkout: Path) -> None:
    path = checkout / "docs" / FOLDER / RESULTS
    results = read(path)
    results.latency = []
    results.save(path)
    main(["--write"], checkout)
    assert "<!-- latency:begin -->\n\nNot measured in this run.\n" in (checkout / "docs" / PAGE).read_text()
    assert "not measured in this run" in (checkout / "docs" / FOLDER / "latency.svg").read_text()


def test_bars_share_a_scale_and_are_readable_on_both_grounds() -> None:
    drawn = chart("a < b", [Bar("raw", 30.0, "30 µs"), Bar("evsup", 6.0, "6 µs", is_own=True)])
    bars = [one.attrib for one in ET.fromstring(drawn).iter() if one.tag.endswith("rect")]  # noqa: S314 (our own)
    assert float(bars[0]["width"]) == pytest.approx(5 * float(bars[1]["width"]), abs=0.5)
    assert [one["class"] for one in bars] == ["bar", "own"]
    assert "prefers-color-scheme: dark" in drawn
