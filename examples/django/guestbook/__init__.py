"""A guest book: each visitor leaves a line."""
