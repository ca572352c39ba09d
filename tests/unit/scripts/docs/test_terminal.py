"""A recorded terminal becomes a picture for light and dark pages, which loads nothing."""

import re
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from rich.text import Text

from scripts.docs.generated import ROOT
from scripts.docs.terminal import DARK, LIGHT, svg

MOST_BYTES = 60_000
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))


def recorded(*lines: Text) -> Console:
    console = Console(record=True, width=40, file=StringIO(), highlight=False)
    for line in lines:
        console.print(line)
    return console


def texts(drawn: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(drawn).iter() if one.tag.endswith("}text")]  # noqa: S314 (our own)


def test_what_was_printed_is_in_its_place() -> None:
    first, second = texts(svg(recorded(Text("a < b"), Text("  c")), "a & b"))
    assert ((first.text or "").strip(), first.get("x")) == ("a\xa0<\xa0b", "0")
    assert (second.text or "").endswith("\xa0\xa0c")
    assert float(second.get("y", 0)) > float(first.get("y", 0))


def test_a_colour_is_another_one_on_a_dark_page() -> None:
    drawn = svg(recorded(Text.assemble(("ok", "green"), (" and ", "dim"), ("bad", "bold red"))), "colours")
    light, _, dark = drawn.partition("@media (prefers-color-scheme: dark)")
    assert (LIGHT.ansi_colors[2].hex in light, DARK.ansi_colors[2].hex in dark) == (True, True)
    assert re.findall(r"\.t-r\d+", light) == re.findall(r"\.t-r\d+", dark.partition("</style>")[0])


def test_two_colours_that_are_one_in_a_theme_are_refused() -> None:
    same_on_dark = f"{DARK.foreground_color.hex}"
    with pytest.raises(ValueError, match="two colours of a theme are the same"):
        svg(recorded(Text.assemble("plain", (" coloured", same_on_dark))), "colours")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_small_suits_both_grounds_and_loads_nothing(picture: Path) -> None:
    drawn = picture.read_text()
    assert len(drawn.encode()) < MOST_BYTES
    assert "prefers-color-scheme: dark" in drawn
    assert re.findall(r"https?://[^\"]+|@font-face|@import|<script|<image", drawn) == ["http://www.w3.org/2000/svg"]
    ET.fromstring(drawn)  # noqa: S314 (our own)
