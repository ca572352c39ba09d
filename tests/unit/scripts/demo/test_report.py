"""The tables of the demo's end keep every figure, also in a narrow terminal."""

import pytest
from rich.console import Console

from scripts.demo.proof import ContentProof, PartitionProof, Proof
from scripts.demo.report import carriers_table, proof_table
from scripts.demo.screen import INDENT
from scripts.harness.table import PartitionCount

EVENTS = (5_900, 7_011, 10_003, 4_090)
PROOF = Proof(
    sum(EVENTS),
    tuple(
        PartitionProof(f"{number}", count, PartitionCount(count, count, 0, count - 1))
        for number, count in enumerate(EVENTS)
    ),
    ContentProof(0, 0, 0),
)


def printed(width: int) -> list[str]:
    console = Console(width=width - INDENT, highlight=False)
    with console.capture() as capture:
        console.print(proof_table(PROOF, width))
        console.print(
            carriers_table([("EV", 4_427, 120, 9.51), ("XX", 1, 0, None)], {"EV": "ExpressJet Airlines Inc."})
        )
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [40, 79, 80, 200])
def test_no_figure_is_cut(width: int) -> None:
    lines = printed(width)
    assert not [line for line in lines if "…" in line]
    cells = {tuple(line.split()) for line in lines}
    assert {line[:3] for line in cells} >= {
        (f"{number}", f"{count:,}", f"{count:,}") for number, count in enumerate(EVENTS)
    }
    assert any(line[:3] == ("all", "27,004", "27,004") and line[-1] == "✓" for line in cells)
    assert ("XX", "1", "0", "-") in cells
    assert any(line[-4:] == ("4,427", "120", "9.5", "min") for line in cells)


def test_a_wide_terminal_shows_both_ends_of_a_partition() -> None:
    assert ["2", "10,003", "10,003", "10,003", "0", "10,002", "0", "0", "✓"] in [line.split() for line in printed(80)]
