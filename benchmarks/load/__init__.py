"""The clients that load the servers: each does a bounded amount of work and then ends by itself."""
