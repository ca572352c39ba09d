"""Sockets that the Azure SDK leaves behind in a process that goes on; a worker's end closes them.

The SDK drops the connection of a management call that failed without closing it. A thread of the SDK's may keep it for
half a minute more, and the collector, whenever it comes by, blames whichever test runs then.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_client_base.py
"""

import gc
import threading
import warnings

from azure.eventhub._pyamqp._transport import _AbstractTransport

from scripts.harness.waiting import PATIENCE_S


def let_go() -> None:
    """Wait for receivers that are stuck in a call, then close what the SDK dropped. No client may be in use."""
    for thread in threading.enumerate():
        if thread.name.startswith("receiver-"):
            thread.join(PATIENCE_S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    for held in gc.get_objects():
        if isinstance(held, _AbstractTransport) and (sock := vars(held)["sock"]):
            sock.close()
