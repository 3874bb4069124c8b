"""The embedded stack: real NATS, a real store and the three services on one machine."""
