"""The embedded broker: a private server and worker, which end with their owner."""
