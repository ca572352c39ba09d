"""AMQP 1.0 as bytes: values, frames, and transfers of events."""
