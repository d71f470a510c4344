"""Detecting a Redis Cluster, which cannot be used.

A node of a cluster works like any Redis server until a key belongs to another node; then its errors
look like those of a server that is full.
"""

from typing import Any

from redis.exceptions import RedisError

from ck3parse.config.broker_url import CLUSTER

REFUSAL = f"the broker or its result backend cannot be used: {CLUSTER}"


def is_cluster(client: Any) -> bool:
    """Return whether a server says that it is a node of a Redis Cluster.

    Args:
        client: a Redis client; for another kind of server `None`, or any object without `info`.
    """
    try:
        info: dict[str, Any] = client.info("cluster") if hasattr(client, "info") else {}
    except (RedisError, OSError):  # the user may not run INFO, or the server does not answer
        return False
    return bool(info.get("cluster_enabled"))
