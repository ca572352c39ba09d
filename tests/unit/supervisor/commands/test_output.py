"""What commands write where no terminal is."""

import pytest

from supervisor.commands.output import console
from supervisor.status.screens.status import tree_screen
from tests.unit.supervisor.status.statuses import a_partition, a_tree


def test_a_pipe_gets_each_sentence_in_one_line_and_no_padding(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = "no answer, " * 40
    console().print(tree_screen(a_tree(a_partition(), store_trouble=f"{trouble}at all")))
    lines = capsys.readouterr().out.splitlines()
    assert sum(trouble in line and line.endswith("at all") for line in lines) == 1
    assert not [line for line in lines if line.endswith(" ")]
