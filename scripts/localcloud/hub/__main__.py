"""Starts a hub: `python -m scripts.localcloud.hub --hub flights --key-name local --key BASE64`."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys

from scripts.command_line import Parser, whole
from scripts.localcloud.hub.access.token import Policy
from scripts.localcloud.hub.admin_port import AdminPort
from scripts.localcloud.hub.entity.hub import DEFAULT_GROUP, Hub, HubSpec
from scripts.localcloud.hub.listener import Listener
from scripts.localcloud.hub.operator import Operator
from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.service import leave_with_parent

KEY_VARIABLE = "LOCALCLOUD_HUB_KEY"
IDENTITY_KEY_VARIABLE = "LOCALCLOUD_IDENTITY_KEY"
_IDLE_MS = 240_000  # The service's idle timeout, in milliseconds.


def main() -> int:
    """Serve until SIGTERM, SIGINT or the parent's end; return the exit code."""
    arguments = _parser().parse_args()
    key = os.environ.get(KEY_VARIABLE) or arguments.key
    if not key:
        sys.stderr.write(f"No key: set {KEY_VARIABLE}, or give --key (which shows in ps).\n")
        return os.EX_USAGE
    leave_with_parent()
    asyncio.run(_serve(arguments, Policy(arguments.key_name, key)))
    return os.EX_OK


def _parser() -> Parser:
    parser = Parser("scripts.localcloud.hub", __doc__)
    parser.add_argument("--address", default=LOOPBACK, help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=whole(0, 65535), default=0, help="AMQP port; 0 takes a free one")
    parser.add_argument(
        "--admin-port", type=whole(0, 65535), default=0, help="HTTP port for facts and faults; 0: any free one"
    )
    parser.add_argument("--hub", required=True, help="name of the event hub")
    parser.add_argument("--partitions", type=whole(1, 1000), default=4)
    parser.add_argument("--consumer-group", action="append", default=[], help=f"besides {DEFAULT_GROUP}; repeatable")
    parser.add_argument("--key-name", required=True, help="name of the shared access policy")
    parser.add_argument("--key", help=f"its key; better in {KEY_VARIABLE}")
    parser.add_argument("--namespace", help="name in error texts; the address if not given")
    parser.add_argument("--idle-timeout-ms", type=whole(1), default=_IDLE_MS)
    return parser


async def _serve(arguments: argparse.Namespace, policy: Policy) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    spec = HubSpec(
        name=arguments.hub,
        partition_count=arguments.partitions,
        groups=tuple(arguments.consumer_group),
        namespace=arguments.namespace or arguments.address,
        policy=policy,
        idle_ms=arguments.idle_timeout_ms,
        identity_key=os.environ.get(IDENTITY_KEY_VARIABLE)
        or secrets.token_hex(32),  # one that nobody knows, when none is set
    )
    hub = Hub(spec)
    listener = Listener(hub, arguments.port, arguments.address)
    listener.open()
    serve_admin = AdminPort(Operator(hub, listener)).serve
    admin = await asyncio.start_server(serve_admin, arguments.address, arguments.admin_port)
    ports = {"port": listener.port, "admin_port": admin.sockets[0].getsockname()[1]}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await stopped.wait()
    admin.close()
    listener.close()
    for connection in tuple(listener.connections):
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
