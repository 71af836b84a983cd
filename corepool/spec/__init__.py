"""The interfaces for plugin authors, who import them from `corepool` itself."""
