"""Which of the keys on standard input a cluster of Redis does not have.

python missing_keys.py HOST:PORT,HOST:PORT... < KEYS
"""

from __future__ import annotations

import sys

from redis.cluster import ClusterNode, RedisCluster

nodes = [ClusterNode(host, int(port)) for host, port in (each.split(":") for each in sys.argv[1].split(","))]
client = RedisCluster(startup_nodes=nodes)
for key in sys.stdin.read().split():
    if not client.exists(key):
        print(key)
