"""`python -m scripts.peers`: the local services through clients in other languages, which pip cannot install.

Needs node and npm. The packages are kept beside the virtual environment; nothing of them enters the project.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.localcloud.hub.process import HubProcess, HubSettings

HERE = Path(__file__).parent
PLACE = Path(sys.prefix) / "peers"


def main() -> int:
    """Install the clients and run their tests; the exit code is that of node's test runner."""
    if shutil.which("npm") is None:
        sys.stderr.write("make peers needs node 20 or newer and npm; neither is on PATH.\n")
        return 1
    PLACE.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", "event_hubs.test.mjs"):
        shutil.copy(HERE / file, PLACE)
    subprocess.run(["npm", "install", "--silent", "--no-fund", "--no-audit"], cwd=PLACE, check=True)
    with HubProcess(HubSettings()) as hub:
        environment = {**os.environ, "HUB_CONNECTION_STRING": hub.connection_string}
        tests = ["node", "--test", "--test-timeout=60000", "--test-reporter=spec", "event_hubs.test.mjs"]
        return subprocess.run(tests, cwd=PLACE, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
