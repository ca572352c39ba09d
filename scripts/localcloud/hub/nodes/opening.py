"""Opening links: what a client asks for is checked in the order of the service, then attached or refused."""

import time

from scripts.localcloud.hub.access import address
from scripts.localcloud.hub.access.admission import admit
from scripts.localcloud.hub.access.gate import LISTEN, SEND, unauthorized
from scripts.localcloud.hub.connections.link import Attach, Link, LinkRefusedError
from scripts.localcloud.hub.connections.session import Session
from scripts.localcloud.hub.entity.hub import Hub
from scripts.localcloud.hub.nodes import feed, position
from scripts.localcloud.hub.nodes.feed import EventFeed
from scripts.localcloud.hub.nodes.intake import EventIntake
from scripts.localcloud.hub.nodes.node import NO_SUCH_PARTITION, NODES, Replies, Requests
from scripts.localcloud.hub.wire.performatives import Fault


class Opener:
    """Opens links, and knows the receivers that are attached."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.receivers: list[EventFeed] = []

    def open_link(self, session: Session, attach: Attach) -> Link:
        """Answer an attach; return the link, which is detached already where it was refused."""
        try:
            return self._open(session, attach)
        except LinkRefusedError as refusal:
            session.send(attach.answer(accepted=False, largest_message=self._hub.largest_message))
            link = Link(attach, session.send)
            link.detach(refusal.fault)
            return link

    def _open(self, session: Session, attach: Attach) -> Link:
        if attach.address in NODES:
            return _open_node(session, attach)
        where = address.parse(attach.address)
        fault = _fault_of(session, attach, where) or self._hub.faults.throttle()
        if fault is not None:
            raise LinkRefusedError(fault)
        if attach.client_receives:
            return self._open_feed(session, attach, where)
        return _open_intake(session, attach, where)

    def _open_feed(self, session: Session, attach: Attach, where: address.Address) -> EventFeed:
        partition = self._hub.partitions[where.partition or ""]
        cursor = position.resolve(feed.start_of(attach), partition)
        link = EventFeed(session, attach, where, partition)
        present = [one for one in self.receivers if (one.group, one.partition.id) == (link.group, partition.id)]
        admission = admit(link.epoch, [one.epoch for one in present])
        if admission.refused is not None:
            raise LinkRefusedError(admission.refused)
        if admission.displaced is not None:
            for one in present:
                one.detach(admission.displaced)
        offered = [feed.RUNTIME_METRIC] if link.metrics else None
        session.send(attach.answer(accepted=True, largest_message=self._hub.largest_message, offered=offered))
        self.receivers.append(link)
        link.start(max(cursor - self._hub.faults.rewind(partition.id), partition.begin), self.receivers.remove)
        return link


def _open_node(session: Session, attach: Attach) -> Link:
    session.send(attach.answer(accepted=True, largest_message=session.hub.largest_message))
    if attach.client_receives:
        return Replies(session, attach)
    link = Requests(session, attach)
    link.start()
    return link


def _open_intake(session: Session, attach: Attach, where: address.Address) -> EventIntake:
    session.send(attach.answer(accepted=True, largest_message=session.hub.largest_message))
    link = EventIntake(session, attach, where)
    link.start()
    return link


def _fault_of(session: Session, attach: Attach, where: address.Address) -> Fault | None:
    hub = session.hub
    claim, entity = LISTEN if attach.client_receives else SEND, f"sb://{where.host}{where.path}"
    if not any(one.covers(where.path, time.time()) for one in session.claims.values()):
        return unauthorized(claim, entity)
    if closed := hub.gate.fault(claim, entity):
        return closed
    if where.hub.lower() != hub.name.lower():
        return _missing(hub, where.hub_uri)
    if where.group is not None and where.group.lower() not in hub.groups:
        return _missing(hub, where.group_uri)
    if attach.client_receives and where.group is None:
        return Fault("amqp:not-allowed", f"'{attach.address}' names no consumer group to receive from.")
    if where.partition not in hub.partitions and (where.partition is not None or attach.client_receives):
        # https://github.com/Azure/azure-sdk-for-js/blob/main/sdk/eventhub/mock-hub/src/services/eventHubs.ts
        return Fault("com.microsoft:argument-out-of-range", NO_SUCH_PARTITION)
    return None


def _missing(hub: Hub, uri: str) -> Fault:
    return Fault("amqp:not-found", hub.not_found(uri))
