"""Takes the streaming SDK of a worker to the local service without TLS, and may take `append_rows` from it.

The SDK before 1.7 trusts only the authorities that it was built with, the local one not among them, and before 1.5 it
speaks http: `PLAIN_URL` says where. With `WITHOUT_APPEND_ROWS` its channel is one of a preview. Python imports this by
itself in every process that has it on PYTHONPATH.
"""

import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

if "--multiprocessing-fork" in sys.orig_argv:
    from shared.config.settings import SnowflakeSettings
    from worker.sink import channel as sink

    encrypted, opened = sink.client_properties, sink.Channel._open

    def plain(settings: SnowflakeSettings) -> dict[str, str]:
        """The properties with another URL."""
        return encrypted(settings) | {"url": os.environ["PLAIN_URL"]}

    def preview(self: sink.Channel, client_class: Callable[..., Any]) -> tuple[Any, Any, Any]:
        """An open channel that has what evsup needs, without `append_rows`."""
        client, channel, status = opened(self, client_class)
        methods = ("append_row", "get_channel_status", "initiate_flush", "close")
        return client, SimpleNamespace(**{name: getattr(channel, name) for name in methods}), status

    sink.client_properties = plain
    if os.environ.get("WITHOUT_APPEND_ROWS"):
        sink.Channel._open = preview  # type: ignore[method-assign]
