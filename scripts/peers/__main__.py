"""Azure's client for JavaScript runs its tests against the local Event Hubs.

It needs node 20 or newer, npm, and the registry of npm. The client's packages are kept in the virtual environment.

The exit code is that of node's test runner: 0 when every test passed; 69: there is no node, no npm or no registry.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from scripts.command_line import Parser, run
from scripts.failure import Failed
from scripts.localcloud.hub.process import HubProcess, HubSettings

HERE = Path(__file__).parent
PLACE = Path(sys.prefix) / "peers"


class NoClient(Failed):
    """The client cannot be installed here."""

    exit_code: ClassVar[int] = os.EX_UNAVAILABLE


def main() -> int:
    """Install the client and run its tests; the exit code is that of node's test runner."""
    Parser("scripts.peers", __doc__).parse_args()
    _install()
    with HubProcess(HubSettings()) as hub:
        environment = {**os.environ, "HUB_CONNECTION_STRING": hub.connection_string}
        tests = ["node", "--test", "--test-timeout=60000", "--test-reporter=spec", "event_hubs.test.mjs"]
        return subprocess.run(tests, cwd=PLACE, env=environment, check=False).returncode


def _install() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NoClient(f"There is no {program} on PATH. Install node 20 or newer, with npm.")
    PLACE.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", "event_hubs.test.mjs"):
        shutil.copy(HERE / file, PLACE)
    done = subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=PLACE, check=False)
    if done.returncode:
        raise NoClient(f"npm could not install the client. Run `npm install` in {PLACE} to see why.")


if __name__ == "__main__":
    run(main)
