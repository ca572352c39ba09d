"""A group on several hosts, for a short time, and the judge of standing still alone."""

import subprocess
import sys

import pytest

from scripts.chaos.hosts import unshare
from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.judging.pauses import Pauses

MODULE = "scripts.chaos.hosts"
HOSTS, PARTITIONS, SECONDS, SEED = 2, 2, 15, 180


@pytest.fixture
def enter() -> tuple[str, ...]:
    """How hosts are made here."""
    try:
        return unshare.command()
    except unshare.NotPossible as reason:
        pytest.skip(str(reason))


@pytest.mark.timeout(400)
def test_a_group_on_hosts_grows_loses_a_cable_restarts_and_shrinks_and_breaks_no_promise(
    enter: tuple[str, ...],
) -> None:
    options = ["--hosts", HOSTS, "--partitions", PARTITIONS, "--seconds", SECONDS, "--seed", SEED]
    command = [*enter, sys.executable, "-m", MODULE, "--inside", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cable out past the lease" in done.stdout
    assert f"HELD with seed {SEED}: 1 faults" in done.stdout


def test_why_hosts_cannot_be_made_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(unshare.NotPossible, match=r"may not be made here: there is no unshare \(package util-linux\)"):
        unshare.command()


def test_a_partition_that_stands_still_for_too_long_is_detected() -> None:
    pauses = Pauses(limit_s=10.0)
    pauses.begin({"0": None, "1": "7"}, now_s=100.0)
    pauses.see({"0": "3", "1": "7"}, 105.0, changed_s=100.0)
    assert not pauses.have_all_moved_since(100.0)
    pauses.see({"0": "9", "1": "7"}, 115.0, changed_s=106.0)
    pauses.see({"0": "9", "1": "8"}, 116.0, changed_s=106.0)
    assert pauses.have_all_moved_since(106.0)
    assert sorted(pauses.take()) == [5.0, 10.0, 16.0]
    assert pauses.take() == ()
    with pytest.raises(InvariantBroken, match=r"I10: partition 0 has stood still for 11\.0 s at token 9"):
        pauses.see({"0": "9", "1": "9"}, 126.0, changed_s=106.0)
