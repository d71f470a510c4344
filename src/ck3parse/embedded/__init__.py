"""A server and a worker of one's own, for the life of their owner."""
