"""What plugin authors import, by way of the names that `corepool` itself exports."""
