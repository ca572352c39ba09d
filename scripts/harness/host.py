"""A host with evsup on it: its settings, its commands, and every tree that was started there."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.harness import bound
from scripts.harness.evsup import EVSUP, Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.waiting import PATIENCE_S
from scripts.interrupt import held_back

BOUND = (sys.executable, "-m", bound.__name__, EVSUP)
"""The command of a tree that also ends when this process is killed."""
OUR_VARIABLES = ("EVENTHUB_", "SNOWFLAKE_", "CONTROL_", "EVSUP_")


class Host:
    """Settings, and a directory in which no `.env` lies. `close` ends every tree.

    `entrance` is the command with which a program gets there, when it is not the host of this process.
    """

    def __init__(self, settings: Mapping[str, str], directory: Path, entrance: Sequence[str] = ()) -> None:
        own = {"EVSUP_STATE_DIR": str(directory / "state")}
        self.directory, self.environment = directory, {**_environment(), **settings, **own}
        self._entrance = entrance
        self.started: list[Evsup] = []

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command that ends by itself, with all it wrote; `environment` is for this run alone."""
        return subprocess.run(
            [*self._entrance, EVSUP, *arguments],
            env={**self.environment, **environment},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def output(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What a command printed. Raises NotAsPromised unless it ended with `code`."""
        done = self.run(*arguments, **environment)
        output = done.stdout + done.stderr
        if done.returncode != code:
            raise NotAsPromised(f"evsup {' '.join(arguments)} ended with {done.returncode}, not {code}", output)
        return output

    def start(
        self, *arguments: str, command: Sequence[str] = (EVSUP,), stderr: int | None = None, **environment: str
    ) -> Evsup:
        """Run `evsup start`, by another command if one is given; `environment` is for this tree alone."""
        directory = self.directory / f"run-{len(self.started)}"
        command = (*self._entrance, *command)
        with held_back():
            evsup = Evsup({**self.environment, **environment}, directory, *arguments, command=command, stderr=stderr)
            self.started.append(evsup)
        return evsup

    def close(self) -> None:
        """End what is still running."""
        for evsup in self.started:
            evsup.kill()


def _environment() -> dict[str, str]:
    """The environment of this process, without settings of evsup that a developer may have exported."""
    return {name: text for name, text in os.environ.items() if not name.startswith(OUR_VARIABLES)}
