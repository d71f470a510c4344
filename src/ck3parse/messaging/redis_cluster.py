"""Telling a Redis Cluster from a Redis.

A node of a cluster answers as any server does until a key is another node's, and then with errors
that look like those of a server that is full.
"""

from typing import Any

from redis.exceptions import RedisError

from ck3parse.config.broker_url import CLUSTER

REFUSAL = f"the broker or its result backend cannot be used: {CLUSTER}"


def is_cluster(client: Any) -> bool:
    """Return whether a server says that it is a node of a Redis Cluster.

    Args:
        client: a Redis client, or what Celery has in its place with another server: `None`, or a
            client without `info`.
    """
    try:
        told: dict[str, Any] = client.info("cluster") if hasattr(client, "info") else {}
    except (RedisError, OSError):  # its user may not ask, or it does not answer
        return False
    return bool(told.get("cluster_enabled"))
