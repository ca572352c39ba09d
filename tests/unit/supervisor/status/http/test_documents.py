"""The two HTML documents load nothing from elsewhere, run nothing but their own script, and are well formed."""

import re
from html.parser import HTMLParser

import pytest

from supervisor.status.http.documents import PAGE, RUNBOOK, policy
from supervisor.status.words.findings import RULES
from supervisor.status.words.summary import EXITS

VOID = {"meta", "link", "br", "hr", "img", "input"}
BOTH = pytest.mark.parametrize("document", [PAGE, RUNBOOK], ids=["page", "runbook"])


class Tags(HTMLParser):
    """Every tag with its attributes; fails where one is not closed, or closed twice."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(document.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, self.getpos()

    def ids(self) -> list[str]:
        return [value for _, attributes in self.seen if (value := attributes.get("id"))]


@BOTH
def test_every_tag_is_closed_and_every_id_is_there_once(document: bytes) -> None:
    tags = Tags(document)
    assert len(tags.ids()) == len(set(tags.ids()))
    for _, attributes in tags.seen:
        if label := attributes.get("aria-labelledby"):
            assert label in tags.ids()


@BOTH
def test_nothing_is_loaded_from_another_host(document: bytes) -> None:
    for tag, attributes in Tags(document).seen:
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on")], "an inline handler"
        assert "style" not in attributes
        if tag == "link":
            assert (attributes["href"] or "").startswith("data:")


@BOTH
def test_only_what_stands_in_the_document_may_run(document: bytes) -> None:
    tags = [tag for tag, _ in Tags(document).seen]
    allowed = policy(document)
    for kind in ("style", "script"):
        assert tags.count(kind) == len(re.findall(rf"{kind}-src 'sha256-[\w+/=]+'", allowed))
    assert "require-trusted-types-for 'script'" in allowed


def test_the_page_never_makes_html_of_a_text() -> None:
    for way in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval(", b"DOMParser"):
        assert way not in PAGE


def test_the_page_is_small() -> None:
    assert len(PAGE) < 25_000


def test_every_section_that_a_trouble_names_is_in_the_runbook() -> None:
    named = {*(rule.section for rule in RULES), *EXITS.values(), "exit-codes", "evsupstuck", "what-evsup-status-shows"}
    named |= {"evsupunhealthy", "evsuphubsilent", "evsuplossnear", "evsuptableunseen", "evsupunowned"}
    assert named <= set(Tags(RUNBOOK).ids())


def test_every_link_leads_to_a_page_of_the_server_or_a_section() -> None:
    sections = Tags(RUNBOOK).ids()
    for tag, attributes in (*Tags(PAGE).seen, *Tags(RUNBOOK).seen):
        target = attributes.get("href") or ""
        if tag == "a" and not target.startswith("https://"):
            page, _, section = target.partition("#")
            assert page in {"", "./", "runbook", "status", "metrics", "healthz", "readyz"}
            assert not section or section in sections
