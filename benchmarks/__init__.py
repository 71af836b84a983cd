"""The benchmarks of corepool: `python -m benchmarks` from a checkout. See README.md beside this file."""
