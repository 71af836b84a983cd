"""The bus over several hosts: messages of some topics pass through a Redis server or a cluster."""
