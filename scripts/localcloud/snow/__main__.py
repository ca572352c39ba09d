"""`python -m scripts.localcloud.snow`: the local Snowflake as a process of its own."""

import asyncio
import sys
import tempfile
from pathlib import Path

from scripts.command_line import Parser, amount, whole
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.service import leave_with_parent
from scripts.localcloud.snow.server import Settings, serve


def main() -> int:
    """Read the options and serve until a signal."""
    parser = Parser("scripts.localcloud.snow", __doc__)
    parser.add_argument("--address", default=LOOPBACK, help="where to listen, the certificate's only name")
    parser.add_argument("--port", type=whole(0, 65535), default=0, help="HTTPS port of the REST API (0: any)")
    parser.add_argument("--admin-port", type=whole(0, 65535), default=0, help="HTTP port of the admin API (0: any)")
    parser.add_argument("--state-dir", type=Path, required=True, help="an empty directory for files")
    parser.add_argument(
        "--commit-delay", type=amount("seconds", zero=True), default=1.0, help="seconds between append and commit"
    )
    options = parser.parse_args()
    leave_with_parent()
    tempfile.tempdir = str(options.state_dir)  # fakesnow makes a directory when it is imported, and leaves it there
    settings = Settings(options.address, options.port, options.admin_port, options.state_dir, options.commit_delay)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
