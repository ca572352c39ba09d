"""Completion in the shells themselves, set up as docs/operations.md says. bash is tried in tests/unit."""

import os
import pty
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.harness.evsup import EVSUP
from scripts.harness.waiting import PATIENCE_S
from shared.clock import Deadline


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has nothing yet."""
    return {
        "HOME": str(tmp_path),
        "PATH": f"{Path(EVSUP).parent}:{os.environ['PATH']}",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }


def script(shell: str, home: dict[str, str]) -> str:
    """What evsup prints for this shell."""
    asking = {**home, "_EVSUP_COMPLETE": f"{shell}_source"}
    return subprocess.run([EVSUP], env=asking, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_shows_what_each_word_does_in_whole_sentences(home: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / ".config" / "fish" / "completions"
    place.mkdir(parents=True)
    (place / "evsup.fish").write_text(script("fish", home))
    (tmp_path / "prod.env").touch()

    def offered(typed: str) -> list[str]:
        command = ["fish", "-c", f"complete -C '{typed}'"]
        done = subprocess.run(command, env=home, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert offered("evsup stat") == ["status\tShow the running tree, or the whole consumer group."]
    assert offered("evsup checkpoints re") == ["reset\tBegin partitions anew."]
    assert offered("evsup status --sort l") == ["lag"]
    assert offered("evsup check --env-file pr") == ["prod.env"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_completes_from_its_function_path(home: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / ".zfunc"
    place.mkdir()
    (place / "_evsup").write_text(script("zsh", home))
    (tmp_path / ".zshrc").write_text("fpath+=~/.zfunc\nautoload -Uz compinit\ncompinit -u\nPROMPT='ready '\n")
    terminal, inside = pty.openpty()
    zsh = subprocess.Popen(["zsh", "-i"], env=home, stdin=inside, stdout=inside, stderr=inside, start_new_session=True)
    try:
        _await(terminal, "ready ")
        os.write(terminal, b"evsup sta\t\t")
        assert "Claim partitions" in _await(terminal, "Show the running tree, or the whole consumer group.")
    finally:
        zsh.kill()
        zsh.wait()
        os.close(terminal)
        os.close(inside)


def _await(terminal: int, text: str) -> str:
    """What is on the terminal, once the text is."""
    shown, deadline = "", Deadline.after(PATIENCE_S)
    while text not in shown:
        assert select.select([terminal], [], [], deadline.remaining_s())[0], shown
        shown += os.read(terminal, 4096).decode()
    return shown
