"""The runbook that a supervisor serves is what docs/operations.md says."""

from pathlib import Path

from scripts.docs.generated import ROOT
from scripts.docs.runbook import PAGE, SECTIONS, SOURCE, main, runbook

OPERATIONS = "".join(f"## {name}\n\ntext of {number}\n\n" for number, name in enumerate((*SECTIONS, "Elsewhere")))


def page(text: str) -> str:
    return runbook(OPERATIONS.replace("text of 0", text))


def test_the_page_has_the_sections_that_it_names_and_no_other() -> None:
    shown = page("text of 0")
    assert all(f"text of {number}" in shown for number in range(len(SECTIONS)))
    assert f"text of {len(SECTIONS)}" not in shown


def test_a_heading_has_the_anchor_that_the_alerts_name() -> None:
    assert '<h3 id="evsupgone">EvsupGone</h3>' in page("### EvsupGone")


def test_a_link_leads_to_a_section_of_the_page_or_a_web_site() -> None:
    shown = page("### One\n\n[a](#one) [b](https://status.snowflake.com)")
    assert '<a href="#one">a</a> <a href="https://status.snowflake.com">b</a>' in shown


def test_of_what_is_not_on_the_page_the_name_is_shown() -> None:
    shown = page("[a](#elsewhere), [b](metrics.md), [c](../scripts/deploy/alerts.yaml)")
    assert f"a ({SOURCE}#elsewhere), b (docs/metrics.md), c (scripts/deploy/alerts.yaml)" in shown


def test_html_in_the_source_is_text() -> None:
    assert "&lt;PATH&gt;</code> &lt;b&gt;" in page("`<PATH>` <b>")


def test_a_page_that_is_not_up_to_date_is_found_and_written(tmp_path: Path) -> None:
    for name in (PAGE, SOURCE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / SOURCE).write_text(OPERATIONS)
    assert main([], tmp_path) == 1
    assert main(["--write"], tmp_path) == 0
    assert main([], tmp_path) == 0


def test_the_page_of_this_checkout_is_up_to_date() -> None:
    assert main([], ROOT) == 0
