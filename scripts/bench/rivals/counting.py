"""A receiver that only counts frames: what the local hub can feed to one link. Prints a Run as JSON."""

import select
import sys
import time
from struct import Struct

from scripts.bench.lab.measure import Run, hand_over
from shared.clock import monotonic
from shared.config import environment
from shared.eventhubs.client import EventHubClient
from shared.eventhubs.sdk_link import SdkLink
from shared.ipc.vitals import rss_bytes
from worker.source.performative import TRANSFER
from worker.source.stream import HEADER_BYTES

PERFORMATIVE = 10  # place of its code in a frame: behind the header, 0x00 and 0x53
WAIT_MS = 1000

_size_at = Struct(">I").unpack_from


def count(partition_id: str, total: int) -> Run:
    """Take `total` events from the beginning, with the credit of evsup's settings, and look into none."""
    settings = environment.load().settings.eventhub
    with EventHubClient(settings, retry_total=0) as client:
        link = client.sdk.link(partition_id, "-1", inclusive=False, owner_level=0, track=settings.track_last_enqueued)
        while not link.open():
            pass
        run = _taken(link, total, settings.prefetch)
        link.close()
    return run


def _taken(link: SdkLink, total: int, credit: int) -> Run:
    poll = select.poll()
    poll.register(link, select.POLLIN)
    data, events = link.take_over(), 0
    began_s, began_cpu_s = monotonic(), time.process_time()
    while events < total:
        transfers, rest = _transfers(data)
        events += transfers
        link.count(transfers, transfers)
        if link.credit <= credit // 2:
            link.grant(credit)
        poll.poll(WAIT_MS)
        data = rest + link.read()
    seconds, cpu_s = monotonic() - began_s, time.process_time() - began_cpu_s
    return Run(events=events, seconds=seconds, cpu_s=cpu_s, rss_bytes=rss_bytes())


def _transfers(data: bytes) -> tuple[int, bytes]:
    """How many transfers are whole in `data`, and what is behind the last whole frame."""
    at, length, transfers = 0, len(data), 0
    while length - at >= HEADER_BYTES and (end := at + _size_at(data, at)[0]) <= length:
        transfers += end - at > PERFORMATIVE and data[at + PERFORMATIVE] == TRANSFER
        at = end
    return transfers, data[at:]


if __name__ == "__main__":
    hand_over(count(sys.argv[1], int(sys.argv[2])))
