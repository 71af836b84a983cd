"""The servers that corepool is compared with, where they are not programs of their own."""
