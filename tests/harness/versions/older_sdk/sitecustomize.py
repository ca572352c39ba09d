"""Takes the streaming SDK of a worker to the local service without TLS, and may take `append_rows` from it.

The SDK before 1.7 trusts only the authorities that it was built with, the local one not among them, and before 1.5 it
speaks http: `PLAIN_URL` says where. With `WITHOUT_APPEND_ROWS` its channel is one of a preview. Python imports this by
itself in every process that has it on PYTHONPATH.
"""

import os
import sys
from types import SimpleNamespace

if "--multiprocessing-fork" in sys.orig_argv:
    from shared.config.settings import SnowflakeSettings
    from shared.ipc.messages import ChannelStatus
    from worker.sink import sdk
    from worker.sink.channel import Channel

    encrypted, opened = sdk.client_properties, Channel._open

    def plain(settings: SnowflakeSettings) -> dict[str, str]:
        """The properties with another URL."""
        return encrypted(settings) | {"url": os.environ["PLAIN_URL"]}

    def preview(self: Channel) -> ChannelStatus:
        """An open channel that has what evsup needs, without `append_rows`."""
        status = opened(self)
        methods = ("append_row", "get_channel_status", "initiate_flush", "close")
        self._channel = SimpleNamespace(**{name: getattr(self._channel, name) for name in methods})
        return status

    sdk.client_properties = plain
    if os.environ.get("WITHOUT_APPEND_ROWS"):
        Channel._open = preview  # type: ignore[method-assign]
