"""A guest book: whoever comes leaves a line."""
