"""The project: settings, addresses, and how a server calls it."""
