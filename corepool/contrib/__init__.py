"""The bus behind interfaces of others: Django Channels, python-socketio. Each module is imported by who uses it."""
