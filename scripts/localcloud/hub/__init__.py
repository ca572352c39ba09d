"""A local Event Hubs: an AMQP 1.0 server on loopback that the real azure-eventhub SDK reads from and publishes to.

It is strict where the service is strict (signatures, epochs, positions, credit, sizes) and offers faults on an admin
port. `scripts.localcloud.hub.process.HubProcess` starts one, `scripts.localcloud.hub.admin.HubAdmin` controls it.
"""
